package csr

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Dangers by which somebody can act as a service account of a namespace: by its
// token, or in a pod that runs as it.
var actAsAccounts = []string{"everything", "secrets-read", "token-create", "impersonate-serviceaccounts", "workloads-create", "pods-exec"}

// followAccounts looks at the service accounts that the dangers within
// namespaces lead to: where one of them reaches the whole cluster, so do these.
// It goes one step: not to the accounts that those accounts can act as.
func (v *Reviewer) followAccounts(ctx context.Context, a *Access) error {
	leads := func(d Danger) bool {
		return !d.WholeCluster && d.Namespaces != nil && slices.Contains(actAsAccounts, d.ID)
	}
	if !slices.ContainsFunc(a.Dangers, leads) {
		return nil
	}
	state, err := v.roles(ctx)
	if apierrors.IsForbidden(err) {
		a.note("whether the service accounts of these namespaces reach further is not known: reading all bindings and roles is not allowed")
		return nil
	}
	if err != nil {
		return err
	}
	for i := range a.Dangers {
		d := &a.Dangers[i]
		if !leads(*d) {
			continue
		}
		for _, namespace := range d.Namespaces {
			if d.ID == "secrets-read" && !a.Allows(Question{Verb: "create", Resource: "secrets", Namespace: namespace}) {
				continue // only who makes a secret of the type service-account-token gets any token that way
			}
			if name, may := state.powerfulAccount(namespace, d.accounts()); name != "" {
				d.WholeCluster = true
				d.Through = fmt.Sprintf("the service account %s/%s, which may %s in the whole cluster", namespace, name, may)
				break
			}
		}
	}
	a.sortDangers()
	return nil
}

// accounts returns the names of the service accounts that a danger is limited
// to, nil for all of the namespace.
func (d Danger) accounts() []string {
	if d.ID == "token-create" || d.ID == "impersonate-serviceaccounts" {
		return d.Names
	}
	return nil
}

// powerfulAccount returns a service account of a namespace that reaches the
// whole cluster, and what it may do there.
func (s *rbacState) powerfulAccount(namespace string, among []string) (name, may string) {
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}
	for _, name := range s.accountsOf(namespace, groups) {
		if among != nil && !slices.Contains(among, name) {
			continue
		}
		access := s.accessFrom("system:serviceaccount:"+namespace+":"+name, groups)
		if i := slices.IndexFunc(access.Dangers, func(d Danger) bool { return d.WholeCluster && d.Namespaces == nil }); i >= 0 {
			return name, access.Dangers[i].May
		}
	}
	return "", ""
}

// accountsOf lists the service accounts of a namespace that have bindings of the
// whole cluster; default stands for all where their group has one.
func (s *rbacState) accountsOf(namespace string, groups []string) []string {
	var names []string
	for _, b := range s.Bindings {
		if b.Namespace != "" {
			continue
		}
		for _, subject := range b.Subjects {
			switch {
			case subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == namespace:
				names = append(names, subject.Name)
			case subject.Kind == rbacv1.GroupKind && slices.Contains(groups, subject.Name):
				names = append(names, "default")
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
