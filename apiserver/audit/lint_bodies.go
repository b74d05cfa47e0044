package audit

import (
	"slices"
	"strconv"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/authentication/user"
)

// secretResource is a resource whose bodies hold secrets: in the requests of some
// verbs, which level Request logs, and in the answers to some, which
// RequestResponse logs, too. A deletecollection answers with what it has deleted,
// and a delete with what does not go at once, as it has finalizers or goes in the
// foreground (k8s.io/apiserver/pkg/registry/generic/registry/store.go, Delete).
type secretResource struct {
	group, name        string
	requests, answers  []string
	namespaced, always bool // always: named even by create
}

func secretResources() []secretResource {
	written, read := []string{"create", "update", "patch"}, []string{"get", "list", "delete", "deletecollection"}
	return []secretResource{
		{group: "", name: "secrets", requests: written, answers: read, namespaced: true},
		{group: "", name: "configmaps", requests: written, answers: read, namespaced: true},
		{group: "", name: "serviceaccounts/token", answers: []string{"create"}, namespaced: true, always: true},
		{group: "authentication.k8s.io", name: "tokenreviews", requests: []string{"create"}},
	}
}

// holdsSecrets says whether the bodies of a resource hold secrets, with some verbs.
func holdsSecrets(r *Request) bool {
	return slices.ContainsFunc(secretResources(), func(s secretResource) bool { return s.group == r.Group && s.name == r.full() })
}

// Body is a resource with secrets in its bodies that a policy logs.
type Body struct {
	Resource string // secrets, tokenreviews.authentication.k8s.io
	Rule     int    // that logs them, of which the first is 0
	Level    internal.Level
	Request  Request // one of which it does
}

// Bodies returns which rules log the bodies of Secrets, ConfigMaps, requested
// tokens and token reviews, with a request that shows it for each: whatever other
// rules do before is taken into account. None, and CIS 3.2.2 is kept in this.
func (p *Policy) Bodies() []Body { return newIndex(p.Rules).bodies() }

func (x *index) bodies() []Body {
	f := x.choose()
	left := maxTried
	var found []Body
	for i := range x.rules {
		level := x.rules[i].Level
		if level != internal.LevelRequest && level != internal.LevelRequestResponse {
			continue
		}
		for _, s := range secretResources() {
			verbs := s.requests
			if level == internal.LevelRequestResponse {
				verbs = slices.Concat(s.requests, s.answers)
			}
			if r, ok := x.witness(i, &s, verbs, f, &left); ok {
				name := s.name
				if s.group != "" {
					name += "." + s.group
				}
				found = append(found, Body{name, i, level, r})
			}
		}
	}
	return found
}

// witness finds a request for a resource, with one of some verbs, that a rule
// decides.
func (x *index) witness(i int, s *secretResource, verbs []string, f fresh, left *int) (Request, bool) {
	resource, sub, _ := strings.Cut(s.name, "/")
	for _, verb := range verbs {
		r := Request{Verb: verb, IsResource: true, Version: "v1", Group: s.group, Resource: resource, Subresource: sub}
		for _, name := range x.namesFor(i, &r, s.always, f) {
			r.Name = name
			for _, namespace := range x.namespacesFor(i, &r, s.namespaced, f) {
				r.Namespace = namespace
				if *left--; *left < 0 {
					return r, false
				}
				if !x.couldMatch(i, &r) {
					continue
				}
				if w, ok := x.byAnybody(i, r, f, left); ok {
					return w, true
				}
			}
		}
	}
	return Request{}, false
}

// couldMatch says whether a rule matches a request of the right user.
func (x *index) couldMatch(i int, r *Request) bool {
	return x.verbs.of(r.Verb).has(i) && x.namespaces.of(r.Namespace).has(i) && x.ofTarget(r).has(i)
}

// namesFor returns the names of which a rule may want one: none where the request
// has none. A list has one if it asks for it with a field selector.
func (x *index) namesFor(i int, r *Request, always bool, f fresh) []string {
	var names []string
	switch {
	case !always && (r.Verb == "create" || r.Verb == "deletecollection"):
		return []string{""}
	case r.Verb == "list":
		names = []string{""}
	default:
		names = []string{f.name}
	}
	for _, g := range x.rules[i].Resources {
		names = append(names, g.ResourceNames...)
	}
	return names
}

func (x *index) namespacesFor(i int, r *Request, namespaced bool, f fresh) []string {
	if !namespaced {
		return []string{""}
	}
	names := slices.DeleteFunc(slices.Clone(x.rules[i].Namespaces), func(n string) bool { return n == "" && r.Verb != "list" })
	if len(x.rules[i].Namespaces) == 0 {
		names = []string{f.namespace}
	}
	return names
}

// byAnybody finds a user of whom the rule decides the request. Everybody is in one
// of the groups system:authenticated and system:unauthenticated.
func (x *index) byAnybody(i int, r Request, f fresh, left *int) (Request, bool) {
	users := x.rules[i].Users
	if len(users) == 0 {
		users = []string{f.user}
	}
	wanted := x.rules[i].UserGroups
	if len(wanted) == 0 {
		wanted = []string{""}
	}
	rest := x.ofTarget(&r)
	rest.intersect(rest, x.verbs.of(r.Verb), i)
	rest.intersect(rest, x.namespaces.of(r.Namespace), i)
	for _, user := range users {
		byUser := x.empty()
		byUser.intersect(rest, x.users.of(user), i)
		for _, group := range wanted {
			if *left--; *left < 0 {
				return r, false
			}
			r.User, r.Groups = user, groupsWith(user, group)
			all := x.empty()
			all.intersect(byUser, x.groups.of(r.Groups...), i)
			if all.first() == i {
				return r, true
			}
		}
		if len(x.rules[i].Users) > 0 {
			continue
		}
		r.User, r.Groups = "system:anonymous", []string{"system:unauthenticated"}
		if first, _ := x.decide(&r); first == i {
			return r, true
		}
	}
	return r, false
}

// groupsWith returns the groups of a user, with one that a rule wants. Those of
// nodes are in their certificates.
func groupsWith(name, wanted string) []string {
	var named []string
	if wanted != "" {
		named = append(named, wanted)
	}
	if strings.HasPrefix(name, "system:node:") {
		named = appendNew(named, user.NodesGroup)
	}
	return GroupsOf(name, named)
}

// checkBodies reports rules that log secrets, with a request that shows it.
func (l *linter) checkBodies() {
	bodies := l.index.bodies()
	for n := 0; n < len(bodies); {
		first := bodies[n]
		var names []string
		for ; n < len(bodies) && bodies[n].Rule == first.Rule; n++ {
			names = append(names, bodies[n].Resource)
		}
		at := l.source.rules[first.Rule].node
		if l.source.rules[first.Rule].level != nil {
			at = l.source.rules[first.Rule].level
		}
		l.report(at, SeverityFinding, "logs-secrets", "put a rule above it that has these at level Metadata: "+strings.Join(names, ", "),
			"rule %d logs what is in %s: %s is logged with its body", first.Rule+1, strings.Join(names, ", "), l.describe(&first.Request))
	}
}

// describe says in words what a request is.
func (l *linter) describe(r *Request) string {
	if !r.IsResource {
		return strconv.Quote(r.Verb + " " + r.Path)
	}
	text := r.Verb + " " + r.What()
	if r.Namespace != "" {
		text += " in namespace " + r.Namespace
	}
	return strconv.Quote(text) + " by " + l.who(r)
}

// who says whose request it is, as far as rules name users.
func (l *linter) who(r *Request) string {
	isNamed := l.index.users.by.has(r.User)
	var group string
	for _, g := range r.Groups {
		if l.index.groups.by.has(g) && g != "system:authenticated" {
			group = g
		}
	}
	switch {
	case isNamed || r.User == "system:anonymous" || isUser(r.User):
		return r.User
	case group != "":
		return "a member of " + group
	case len(l.index.users.by)+len(l.index.groups.by) > 0:
		return "anybody else"
	}
	return "anybody"
}
