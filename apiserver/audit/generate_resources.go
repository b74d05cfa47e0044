package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
)

// findGroups returns the resources of a list of names, by their groups. Above
// Metadata, any are Kubernetes' own, or those of them that are in namespaces: what
// custom resources hold nobody knows.
func findGroups(names []string, level internal.Level, namespaced bool) ([]internal.GroupResources, error) {
	var groups []internal.GroupResources
	if len(names) == 1 && slices.Contains(anything, names[0]) {
		if !aboveMetadata(level) {
			return []internal.GroupResources{{Group: "*"}}, nil
		}
		for _, group := range groupNames() {
			if !namespaced || slices.ContainsFunc(Resources(), func(r Resource) bool { return r.Group == group && inNamespaces(&r) }) {
				groups = append(groups, internal.GroupResources{Group: group})
			}
		}
		return groups, nil
	}
	for _, name := range names {
		found, err := findNamed(name)
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			groups = addResource(groups, one)
		}
	}
	return groups, nil
}

// addResource adds a resource to those of its group.
func addResource(groups []internal.GroupResources, one internal.GroupResources) []internal.GroupResources {
	i := slices.IndexFunc(groups, func(g internal.GroupResources) bool { return g.Group == one.Group })
	if i < 0 {
		return append(groups, one)
	}
	if !slices.Contains(groups[i].Resources, one.Resources[0]) {
		groups[i].Resources = append(groups[i].Resources, one.Resources[0])
	}
	return groups
}

// findNamed returns what a name stands for: a resource as kubectl takes it, with
// a subresource behind a slash, where * are all; or a custom one with its group.
func findNamed(name string) ([]internal.GroupResources, error) {
	base, sub, hasSub := strings.Cut(name, "/")
	switch {
	case slices.Contains(anything, base) && hasSub:
		return everySubresource(name, sub)
	case slices.Contains(anything, name) || name == everything:
		return nil, failure.New(failure.Usage, "leave the others out", "%s is in a list with others", name)
	}
	var found []internal.GroupResources
	for _, r := range FindResources(base) {
		if full := r.Name + "/" + sub; !hasSub {
			found = append(found, resources(r.Group, r.Name))
		} else if _, known := findResource(r.Group, full); known || sub == "*" {
			found = append(found, resources(r.Group, full))
		}
	}
	if found != nil {
		return found, nil
	}
	if resource, group, hasGroup := strings.Cut(base, "."); hasGroup && strings.Contains(group, ".") && resource != "" && !knownGroup(group) {
		if hasSub {
			resource += "/" + sub
		}
		return []internal.GroupResources{resources(strings.ToLower(group), strings.ToLower(resource))}, nil
	}
	return nil, unknownResource(name, base, hasSub)
}

func unknownResource(name, base string, hasSub bool) error {
	var known []string
	for _, r := range Resources() {
		if strings.Contains(r.Name, "/") == hasSub {
			known = append(known, r.Name)
		}
	}
	if base != name && len(FindResources(base)) > 0 {
		r := FindResources(base)[0]
		known = nil
		for _, sub := range subresources(r.Group, r.Name) {
			known = append(known, r.Name+"/"+sub)
		}
		otherwise := "it has none"
		if known != nil {
			otherwise = "it has " + list(known)
		}
		return failure.New(failure.Usage, failure.DidYouMean(name, known, otherwise), "%s has no subresource like %q", r.Name, name)
	}
	return failure.New(failure.Usage, failure.DidYouMean(name, known, "name custom resources with their group, as in widgets.example.com; kubectl api-resources lists all"),
		"Kubernetes has no resource %q", name)
}

// everySubresource is */scale and its like.
func everySubresource(name, sub string) ([]internal.GroupResources, error) {
	for _, r := range Resources() {
		if strings.HasSuffix(r.Name, "/"+sub) {
			return []internal.GroupResources{resources("*", "*/"+sub)}, nil
		}
	}
	return nil, failure.New(failure.Usage, "as in */scale", "no resource has the subresource of %q", name)
}

const guardedHint = "log them at Metadata, which says who, what and when"

// checkGuarded refuses a rule that names resources whose bodies are secrets and
// would log these.
func checkGuarded(r internal.PolicyRule) error {
	if !aboveMetadata(r.Level) {
		return nil
	}
	for _, group := range r.Resources {
		for _, name := range group.Resources {
			for _, secret := range guarded() {
				if group.Group == secret.Group && slices.Contains(secret.Resources, strings.TrimSuffix(name, "/*")) || name == "*/token" {
					return failure.New(failure.Refused, guardedHint, "the bodies of %s are never logged: they are secrets, or hold some", name)
				}
			}
		}
	}
	return nil
}

// guardOf returns the rule that keeps the bodies of secrets from one that would
// log them among others: the same, for them alone, at Metadata. There may be none.
func guardOf(r rule) (rule, bool) {
	if !aboveMetadata(r.Level) || len(r.NonResourceURLs) > 0 {
		return rule{}, false
	}
	g := rule{why: "Of what the next rule logs, never the bodies of these.", from: r.from, PolicyRule: *r.DeepCopy()}
	g.Level, g.Resources = internal.LevelMetadata, nil
	for _, secret := range guarded() {
		for _, name := range secret.Resources {
			resource, _ := findResource(secret.Group, name)
			names, matched := matchedNames(r.Resources, secret.Group, name)
			if matched && (len(r.Namespaces) == 0 || resource.Namespaced) {
				one := resources(secret.Group, name)
				one.ResourceNames = names
				g.Resources = addResource(g.Resources, one)
			}
		}
	}
	return g, len(g.Resources) > 0
}

// matchedNames says whether some of the resources are the one of this group and
// name, and the names that are matched, nil for all.
func matchedNames(groups []internal.GroupResources, group, name string) ([]string, bool) {
	r := resourceOf(group, name)
	for _, g := range groups {
		if listMatches(&g, &r) {
			return g.ResourceNames, true
		}
	}
	return nil, false
}
