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
	Bindings     []rbacv1.RoleBinding // of both kinds, as listBindings returns them
	ClusterRoles []rbacv1.ClusterRole
	Roles        []rbacv1.Role
}

// listBindings reads the RoleBindings of a namespace, or, where that is empty,
// all bindings of the cluster: first the ClusterRoleBindings, which are returned
// as RoleBindings without a namespace, as they have the same fields, and then
// the RoleBindings of all namespaces. It reads them page by page, and begins
// anew where the API server has forgotten the first page (allPages). The API
// server refuses (IsForbidden) who may not list them all; listing those of their
// own namespace may be allowed still.
func listBindings(ctx context.Context, c *kubeclient.Client, namespace string) ([]rbacv1.RoleBinding, error) {
	if namespace != "" {
		return roleBindingsAt(ctx, c, kubeclient.NamespacedRBAC(namespace, "rolebindings"))
	}
	var ofCluster, ofNamespaces []rbacv1.RoleBinding
	err := atOnce(ctx, 2, []func(context.Context) error{
		func(ctx context.Context) (err error) {
			ofCluster, err = clusterRoleBindings(ctx, c)
			return err
		},
		func(ctx context.Context) (err error) {
			ofNamespaces, err = roleBindingsAt(ctx, c, kubeclient.RoleBindings)
			return err
		},
	})
	return slices.Concat(ofCluster, ofNamespaces), err
}

func clusterRoleBindings(ctx context.Context, c *kubeclient.Client) ([]rbacv1.RoleBinding, error) {
	return allPages(metav1.ListOptions{}, func(o metav1.ListOptions) ([]rbacv1.RoleBinding, string, error) {
		var page rbacv1.ClusterRoleBindingList
		err := c.List(ctx, kubeclient.ClusterRoleBindings, o, &page)
		items := make([]rbacv1.RoleBinding, len(page.Items))
		for i := range page.Items {
			items[i] = *alike(&page.Items[i])
		}
		return items, page.Continue, err
	})
}

func roleBindingsAt(ctx context.Context, c *kubeclient.Client, path string) ([]rbacv1.RoleBinding, error) {
	return allPages(metav1.ListOptions{}, func(o metav1.ListOptions) ([]rbacv1.RoleBinding, string, error) {
		var page rbacv1.RoleBindingList
		err := c.List(ctx, path, o, &page)
		return page.Items, page.Continue, err
	})
}

func (s *rbacState) listRoles(ctx context.Context, client *kubeclient.Client) error {
	return atOnce(ctx, 2, []func(context.Context) error{
		func(ctx context.Context) (err error) {
			s.ClusterRoles, err = allPages(metav1.ListOptions{}, func(o metav1.ListOptions) ([]rbacv1.ClusterRole, string, error) {
				var page rbacv1.ClusterRoleList
				err := client.List(ctx, kubeclient.ClusterRoles, o, &page)
				return page.Items, page.Continue, err
			})
			return err
		},
		func(ctx context.Context) (err error) {
			s.Roles, err = allPages(metav1.ListOptions{}, func(o metav1.ListOptions) ([]rbacv1.Role, string, error) {
				var page rbacv1.RoleList
				err := client.List(ctx, kubeclient.Roles, o, &page)
				return page.Items, page.Continue, err
			})
			return err
		},
	})
}

func (s *rbacState) bindingsOf(username string, groups []string) []Binding {
	found := []Binding{}
	for _, b := range s.Bindings {
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
		i := slices.IndexFunc(s.ClusterRoles, func(r rbacv1.ClusterRole) bool { return r.Name == b.Role })
		if i < 0 {
			return nil, false
		}
		return s.ClusterRoles[i].Rules, true
	}
	i := slices.IndexFunc(s.Roles, func(r rbacv1.Role) bool { return r.Name == b.Role && r.Namespace == b.Namespace })
	if i < 0 {
		return nil, false
	}
	return s.Roles[i].Rules, true
}
