package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// other is a name that no rule has in it, as far as one can tell.
const other = "some-other"

// customGroup is an API group that Kubernetes itself does not serve.
const customGroup = "example.com"

// requestFor returns a request that a rule of the policy decides, of which the first
// is 0. There is none where the rules before it take all that it matches, be it
// together. What a rule leaves open it fills with names that are in no rule, for
// those go past the others, and with resources and verbs that Kubernetes has.
func (p *Policy) requestFor(index int, e *Evaluator) (Request, bool) {
	w := witness{rule: &p.Rules[index], index: index, evaluator: e, earlier: p.Rules[:index]}
	users := w.distinct(w.rule.Users, func(r *internal.PolicyRule) []string { return r.Users })
	groups := w.distinct(w.rule.UserGroups, func(r *internal.PolicyRule) []string { return r.UserGroups })
	for _, name := range orElse(users, "system:"+other) {
		for _, group := range orElse(groups, other) {
			w.request = Request{User: name, Groups: []string{group}}
			if w.resource() || w.path() {
				return w.request, true
			}
		}
	}
	return Request{}, false
}

// witness looks for a request that a rule decides.
type witness struct {
	rule      *internal.PolicyRule
	index     int
	earlier   []internal.PolicyRule
	evaluator *Evaluator
	request   Request
}

func (w *witness) found() bool { return w.evaluator.Decide(&w.request).Rule == w.index }

func orElse(list []string, otherwise ...string) []string {
	if len(list) > 0 {
		return list
	}
	return otherwise
}

// distinct leaves of some names those between which the rules before tell apart.
func (w *witness) distinct(names []string, of func(*internal.PolicyRule) []string) []string {
	var kept []string
	seen := map[string]bool{}
	for _, name := range names {
		var mentions strings.Builder
		for i := range w.earlier {
			mentions.WriteByte(bit(slices.Contains(of(&w.earlier[i]), name)))
		}
		if !seen[mentions.String()] {
			seen[mentions.String()] = true
			kept = append(kept, name)
		}
	}
	return kept
}

func bit(is bool) byte {
	if is {
		return '1'
	}
	return '0'
}

// path looks for a request that is for no resource.
func (w *witness) path() bool {
	if len(w.rule.Resources) > 0 || len(w.rule.Namespaces) > 0 {
		return false
	}
	w.request = Request{User: w.request.User, Groups: w.request.Groups}
	for _, url := range orElse(w.rule.NonResourceURLs, "/"+other) {
		paths := []string{url}
		if prefix, isPattern := strings.CutSuffix(url, "*"); isPattern {
			paths = []string{"/" + strings.TrimPrefix(prefix+other, "/"), prefix}
		}
		for _, w.request.Path = range paths {
			for _, w.request.Verb = range orElse(w.rule.Verbs, "get", "post", "put", "patch", "delete", "head", "options") {
				if w.found() {
					return true
				}
			}
		}
	}
	return false
}

// resource looks for a request that is for a resource.
func (w *witness) resource() bool {
	if len(w.rule.NonResourceURLs) > 0 {
		return false
	}
	w.request.IsResource = true
	groups := w.rule.Resources
	if len(groups) == 0 {
		groups = []internal.GroupResources{{Group: "*"}}
	}
	for _, group := range groups {
		names := w.distinct(group.ResourceNames, mentionedNames)
		seen := map[string]bool{}
		for _, resource := range matching(group) {
			if kind := w.kindOf(&resource); seen[kind] {
				continue
			} else {
				seen[kind] = true
			}
			w.request.Group, w.request.Version = resource.Group, resource.Version
			w.request.Resource, w.request.Subresource, _ = strings.Cut(resource.Name, "/")
			if w.of(names, &resource) {
				return true
			}
		}
	}
	return false
}

// mentionedNames are all that a rule names.
func mentionedNames(r *internal.PolicyRule) []string {
	var names []string
	for _, group := range r.Resources {
		names = append(names, group.ResourceNames...)
	}
	return names
}

// kindOf is the same for resources that the rules before treat alike.
func (w *witness) kindOf(resource *Resource) string {
	kind := strings.Join(resource.Verbs, ",") + string(bit(resource.Namespaced)) + string(bit(resource.Group == customGroup))
	r := resourceOf(resource.Group, resource.Name)
	for i := range w.earlier {
		for _, group := range w.earlier[i].Resources {
			kind += string(bit(listMatches(&group, &r)))
		}
	}
	return kind
}

// of tries verbs, namespaces and names for one resource.
func (w *witness) of(names []string, resource *Resource) bool {
	places := []string{other, ""}
	if !resource.Namespaced && knownGroup(resource.Group) && w.request.Resource != "namespaces" {
		places = []string{""}
	}
	places = orElse(w.distinct(w.rule.Namespaces, func(r *internal.PolicyRule) []string { return r.Namespaces }), places...)
	for _, w.request.Verb = range resource.Verbs {
		if len(w.rule.Verbs) > 0 && !slices.Contains(w.rule.Verbs, w.request.Verb) {
			continue
		}
		for _, w.request.Namespace = range places {
			for _, w.request.Name = range orElse(names, other, "") {
				if w.found() {
					return true
				}
			}
		}
	}
	return false
}

// matching returns the resources that a rule may mean: a custom one, where it
// leaves that open, and those of Kubernetes.
func matching(g internal.GroupResources) []Resource {
	var all []Resource
	for _, pattern := range orElse(g.Resources, "*") {
		one := internal.GroupResources{Group: g.Group, Resources: []string{pattern}}
		if group := g.Group; group == "*" || !knownGroup(group) {
			if group == "*" {
				group = customGroup
			}
			all = append(all, Resource{Group: group, Version: "v1", Name: strings.ReplaceAll(pattern, "*", other), Verbs: Verbs()})
		}
		for _, r := range Resources() {
			if request := resourceOf(r.Group, r.Name); listMatches(&one, &request) {
				all = append(all, r)
			}
		}
	}
	return all
}
