package audit

import (
	"fmt"
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// reasonsOf says why a rule does not match a request, in the order in which the
// evaluator looks (k8s.io/apiserver/pkg/audit/policy, ruleMatches), but for every
// field. There is none exactly where the rule matches.
func reasonsOf(rule *internal.PolicyRule, r *Request) []Reason {
	var reasons []Reason
	add := func(field, why string) {
		if why != "" {
			reasons = append(reasons, Reason{field, why})
		}
	}
	add("users", userReason(rule, r))
	add("userGroups", groupReason(rule, r))
	add("verbs", verbReason(rule, r))
	switch {
	case len(rule.Namespaces) > 0 || len(rule.Resources) > 0:
		if !r.IsResource {
			add(resourceFields(rule), fmt.Sprintf("the rule is about resources, and %s is none", r.Path))
			break
		}
		add("namespaces", namespaceReason(rule, r))
		add("resources", resourceReason(rule, r))
	case len(rule.NonResourceURLs) > 0:
		add("nonResourceURLs", pathReason(rule, r))
	}
	return reasons
}

func resourceFields(rule *internal.PolicyRule) string {
	if len(rule.Resources) > 0 {
		return "resources"
	}
	return "namespaces"
}

// isNobody says whether nobody authenticated.
func (r *Request) isNobody() bool { return r.User == "" && len(r.Groups) == 0 }

func userReason(rule *internal.PolicyRule, r *Request) string {
	switch {
	case len(rule.Users) == 0 || !r.isNobody() && slices.Contains(rule.Users, r.User):
		return ""
	case r.User == "":
		return "no user is known, and the rule is for " + some(rule.Users)
	}
	return fmt.Sprintf("%q is not in %s", r.User, some(rule.Users))
}

func groupReason(rule *internal.PolicyRule, r *Request) string {
	if len(rule.UserGroups) == 0 || slices.ContainsFunc(r.Groups, func(group string) bool { return slices.Contains(rule.UserGroups, group) }) {
		return ""
	}
	if len(r.Groups) == 0 {
		return "no group is known, and the rule is for " + some(rule.UserGroups)
	}
	return fmt.Sprintf("none of %s is in %s", some(r.Groups), some(rule.UserGroups))
}

func verbReason(rule *internal.PolicyRule, r *Request) string {
	if verbMatches(rule, r) {
		return ""
	}
	why := fmt.Sprintf("%q is not in %s", r.Verb, some(rule.Verbs))
	has := func(verb string) bool { return slices.Contains(rule.Verbs, verb) }
	switch {
	case has("*"):
		why += "; * is no wildcard here: without verbs, the rule is for all"
	case r.Verb == "deletecollection" && has("delete"):
		why += "; deletecollection is a verb of its own"
	case r.Verb == "watch" && (has("list") || has("get")), r.Verb == "list" && (has("get") || has("watch")):
		why += "; get, list and watch are three verbs"
	case r.Verb == "patch" && has("update"):
		why += "; kubectl apply, edit, label and scale send patch"
	case r.Verb == "get" && has("create") && isInteractive(r):
		why += "; kubectl begins " + r.Subresource + " with a GET by WebSocket, or with a POST (create)"
	}
	return why
}

// isInteractive says whether a subresource is reached by GET and POST alike.
func isInteractive(r *Request) bool {
	return slices.Contains([]string{"exec", "attach", "portforward"}, r.Subresource)
}

func namespaceReason(rule *internal.PolicyRule, r *Request) string {
	switch {
	case len(rule.Namespaces) == 0 || slices.Contains(rule.Namespaces, r.Namespace):
		return ""
	case r.Namespace == "":
		return fmt.Sprintf("the request is in no namespace, and the rule in %s", some(rule.Namespaces))
	}
	return fmt.Sprintf("%q is not in %s", r.Namespace, some(rule.Namespaces))
}

func pathReason(rule *internal.PolicyRule, r *Request) string {
	if r.IsResource {
		return "a request for a resource never matches paths"
	}
	for _, spec := range rule.NonResourceURLs {
		if pathMatches(r.Path, spec) {
			return ""
		}
	}
	return fmt.Sprintf("%q is not in %s", r.Path, some(rule.NonResourceURLs))
}

func resourceReason(rule *internal.PolicyRule, r *Request) string {
	if len(rule.Resources) == 0 {
		return ""
	}
	var inGroup []internal.GroupResources
	for _, resources := range rule.Resources {
		if groupMatches(&resources, r) {
			inGroup = append(inGroup, resources)
		}
	}
	if len(inGroup) == 0 {
		return otherGroupReason(rule, r)
	}
	var names []string // of resources that do not match
	for _, resources := range inGroup {
		if len(resources.Resources) == 0 {
			return ""
		}
		for _, spec := range resources.Resources {
			switch {
			case !resourceMatches(spec, r):
				names = appendNew(names, spec)
			case len(resources.ResourceNames) == 0 || slices.Contains(resources.ResourceNames, r.Name):
				return ""
			}
		}
	}
	if why := resourceNameReason(inGroup, r); why != "" {
		return why
	}
	return otherResourceReason(names, r)
}

// resourceNameReason is for resources that match but for the name.
func resourceNameReason(inGroup []internal.GroupResources, r *Request) string {
	for _, resources := range inGroup {
		if !slices.ContainsFunc(resources.Resources, func(spec string) bool { return resourceMatches(spec, r) }) {
			continue
		}
		if r.Name != "" {
			return fmt.Sprintf("the name %q is not in resourceNames %s", r.Name, some(resources.ResourceNames))
		}
		why := "the request names no object, and the rule is for " + some(resources.ResourceNames)
		switch {
		case r.Verb == "create" && r.Subresource == "":
			why += "; the name of what is created is not in the URL, so no rule with resourceNames matches"
		case r.Verb == "deletecollection", r.Verb == "list", r.Verb == "watch":
			why += "; " + r.Verb + " is about many objects"
		}
		return why
	}
	return ""
}

// otherGroupReason is for rules that have no resources in the request's group.
func otherGroupReason(rule *internal.PolicyRule, r *Request) string {
	var groups []string
	isNamed := false // the resource, in a wrong group
	for _, resources := range rule.Resources {
		groups = appendNew(groups, resources.Group)
		isNamed = isNamed || slices.ContainsFunc(resources.Resources, func(spec string) bool { return resourceMatches(spec, r) && spec != "*" })
	}
	why := fmt.Sprintf("the group %q is not in %s", r.Group, some(groups))
	if r.Group == "" {
		why = fmt.Sprintf("the core group is not in %s", some(groups))
	}
	if isNamed {
		why += fmt.Sprintf("; the rule names %s in another group", r.Resource)
	}
	return why
}

// otherResourceReason is for rules that have other resources of the group.
func otherResourceReason(names []string, r *Request) string {
	why := fmt.Sprintf("%q is not in %s", r.full(), some(names))
	if r.Subresource != "" && slices.Contains(names, r.Resource) {
		why += fmt.Sprintf("; %s does not cover its subresources", r.Resource)
	}
	return why
}

// maxShown is how many of a list an explanation shows.
const maxShown = 8

// some shows a list, or its beginning: [get list].
func some(list []string) string {
	shown := make([]string, 0, maxShown)
	for _, s := range list {
		if s == "" || strings.ContainsAny(s, " []") {
			s = fmt.Sprintf("%q", s)
		}
		if len(shown) == maxShown {
			return fmt.Sprintf("[%s and %d more]", strings.Join(shown, " "), len(list)-maxShown)
		}
		shown = append(shown, s)
	}
	return "[" + strings.Join(shown, " ") + "]"
}
