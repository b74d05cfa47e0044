package csr

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Offered are names in a cluster that a grant may mention, as far as they can
// be listed: the first of very many.
type Offered struct {
	Namespaces   []string
	ClusterRoles []string            // without those of the system's own parts
	Roles        map[string][]string // by namespace
}

// Offer lists what a cluster has. With an error there is what could be listed
// in spite of it.
func Offer(ctx context.Context, c *kubeclient.Client) (*Offered, error) {
	var namespaces corev1.NamespaceList
	var clusterRoles rbacv1.ClusterRoleList
	var roles rbacv1.RoleList
	page := metav1.ListOptions{Limit: pageSize}
	var forbidden []string
	errs := make([]error, 3)
	tasks := []func(context.Context) error{
		func(ctx context.Context) error {
			errs[0] = c.List(ctx, kubeclient.Namespaces, page, &namespaces)
			return nil
		},
		func(ctx context.Context) error {
			errs[1] = c.List(ctx, kubeclient.ClusterRoles, page, &clusterRoles)
			return nil
		},
		func(ctx context.Context) error { errs[2] = c.List(ctx, kubeclient.Roles, page, &roles); return nil },
	}
	if err := atOnce(ctx, len(tasks), tasks); err != nil {
		return nil, err
	}
	o := &Offered{Roles: map[string][]string{}}
	for _, item := range namespaces.Items {
		o.Namespaces = append(o.Namespaces, item.Name)
	}
	for _, item := range clusterRoles.Items {
		if !strings.HasPrefix(item.Name, "system:") {
			o.ClusterRoles = append(o.ClusterRoles, item.Name)
		}
	}
	slices.SortStableFunc(o.ClusterRoles, byImportance([]string{RoleView, RoleEdit, RoleAdmin}))
	for _, item := range roles.Items {
		o.Roles[item.Namespace] = append(o.Roles[item.Namespace], item.Name)
	}
	for i, what := range []string{"namespaces", "cluster roles", "roles"} {
		if apierrors.IsForbidden(errs[i]) {
			forbidden, errs[i] = append(forbidden, what), nil
		}
	}
	if err := errors.Join(errs...); err != nil {
		return o, slices.DeleteFunc(errs, func(err error) bool { return err == nil })[0]
	}
	if forbidden != nil {
		return o, failure.New(failure.Failed, "type the names", "you may not list %s in this cluster", strings.Join(forbidden, " and "))
	}
	return o, nil
}
