package audit

import (
	"slices"

	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

// GroupsOf returns the groups that the API server finds a user in: those that
// the credential names, for service accounts theirs, and system:authenticated or
// system:unauthenticated. Those of nobody (no name, no groups) are none.
func GroupsOf(name string, named []string) []string {
	groups := slices.Clone(named)
	if namespace, _, err := serviceaccount.SplitUsername(name); err == nil {
		for _, group := range serviceaccount.MakeGroupNames(namespace) {
			groups = appendNew(groups, group)
		}
	}
	switch {
	case name == "" && len(groups) == 0:
		return nil
	case name == user.Anonymous:
		return appendNew(groups, user.AllUnauthenticated)
	case slices.Contains(groups, user.AllUnauthenticated):
		return groups
	}
	return appendNew(groups, user.AllAuthenticated)
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
