package csr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// RemoveOptions is what the command user remove takes.
type RemoveOptions struct {
	Name string
	// Namespace has only the bindings there taken away; requests and the
	// inventory stay as they are. Empty: everything.
	Namespace string
	Dir       string // a PKI directory with an inventory; it need not exist
	Now       time.Time
}

// Removal is what takes a user's access away, and what cannot be taken.
type Removal struct {
	Name string `json:"name"`
	// Bindings are deleted where the user is their only subject; otherwise they
	// lose that subject.
	Bindings []RemovedBinding `json:"bindings"`
	// Requests are the names of pkictl's own objects in the certificates API that
	// are deleted: those that are not issued yet.
	Requests []string `json:"certificateSigningRequests"`
	// Revoked are the serials that are marked in the inventory.
	Revoked []string `json:"revoked,omitempty"`
	// Refused is what could not be taken away, since the API server refused.
	Refused []string `json:"refused,omitempty"`
	// Credentials are the certificates that authenticate until they end, the
	// last first. Remembered says that the cluster remembers them until then.
	Credentials []Credential `json:"credentials"`
	Remembered  bool         `json:"remembered"`
	// Groups are those of these certificates, and GroupBindings what is bound to
	// them: that can still be reached.
	Groups        []string      `json:"groups,omitempty"`
	GroupBindings []UserBinding `json:"groupBindings,omitempty"`
	// Access is what the user can do when all is done; nil where it is not known.
	Access   *Access  `json:"access,omitempty"`
	Warnings []string `json:"-"`

	o        RemoveOptions
	client   *kubeclient.Client
	requests []Object
	places   []string // namespaces of what is bound to the user and the groups
}

// RemovedBinding is a binding that goes, or loses a subject.
type RemovedBinding struct {
	UserBinding
	Others int `json:"otherSubjects"` // how many stay in it
}

// PlanRemoval looks for all that a user has, and changes nothing. The
// inventory is looked at if its CA is one of the cluster's.
func PlanRemoval(ctx context.Context, c *kubeclient.Client, o RemoveOptions) (*Removal, error) {
	if err := CheckKnownName(o.Name); err != nil {
		return nil, err
	}
	l, err := readUsers(ctx, c, ListUsersOptions{Name: o.Name, Namespace: o.Namespace, Dir: o.Dir, Now: o.Now})
	if err != nil {
		return nil, err
	}
	r := &Removal{
		Name: o.Name, Bindings: []RemovedBinding{}, Requests: []string{}, Credentials: []Credential{}, Remembered: true,
		Warnings: l.warnings, o: o, client: c, places: placesOf(c.Namespace),
	}
	if p := l.people[o.Name]; p != nil {
		r.takePerson(p)
	}
	if o.Namespace == "" {
		r.findRequests(l.requests)
		r.findRevocable(l.entries)
	}
	return r, nil
}

func (r *Removal) takePerson(p *Person) {
	for _, b := range p.Bindings {
		if b.Group != "" {
			r.GroupBindings = append(r.GroupBindings, b)
		} else {
			r.Bindings = append(r.Bindings, RemovedBinding{b, len(b.others(r.Name))})
		}
		if b.Namespace != "" && !slices.Contains(r.places, b.Namespace) {
			r.places = append(r.places, b.Namespace)
		}
	}
	r.Groups = p.Groups
	r.Credentials = append(r.Credentials, inForce(p.Credentials, r.o.Now)...)
	for _, c := range r.Credentials {
		r.Remembered = r.Remembered && slices.Contains(c.KnownFrom, fromRemoved)
	}
}

// findRequests chooses what pkictl has submitted for the user and what may
// still become a certificate. What is issued stays: it is evidence of a
// certificate that works, and Kubernetes deletes it soon.
func (r *Removal) findRequests(objects []Object) {
	for _, object := range objects {
		if state := StateOf(&object); object.Labels[LabelManagedBy] != ManagedBy || state != StatePending && state != StateApproved {
			continue
		}
		if request := Request(&object); request != nil && request.Subject.CommonName == r.Name {
			r.requests = append(r.requests, object)
			r.Requests = append(r.Requests, object.Name)
		}
	}
}

// findRevocable chooses what the local CA has issued and not revoked.
func (r *Removal) findRevocable(entries []ca.Entry) {
	for _, e := range entries {
		if e.CommonName == r.Name && e.RevokedAt == nil && e.NotAfter.After(r.o.Now) && clientCertificate(e) != nil {
			r.Revoked = append(r.Revoked, e.Serial)
		}
	}
}

// Empty says whether there is nothing to take away, and to remember.
func (r *Removal) Empty() bool {
	return len(r.Bindings)+len(r.Requests)+len(r.Revoked) == 0 && r.Remembered
}

// Do notes which certificates still work, and takes away what was planned:
// bindings, requests, and marks in the inventory, in this order. What is gone
// already is no error. What another changes meanwhile stays as they have it,
// without the user. What the API server refuses to change is in Refused, with a
// warning. Done is told of each.
func (r *Removal) Do(ctx context.Context, waiting func(), done func(what string)) error {
	if err := r.remember(ctx); err != nil {
		return failure.Wrap(err, failure.KindOf(err), again(err), "user %q is not removed: what still works could not be noted", r.Name)
	}
	var finished int
	total := len(r.Bindings) + len(r.requests) + len(r.Revoked)
	step := func(what string, err error) (isDone bool, stop error) {
		switch {
		case apierrors.IsForbidden(err):
			r.Refused = append(r.Refused, what)
			r.Warnings = append(r.Warnings, what+" stays: "+err.Error())
			return false, nil
		case err != nil:
			return false, failure.Wrap(err, failure.KindOf(err), again(err), "removing user %q stopped after %d of %d steps, at %s", r.Name, finished, total, what)
		}
		finished++
		done(what)
		return true, nil
	}
	taken := []RemovedBinding{}
	for _, b := range r.Bindings {
		isDone, err := step(b.title(), b.remove(ctx, r.client, r.Name))
		if err != nil {
			return err
		}
		if isDone {
			taken = append(taken, b)
		}
	}
	r.Bindings, r.Requests = taken, []string{}
	for i := range r.requests {
		isDone, err := step("certificate signing request "+r.requests[i].Name, r.deleteRequest(ctx, &r.requests[i]))
		if err != nil {
			return err
		}
		if isDone {
			r.Requests = append(r.Requests, r.requests[i].Name)
		}
	}
	for _, serial := range r.Revoked {
		_, err := ca.Revoke(ctx, ca.RevokeOptions{Dir: r.o.Dir, Name: "0x" + serial, Reason: "cessation-of-operation", Now: r.o.Now, Waiting: waiting})
		if _, err := step("inventory, serial "+serial, err); err != nil {
			return err
		}
	}
	return nil
}

// title names a binding in a message.
func (b UserBinding) title() string {
	if b.Namespace == "" {
		return b.Kind + " " + b.Name
	}
	return b.Kind + " " + b.Namespace + "/" + b.Name
}

// remember has the cluster keep what it knows of the certificates: bindings,
// which knew of them, go. Where it cannot, that is a warning.
func (r *Removal) remember(ctx context.Context) error {
	if r.Remembered {
		return nil
	}
	err := r.removed().remember(ctx, r.client, r.o.Now)
	if isRefusal(err) {
		r.Warnings = append(r.Warnings, "keep what is said here of certificates that still work: ConfigMap "+RemovedUsersObject+" cannot remember it: "+err.Error())
		return nil
	}
	r.Remembered = err == nil
	return err
}

func (r *Removal) removed() RemovedUser {
	return RemovedUser{Name: r.Name, Removed: r.o.Now.UTC().Truncate(time.Second), Credentials: r.Credentials}
}

// deleteRequest deletes a request that has no certificate yet. One that was
// issued since the plan was made stays, and its certificate is remembered.
func (r *Removal) deleteRequest(ctx context.Context, object *Object) error {
	for range conflictTries {
		err := r.client.DeleteVersion(ctx, kubeclient.CertificateSigningRequests+"/"+object.Name, object.UID, object.ResourceVersion)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if !apierrors.IsConflict(err) {
			return err
		}
		now, err := Get(ctx, r.client, object.Name)
		var ended *EndedError
		switch {
		case errors.As(err, &ended), err == nil && now.UID != object.UID: // gone, or another of that name
			return nil
		case err != nil:
			return err
		}
		if cert := Certificate(now); cert != nil {
			r.Credentials = mergeCredentials(r.Credentials, CredentialOf(cert, "csr "+now.Name))
			r.Groups, r.Remembered = groupsOf(r.Credentials), false
			r.Warnings = append(r.Warnings, "certificate signing request "+now.Name+" was issued meanwhile")
			return r.remember(ctx)
		}
		object = now
	}
	return failure.New(failure.Failed, "run the same command again", "certificate signing request %q is being changed all the time", object.Name)
}

// again is a hint to run the same command once more.
func again(err error) string {
	const text = "run the same command again: it goes on from there"
	if hint := failure.HintOf(err); hint != "" {
		return hint + "; then " + text
	}
	return text
}

// An API server notices a moment later that a binding is gone (kubernetes
// plugin/pkg/auth/authorizer/rbac reads what informers have).
const (
	noticeTries = 20
	noticePause = 100 * time.Millisecond
)

// Remains asks what the user can still do, by impersonation, in the namespaces
// of all bindings that there were; it waits for two seconds at most for the API
// server to notice what is gone. Where the client may not impersonate, that is
// worked out from bindings and roles; where it may not read these either, it is
// a warning.
func (r *Removal) Remains(ctx context.Context) error {
	var err error
	r.Access, err = impersonated(ctx, r.client, r.Name, r.Groups, r.places)
	if apierrors.IsForbidden(err) || errors.Is(err, errNoHeader) {
		return r.remainsByRoles(ctx, whyNotAs(err))
	}
	if err != nil || len(r.Bindings) == 0 {
		return err
	}
	left, err := r.accessLeft(ctx)
	if apierrors.IsForbidden(err) {
		r.Access.note("the API server may have answered before it noticed that bindings are gone")
		return nil
	}
	for tries := 0; err == nil && r.Access.exceeds(left); tries++ {
		if tries == noticeTries {
			r.Access.note("the API server allows more than bindings and roles say: another authorizer allows it, or it has not noticed yet that bindings are gone")
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(noticePause):
		}
		r.Access, err = impersonated(ctx, r.client, r.Name, r.Groups, r.places)
	}
	return err
}

// exceeds says whether there is a rule that the other has not.
func (a *Access) exceeds(other *Access) bool {
	if other.Everything {
		return false
	}
	known := map[string]bool{}
	for _, scope := range other.Scopes {
		for _, rule := range scope.Rules {
			known[scope.Namespace+" "+rule.String()] = true
		}
	}
	for _, scope := range a.Scopes {
		for _, rule := range scope.Rules {
			if !known[scope.Namespace+" "+rule.String()] && !known[" "+rule.String()] {
				return true
			}
		}
	}
	return a.Everything
}

// WouldRemain works out what the user could do when all is done, from bindings
// and roles: nobody can be asked that yet.
func (r *Removal) WouldRemain(ctx context.Context) error {
	return r.remainsByRoles(ctx, "nothing was taken away yet: it is what would remain")
}

func (r *Removal) remainsByRoles(ctx context.Context, note string) error {
	access, err := r.accessLeft(ctx)
	if apierrors.IsForbidden(err) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("what the user can still do is not known: %s; %s", note, err))
		return nil
	}
	if err != nil {
		return err
	}
	r.Access = access
	r.Access.note(note)
	return nil
}

// accessLeft works out from bindings and roles what is left without those that
// are to go.
func (r *Removal) accessLeft(ctx context.Context) (*Access, error) {
	state, err := NewReviewer(r.client).roles(ctx)
	if err != nil {
		return nil, err
	}
	left := *state
	left.Bindings = nil
	for _, b := range state.Bindings {
		if r.o.Namespace == "" || b.Namespace == r.o.Namespace {
			b.Subjects = slices.DeleteFunc(slices.Clone(b.Subjects), func(s rbacv1.Subject) bool {
				return s.Kind == rbacv1.UserKind && s.Name == r.Name && !slices.Contains(r.Refused, bindingOf(&b).title())
			})
		}
		left.Bindings = append(left.Bindings, b)
	}
	return left.accessFrom(r.Name, r.Groups), nil
}
