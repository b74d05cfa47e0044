package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// What follows are parts of ruleMatches in k8s.io/apiserver/pkg/audit/policy,
// checker.go, which says only whether all of a rule matches. The tests hold them
// against it.

func verbMatches(rule *internal.PolicyRule, r *Request) bool {
	return len(rule.Verbs) == 0 || slices.Contains(rule.Verbs, r.Verb)
}

func pathMatches(path, spec string) bool {
	return spec == "*" || spec == path || strings.HasSuffix(spec, "*") && strings.HasPrefix(path, strings.TrimRight(spec, "*"))
}

func groupMatches(list *internal.GroupResources, r *Request) bool {
	return list.Group == r.Group || list.Group == "*"
}

func resourceMatches(spec string, r *Request) bool {
	return spec == r.full() || spec == "*" ||
		r.Subresource != "" && spec == "*/"+r.Subresource ||
		strings.HasSuffix(spec, "/*") && strings.TrimSuffix(spec, "/*") == r.Resource
}

// listMatches says whether a list has the resource of a request, whatever it says
// of names.
func listMatches(list *internal.GroupResources, r *Request) bool {
	return groupMatches(list, r) &&
		(len(list.Resources) == 0 || slices.ContainsFunc(list.Resources, func(spec string) bool { return resourceMatches(spec, r) }))
}

// isAbout says whether a rule is about verb and resource of a request, whatever it
// says of namespaces and names.
func isAbout(rule *internal.PolicyRule, r *Request) bool {
	return verbMatches(rule, r) && (len(rule.Resources) == 0 ||
		slices.ContainsFunc(rule.Resources, func(list internal.GroupResources) bool { return listMatches(&list, r) }))
}
