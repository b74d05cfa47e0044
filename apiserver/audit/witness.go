package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// other is a name that no rule has in it, as far as one can tell.
const other = "some-other"

// Witness returns a request that a rule of the policy decides, of which the first
// is 0. There is none where the rules before it take all that it matches, be it
// together. What a rule leaves open it fills with names that are in no rule, for
// those go past the others, and with resources and verbs that Kubernetes has.
func (p *Policy) Witness(index int, e *Evaluator) (Request, bool) {
	r := &p.Rules[index]
	for _, name := range orElse(r.Users, "system:"+other) {
		for _, group := range orElse(r.UserGroups, other) {
			request := Request{User: name, Groups: []string{group}}
			if found, ok := witnessResource(r, request, e, index); ok {
				return found, true
			}
			if found, ok := witnessPath(r, request, e, index); ok {
				return found, true
			}
		}
	}
	return Request{}, false
}

func orElse(list []string, otherwise ...string) []string {
	if len(list) > 0 {
		return list
	}
	return otherwise
}

func witnessPath(r *internal.PolicyRule, request Request, e *Evaluator, index int) (Request, bool) {
	if len(r.Resources) > 0 || len(r.Namespaces) > 0 {
		return request, false
	}
	for _, url := range orElse(r.NonResourceURLs, "/"+other) {
		prefix, isPattern := strings.CutSuffix(url, "*")
		paths := []string{url}
		if isPattern {
			paths = []string{"/" + strings.TrimPrefix(prefix+other, "/"), prefix}
		}
		for _, request.Path = range paths {
			for _, request.Verb = range orElse(r.Verbs, "get", "post", "put", "patch", "delete", "head", "options") {
				if e.Decide(&request).Rule == index {
					return request, true
				}
			}
		}
	}
	return request, false
}

func witnessResource(r *internal.PolicyRule, request Request, e *Evaluator, index int) (Request, bool) {
	if len(r.NonResourceURLs) > 0 {
		return request, false
	}
	request.IsResource = true
	groups := r.Resources
	if len(groups) == 0 {
		groups = []internal.GroupResources{{Group: "*"}}
	}
	for _, group := range groups {
		for _, resource := range matching(group) {
			request.Group, request.Version = resource.Group, resource.Version
			request.Resource, request.Subresource, _ = strings.Cut(resource.Name, "/")
			if found, ok := witnessOf(r, group.ResourceNames, &resource, request, e, index); ok {
				return found, true
			}
		}
	}
	return request, false
}

// witnessOf tries verbs, namespaces and names for one resource.
func witnessOf(r *internal.PolicyRule, names []string, resource *Resource, request Request, e *Evaluator, index int) (Request, bool) {
	places := []string{other, ""}
	if !resource.Namespaced && resource.Group != customGroup && request.Resource != "namespaces" {
		places = []string{""}
	}
	for _, request.Verb = range resource.Verbs {
		if len(r.Verbs) > 0 && !slices.Contains(r.Verbs, request.Verb) {
			continue
		}
		for _, request.Namespace = range orElse(r.Namespaces, places...) {
			for _, request.Name = range orElse(names, other, "") {
				if e.Decide(&request).Rule == index {
					return request, true
				}
			}
		}
	}
	return request, false
}

const customGroup = "example.com"

// matching returns the resources that a rule may mean: a custom one, where it
// leaves that open, and those of Kubernetes.
func matching(g internal.GroupResources) []Resource {
	var all []Resource
	custom := func(group, name string) {
		if name == "*" || strings.HasPrefix(name, "*/") || strings.HasSuffix(name, "/*") {
			name = strings.ReplaceAll(name, "*", other)
		}
		all = append(all, Resource{Group: group, Version: "v1", Name: name, Verbs: slices.Concat(reads, changes)})
	}
	for _, pattern := range orElse(g.Resources, "*") {
		if g.Group == "*" {
			custom(customGroup, pattern)
		} else if !KnownGroup(g.Group) {
			custom(g.Group, pattern)
		}
		for _, r := range Resources() {
			if g.Group != "*" && g.Group != r.Group {
				continue
			}
			base, sub, _ := strings.Cut(r.Name, "/")
			if pattern == "*" || pattern == r.Name || pattern == base+"/*" || sub != "" && pattern == "*/"+sub {
				all = append(all, r)
			}
		}
	}
	return all
}
