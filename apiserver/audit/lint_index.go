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

// union adds the rules of a list.
func (s ruleSet) union(list *ruleList) {
	switch {
	case list == nil:
	case list.set != nil:
		for w := range s {
			s[w] |= list.set[w]
		}
	default:
		for _, i := range list.rules {
			s.add(i)
		}
	}
}

// ruleList is rules in their order, and where they are many, as a set, too.
type ruleList struct {
	rules []int
	set   ruleSet
}

// ruleLists are rules by what they want.
type ruleLists map[string]*ruleList

func (l ruleLists) add(value string, i, words int) {
	list := l[value]
	if list == nil {
		list = new(ruleList)
		l[value] = list
	}
	list.add(i, words)
}

func (list *ruleList) add(i, words int) {
	list.rules = append(list.rules, i)
	if list.set == nil && len(list.rules) > 2*words {
		list.set = make(ruleSet, words)
		for _, j := range list.rules {
			list.set.add(j)
		}
	}
	if list.set != nil {
		list.set.add(i)
	}
}

func (l ruleLists) has(value string) bool { return l[value] != nil }

// index finds the rules that match a request, field by field, without looking at
// each rule: what a request matches is the intersection. It does what ruleMatches
// of k8s.io/apiserver/pkg/audit/policy/checker.go does. One goroutine uses it.
type index struct {
	rules                            []internal.PolicyRule
	words                            int
	users, groups, verbs, namespaces ruleField
	everything                       ruleSet // rules without resources and paths
	wholeGroups                      ruleLists
	resources                        map[[2]string]*resourceRules // by group and what is written
	paths, prefixes                  ruleLists
	lengths                          []int // of the prefixes
	match, part                      ruleSet
}

// resourceRules are the rules that have a resource.
type resourceRules struct {
	all   ruleList // that want no name
	named ruleLists
}

// ruleField is the rules by what they want in one field of a request.
type ruleField struct {
	all ruleSet // that want nothing there
	by  ruleLists
}

func newIndex(rules []internal.PolicyRule) *index {
	x := &index{rules: rules, words: len(rules)/64 + 1, wholeGroups: make(ruleLists), resources: make(map[[2]string]*resourceRules),
		paths: make(ruleLists), prefixes: make(ruleLists)}
	x.users = x.field(func(r *internal.PolicyRule) []string { return r.Users })
	x.groups = x.field(func(r *internal.PolicyRule) []string { return r.UserGroups })
	x.verbs = x.field(func(r *internal.PolicyRule) []string { return r.Verbs })
	x.namespaces = x.field(func(r *internal.PolicyRule) []string { return r.Namespaces })
	x.everything, x.match, x.part = x.empty(), x.empty(), x.empty()
	for i := range rules {
		x.addTargets(i, &rules[i])
	}
	return x
}

func (x *index) empty() ruleSet { return make(ruleSet, x.words) }

func (x *index) field(of func(*internal.PolicyRule) []string) ruleField {
	f := ruleField{all: x.empty(), by: make(ruleLists)}
	for i := range x.rules {
		values := of(&x.rules[i])
		if len(values) == 0 {
			f.all.add(i)
		}
		for _, v := range values {
			f.by.add(v, i, x.words)
		}
	}
	return f
}

// of returns the rules that take any of some values.
func (f ruleField) of(values ...string) ruleSet {
	return f.into(make(ruleSet, len(f.all)), values...)
}

// into is of, with a set that is overwritten.
func (f ruleField) into(s ruleSet, values ...string) ruleSet {
	copy(s, f.all)
	for _, v := range values {
		s.union(f.by[v])
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
			x.wholeGroups.add(g.Group, i, x.words)
		}
		for _, r := range g.Resources {
			key := [2]string{g.Group, r}
			rules := x.resources[key]
			if rules == nil {
				rules = &resourceRules{named: make(ruleLists)}
				x.resources[key] = rules
			}
			if len(g.ResourceNames) == 0 {
				rules.all.add(i, x.words)
			}
			for _, name := range g.ResourceNames {
				rules.named.add(name, i, x.words)
			}
		}
	}
	if len(rule.Resources) > 0 {
		return
	}
	for _, url := range rule.NonResourceURLs {
		x.paths.add(url, i, x.words)
		if prefix := strings.TrimRight(url, "*"); prefix != url {
			x.prefixes.add(prefix, i, x.words)
			if !slices.Contains(x.lengths, len(prefix)) && len(x.lengths) < maxRules {
				x.lengths = append(x.lengths, len(prefix))
			}
		}
	}
}

// ofTarget returns the rules that match the resource, or else the path, of a
// request.
func (x *index) ofTarget(r *Request) ruleSet { return x.targetInto(x.empty(), r) }

// targetInto is ofTarget, with a set that is overwritten.
func (x *index) targetInto(s ruleSet, r *Request) ruleSet {
	copy(s, x.everything)
	if !r.IsResource {
		for w := range s { // namespaces are of resources alone
			s[w] &= x.namespaces.all[w]
		}
		s.union(x.paths[r.Path])
		for _, n := range x.lengths {
			if n <= len(r.Path) {
				s.union(x.prefixes[r.Path[:n]])
			}
		}
		return s
	}
	for _, group := range []string{r.Group, "*"} {
		s.union(x.wholeGroups[group])
		if r.Subresource == "" {
			x.addResource(s, group, r.Resource, r.Name)
		} else {
			x.addResource(s, group, r.Resource+"/"+r.Subresource, r.Name)
			x.addResource(s, group, "*/"+r.Subresource, r.Name)
		}
		x.addResource(s, group, r.Resource+"/*", r.Name)
		x.addResource(s, group, "*", r.Name)
	}
	return s
}

// addResource adds the rules that have a resource written so.
func (x *index) addResource(s ruleSet, group, written, name string) {
	rules := x.resources[[2]string{group, written}]
	if rules == nil {
		return
	}
	s.union(&rules.all)
	s.union(rules.named[name])
}

// matching returns all rules that match a request, until it is called again.
func (x *index) matching(r *Request) ruleSet {
	s := x.targetInto(x.match, r)
	n := len(x.rules)
	s.intersect(s, x.users.into(x.part, r.User), n)
	s.intersect(s, x.groups.into(x.part, r.Groups...), n)
	s.intersect(s, x.verbs.into(x.part, r.Verb), n)
	if r.IsResource {
		s.intersect(s, x.namespaces.into(x.part, r.Namespace), n)
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
