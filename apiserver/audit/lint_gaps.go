package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// checkGaps reports what one would expect to be logged, and is not.
func (l *linter) checkGaps() {
	if !slices.ContainsFunc(l.policy.Rules, func(r internal.PolicyRule) bool { return r.Level != internal.LevelNone && r.Level != "" }) {
		l.report(l.source.rulesKey, SeverityFinding, "logs-nothing", "end with: - level: Metadata", "no rule has another level than None: nothing is logged")
		return
	}
	f := l.index.choose()
	l.checkCatchAll(f)
	for i := range l.policy.Rules {
		if rule := &l.policy.Rules[i]; rule.Level != internal.LevelNone {
			subjects := l.index.subjects(i, f)
			l.checkVerbs(i, rule, subjects, f)
			l.checkSubresources(i, rule, subjects, f)
		}
	}
}

// checkCatchAll reports requests that no rule matches, which are not logged.
func (l *linter) checkCatchAll(f fresh) {
	for _, groups := range [][]string{{"system:authenticated"}, {"system:unauthenticated"}} {
		r := Request{User: f.user, Groups: groups, IsResource: true, Group: f.group, Version: "v1", Resource: f.resource, Namespace: f.namespace, Name: f.name}
		if groups[0] == "system:unauthenticated" {
			r.User = "system:anonymous"
		}
		for _, verb := range Verbs() {
			r.Verb = verb
			if i, _ := l.index.decide(&r); i == NoRule {
				l.noCatchAll(&r, "")
				return
			}
		}
		r = Request{User: r.User, Groups: r.Groups, Path: f.path}
		for _, method := range []string{"get", "post"} {
			r.Verb = method
			if i, _ := l.index.decide(&r); i == NoRule {
				r.Path = "/example"
				l.noCatchAll(&r, ", which is no resource")
				return
			}
		}
	}
}

func (l *linter) noCatchAll(r *Request, what string) {
	last := &l.source.rules[len(l.source.rules)-1]
	l.report(last.node, SeverityFinding, "no-catch-all", "end with a rule that has a level alone: - level: Metadata, or None if it is meant so",
		"the rules end without one that matches all else: of %s%s nothing is logged", l.describe(r), what)
}

// subjects returns requests with the users and namespaces that a rule wants, of
// each the first ones.
func (x *index) subjects(i int, f fresh) []Request {
	const few = 4
	rule := &x.rules[i]
	at := func(list []string, n int, other string) string {
		if len(list) == 0 {
			return other
		}
		return list[n%len(list)]
	}
	var all []Request
	for n := range min(few, max(1, len(rule.Users), len(rule.UserGroups), len(rule.Namespaces))) {
		user := at(rule.Users, n, f.user)
		all = append(all, Request{User: user, Groups: groupsWith(user, at(rule.UserGroups, n, "")), Namespace: at(rule.Namespaces, n, f.namespace), IsResource: true})
	}
	return all
}

// forgotten are verbs that one means with another.
var forgotten = []struct{ verb, also, why string }{
	{"delete", "deletecollection", "deletecollection deletes many at once, as when a namespace is deleted"},
	{"update", "patch", "kubectl apply, edit and scale send patch"},
	{"create", "get", "kubectl exec, attach and port-forward send get since v1.31"}, // by websocket
}

// checkVerbs reports a verb that deletes or changes, and is logged less than its
// counterpart which the rule names.
func (l *linter) checkVerbs(i int, rule *internal.PolicyRule, subjects []Request, f fresh) {
	for _, pair := range forgotten {
		at := slices.Index(rule.Verbs, pair.verb)
		if at < 0 || slices.Contains(rule.Verbs, pair.also) {
			continue
		}
		if r, level, ok := l.lessLogged(i, subjects, f, pair.verb, pair.also); ok {
			l.report(l.source.rules[i].verbs.at(at), SeverityFinding, "verb-forgotten", "add "+pair.also+" to the verbs",
				"%s is logged at %s, but %s at %s: %s", pair.verb, rule.Level, l.describe(&r), level, pair.why)
		}
	}
}

// lessLogged finds a request that the rule decides, and that another decides at a
// lower level once its verb is another.
func (l *linter) lessLogged(i int, subjects []Request, f fresh, verb, also string) (Request, internal.Level, bool) {
	rule := &l.policy.Rules[i]
	targets := targetsOf(rule, f)
	targets = targets[:min(len(targets), maxRequests/len(subjects)/4)]
	for _, subject := range subjects {
		for _, target := range targets {
			if !target.IsResource || target.Name != f.name && also == "deletecollection" || also == "get" && !isInteractive(&target) || !serves(&target, also) {
				continue
			}
			r := target
			r.User, r.Groups, r.Namespace, r.Verb = subject.User, subject.Groups, subject.Namespace, verb
			if by, _ := l.index.decide(&r); by != i {
				continue
			}
			r.Verb = also
			if _, level := l.index.decide(&r); levelIndex(level) < levelIndex(rule.Level) {
				return r, level, true
			}
		}
	}
	return Request{}, "", false
}

// serves says whether a resource takes a verb; what is not known does.
func serves(r *Request, verb string) bool {
	known, ok := resourceNames().byName[[2]string{r.Group, r.full()}]
	return !ok || slices.Contains(known.Verbs, verb)
}

// strongSubresources are those that do as much as the resource itself, or more.
func strongSubresources(group, resource string) []string {
	switch group + "/" + resource {
	case "/pods":
		return []string{"exec", "attach", "portforward", "proxy", "ephemeralcontainers", "eviction", "binding"}
	case "/services", "/nodes":
		return []string{"proxy"}
	case "/serviceaccounts":
		return []string{"token"}
	case "apps/deployments", "apps/statefulsets", "apps/replicasets", "/replicationcontrollers":
		return []string{"scale"}
	case "certificates.k8s.io/certificatesigningrequests":
		return []string{"approval"}
	}
	return nil
}

// checkSubresources reports subresources of a resource that the rule names, of
// which nothing is logged: a resource does not include them.
func (l *linter) checkSubresources(i int, rule *internal.PolicyRule, subjects []Request, f fresh) {
	for j, g := range rule.Resources {
		for k, name := range g.Resources {
			var lost []string
			var example Request
			for _, sub := range strongSubresources(g.Group, name) {
				if slices.Contains(g.Resources, name+"/"+sub) || len(g.ResourceNames) > 0 && sub == "binding" {
					continue
				}
				if r, ok := l.lostSubresource(i, &g, name, sub, subjects, f); ok {
					lost, example = append(lost, name+"/"+sub), r
				}
			}
			if len(lost) > 0 {
				l.report(l.source.rules[i].resources[j].resources.at(k), SeverityFinding, "subresource-forgotten", "add "+strings.Join(lost, ", ")+", or a rule that says level: None of them",
					"%s does not include its subresources, and of some nothing is logged: %s", name, l.describe(&example))
			}
		}
	}
}

// lostSubresource finds a request for a subresource, with a verb of the rule, of
// which nothing is logged although no rule names it.
func (l *linter) lostSubresource(i int, g *internal.GroupResources, name, sub string, subjects []Request, f fresh) (Request, bool) {
	known, ok := resourceNames().byName[[2]string{g.Group, name + "/" + sub}]
	if !ok {
		return Request{}, false
	}
	object := f.name
	if len(g.ResourceNames) > 0 {
		object = g.ResourceNames[0]
	}
	for _, r := range subjects {
		if !known.Namespaced {
			r.Namespace = ""
		}
		r.Group, r.Resource, r.Subresource, r.Name = g.Group, name, sub, object
		for _, verb := range known.Verbs {
			verbs := l.policy.Rules[i].Verbs
			if !slices.Contains([]string{"create", "update", "patch"}, verb) || len(verbs) > 0 && !slices.Contains(verbs, verb) {
				continue
			}
			r.Verb = verb
			by, level := l.index.decide(&r)
			if level == internal.LevelNone && (by == NoRule || !isNamedIn(&l.policy.Rules[by], name+"/"+sub)) {
				return r, true
			}
		}
	}
	return Request{}, false
}

// isNamedIn says whether a rule names a subresource, so that what it does is meant.
func isNamedIn(rule *internal.PolicyRule, name string) bool {
	_, sub, _ := strings.Cut(name, "/")
	return slices.ContainsFunc(rule.Resources, func(g internal.GroupResources) bool {
		return slices.Contains(g.Resources, name) || slices.Contains(g.Resources, "*/"+sub)
	})
}
