package csr

import (
	"cmp"
	"context"
	"encoding/pem"
	"slices"
	"time"

	"crypto/x509"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Removal is what takes a user's access away, and what cannot be taken.
type Removal struct {
	Name string `json:"name"`
	// Bindings are deleted where the user is their only subject; otherwise they
	// lose that subject.
	Bindings []RemovedBinding `json:"bindings"`
	// Requests are the names of pkictl's own objects in the certificates API that
	// are deleted.
	Requests []string `json:"certificateSigningRequests"`
	// Revoked are the serials that are marked in the inventory.
	Revoked []string `json:"revoked,omitempty"`
	// Credentials are the certificates that authenticate until they end, the
	// last first.
	Credentials []Credential `json:"credentials"`
	// Groups are those of these certificates, and GroupBindings what is bound to
	// them: that can still be reached.
	Groups        []string      `json:"groups,omitempty"`
	GroupBindings []UserBinding `json:"groupBindings,omitempty"`
	// Access is what the user can do when all is done; nil where it is not known.
	Access   *Access  `json:"access,omitempty"`
	Warnings []string `json:"-"`

	client   *kubeclient.Client
	dir      string
	now      time.Time
	requests []Object
}

// RemovedBinding is a binding that goes, or loses a subject.
type RemovedBinding struct {
	UserBinding
	Others int `json:"otherSubjects"` // how many stay in it
}

// PlanRemoval looks for all that a user has, and changes nothing. The
// inventory in dir is looked at if its CA is one of the cluster's; dir need not
// exist.
func PlanRemoval(ctx context.Context, c *kubeclient.Client, name, dir string, now time.Time) (*Removal, error) {
	if err := CheckUserName(name); err != nil {
		return nil, err
	}
	r := &Removal{
		Name: name, Bindings: []RemovedBinding{}, Requests: []string{}, Credentials: []Credential{},
		client: c, dir: dir, now: now,
	}
	people, warnings, err := ListUsers(ctx, c, ListUsersOptions{Name: name, Dir: dir, Now: now})
	if err != nil {
		return nil, err
	}
	r.Warnings = warnings
	for _, p := range people {
		for _, b := range p.Bindings {
			if b.Group != "" {
				r.GroupBindings = append(r.GroupBindings, b)
			} else if !ca.IsReserved(b.Name) {
				r.Bindings = append(r.Bindings, RemovedBinding{b, len(b.others(name))})
			} else {
				r.Warnings = append(r.Warnings, b.Kind+" "+b.Name+" belongs to the cluster itself and stays; it names the user")
			}
		}
		r.Groups = p.Groups
		for _, credential := range p.Credentials {
			if credential.NotAfter.After(now) {
				r.Credentials = append(r.Credentials, credential)
			}
		}
	}
	// What remembers the certificates goes last.
	slices.SortStableFunc(r.Bindings, func(a, b RemovedBinding) int {
		return cmp.Compare(len(readCredentials(a.object.Annotations)), len(readCredentials(b.object.Annotations)))
	})
	if err := r.findRequests(ctx); err != nil {
		return nil, err
	}
	return r, r.findRevocable(ctx)
}

// findRequests looks for what pkictl has submitted for the user.
func (r *Removal) findRequests(ctx context.Context) error {
	list, err := objects(ctx, r.client, metav1.ListOptions{LabelSelector: LabelManagedBy + "=" + ManagedBy, FieldSelector: "spec.signerName=" + SignerClient})
	if apierrors.IsForbidden(err) {
		return nil // said already
	}
	for _, object := range list {
		if request := Request(&object); request != nil && request.Subject.CommonName == r.Name {
			r.requests = append(r.requests, object)
			r.Requests = append(r.Requests, object.Name)
		}
	}
	return err
}

// findRevocable looks for what the local CA has issued and not revoked.
func (r *Removal) findRevocable(ctx context.Context) error {
	entries, _, err := inventoryOf(ctx, r.client, ca.ListOptions{Dir: r.dir, CommonName: r.Name, Now: r.now})
	for _, e := range entries {
		block, _ := pem.Decode([]byte(e.PEM))
		if block == nil || e.RevokedAt != nil || !e.NotAfter.After(r.now) {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
			r.Revoked = append(r.Revoked, e.Serial)
		}
	}
	return err
}

// Empty says whether there is nothing to take away.
func (r *Removal) Empty() bool { return len(r.Bindings)+len(r.Requests)+len(r.Revoked) == 0 }

// Do takes away what was planned: bindings, requests, and marks in the
// inventory, in this order. What is gone already is no error. What another
// changes meanwhile stays as they have it, without the user. Done is told of
// each.
func (r *Removal) Do(ctx context.Context, waiting func(), done func(what string)) error {
	var finished int
	total := len(r.Bindings) + len(r.requests) + len(r.Revoked)
	step := func(what string, err error) error {
		if err != nil {
			return failure.Wrap(err, failure.KindOf(err), again(err), "removing user %q stopped after %d of %d steps, at %s", r.Name, finished, total, what)
		}
		finished++
		done(what)
		return nil
	}
	for i := range r.Bindings {
		b := &r.Bindings[i]
		if err := step(b.Kind+" "+b.Name, b.remove(ctx, r.client, r.Name)); err != nil {
			return err
		}
	}
	for i := range r.requests {
		object := &r.requests[i]
		err := r.client.Delete(ctx, kubeclient.CertificateSigningRequests+"/"+object.Name, object.UID)
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // gone, or another of that name
			err = nil
		}
		if err := step("certificate signing request "+object.Name, err); err != nil {
			return err
		}
	}
	for _, serial := range r.Revoked {
		_, err := ca.Revoke(ctx, ca.RevokeOptions{Dir: r.dir, Name: "0x" + serial, Reason: "cessation-of-operation", Now: r.now, Waiting: waiting})
		if err := step("inventory, serial "+serial, err); err != nil {
			return err
		}
	}
	return nil
}

// again is a hint to run the same command once more.
func again(err error) string {
	const text = "run the same command again: it goes on from there"
	if hint := failure.HintOf(err); hint != "" {
		return hint + "; then " + text
	}
	return text
}

// Remains asks, by impersonation, what the user can still do. Where the client
// may not impersonate, that is a warning.
func (r *Removal) Remains(ctx context.Context) error {
	as, err := r.client.As(r.Name, r.Groups...)
	if err != nil {
		return err
	}
	namespaces := placesOf(r.client.Namespace)
	for _, b := range r.GroupBindings {
		if b.Namespace != "" && !slices.Contains(namespaces, b.Namespace) {
			namespaces = append(namespaces, b.Namespace)
		}
	}
	r.Access, err = AccessOf(ctx, as, namespaces)
	if apierrors.IsForbidden(err) {
		r.Warnings = append(r.Warnings, "what the user can still do is not known: you may not impersonate")
		return nil
	}
	return err
}
