package audit

import (
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// ruleText says in a few words which requests a rule matches.
func ruleText(r *internal.PolicyRule) string {
	var words []string
	say := func(before string, list []string) {
		if len(list) > 0 {
			words = append(words, strings.TrimSpace(before+" "+strings.Join(list, ",")))
		}
	}
	say("", r.Verbs)
	var resources []string
	for _, g := range r.Resources {
		resources = append(resources, groupText(&g))
	}
	say("", resources)
	say("", r.NonResourceURLs)
	if len(r.Namespaces) > 0 {
		var names []string
		for _, name := range r.Namespaces {
			if name == "" {
				name = `""`
			}
			names = append(names, name)
		}
		say("in", names)
	}
	say("by", r.Users)
	say("by group", r.UserGroups)
	if len(words) == 0 {
		words = []string{"all requests"}
	}
	if len(r.OmitStages) > 0 {
		var stages []string
		for _, s := range r.OmitStages {
			stages = append(stages, string(s))
		}
		say("without", stages)
	}
	return strings.Join(words, " ")
}

// groupText names resources as pods, deployments.apps or *.apps.
func groupText(g *internal.GroupResources) string {
	resources := g.Resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var names []string
	for _, resource := range resources {
		name, sub, hasSub := strings.Cut(resource, "/")
		if g.Group != "" {
			name += "." + g.Group
		}
		if hasSub {
			name += "/" + sub
		}
		names = append(names, name)
	}
	text := strings.Join(names, ",")
	if len(g.ResourceNames) > 0 {
		text += " named " + strings.Join(g.ResourceNames, ",")
	}
	return text
}
