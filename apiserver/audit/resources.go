package audit

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// resourcesText is written by TestResources -update from a real API server.
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

// FindResources returns the resources of a name, which may be a short name, may
// name the group behind a point (deployments.apps) and a subresource behind a
// slash (pods/exec). There is more than one where several groups have it.
func FindResources(name string) []Resource {
	name, sub, hasSub := strings.Cut(strings.ToLower(name), "/")
	name, group, hasGroup := strings.Cut(name, ".")
	var found []Resource
	for _, r := range Resources() {
		base, _, isSub := strings.Cut(r.Name, "/")
		if isSub || base != name && !slices.Contains(r.ShortNames, name) || hasGroup && r.Group != group {
			continue
		}
		if !hasSub {
			found = append(found, r)
			continue
		}
		for _, s := range Resources() {
			if s.Group == r.Group && s.Name == base+"/"+sub {
				found = append(found, s)
			}
		}
	}
	return found
}
