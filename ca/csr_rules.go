package ca

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// What a certificate request may be allowed by name, beside the profile.
const (
	AllowNames     = "names"      // alternative names, where the profile takes none from requests
	AllowManyNames = "many-names" // more than 100 of them, or of groups
	AllowWeakKey   = "weak-key"   // RSA below 2048 or above 8192 bits or with an exponent below 65537, and P-224
	AllowWeakHash  = "weak-hash"  // a signature with SHA-1
	AllowMasters   = AllowGroup + GroupMasters

	// Before a common name, or a group, that begins as those do which Kubernetes
	// and kubeadm keep for themselves.
	AllowName  = "name:"
	AllowGroup = "group:"
)

// Allowances lists what IssueOptions.Allow may hold, beside AllowName and
// AllowGroup with what comes after them.
func Allowances() []string {
	return []string{AllowNames, AllowManyNames, AllowWeakKey, AllowWeakHash, AllowMasters}
}

// maxRequestNames is how many alternative names, or groups, a request may have
// unless it is allowed more.
const maxRequestNames = 100

// requestRules say what of a certificate request a profile takes.
type requestRules struct {
	subject                bool // common name and organizations
	dns, ips, uris, emails bool
	allow                  []string // Allowances
}

// defaultRequestRules let a request name what its certificate is for: a server
// by alternative names, a client by its subject alone.
func defaultRequestRules(p Profile) requestRules {
	names := p.ServerAuth()
	return requestRules{subject: true, dns: names, ips: names, uris: names, emails: names}
}

// checkAllowance checks a name of what is allowed.
func checkAllowance(name string) error {
	if slices.Contains(Allowances(), name) {
		return nil
	}
	for _, kind := range []string{AllowName, AllowGroup} {
		if value, is := strings.CutPrefix(name, kind); is && isReserved(value) {
			return nil
		} else if is {
			return failure.New(failure.Usage, fmt.Sprintf("known: %s, and name:NAME and group:NAME of what begins with %s",
				strings.Join(Allowances(), ", "), strings.Join(reserved, " or ")), "%q needs no allowance", name)
		}
	}
	switch failure.Letters(name) {
	case "ca", "catrue", "isca", "certsign", "keycertsign", "crlsign":
		return failure.New(failure.Usage, "make an intermediate CA with: pkictl init-ca --parent DIR", "a request for a CA can never be allowed (%q)", name)
	}
	return failure.New(failure.Usage, failure.Suggest(name, Allowances()), "nothing is called %q that could be allowed", name)
}
