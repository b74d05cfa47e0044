package csr

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// credentialsAnnotation of a binding says which certificates its user has: a
// list of Credentials in JSON.
const credentialsAnnotation = AnnotationPrefix + "credentials"

// maxCredentials is how many certificates a binding remembers, the last to end
// first: an annotation has its limits.
const maxCredentials = 20

// Credential is a certificate with which a user can log in until it ends.
type Credential struct {
	User     string    `json:"user,omitempty"`
	Serial   string    `json:"serial"`       // hexadecimal, as OpenSSL prints it
	ID       string    `json:"credentialID"` // as the API server puts it into audit events
	Groups   []string  `json:"groups,omitempty"`
	NotAfter time.Time `json:"notAfter"`
	// KnownFrom says where it was found: "csr NAME", "inventory", "removed users",
	// "claimed by rolebinding NAME", which nobody vouches for.
	KnownFrom []string `json:"knownFrom,omitempty"`
}

// CredentialID returns what the API server calls a client certificate in
// audit events and access reviews: X509SHA256= and the SHA-256 of its DER form
// in hexadecimal (kubernetes apiserver/pkg/authentication/request/x509/x509.go).
func CredentialID(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return "X509SHA256=" + hex.EncodeToString(sum[:])
}

// CredentialOf describes a client certificate.
func CredentialOf(cert *x509.Certificate, from ...string) Credential {
	return Credential{
		User: cert.Subject.CommonName, Serial: ca.FormatSerial(cert.SerialNumber), ID: CredentialID(cert),
		Groups: cert.Subject.Organization, NotAfter: cert.NotAfter.UTC(), KnownFrom: from,
	}
}

// readCredentials reads the annotation of a binding. What somebody has spoilt
// is passed over: it serves a list, and grants nothing.
func readCredentials(annotations map[string]string) []Credential {
	var list []Credential
	if json.Unmarshal([]byte(annotations[credentialsAnnotation]), &list) != nil {
		return nil
	}
	return list
}

// claimsOf returns what a binding that pkictl has made says of the user's
// certificates. Who may write the binding may have written it: it counts for
// the user alone whom it names, and for no group that Kubernetes keeps for itself.
func (b UserBinding) claimsOf(user string) []Credential {
	if b.object.Labels[LabelManagedBy] != ManagedBy {
		return nil
	}
	var claims []Credential
	for _, c := range readCredentials(b.object.Annotations) {
		if c.User == user && c.isWellFormed() {
			c.Groups = slices.DeleteFunc(c.Groups, ca.IsReserved)
			c.KnownFrom = []string{"claimed by " + strings.ToLower(b.Kind) + " " + b.Name}
			claims = append(claims, c)
		}
	}
	return claims
}

var (
	serialForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Fa-f]{1,40}$`) }) // RFC 5280, 4.1.2.2: 20 octets
	idForm     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^X509SHA256=[0-9a-f]{64}$`) })
)

// isWellFormed says whether a certificate can be like that.
func (c Credential) isWellFormed() bool {
	return serialForm().MatchString(c.Serial) && idForm().MatchString(c.ID)
}

// inForce returns those that have not ended.
func inForce(list []Credential, now time.Time) []Credential {
	return slices.DeleteFunc(slices.Clone(list), func(c Credential) bool { return !c.NotAfter.After(now) })
}

// writeCredentials returns the annotation with one more certificate, without
// those that have ended.
func writeCredentials(known []Credential, added Credential, now time.Time) (string, error) {
	added.KnownFrom = nil
	list := []Credential{added}
	for _, c := range known {
		if c.ID != added.ID && c.NotAfter.After(now) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Credential) int { return b.NotAfter.Compare(a.NotAfter) })
	data, err := json.Marshal(list[:min(len(list), maxCredentials)])
	return string(data), err
}

// mergeCredentials adds certificates that are not in the list yet, and to
// those that are where else they were found. The last to end comes first.
func mergeCredentials(list []Credential, more ...Credential) []Credential {
	for _, c := range more {
		i := slices.IndexFunc(list, func(known Credential) bool { return known.ID == c.ID })
		if i < 0 {
			list = append(list, c)
			continue
		}
		for _, from := range c.KnownFrom {
			if !slices.Contains(list[i].KnownFrom, from) {
				list[i].KnownFrom = append(list[i].KnownFrom, from)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Credential) int { return b.NotAfter.Compare(a.NotAfter) })
	return list
}
