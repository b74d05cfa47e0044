package audit

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// resourcesText is written by TestExplainOnRealAPIServer (cmd/pkictl)
// with -update-resources from a real API server.
//
//go:embed resources.txt
var resourcesText string

// Resource is a resource, or a subresource such as pods/exec, that Kubernetes
// itself serves.
type Resource struct {
	Group      string // "" is the core group
	Version    string // that is preferred
	Name       string // with the subresource: pods/exec
	Namespaced bool
	Kind       string // of what is sent or returned
	Verbs      []string
	ShortNames []string
}

// Resources returns all that Kubernetes itself serves, by group and name. The
// caller does not change it.
var Resources = sync.OnceValue(func() []Resource {
	var all []Resource
	for line := range strings.Lines(resourcesText) {
		if words := strings.Fields(line); len(words) == 7 && words[0] != "#" {
			r := Resource{Group: words[0], Version: words[1], Name: words[2], Namespaced: words[3] == "namespaced", Kind: words[4]}
			if r.Group == "core" {
				r.Group = ""
			}
			r.Verbs = strings.Split(words[5], ",")
			if words[6] != "-" {
				r.ShortNames = strings.Split(words[6], ",")
			}
			all = append(all, r)
		}
	}
	return all
})

// groupNames returns the API groups that Kubernetes itself serves, "" for the core
// group first, the others by name.
func groupNames() []string {
	var groups []string
	for _, r := range Resources() {
		if !slices.Contains(groups, r.Group) {
			groups = append(groups, r.Group)
		}
	}
	return groups
}

// knownGroup says whether Kubernetes itself serves an API group. Those of custom
// resources and of aggregated API servers (metrics.k8s.io) it does not know.
func knownGroup(group string) bool {
	return slices.ContainsFunc(Resources(), func(r Resource) bool { return r.Group == group })
}

// findResource returns the resource of exactly this group and name, which has its
// subresource behind a slash: pods/exec.
func findResource(group, name string) (Resource, bool) {
	i := slices.IndexFunc(Resources(), func(r Resource) bool { return r.Group == group && r.Name == name })
	if i < 0 {
		return Resource{}, false
	}
	return Resources()[i], true
}

// subresources returns the subresources of a resource, without its own name
// (exec, log), by name.
func subresources(group, resource string) []string {
	var subs []string
	for _, r := range Resources() {
		if name, sub, ok := strings.Cut(r.Name, "/"); ok && r.Group == group && name == resource {
			subs = append(subs, sub)
		}
	}
	return subs
}

// FindResources returns the resources of a name as kubectl takes it: plural,
// singular or short, with the group behind a point (deployments.apps, or
// deployments.v1.apps), and a subresource behind a slash (pods/exec). There is
// more than one where several groups have it; kubectl takes the first.
func FindResources(name string) []Resource {
	name, sub, hasSub := strings.Cut(strings.ToLower(name), "/")
	name, group, hasGroup := strings.Cut(name, ".")
	var found []Resource
	for _, r := range Resources() {
		isNamed := r.Name == name || slices.Contains(r.ShortNames, name) || strings.ToLower(r.Kind) == name
		if strings.Contains(r.Name, "/") || !isNamed || hasGroup && group != r.Group && group != r.Version+"."+r.Group {
			continue
		}
		if !hasSub {
			found = append(found, r)
		} else if s, ok := findResource(r.Group, r.Name+"/"+sub); ok {
			found = append(found, s)
		}
	}
	return found
}
