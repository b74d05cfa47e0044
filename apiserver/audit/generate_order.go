package audit

import (
	"slices"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
)

// inOrder sorts rules so that none stands behind one that takes all its requests:
// what is narrower comes first. Rules of which neither is stay as they were.
// Those for the same requests must agree, and become one.
func inOrder(rules []rule) ([]rule, error) {
	var left, sorted []rule
	for _, r := range rules {
		same := slices.IndexFunc(left, func(other rule) bool {
			return covers(&r.PolicyRule, &other.PolicyRule) && covers(&other.PolicyRule, &r.PolicyRule)
		})
		switch {
		case same < 0:
			left = append(left, r)
		case left[same].Level != r.Level:
			return nil, failure.New(failure.Usage, "leave one of them out", "%s and %s are for the same requests", left[same].from, r.from)
		}
	}
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(r rule) bool {
			return !slices.ContainsFunc(left, func(other rule) bool {
				return other.from != r.from && covers(&r.PolicyRule, &other.PolicyRule)
			})
		})
		i = max(i, 0) // there is always one
		sorted = append(sorted, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return sorted, nil
}

// covers says whether a rule matches all requests that another one matches, as
// far as each of its fields says it alone.
func covers(wide, narrow *internal.PolicyRule) bool {
	return within(narrow.Users, wide.Users) && within(narrow.UserGroups, wide.UserGroups) && within(narrow.Verbs, wide.Verbs) &&
		coversScope(wide, narrow)
}

// within says whether a list is part of another, where an empty one is all.
func within(narrow, wide []string) bool {
	if len(wide) == 0 {
		return true
	}
	return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(s string) bool { return !slices.Contains(wide, s) })
}

// coversScope compares what requests are for.
func coversScope(wide, narrow *internal.PolicyRule) bool {
	switch {
	case len(wide.NonResourceURLs) > 0:
		return len(narrow.NonResourceURLs) > 0 && !slices.ContainsFunc(narrow.NonResourceURLs, func(url string) bool {
			return !slices.ContainsFunc(wide.NonResourceURLs, func(pattern string) bool { return pathMatches(url, pattern) })
		})
	case len(wide.Resources) == 0 && len(wide.Namespaces) == 0:
		return true
	case len(narrow.Resources) == 0 && len(narrow.Namespaces) == 0:
		return false // it is for what is no resource too
	case !within(narrow.Namespaces, wide.Namespaces):
		return false
	case len(wide.Resources) == 0:
		return true
	case len(narrow.Resources) == 0:
		return slices.ContainsFunc(wide.Resources, func(g internal.GroupResources) bool {
			return coversGroup(g, internal.GroupResources{Group: "*"})
		})
	}
	return !slices.ContainsFunc(narrow.Resources, func(n internal.GroupResources) bool {
		for _, one := range single(n) {
			if !slices.ContainsFunc(wide.Resources, func(w internal.GroupResources) bool { return coversGroup(w, one) }) {
				return true
			}
		}
		return false
	})
}

// single splits what is said of a group by its resources.
func single(g internal.GroupResources) []internal.GroupResources {
	if len(g.Resources) == 0 {
		return []internal.GroupResources{g}
	}
	var all []internal.GroupResources
	for _, name := range g.Resources {
		one := resources(g.Group, name)
		one.ResourceNames = g.ResourceNames
		all = append(all, one)
	}
	return all
}

// coversGroup compares with what is said of one resource, or of a whole group.
func coversGroup(wide, narrow internal.GroupResources) bool {
	if wide.Group != "*" && wide.Group != narrow.Group {
		return false
	}
	if len(wide.Resources) == 0 {
		return true
	}
	if !within(narrow.ResourceNames, wide.ResourceNames) {
		return false
	}
	if len(narrow.Resources) == 0 {
		return slices.Contains(wide.Resources, "*")
	}
	one := resourceOf(narrow.Group, narrow.Resources[0])
	return slices.ContainsFunc(wide.Resources, func(spec string) bool { return resourceMatches(spec, &one) })
}
