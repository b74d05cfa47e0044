package csr

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// UserAccess is what a user would be allowed who has not logged in yet.
type UserAccess struct {
	// Access is nil where it cannot be known; Unknown says why.
	Access  *Access `json:"access"`
	Unknown string  `json:"unknown,omitempty"`
	// Bindings name the user or a group of theirs, but for what is bound to all
	// who are authenticated in every cluster; nil where they cannot be listed.
	Bindings []Binding `json:"bindings"`
}

// AccessOfUser works out what somebody with a user name and groups may do, by
// impersonating them; where the client may not impersonate, from the bindings
// and roles; and where it may not list these either, it says that it is not
// known. An error is one of requests that did not work, not of those refused.
func AccessOfUser(ctx context.Context, client *kubeclient.Client, username string, groups []string) (*UserAccess, error) {
	return NewReviewer(client).accessOf(ctx, username, groups)
}

func (v *Reviewer) accessOf(ctx context.Context, username string, groups []string) (*UserAccess, error) {
	groups = withAuthenticated(groups)
	u := &UserAccess{}
	state, listed := v.bindings(ctx)
	namespaces := []string{v.client.Namespace}
	switch {
	case listed == nil:
		bound := state.bindingsOf(username, groups)
		u.Bindings, namespaces = withoutEverybodys(bound), namespacesOf(bound)
	case !apierrors.IsForbidden(listed):
		return nil, listed
	}
	var err error
	u.Access, err = impersonated(ctx, v.client, username, groups, namespaces)
	switch {
	case err == nil && listed != nil:
		u.Access.onlyAsked()
	case apierrors.IsForbidden(err), errors.Is(err, errNoHeader):
		err = u.fromBindings(ctx, v, username, groups, err)
	}
	if err == nil && u.Access != nil {
		err = v.followAccounts(ctx, u.Access)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// PlacesOf returns the namespaces in which to ask what a user may do: their own,
// where there is one, and those in which bindings give something to the user or a
// group of theirs. Who the client speaks as must be allowed to list all bindings;
// where it is not, complete is false, and their own namespace, or else default,
// is all there is. An error is that of a request that did not work.
func PlacesOf(ctx context.Context, client *kubeclient.Client, username string, groups []string, own string) (namespaces []string, complete bool, err error) {
	bound, err := listBindings(ctx, client, "")
	switch {
	case apierrors.IsForbidden(err):
		return []string{cmp.Or(own, "default")}, false, nil
	case err != nil:
		return nil, false, err
	}
	namespaces = namespacesOf((&rbacState{Bindings: bound}).bindingsOf(username, withAuthenticated(groups)))
	if own != "" && !slices.Contains(namespaces, own) {
		namespaces = append(namespaces, own)
	}
	return namespaces, true, nil
}

// AccessOfLogin asks what the user may do as whom login speaks, in the whole
// cluster and in the namespaces that PlacesOf returns for them; admin is who may
// list bindings.
func AccessOfLogin(ctx context.Context, admin, login *kubeclient.Client, username string, groups []string, own string) (*Access, error) {
	namespaces, complete, err := PlacesOf(ctx, admin, username, groups, own)
	if err != nil {
		return nil, err
	}
	access, err := AccessOf(ctx, login, namespaces)
	if err == nil && !complete {
		access.onlyAsked()
	}
	return access, err
}

// errNoHeader is why somebody cannot be impersonated: names travel in headers.
var errNoHeader = failure.New(failure.Failed, "", "a name with control characters or outer spaces fits in no header")

func impersonated(ctx context.Context, client *kubeclient.Client, username string, groups, namespaces []string) (*Access, error) {
	for _, name := range append([]string{username}, groups...) {
		// RFC 9110, 5.5: no control characters, and spaces around a value are none of it.
		if strings.ContainsFunc(name, unicode.IsControl) || strings.Trim(name, " ") != name || !utf8.ValidString(name) {
			return nil, errNoHeader
		}
	}
	as, err := client.As(username, groups...)
	if err != nil {
		return nil, err
	}
	return AccessOf(ctx, as, namespaces)
}

// fromBindings answers without impersonation, which was refused.
func (u *UserAccess) fromBindings(ctx context.Context, v *Reviewer, username string, groups []string, refused error) error {
	u.Access = nil
	state, err := v.roles(ctx)
	if apierrors.IsForbidden(err) {
		u.Unknown = whyNotAs(refused) + ", and reading all bindings and roles is not allowed either (" + reason(err) + ")"
		return nil
	}
	if err != nil {
		return err
	}
	u.Access = state.accessFrom(username, groups)
	u.Access.note(whyNotAs(refused))
	return nil
}

// whyNotAs says why somebody was not impersonated. API servers name the verb by
// the newest of the ways in which it could have been allowed.
func whyNotAs(refused error) string {
	if text := reason(refused); !strings.Contains(text, "impersonate") {
		return "impersonating them does not work (" + text + ")"
	}
	return "impersonating them is not allowed (it takes the verb impersonate on users and groups)"
}

// reason returns what the API server said, without what pkictl puts before it.
func reason(err error) string {
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return status.ErrStatus.Message
	}
	var f *failure.Error
	if errors.As(err, &f) && f.Err != nil {
		return f.Err.Error()
	}
	return err.Error()
}
