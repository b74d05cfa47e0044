package audit

import (
	"math/rand/v2"
	"slices"
	"testing"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// pick returns up to n of some values, often none.
func pickSome(r *rand.Rand, n int, values ...string) []string {
	var list []string
	for range r.IntN(n + 1) {
		list = append(list, values[r.IntN(len(values))])
	}
	return list
}

// somePolicy returns a policy of few words, so that its rules have much to do with
// each other.
func somePolicy(r *rand.Rand) *Policy {
	p := new(Policy)
	for range 2 + r.IntN(5) {
		rule := internal.PolicyRule{Level: internal.LevelMetadata}
		if r.IntN(3) == 0 {
			rule.Users = pickSome(r, 2, "a", "b")
		}
		if r.IntN(3) == 0 {
			rule.UserGroups = pickSome(r, 2, "g", "h")
		}
		if r.IntN(2) == 0 {
			rule.Verbs = pickSome(r, 3, "get", "list", "create")
		}
		switch r.IntN(4) {
		case 0:
			rule.NonResourceURLs = pickSome(r, 2, "*", "/*", "/a", "/a*", "/a/b", "/ax*", "/x*", "/a/b*")
		case 1:
			rule.Namespaces = pickSome(r, 2, "x", "")
			fallthrough
		case 2:
			for range r.IntN(3) {
				g := internal.GroupResources{Group: []string{"", "apps", "*"}[r.IntN(3)]}
				g.Resources = pickSome(r, 3, "*", "pods", "pods/exec", "pods/*", "*/exec", "secrets", "*/*")
				if len(g.Resources) > 0 && r.IntN(3) == 0 {
					g.ResourceNames = pickSome(r, 2, "n", "")
				}
				rule.Resources = append(rule.Resources, g)
			}
		}
		p.Rules = append(p.Rules, rule)
	}
	if r.IntN(2) == 0 { // one that others may cover together
		pods := internal.GroupResources{Resources: []string{"pods"}}
		for _, verb := range pickSome(r, 3, "get", "list") {
			p.Rules = append(p.Rules, internal.PolicyRule{Level: internal.LevelMetadata, Verbs: []string{verb}, Resources: []internal.GroupResources{pods}})
		}
		p.Rules = append(p.Rules, internal.PolicyRule{Level: internal.LevelMetadata, Verbs: []string{"get", "list"}, Resources: []internal.GroupResources{pods}})
	}
	return p
}

// universe calls do with requests of all kinds that somePolicy tells apart.
func universe(do func(*Request)) {
	targets := []Request{}
	for _, path := range []string{"/", "/a", "/a/b", "/ax", "/ay", "/x", "/other", "/a/bc"} {
		targets = append(targets, Request{Path: path})
	}
	for _, group := range []string{"", "apps", "example.com"} {
		for _, resource := range [][2]string{{"pods", ""}, {"pods", "exec"}, {"pods", "log"}, {"secrets", ""}, {"secrets", "exec"}, {"widgets", ""}, {"widgets", "exec"}, {"widgets", "part"}} {
			for _, namespace := range []string{"", "x", "z"} {
				for _, name := range []string{"", "n", "o"} {
					targets = append(targets, Request{IsResource: true, Group: group, Resource: resource[0], Subresource: resource[1], Namespace: namespace, Name: name})
				}
			}
		}
	}
	for _, r := range targets {
		for _, r.User = range []string{"a", "b", "c"} {
			for _, r.Groups = range [][]string{nil, {"g"}, {"h"}, {"g", "h"}} {
				for _, r.Verb = range []string{"get", "list", "create", "watch"} {
					do(&r)
				}
			}
		}
	}
}

// TestShadow holds what is said of unreachable rules against the decisions of
// kube-apiserver's own code about every request that there is.
func TestShadow(t *testing.T) {
	t.Parallel()
	unreachable, together := 0, 0
	for seed := range uint64(60) {
		p := somePolicy(rand.New(rand.NewPCG(seed, 1)))
		x, evaluator := newIndex(p.Rules), p.Evaluator()
		matched, decided := make(map[int]bool), make(map[int]bool)
		universe(func(r *Request) {
			d := evaluator.Decide(r)
			if rule, _ := x.decide(r); rule != d.Rule {
				t.Fatalf("policy %d: rule %d, want %d of %+v", seed, rule, d.Rule, r)
			}
			decided[d.Rule] = true
			set := x.matching(r)
			for i := range p.Rules {
				matched[i] = matched[i] || set.has(i)
			}
		})
		f, tried := x.choose(), 0
		for i := range p.Rules {
			by := x.shadow(i, f, &tried)
			switch {
			case by != nil && decided[i]:
				t.Errorf("policy %d: rule %d decides something: %+v", seed, i, p.Rules)
			case by == nil && matched[i] && !decided[i]:
				t.Errorf("policy %d: rule %d decides nothing: %+v", seed, i, p.Rules)
			case by != nil && !onlyBy(p, i, by):
				t.Errorf("policy %d: rule %d is not shadowed by %d alone: %+v", seed, i, by, p.Rules)
			case len(by) > 1:
				together++
			}
			if by != nil {
				unreachable++
			}
		}
	}
	if unreachable < 20 || together < 3 {
		t.Errorf("only %d unreachable rules, %d of them by several", unreachable, together)
	}
}

// onlyBy says whether the rules that are named suffice to keep all requests from
// one.
func onlyBy(p *Policy, rule int, by []int) bool {
	var less Policy
	for _, i := range by {
		less.Rules = append(less.Rules, p.Rules[i])
	}
	less.Rules = append(less.Rules, p.Rules[rule])
	evaluator, last := less.Evaluator(), len(by)
	reached := false
	universe(func(r *Request) { reached = reached || evaluator.Decide(r).Rule == last })
	return !reached
}

// TestBodies holds the requests that show what is logged against decisions.
func TestBodies(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := somePolicy(r)
		for i := range p.Rules {
			p.Rules[i].Level = []internal.Level{internal.LevelMetadata, internal.LevelRequest, internal.LevelRequestResponse, internal.LevelNone}[r.IntN(4)]
		}
		evaluator := p.Evaluator()
		bodies := p.Bodies()
		found += len(bodies)
		for _, b := range bodies {
			if d := evaluator.Decide(&b.Request); d.Rule != b.Rule || d.Level != b.Level {
				t.Errorf("policy %d: rule %d at %s, not as in %+v: %+v", seed, d.Rule, d.Level, b, p.Rules)
			}
		}
		// What the universe has of secrets with a body is among them.
		universe(func(r *Request) {
			if r.Group != "" || r.Resource != "secrets" || r.Subresource != "" || r.Namespace == "" && r.Verb != "list" ||
				r.Verb == "create" && r.Name != "" || r.Verb == "get" && r.Name == "" || r.Verb == "watch" {
				return
			}
			r.Groups = append(slices.Clone(r.Groups), "system:authenticated")
			d := evaluator.Decide(r)
			if (d.Level == internal.LevelRequest && r.Verb == "create" || d.Level == internal.LevelRequestResponse) &&
				!slices.ContainsFunc(bodies, func(b Body) bool { return b.Rule == d.Rule && b.Resource == "secrets" }) {
				t.Errorf("policy %d: rule %d logs %+v", seed, d.Rule, r)
			}
		})
	}
	if found < 50 {
		t.Errorf("only %d bodies", found)
	}
}
