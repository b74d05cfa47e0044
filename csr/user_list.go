package csr

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Person is a user who has a binding, or a certificate that is in force. Users
// whose names begin with system: or kubeadm: are parts of a cluster.
type Person struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups,omitempty"` // of the certificates in force
	// Bindings are the user's own, and then those of the groups.
	Bindings    []UserBinding `json:"bindings"`
	Credentials []Credential  `json:"credentials"` // the last to end first
	// Until is when the last known certificate ends; nil where none is known.
	Until *time.Time `json:"until,omitempty"`
}

// ListUsersOptions is what the command user list takes.
type ListUsersOptions struct {
	Name     string        // that person only
	Expiring time.Duration // only who has no certificate after that time, and one within it before or after now
	Dir      string        // a PKI directory with an inventory; it need not exist
	Now      time.Time
}

// ListUsers lists the people whom a cluster knows, by name: from its bindings,
// from certificate signing requests as long as they are there, from the
// certificates that bindings remember, and from the inventory of the cluster's
// CA. What may not be read is left out with a warning.
func ListUsers(ctx context.Context, c *kubeclient.Client, o ListUsersOptions) (people []Person, warnings []string, err error) {
	l := &lister{ListUsersOptions: o, people: map[string]*Person{}}
	bound, err := bindings(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	l.addBindings(bound)
	issued, err := issuedObjects(ctx, c)
	switch {
	case apierrors.IsForbidden(err):
		warnings = append(warnings, "certificate signing requests are left out: "+err.Error())
	case err != nil:
		return nil, nil, err
	}
	for i := range issued {
		if cert := clientCertificate(&issued[i]); cert != nil {
			l.addCredential(cert.Subject.CommonName, CredentialOf(cert, "csr "+issued[i].Name))
		}
	}
	entries, warning, err := inventoryOf(ctx, c, ca.ListOptions{Dir: o.Dir, State: "", Now: o.Now})
	if err != nil {
		return nil, nil, err
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	for _, e := range entries {
		l.addEntry(e)
	}
	l.addGroups(bound)
	return l.sorted(), warnings, nil
}

type lister struct {
	ListUsersOptions
	people map[string]*Person
}

// person returns the one of that name, nil for parts of the cluster.
func (l *lister) person(name string) *Person {
	if name == "" || ca.IsReserved(name) || (l.Name != "" && l.Name != name) {
		return nil
	}
	p := l.people[name]
	if p == nil {
		p = &Person{Name: name, Bindings: []UserBinding{}, Credentials: []Credential{}}
		l.people[name] = p
	}
	return p
}

func (l *lister) addBindings(bound []UserBinding) {
	for _, b := range bound {
		for _, s := range b.object.Subjects {
			if s.Kind != rbacv1.UserKind {
				continue
			}
			p := l.person(s.Name)
			if p == nil {
				continue
			}
			p.Bindings = append(p.Bindings, b)
			for _, credential := range readCredentials(b.object.Annotations) {
				credential.KnownFrom = []string{strings.ToLower(b.Kind) + " " + b.Name}
				p.Credentials = mergeCredentials(p.Credentials, credential)
			}
		}
	}
}

// addCredential adds a certificate. One that has ended makes nobody a person.
func (l *lister) addCredential(name string, credential Credential) {
	if l.people[name] == nil && !credential.NotAfter.After(l.Now) {
		return
	}
	if p := l.person(name); p != nil {
		p.Credentials = mergeCredentials(p.Credentials, credential)
	}
}

// addEntry adds a row of the inventory that is a client certificate. A revoked
// one still works: an API server reads no revocation list.
func (l *lister) addEntry(e ca.Entry) {
	block, _ := pem.Decode([]byte(e.PEM))
	if block == nil {
		return
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err == nil && !cert.IsCA && slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		l.addCredential(e.CommonName, CredentialOf(cert, "inventory"))
	}
}

// addGroups gives people the bindings of the groups that their certificates
// have, and leaves of what has ended the last.
func (l *lister) addGroups(bound []UserBinding) {
	for _, p := range l.people {
		live := slices.DeleteFunc(slices.Clone(p.Credentials), func(c Credential) bool { return !c.NotAfter.After(l.Now) })
		if len(live) == 0 && len(p.Credentials) > 0 {
			live = p.Credentials[:1]
		} else {
			p.Groups = groupsOf(live)
		}
		p.Credentials = append([]Credential{}, live...)
		if len(live) > 0 {
			p.Until = &live[0].NotAfter
		}
		p.Bindings = append(p.Bindings, boundGroups(bound, p.Groups)...)
	}
}

// groupsOf returns the groups of certificates, each once.
func groupsOf(credentials []Credential) []string {
	var groups []string
	for _, c := range credentials {
		for _, group := range c.Groups {
			if !slices.Contains(groups, group) {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// boundGroups returns the bindings that have one of the groups for a subject.
func boundGroups(bound []UserBinding, groups []string) []UserBinding {
	var found []UserBinding
	for _, b := range bound {
		for _, s := range b.object.Subjects {
			if s.Kind == rbacv1.GroupKind && slices.Contains(groups, s.Name) {
				b.Group = s.Name
				found = append(found, b)
				break
			}
		}
	}
	return found
}

func (l *lister) sorted() []Person {
	list := []Person{}
	for _, p := range l.people {
		if l.Expiring > 0 && (p.Until == nil || p.Until.After(l.Now.Add(l.Expiring)) || p.Until.Before(l.Now.Add(-l.Expiring))) {
			continue
		}
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b Person) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// issuedObjects reads the certificate signing requests of the signer for users.
func issuedObjects(ctx context.Context, c *kubeclient.Client) ([]Object, error) {
	return objects(ctx, c, metav1.ListOptions{FieldSelector: "spec.signerName=" + SignerClient})
}

func objects(ctx context.Context, c *kubeclient.Client, o metav1.ListOptions) ([]Object, error) {
	var all []Object
	o.Limit = listLimit
	for {
		var page certificatesv1.CertificateSigningRequestList
		if err := c.List(ctx, kubeclient.CertificateSigningRequests, o, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if o.Continue = page.Continue; o.Continue == "" {
			return all, nil
		}
	}
}

// clientCertificate returns the certificate of an issued object, nil where
// there is none.
func clientCertificate(object *Object) *x509.Certificate {
	cert, err := certificateOf(object)
	if err != nil {
		return nil
	}
	return cert
}
