package ca

import "github.com/pkictl/pkictl/internal/failure"

// CheckCommonName says what is wrong with a common name, alone: Issue and Init
// refuse what it refuses.
func CheckCommonName(name string) error { return checkName("common name", name) }

// CheckGroup says what is wrong with a group, alone.
func CheckGroup(name string) error { return checkName("group", name) }

// CheckOrganization says what is wrong with an organization of a CA, alone.
func CheckOrganization(name string) error { return checkName("organization", name) }

// CheckDNS says what is wrong with an alternative DNS name, alone.
func CheckDNS(name string) error { return checkDNSName(name) }

// CheckIP says what is wrong with an alternative IP address, alone.
func CheckIP(text string) error {
	_, err := parseIP(text)
	return err
}

// CheckDomain says why a CA cannot be limited to a domain.
func CheckDomain(domain string) error { return checkDomain(domain) }

// CheckNetwork says why a CA cannot be limited to a network.
func CheckNetwork(text string) error {
	_, err := parseNetwork(text)
	return err
}

// CheckNoCA says whether a CA may be made in a directory: there is none yet. It
// looks at names alone, and changes nothing.
func CheckNoCA(dir string) error { return checkNoCA(dir, "") }

// CheckHasCA says whether there is a CA in a directory to sign with. It looks at
// the name of its certificate alone.
func CheckHasCA(dir string) error {
	if isThere(CertPath(dir)) {
		return nil
	}
	return noCA(dir)
}

func noCA(dir string) error {
	return failure.New(failure.Failed, initHint(dir), "there is no CA in %q", dir)
}

// CheckImport says whether there is the CA of a known tool in a directory, and
// returns the name of the tool.
func CheckImport(dir string) (tool string, err error) {
	src, err := InitOptions{ImportDir: dir}.importSource()
	return src.tool, err
}
