package audit

import (
	"math/bits"
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// maxRules is how many rules are compared with each other.
const maxRules = 10_000

// ruleSet is a set of rules, a bit for each.
type ruleSet []uint64

func (s ruleSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s ruleSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// first returns the first rule of the set, or NoRule.
func (s ruleSet) first() int {
	for w, word := range s {
		if word != 0 {
			return w*64 + bits.TrailingZeros64(word)
		}
	}
	return NoRule
}

// intersect keeps in s what both a and b have, and says whether it is any before
// the rule end.
func (s ruleSet) intersect(a, b ruleSet, end int) bool {
	earlier := uint64(0)
	for w := range s {
		s[w] = a[w] & b[w]
		if w < end/64 {
			earlier |= s[w]
		} else if w == end/64 {
			earlier |= s[w] & (1<<(end%64) - 1)
		}
	}
	return earlier != 0
}

// index finds the rules that match a request, field by field, without looking at
// each rule: what a request matches is the intersection. It does what ruleMatches
// of k8s.io/apiserver/pkg/audit/policy/checker.go does.
type index struct {
	rules                            []internal.PolicyRule
	words                            int
	users, groups, verbs, namespaces ruleField
	everything                       ruleSet                    // rules without resources and paths
	wholeGroups                      map[string][]int           // rules by group, of which they match all
	resources                        map[[2]string][]namedRules // by group and what is written
	paths, prefixes                  map[string][]int
	lengths                          []int // of the prefixes
}

// namedRules is a rule that has a resource, with the names that it wants.
type namedRules struct {
	rule  int
	names []string
}

// ruleField is the rules by what they want in one field of a request.
type ruleField struct {
	all ruleSet // that want nothing there
	by  map[string][]int
}

func newIndex(rules []internal.PolicyRule) *index {
	x := &index{rules: rules, words: len(rules)/64 + 1, wholeGroups: make(map[string][]int), resources: make(map[[2]string][]namedRules),
		paths: make(map[string][]int), prefixes: make(map[string][]int)}
	x.users = x.field(func(r *internal.PolicyRule) []string { return r.Users })
	x.groups = x.field(func(r *internal.PolicyRule) []string { return r.UserGroups })
	x.verbs = x.field(func(r *internal.PolicyRule) []string { return r.Verbs })
	x.namespaces = x.field(func(r *internal.PolicyRule) []string { return r.Namespaces })
	x.everything = x.empty()
	for i := range rules {
		x.addTargets(i, &rules[i])
	}
	return x
}

func (x *index) empty() ruleSet { return make(ruleSet, x.words) }

func (x *index) field(of func(*internal.PolicyRule) []string) ruleField {
	f := ruleField{all: x.empty(), by: make(map[string][]int)}
	for i := range x.rules {
		values := of(&x.rules[i])
		if len(values) == 0 {
			f.all.add(i)
		}
		for _, v := range values {
			f.by[v] = append(f.by[v], i)
		}
	}
	return f
}

// of returns the rules that take any of some values.
func (f ruleField) of(values ...string) ruleSet {
	s := slices.Clone(f.all)
	for _, v := range values {
		for _, i := range f.by[v] {
			s.add(i)
		}
	}
	return s
}

func (x *index) addTargets(i int, rule *internal.PolicyRule) {
	if len(rule.Resources) == 0 && (len(rule.NonResourceURLs) == 0 || len(rule.Namespaces) > 0) {
		x.everything.add(i)
		return
	}
	for _, g := range rule.Resources {
		if len(g.Resources) == 0 {
			x.wholeGroups[g.Group] = append(x.wholeGroups[g.Group], i)
		}
		for _, r := range g.Resources {
			key := [2]string{g.Group, r}
			x.resources[key] = append(x.resources[key], namedRules{i, g.ResourceNames})
		}
	}
	if len(rule.Resources) > 0 {
		return
	}
	for _, url := range rule.NonResourceURLs {
		x.paths[url] = append(x.paths[url], i)
		if prefix := strings.TrimRight(url, "*"); prefix != url {
			x.prefixes[prefix] = append(x.prefixes[prefix], i)
			if !slices.Contains(x.lengths, len(prefix)) && len(x.lengths) < maxRules {
				x.lengths = append(x.lengths, len(prefix))
			}
		}
	}
}

// ofTarget returns the rules that match the resource, or else the path, of a
// request.
func (x *index) ofTarget(r *Request) ruleSet {
	s := slices.Clone(x.everything)
	if !r.IsResource {
		for w := range s { // namespaces are of resources alone
			s[w] &= x.namespaces.all[w]
		}
		for _, i := range x.paths[r.Path] {
			s.add(i)
		}
		for _, n := range x.lengths {
			if n <= len(r.Path) {
				for _, i := range x.prefixes[r.Path[:n]] {
					s.add(i)
				}
			}
		}
		return s
	}
	forms := []string{r.Resource, "*", r.Resource + "/*"}
	if r.Subresource != "" {
		forms = []string{r.Resource + "/" + r.Subresource, "*", r.Resource + "/*", "*/" + r.Subresource}
	}
	for _, group := range []string{r.Group, "*"} {
		for _, i := range x.wholeGroups[group] {
			s.add(i)
		}
		for _, form := range forms {
			for _, n := range x.resources[[2]string{group, form}] {
				if len(n.names) == 0 || slices.Contains(n.names, r.Name) {
					s.add(n.rule)
				}
			}
		}
	}
	return s
}

// matching returns all rules that match a request.
func (x *index) matching(r *Request) ruleSet {
	s := x.ofTarget(r)
	parts := []ruleSet{x.users.of(r.User), x.groups.of(r.Groups...), x.verbs.of(r.Verb)}
	if r.IsResource {
		parts = append(parts, x.namespaces.of(r.Namespace))
	}
	for _, p := range parts {
		s.intersect(s, p, len(x.rules))
	}
	return s
}

// decide returns the rule that decides a request, with its level.
func (x *index) decide(r *Request) (int, internal.Level) {
	i := x.matching(r).first()
	if i == NoRule {
		return NoRule, internal.LevelNone
	}
	return i, x.rules[i].Level
}
