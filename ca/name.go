package ca

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/internal/failure"
)

// ub-common-name and ub-organization-name, in characters (RFC 5280, appendix A.1).
const maxNameLength = 64

var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOrganization = asn1.ObjectIdentifier{2, 5, 4, 10}

	// attributeLike matches what people write who think of openssl's -subj.
	attributeLike = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^/|/(CN|O|OU|C|L|ST|emailAddress)=`) })
)

// checkName says what is wrong with a value of a subject; what names it in the
// error, as in "common name".
func checkName(what, value string) error {
	bad := func(hint, why string) error {
		return failure.New(failure.Usage, hint, "%s %q %s", what, value, why)
	}
	switch {
	case value == "":
		return bad("give it a name, as in kube-admin", "is empty")
	case !utf8.ValidString(value):
		return bad("write it in UTF-8", "is not valid UTF-8")
	case utf8.RuneCountInString(value) > maxNameLength:
		return failure.New(failure.Usage, "X.509 allows 64 characters (RFC 5280, appendix A.1); choose a shorter one",
			"%s %q has %d characters", what, shorten(value), utf8.RuneCountInString(value))
	case strings.TrimSpace(value) != value:
		return bad("leave them out", "begins or ends with white space")
	case attributeLike().MatchString(value):
		return bad("write the value alone, as in --cn jane --group dev", "looks like a distinguished name")
	}
	for _, r := range value {
		if !unicode.IsPrint(r) { // control, format and bidirectional characters
			return bad("leave it out; it would hide or change what people see", "has a character that cannot be printed")
		}
	}
	return nil
}

func shorten(s string) string {
	runes := []rune(s)
	return string(runes[:20]) + "…"
}

// checkGroups checks the organizations of a subject, which Kubernetes reads as
// groups.
func checkGroups(groups []string) error {
	seen := map[string]bool{}
	for _, group := range groups {
		if err := checkName("group", group); err != nil {
			return err
		}
		if seen[group] {
			return failure.New(failure.Usage, "name each group once", "group %q is given twice", group)
		}
		seen[group] = true
	}
	return nil
}

// subject encodes O and CN, each in an RDN of its own and in the order given.
// crypto/x509 would put several organizations into one RDN and sort them.
func subject(groups []string, commonName string) ([]byte, error) {
	var rdns pkix.RDNSequence
	for _, group := range groups {
		rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: oidOrganization, Value: group}})
	}
	rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: oidCommonName, Value: commonName}})
	return asn1.Marshal(rdns)
}

// FormatName writes a name in DER form as its attributes in their order, as in
// "O=system:masters,CN=kube-admin". It says so where it is no name.
func FormatName(der []byte) string {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return "(not a name)"
	}
	slices.Reverse(rdns) // RDNSequence.String follows RFC 4514, last first
	return rdns.String()
}

// SANs are the subject alternative names of a certificate (RFC 5280, 4.2.1.6).
type SANs struct {
	DNS    []string
	IPs    []net.IP
	URIs   []*url.URL
	Emails []string
}

// Strings returns all names in the order in which crypto/x509 encodes them:
// DNS, e-mail, IP, URI.
func (s SANs) Strings() []string {
	names := append(append([]string{}, s.DNS...), s.Emails...)
	for _, ip := range s.IPs {
		names = append(names, ip.String())
	}
	for _, uri := range s.URIs {
		names = append(names, uri.String())
	}
	return names
}

// ParseSANs reads the names as a user writes them. A name that is given twice,
// or is none, is an error of kind Usage.
func ParseSANs(dns, ips, uris, emails []string) (SANs, error) {
	var sans SANs
	for _, name := range dns {
		if err := checkDNSName(name); err != nil {
			return sans, err
		}
		sans.DNS = append(sans.DNS, name)
	}
	for _, text := range ips {
		ip, err := parseIP(text)
		if err != nil {
			return sans, err
		}
		sans.IPs = append(sans.IPs, ip)
	}
	for _, text := range uris {
		uri, err := parseURI(text)
		if err != nil {
			return sans, err
		}
		sans.URIs = append(sans.URIs, uri)
	}
	for _, text := range emails {
		if err := checkEmail(text); err != nil {
			return sans, err
		}
		sans.Emails = append(sans.Emails, text)
	}
	seen := map[string]bool{}
	for _, name := range sans.Strings() {
		if seen[name] {
			return sans, failure.New(failure.Usage, "name each one once", "alternative name %q is given twice", name)
		}
		seen[name] = true
	}
	return sans, nil
}

// checkDNSName accepts RFC 1123 host names, and a wildcard as the whole
// leftmost label (RFC 6125, 6.4.3) above at least two others.
func checkDNSName(name string) error {
	bad := func(hint string) error {
		return failure.New(failure.Usage, hint, "%q is not a DNS name", name)
	}
	lower := strings.ToLower(name)
	if _, err := netip.ParseAddr(name); err == nil {
		return bad("it is an IP address: use --ip")
	}
	if strings.Contains(name, "*") {
		parent, isPrefix := strings.CutPrefix(lower, "*.")
		if !isPrefix || !isHostName(parent) || !strings.Contains(parent, ".") || len(name) > validation.DNS1123SubdomainMaxLength {
			return failure.New(failure.Usage, "a wildcard is the whole first label, as in *.apps.example.com",
				"%q is not a wildcard that TLS clients accept", name)
		}
		return nil
	}
	if !isHostName(lower) {
		return bad("write letters, digits, '-' and '.', labels of at most 63 characters, no port and no scheme")
	}
	return nil
}

// isHostName says whether a lower-case name is one of RFC 1123. The Kubernetes
// check does not look at the length of a label.
func isHostName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > validation.DNS1123LabelMaxLength {
			return false
		}
	}
	return len(validation.IsDNS1123Subdomain(name)) == 0
}

func parseIP(text string) (net.IP, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return nil, failure.New(failure.Usage, "write it like 10.0.0.10 or fd00::10, without port, mask or zone",
			"%q is not an IP address", text)
	}
	return net.IP(addr.Unmap().AsSlice()), nil
}

func parseURI(text string) (*url.URL, error) {
	uri, err := url.Parse(text)
	if err != nil || uri.Scheme == "" || (uri.Host == "" && uri.Opaque == "") || uri.String() != text || !isASCII(text) {
		return nil, failure.New(failure.Usage, "write it with its scheme, as in spiffe://cluster.local/ns/dev/sa/app",
			"%q is not an absolute URI", text)
	}
	return uri, nil
}

func checkEmail(text string) error {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text || !isASCII(text) {
		return failure.New(failure.Usage, "write the plain address, as in jane@example.com", "%q is not an e-mail address", text)
	}
	return nil
}

func isASCII(s string) bool {
	for _, r := range s {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
