package csr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Binding gives a role to a user or to a group of theirs.
type Binding struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"` // empty: in the whole cluster
	RoleKind  string `json:"roleKind"`            // Role or ClusterRole
	Role      string `json:"role"`
	To        string `json:"to"` // "user jane", "group developers"
}

// rbacState is what the RBAC authorizer decides by.
type rbacState struct {
	ClusterBindings rbacv1.ClusterRoleBindingList
	Bindings        rbacv1.RoleBindingList
	ClusterRoles    rbacv1.ClusterRoleList
	Roles           rbacv1.RoleList
}

// BindingsOf lists the bindings that name a user, or a group of theirs.
// The API server refuses (IsForbidden) who may not list bindings of all namespaces.
func BindingsOf(ctx context.Context, client *kubeclient.Client, username string, groups []string) ([]Binding, error) {
	var state rbacState
	if err := state.listBindings(ctx, client); err != nil {
		return nil, err
	}
	return state.bindingsOf(username, groups), nil
}

func (s *rbacState) listBindings(ctx context.Context, client *kubeclient.Client) error {
	return atOnce(ctx, 2, []func(context.Context) error{
		func(ctx context.Context) error {
			return client.List(ctx, kubeclient.ClusterRoleBindings, metav1.ListOptions{}, &s.ClusterBindings)
		},
		func(ctx context.Context) error {
			return client.List(ctx, kubeclient.RoleBindings, metav1.ListOptions{}, &s.Bindings)
		},
	})
}

func (s *rbacState) listRoles(ctx context.Context, client *kubeclient.Client) error {
	return atOnce(ctx, 2, []func(context.Context) error{
		func(ctx context.Context) error {
			return client.List(ctx, kubeclient.ClusterRoles, metav1.ListOptions{}, &s.ClusterRoles)
		},
		func(ctx context.Context) error {
			return client.List(ctx, kubeclient.Roles, metav1.ListOptions{}, &s.Roles)
		},
	})
}

func (s *rbacState) bindingsOf(username string, groups []string) []Binding {
	found := []Binding{}
	for _, b := range s.ClusterBindings.Items {
		if to := matching(b.Subjects, "", username, groups); to != "" {
			found = append(found, Binding{Name: b.Name, RoleKind: b.RoleRef.Kind, Role: b.RoleRef.Name, To: to})
		}
	}
	for _, b := range s.Bindings.Items {
		if to := matching(b.Subjects, b.Namespace, username, groups); to != "" {
			found = append(found, Binding{Name: b.Name, Namespace: b.Namespace, RoleKind: b.RoleRef.Kind, Role: b.RoleRef.Name, To: to})
		}
	}
	return found
}

// matching returns the first subject that is the user or a group of theirs, as
// the RBAC authorizer finds it (kubernetes, pkg/registry/rbac/validation,
// appliesToUser). A user may have the name of a service account.
func matching(subjects []rbacv1.Subject, namespace, username string, groups []string) string {
	for _, s := range subjects {
		switch s.Kind {
		case rbacv1.UserKind:
			if s.Name == username {
				return "user " + s.Name
			}
		case rbacv1.GroupKind:
			if slices.Contains(groups, s.Name) {
				return "group " + s.Name
			}
		case rbacv1.ServiceAccountKind:
			if s.Namespace != "" {
				namespace = s.Namespace
			}
			if username == "system:serviceaccount:"+namespace+":"+s.Name {
				return "service account " + namespace + "/" + s.Name
			}
		}
	}
	return ""
}

// namespacesOf returns the namespaces of bindings, each once.
func namespacesOf(bindings []Binding) []string {
	namespaces := []string{}
	for _, b := range bindings {
		if b.Namespace != "" {
			namespaces = append(namespaces, b.Namespace)
		}
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}

// withoutEverybodys leaves out what is bound to all who are authenticated, in
// every cluster.
func withoutEverybodys(list []Binding) []Binding {
	roles := []string{"system:basic-user", "system:discovery", "system:public-info-viewer"}
	return slices.DeleteFunc(slices.Clone(list), func(b Binding) bool {
		return b.To == "group "+authenticatedGroup && slices.Contains(roles, b.Role)
	})
}

const authenticatedGroup = "system:authenticated"

// withAuthenticated returns the groups that the API server takes a certificate
// for: those named, and that of all who are authenticated.
func withAuthenticated(groups []string) []string {
	if slices.Contains(groups, authenticatedGroup) {
		return groups
	}
	return append(slices.Clone(groups), authenticatedGroup)
}

// accessFrom works out what a user may do from the bindings and roles, which is
// all that RBAC knows. Other authorizers are not seen.
func (s *rbacState) accessFrom(username string, groups []string) *Access {
	groups = withAuthenticated(groups)
	a := &Access{Username: username, Groups: groups, Source: FromBindings, Everything: slices.Contains(groups, groupMasters)}
	a.note("this is what RBAC allows: what other authorizers allow cannot be seen this way")
	byNamespace := map[string][]rbacv1.PolicyRule{"": nil}
	for _, b := range s.bindingsOf(username, groups) {
		rules, isThere := s.rulesOf(b)
		if !isThere {
			a.note(fmt.Sprintf("the %s %q, which %q binds, is not there", b.RoleKind, b.Role, strings.TrimPrefix(b.Namespace+"/"+b.Name, "/")))
		}
		byNamespace[b.Namespace] = append(byNamespace[b.Namespace], rules...)
	}
	a.Namespaces = []string{}
	for namespace, rules := range byNamespace {
		if namespace != "" {
			a.Namespaces = append(a.Namespaces, namespace)
			rules = without(rules, nil)
		}
		a.Scopes = append(a.Scopes, Scope{Namespace: namespace, Rules: rules})
	}
	slices.Sort(a.Namespaces)
	a.conclude()
	return a
}

func (s *rbacState) rulesOf(b Binding) (rules []rbacv1.PolicyRule, isThere bool) {
	if b.RoleKind == "ClusterRole" {
		i := slices.IndexFunc(s.ClusterRoles.Items, func(r rbacv1.ClusterRole) bool { return r.Name == b.Role })
		if i < 0 {
			return nil, false
		}
		return s.ClusterRoles.Items[i].Rules, true
	}
	i := slices.IndexFunc(s.Roles.Items, func(r rbacv1.Role) bool { return r.Name == b.Role && r.Namespace == b.Namespace })
	if i < 0 {
		return nil, false
	}
	return s.Roles.Items[i].Rules, true
}
