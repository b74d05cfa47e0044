package csr

import (
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// DefaultFor is how long a user's certificate lives unless told otherwise: a
// working day, and the morning after it.
const DefaultFor = 24 * time.Hour

// Via says who signs a user's certificate.
type Via string

// The ways.
const (
	ViaCSR Via = "csr" // the cluster, by its certificates API
	ViaCA  Via = "ca"  // the CA in a PKI directory, which must be the cluster's
)

// UserGrant is what a user is to have: a name, groups, and at most one role.
type UserGrant struct {
	Name        string   `json:"name"`
	Groups      []string `json:"groups,omitempty"`
	Namespace   string   `json:"namespace,omitempty"`   // of the role and of the context in the kubeconfig
	Role        string   `json:"role,omitempty"`        // in Namespace: a Role, or else a ClusterRole
	ClusterRole string   `json:"clusterRole,omitempty"` // for the whole cluster
	Seconds     int64    `json:"seconds"`               // lifetime of the certificate
	Via         Via      `json:"via"`
	Key         string   `json:"key,omitempty"` // name of a ca.KeyKind
}

// Lifetime returns the lifetime of the certificate.
func (g UserGrant) Lifetime() time.Duration { return time.Duration(g.Seconds) * time.Second }

// Check checks what can be known without the cluster.
func (g UserGrant) Check() error {
	if err := CheckUserName(g.Name); err != nil {
		return err
	}
	if err := g.checkGroups(); err != nil {
		return err
	}
	switch {
	case g.Role != "" && g.ClusterRole != "":
		return failure.New(failure.Usage, "use --role with --namespace for one namespace, --cluster-role for all of them", "--role and --cluster-role exclude each other")
	case g.Role != "" && g.Namespace == "":
		return failure.New(failure.Usage, "add --namespace NS, or use --cluster-role "+g.Role+" for the whole cluster", "--role %q needs a namespace", g.Role)
	case g.Namespace != "" && CheckNamespace(g.Namespace) != nil:
		return CheckNamespace(g.Namespace)
	case g.Via != ViaCSR && g.Via != ViaCA:
		return failure.New(failure.Usage, "choose csr or ca", "there is no way %q to sign a certificate", g.Via)
	case g.Via == ViaCSR && g.Lifetime() < MinExpiration:
		return failure.New(failure.Refused, "use --for 10m or more, or --via ca where the CA is at hand",
			"the certificates API issues nothing for less than 10 minutes, and %s is", ca.FormatValidity(g.Lifetime()))
	}
	for _, role := range []string{g.Role, g.ClusterRole} {
		if err := CheckRole(role); err != nil {
			return err
		}
	}
	_, err := ca.ParseKeyKind(g.Key)
	return err
}

// CheckNamespace says why a name is not one of a namespace.
func CheckNamespace(name string) error {
	if len(validation.IsDNS1123Label(name)) > 0 {
		return failure.New(failure.Usage, "write lower-case letters, digits and '-', at most 63", "%q is not the name of a namespace", name)
	}
	return nil
}

// CheckRole says why a name is not one of a role or cluster role.
func CheckRole(name string) error {
	if name == "." || name == ".." || strings.ContainsAny(name, "/%") || !isPrintable(name) {
		return failure.New(failure.Usage, "see: kubectl get clusterroles", "%q cannot be the name of a role", name)
	}
	return nil
}

// CheckGroup says why a group is not one that people should have in a
// certificate that is signed in that way.
func CheckGroup(group string, via Via) error {
	return UserGrant{Name: "jane", Groups: []string{group}, Via: via}.checkGroups()
}

// checkGroups refuses what the API server would, with a way out.
func (g UserGrant) checkGroups() error {
	for _, group := range g.Groups {
		if group == ca.GroupMasters {
			if g.Via == ViaCA {
				continue
			}
			return failure.New(failure.Refused,
				"better bind the user with --cluster-role cluster-admin, which can be taken back; or use --via ca where the cluster's CA is at hand",
				"the API server signs no certificate of group %s (admission plugin CertificateSubjectRestriction)", ca.GroupMasters)
		}
		if ca.IsReserved(group) {
			return failure.New(failure.Refused, "choose a group without the prefix; parts of the cluster get theirs with: pkictl issue",
				"the group %q is one that Kubernetes keeps for its own parts", group)
		}
	}
	// The rest is what every certificate of the CA is checked for.
	_, err := ca.IssueOptions{CommonName: g.Name, Groups: g.Groups}.Request()
	return err
}

// CheckUserName says why a name is not one that people should have. It becomes
// part of file names, of URLs and of tables that people read.
func CheckUserName(name string) error {
	bad := func(kind failure.Kind, hint, why string) error {
		return failure.New(kind, hint, "user %q %s", shorten(name), why)
	}
	switch {
	case name == "":
		return failure.New(failure.Usage, "give a name, as in: pkictl user add jane", "the name of the user is empty")
	case !utf8.ValidString(name):
		return bad(failure.Usage, "write it in UTF-8", "is not valid UTF-8")
	case utf8.RuneCountInString(name) > 64:
		return bad(failure.Usage, "X.509 allows 64 characters (RFC 5280, appendix A.1); choose a shorter one", "is too long a name")
	case ca.IsReserved(name):
		return bad(failure.Refused, "choose a name without the prefix; parts of the cluster get theirs with: pkictl issue", "has a name that Kubernetes keeps for itself")
	case strings.ContainsFunc(name, unicode.IsSpace):
		return bad(failure.Usage, "write a '.' or '-' in its place, as in jane.doe", "has white space in its name")
	case !isPrintable(name):
		return bad(failure.Usage, "leave it out; it would hide or change what people see", "has a character that cannot be printed")
	case strings.ContainsAny(name, `/\%`), strings.HasPrefix(name, "."), strings.HasPrefix(name, "-"):
		return bad(failure.Usage, "write letters, digits, '.', '-', '_', '@' or ':', a letter first", "has a name that would lead elsewhere in a path")
	}
	return nil
}

func isPrintable(s string) bool {
	notPrintable := func(r rune) bool { return !unicode.IsPrint(r) }
	return utf8.ValidString(s) && !strings.ContainsFunc(s, notPrintable)
}

// UserFile returns the name of the kubeconfig of a user in a directory, with
// '_' in place of what does not belong in file names everywhere.
func UserFile(dir, name string) string {
	return filepath.Join(dir, filepath.Base(ca.IssueOptions{CommonName: name}.Prefix())+".conf")
}
