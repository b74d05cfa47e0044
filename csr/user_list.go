package csr

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
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
	// Removed is when the user was removed, nil for who was not, or is back:
	// bound, or with a newer certificate.
	Removed *time.Time `json:"removed,omitempty"`
}

// ListUsersOptions is what the command user list takes.
type ListUsersOptions struct {
	Name      string        // that person only
	Namespace string        // the bindings there only; empty: all
	Expiring  time.Duration // only who has no certificate after that time, and one within it before or after now
	Dir       string        // a PKI directory with an inventory; it need not exist
	Now       time.Time
}

// CheckKnownName says why there can be no person of that name. Others than
// pkictl give names that CheckUserName would not take.
func CheckKnownName(name string) error {
	switch {
	case name == "":
		return failure.New(failure.Usage, "give a name; see: pkictl user list", "the name of the user is empty")
	case ca.IsReserved(name):
		return failure.New(failure.Refused, "see what it is bound to with: kubectl get clusterrolebindings,rolebindings -A -o wide",
			"user %q has a name that Kubernetes keeps for itself: it is a part of the cluster", shorten(name))
	}
	return nil
}

// ListUsers lists the people whom a cluster knows, by name: from its bindings,
// from certificate signing requests as long as they are there, from the
// certificates that bindings remember, from the removed users, and from the
// inventory of the cluster's CA. What may not be read is left out with a warning.
func ListUsers(ctx context.Context, c *kubeclient.Client, o ListUsersOptions) (people []Person, warnings []string, err error) {
	l, err := readUsers(ctx, c, o)
	if err != nil {
		return nil, nil, err
	}
	return l.sorted(), l.warnings, nil
}

// lister is what was read of users.
type lister struct {
	ListUsersOptions
	people   map[string]*Person
	bound    []UserBinding
	requests []Object   // those for SignerClient, in all states
	entries  []ca.Entry // of the inventory
	removed  []RemovedUser
	warnings []string
}

func readUsers(ctx context.Context, c *kubeclient.Client, o ListUsersOptions) (*lister, error) {
	l := &lister{ListUsersOptions: o, people: map[string]*Person{}}
	var warning string
	var err error
	if l.bound, warning, err = userBindings(ctx, c, o.Namespace); err != nil {
		return nil, err
	}
	l.warn(warning)
	l.requests, err = List(ctx, c, ListOptions{Signer: SignerClient})
	if err := l.leaveOut("certificate signing requests", err); err != nil {
		return nil, err
	}
	l.removed, err = RemovedUsers(ctx, c, o.Now)
	if err := l.leaveOut("users who were removed", err); err != nil {
		return nil, err
	}
	if l.entries, warning, err = inventoryOf(ctx, c, ca.ListOptions{Dir: o.Dir, State: "", Now: o.Now}); err != nil {
		return nil, err
	}
	l.warn(warning)
	l.join()
	return l, nil
}

func (l *lister) warn(warning string) {
	if warning != "" {
		l.warnings = append(l.warnings, warning)
	}
}

// leaveOut makes a warning of what may not be read.
func (l *lister) leaveOut(what string, err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	l.warn(what + " are left out: " + err.Error())
	return nil
}

// join makes people of what was read. What bindings claim comes last: what is
// known of a certificate from elsewhere counts.
func (l *lister) join() {
	l.addBindings()
	for i := range l.requests {
		if cert := Certificate(&l.requests[i]); cert != nil {
			l.addCredential(cert.Subject.CommonName, CredentialOf(cert, "csr "+l.requests[i].Name))
		}
	}
	for _, e := range l.entries {
		if cert := clientCertificate(e); cert != nil {
			l.addCredential(e.CommonName, CredentialOf(cert, "inventory"))
		}
	}
	for _, user := range l.removed {
		for _, credential := range user.Credentials {
			l.addCredential(user.Name, credential)
		}
	}
	for _, b := range l.bound {
		for _, name := range b.users() {
			for _, credential := range b.claimsOf(name) {
				l.addCredential(name, credential)
			}
		}
	}
	l.addRemoved()
	l.addGroups()
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

// users returns the names of the users who are bound, each once.
func (b UserBinding) users() []string {
	var names []string
	for _, s := range b.object.Subjects {
		if s.Kind == rbacv1.UserKind && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

func (l *lister) addBindings() {
	for _, b := range l.bound {
		for _, name := range b.users() {
			if p := l.person(name); p != nil {
				p.Bindings = append(p.Bindings, b)
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

// clientCertificate reads a row of the inventory; nil if it is no client
// certificate. A revoked one still works: an API server reads no revocation list.
func clientCertificate(e ca.Entry) *x509.Certificate {
	block, _ := pem.Decode([]byte(e.PEM))
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || cert.IsCA || !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return nil
	}
	return cert
}

// addRemoved says who was removed, and is not back.
func (l *lister) addRemoved() {
	for _, user := range l.removed {
		p := l.people[user.Name]
		if p == nil || len(p.Bindings) > 0 {
			continue
		}
		isNew := func(c Credential) bool { return !slices.Contains(c.KnownFrom, fromRemoved) }
		if !slices.ContainsFunc(inForce(p.Credentials, l.Now), isNew) {
			removed := user.Removed
			p.Removed = &removed
		}
	}
}

// addGroups gives people the bindings of the groups that their certificates
// have, and leaves of what has ended the last.
func (l *lister) addGroups() {
	for _, p := range l.people {
		live := inForce(p.Credentials, l.Now)
		if len(live) == 0 && len(p.Credentials) > 0 {
			live = p.Credentials[:1]
		} else {
			p.Groups = groupsOf(live)
		}
		p.Credentials = append([]Credential{}, live...)
		if len(live) > 0 {
			p.Until = &live[0].NotAfter
		}
		p.Bindings = append(p.Bindings, boundGroups(l.bound, p.Groups)...)
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
