package audit

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/authentication/user"
)

// maxRequests is how many requests are tried for one rule, and maxTried for all.
// Where they do not suffice a rule counts as one that decides something.
const (
	maxRequests = 1 << 14
	maxTried    = 1 << 18
)

// fresh are values that no rule names, so that only rules which want nothing in
// that field, or have a wildcard, match them.
type fresh struct {
	user, verb, namespace, group, resource, subresource, name, path string
}

// choose returns such values.
func (x *index) choose() fresh {
	unused := func(word string, taken func(string) bool) string {
		for n := 2; taken(word); n++ {
			word = strings.TrimRight(word, "0123456789") + strconv.Itoa(n)
		}
		return word
	}
	in := func(set map[string]bool) func(string) bool { return func(s string) bool { return set[s] } }
	names, parts := make(map[string]bool), make(map[string]bool)
	for key, list := range x.resources {
		for _, part := range append(strings.Split(key[1], "/"), key[0]) {
			parts[part] = true
		}
		for name := range list.named {
			names[name] = true
		}
	}
	for group := range x.wholeGroups {
		parts[group] = true
	}
	filler := 'x' // that is in no path, so that no prefix goes beyond it
	for inPath(x.paths, filler) {
		filler++
	}
	return fresh{
		user: unused("anybody", x.users.by.has), verb: unused("any", x.verbs.by.has), namespace: unused("default", x.namespaces.by.has),
		group: unused("example.com", in(parts)), resource: unused("widgets", in(parts)), subresource: unused("part", in(parts)),
		name: unused("example", in(names)), path: "/" + string(filler),
	}
}

func inPath(paths ruleLists, r rune) bool {
	for path := range paths {
		if strings.ContainsRune(path, r) {
			return true
		}
	}
	return false
}

// options returns, field by field, the rules that take each value which stands for
// all requests that a rule matches: where it wants one of several values, each of
// them, and else a fresh one, which the fewest rules match. Whatever decides these
// requests decides all.
func (x *index) options(i int, f fresh) [][]ruleSet {
	rule := &x.rules[i]
	of := func(values []string, field ruleField) []ruleSet {
		if len(values) == 0 {
			return []ruleSet{field.all}
		}
		var all []ruleSet
		for _, v := range values {
			all = append(all, field.of(v))
		}
		return all
	}
	var targets []ruleSet
	for _, t := range targetsOf(rule, f) {
		if set := x.ofTarget(&t); set.has(i) { // else it is written so that it matches nothing
			targets = append(targets, set)
		}
	}
	return [][]ruleSet{of(rule.Users, x.users), x.groupOptions(rule), of(rule.Verbs, x.verbs), of(rule.Namespaces, x.namespaces), targets}
}

// groupOptions are those of a rule's groups. Who is somebody is in the group
// system:authenticated; who is not is in system:unauthenticated, or in none where
// the request is refused with 401 (k8s.io/apiserver/pkg/authentication/group,
// AuthenticatedGroupAdder).
func (x *index) groupOptions(rule *internal.PolicyRule) []ruleSet {
	var all []ruleSet
	for _, group := range rule.UserGroups {
		if group == user.AllUnauthenticated {
			all = append(all, x.groups.of(group))
		} else {
			all = append(all, x.groups.of(group, user.AllAuthenticated))
		}
	}
	switch {
	case all != nil:
		return all
	case len(rule.Users) > 0 && !slices.Contains(rule.Users, user.Anonymous):
		return []ruleSet{x.groups.of(user.AllAuthenticated)}
	}
	return []ruleSet{x.groups.all}
}

// targetsOf returns the resources, or paths, that stand for all that a rule
// matches.
func targetsOf(rule *internal.PolicyRule, f fresh) []Request {
	var all []Request
	for _, g := range rule.Resources {
		group := g.Group
		if group == "*" {
			group = f.group
		}
		resources, names := g.Resources, g.ResourceNames
		if len(resources) == 0 {
			resources = []string{"*"}
		}
		if len(names) == 0 {
			names = []string{f.name}
		}
		for _, written := range resources {
			name, sub, hasSub := strings.Cut(written, "/")
			if name == "*" {
				name = f.resource
			}
			if hasSub && sub == "*" {
				sub = f.subresource
			}
			for _, n := range names {
				all = append(all, Request{IsResource: true, Group: group, Resource: name, Subresource: sub, Name: n})
			}
		}
	}
	switch {
	case len(rule.Resources) > 0:
		return all
	case len(rule.Namespaces) > 0:
		return []Request{{IsResource: true, Group: f.group, Resource: f.resource, Name: f.name}}
	case len(rule.NonResourceURLs) == 0:
		return []Request{{IsResource: true, Group: f.group, Resource: f.resource, Name: f.name}, {Path: f.path}}
	}
	for _, url := range rule.NonResourceURLs {
		path := strings.TrimRight(url, "*")
		if path != url {
			path = "/" + strings.TrimPrefix(path+f.path[1:], "/") // beyond all that is named
		}
		all = append(all, Request{Path: path})
	}
	return all
}

// shadow returns the earlier rules that decide all requests which a rule matches,
// nil if it decides some itself.
func (x *index) shadow(i int, f fresh, tried *int) []int {
	if *tried += len(targetsOf(&x.rules[i], f)); *tried > maxTried {
		return nil
	}
	fields := x.options(i, f)
	one := x.empty() // rules that take every option of every field
	for n := range one {
		one[n] = ^uint64(0)
	}
	for _, field := range fields {
		if len(field) == 0 {
			return nil // it matches nothing: that has another reason
		}
		for _, o := range field {
			one.intersect(one, o, i)
		}
	}
	if by := one.first(); by != NoRule && by < i {
		return []int{by}
	}
	// The fields with the fewest options first, which rules out the most at once.
	slices.SortStableFunc(fields, func(a, b []ruleSet) int { return cmp.Compare(len(a), len(b)) })
	w := &walk{x: x, end: i, fields: fields, left: min(maxRequests, maxTried-*tried), by: make(map[int]bool)}
	start := w.left
	all := x.empty()
	for n := range all {
		all[n] = ^uint64(0)
	}
	covered := w.covered(0, all)
	*tried += start - w.left
	if !covered {
		return nil
	}
	var by []int
	for j := range w.by {
		by = append(by, j)
	}
	slices.Sort(by)
	return by
}

// walk goes through all combinations of options, each the rules that take it.
type walk struct {
	x      *index
	end    int // the rules before it count
	fields [][]ruleSet
	left   int
	by     map[int]bool // rules that decide
}

// covered says whether earlier rules decide all combinations of the fields that
// are left, with those already taken by the rules in taken.
func (w *walk) covered(depth int, taken ruleSet) bool {
	if depth == len(w.fields) {
		w.by[taken.first()] = true
		return true
	}
	next := w.x.empty()
	for _, o := range w.fields[depth] {
		if w.left--; w.left < 0 || !next.intersect(taken, o, w.end) || !w.covered(depth+1, next) {
			return false
		}
	}
	return true
}

// checkReach reports rules that decide nothing.
func (l *linter) checkReach() {
	f := l.index.choose()
	tried := 0
	for i := 1; i < len(l.policy.Rules); i++ {
		by := l.index.shadow(i, f, &tried)
		if by == nil {
			continue
		}
		at := l.source.rules[i].node
		first := by[0]
		switch {
		case len(by) > 1:
			l.report(at, SeverityFinding, "unreachable-rule", "move it above "+l.ruleName(by[0])+", or remove it",
				"no request comes to rule %d: %s decide all that it matches, together", i+1, l.ruleNames(by))
		case reflect.DeepEqual(l.policy.Rules[first], l.policy.Rules[i]):
			l.report(at, SeverityFinding, "duplicate-rule", "remove it", "rule %d is the same as %s", i+1, l.ruleName(first))
		default:
			l.report(at, SeverityFinding, "unreachable-rule", "move it above "+l.ruleName(first)+", or remove it",
				"no request comes to rule %d: %s decides all that it matches%s", i+1, l.ruleName(first), sameLevel(&l.policy.Rules[first], &l.policy.Rules[i]))
		}
	}
}

// sameLevel says at which level.
func sameLevel(a, b *internal.PolicyRule) string {
	switch a.Level {
	case b.Level:
		return ", at the same level"
	case "":
		return ""
	}
	return ", at level " + string(a.Level)
}

// ruleNames lists rules, of many the first ones.
func (l *linter) ruleNames(rules []int) string {
	var names []string
	for _, i := range rules[:min(4, len(rules))] {
		names = append(names, l.ruleName(i))
	}
	if more := len(rules) - 4; more > 0 {
		return strings.Join(names, ", ") + " and " + strconv.Itoa(more) + " more"
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
