package csr

import (
	"context"
	"errors"
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
	// Bindings name the user or a group of theirs; nil where they cannot be
	// listed.
	Bindings []Binding `json:"bindings"`
}

// AccessOfUser works out what somebody with a user name and groups may do, by
// impersonating them; where the client may not impersonate, from the bindings
// and roles; and where it may not list these either, it says that it is not
// known. An error is one of requests that did not work, not of those refused.
func AccessOfUser(ctx context.Context, client *kubeclient.Client, username string, groups []string) (*UserAccess, error) {
	groups = withAuthenticated(groups)
	u := &UserAccess{}
	var state rbacState
	listed := state.listBindings(ctx, client)
	namespaces := []string{client.Namespace}
	switch {
	case listed == nil:
		u.Bindings = state.bindingsOf(username, groups)
		namespaces = namespacesOf(u.Bindings)
	case !apierrors.IsForbidden(listed):
		return nil, listed
	}
	var err error
	u.Access, err = impersonated(ctx, client, username, groups, namespaces)
	switch {
	case err == nil && listed != nil:
		u.Access.note("in which other namespaces they may do something is not known: listing all bindings is not allowed")
	case apierrors.IsForbidden(err), errors.Is(err, errNoHeader):
		return u, u.fromBindings(ctx, client, &state, username, groups, listed, err)
	}
	return u, err
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
func (u *UserAccess) fromBindings(ctx context.Context, client *kubeclient.Client, state *rbacState, username string, groups []string, listed, refused error) error {
	u.Access = nil
	err := listed
	if err == nil {
		err = state.listRoles(ctx, client)
	}
	if err != nil {
		if !apierrors.IsForbidden(err) {
			return err
		}
		u.Unknown = "impersonating them does not work (" + reason(refused) + "), nor is reading all bindings and roles (" + reason(err) + ")"
		return nil
	}
	u.Access = state.accessFrom(username, groups)
	u.Access.note("impersonating them does not work: " + reason(refused))
	return nil
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
