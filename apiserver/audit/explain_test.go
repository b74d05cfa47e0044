package audit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// pick returns some of a few words, in any order and perhaps none.
func pick(random *rand.Rand, words ...string) []string {
	var picked []string
	for range random.IntN(3) {
		picked = append(picked, words[random.IntN(len(words))])
	}
	return picked
}

func one(random *rand.Rand, words ...string) string { return words[random.IntN(len(words))] }

// randomRule makes rules of few words, so that many match.
func randomRule(random *rand.Rand) internal.PolicyRule {
	rule := internal.PolicyRule{Level: internal.Level(one(random, "None", "Metadata", "Request", "RequestResponse"))}
	if random.IntN(3) == 0 {
		rule.Users = pick(random, "jane", "joe", "")
	}
	if random.IntN(3) == 0 {
		rule.UserGroups = pick(random, "devs", "ops", "*", "system:authenticated")
	}
	if random.IntN(3) == 0 {
		rule.Verbs = pick(random, "get", "create", "list", "*")
	}
	if random.IntN(3) == 0 {
		rule.Namespaces = pick(random, "a", "b", "", "*")
	}
	if random.IntN(3) > 0 {
		for range random.IntN(3) {
			rule.Resources = append(rule.Resources, internal.GroupResources{
				Group:         one(random, "", "", "apps", "*"),
				Resources:     pick(random, "pods", "pods/exec", "pods/*", "*/exec", "*", "*/*", "/*", "*/", "deployments", "", "pods/"),
				ResourceNames: pick(random, "web", "", "*"),
			})
		}
	} else {
		rule.NonResourceURLs = pick(random, "/healthz", "/healthz*", "*", "/api/*", "/", "/**", "")
	}
	return rule
}

func randomRequest(random *rand.Rand) Request {
	r := Request{User: one(random, "jane", "joe", "", "jill"), Groups: pick(random, "devs", "ops", "*", "system:authenticated"), Verb: one(random, "get", "create", "list", "delete", "*")}
	if random.IntN(4) == 0 {
		r.Path = one(random, "/healthz", "/healthz/etcd", "/", "/api/v1", "/x", "", "*")
		return r
	}
	r.IsResource, r.Path = true, "/healthz"
	r.Group, r.Resource = one(random, "", "", "apps", "batch", "*"), one(random, "pods", "deployments", "*", "")
	r.Subresource, r.Namespace, r.Name = one(random, "", "exec", "log", "*"), one(random, "a", "b", "c", ""), one(random, "web", "db", "")
	return r
}

// checkReasons holds the reasons against the evaluator: the rule that decides is
// the first without any.
func checkReasons(t *testing.T, rules []internal.PolicyRule, r Request) (decided bool) {
	t.Helper()
	p := &Policy{Policy: internal.Policy{Rules: rules}}
	want := NoRule
	for i := range rules {
		if len(reasonsOf(&rules[i], &r)) == 0 {
			want = i
			break
		}
	}
	if got := p.Evaluator().Decide(&r); got.Rule != want {
		t.Errorf("rules %+v\nrequest %+v\nthe evaluator takes rule %d, the reasons say %d", rules, r, got.Rule, want)
	}
	e := p.Explain(r)
	if len(e.Earlier) != cmpRule(want, len(rules)) {
		t.Errorf("%d earlier rules for rule %d", len(e.Earlier), want)
	}
	for _, earlier := range e.Earlier {
		if earlier.Who == (len(earlier.Reasons) > 0) {
			t.Errorf("rules %+v\nrequest %+v\nrule %d: %+v", rules, r, earlier.Rule, earlier)
		}
	}
	return want != NoRule
}

func cmpRule(rule, rules int) int {
	if rule == NoRule {
		return rules
	}
	return rule
}

func TestReasonsAreTheEvaluators(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(6, 3))
	decided := 0
	const tries = 20000
	for range tries {
		var rules []internal.PolicyRule
		for range 1 + random.IntN(4) {
			rules = append(rules, randomRule(random))
		}
		if checkReasons(t, rules, randomRequest(random)) {
			decided++
		}
		if t.Failed() {
			return
		}
	}
	if decided < tries/5 || decided > tries*4/5 {
		t.Errorf("%d of %d requests matched: the words are badly chosen", decided, tries)
	}
}

// FuzzReasons: any texts in a rule and a request.
func FuzzReasons(f *testing.F) {
	f.Add("jane", "devs", "get", "a", "", "pods/*", "web", "", "jane", "devs", "get", "a", "", "pods", "exec", "web", "")
	f.Add("", "", "", "", "*", "*/exec", "", "", "", "", "get", "", "apps", "x", "exec", "", "")
	f.Add("", "", "", "", "", "", "", "/healthz*", "", "", "get", "", "", "", "", "", "/healthz/x")
	f.Fuzz(func(t *testing.T, users, groups, verbs, namespaces, group, resources, names, urls, user, userGroup, verb, namespace, apiGroup, resource, sub, name, path string) {
		list := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, ",")
		}
		rule := internal.PolicyRule{Level: internal.LevelMetadata, Users: list(users), UserGroups: list(groups), Verbs: list(verbs), Namespaces: list(namespaces), NonResourceURLs: list(urls)}
		if resources != "" || group != "" {
			rule.Resources = []internal.GroupResources{{Group: group, Resources: list(resources), ResourceNames: list(names)}}
		}
		checkReasons(t, []internal.PolicyRule{rule}, Request{
			User: user, Groups: list(userGroup), Verb: verb, Path: path, IsResource: path == "",
			Group: apiGroup, Resource: resource, Subresource: sub, Namespace: namespace, Name: name,
		})
	})
}

func TestReasons(t *testing.T) {
	t.Parallel()
	resources := func(group string, names ...string) []internal.GroupResources {
		return []internal.GroupResources{{Group: group, Resources: names}}
	}
	exec := Request{User: "jane", Groups: []string{"devs"}, Verb: "get", IsResource: true, Resource: "pods", Subresource: "exec", Namespace: "a", Name: "web"}
	deleted := Request{User: "jane", Verb: "deletecollection", IsResource: true, Resource: "pods", Namespace: "a"}
	for _, test := range []struct {
		rule    internal.PolicyRule
		request Request
		want    string
	}{
		{internal.PolicyRule{}, exec, ""},
		{internal.PolicyRule{Verbs: []string{"list", "watch"}}, exec, `verbs: "get" is not in [list watch]`},
		{internal.PolicyRule{Verbs: []string{"create"}}, exec, "begins exec with a GET by WebSocket"},
		{internal.PolicyRule{Verbs: []string{"*"}}, exec, "* is no wildcard here"},
		{internal.PolicyRule{Verbs: []string{"delete"}}, deleted, "deletecollection is a verb of its own"},
		{internal.PolicyRule{Verbs: []string{"get"}}, Request{Verb: "watch", IsResource: true}, "get, list and watch are three verbs"},
		{internal.PolicyRule{Verbs: []string{"update"}}, Request{Verb: "patch", IsResource: true}, "apply, edit"},
		{internal.PolicyRule{Users: []string{"joe"}}, exec, `users: "jane" is not in [joe]`},
		{internal.PolicyRule{Users: []string{"joe"}}, Request{}, `users: no user is known, and the rule is for [joe]`},
		{internal.PolicyRule{UserGroups: []string{"ops"}}, exec, `userGroups: none of [devs] is in [ops]`},
		{internal.PolicyRule{UserGroups: []string{"ops"}}, Request{}, `userGroups: no group is known, and the rule is for [ops]`},
		{internal.PolicyRule{Namespaces: []string{"b", ""}}, exec, `namespaces: "a" is not in [b ""]`},
		{internal.PolicyRule{Namespaces: []string{"b"}}, Request{IsResource: true, Resource: "nodes"}, `namespaces: the request is in no namespace, and the rule in [b]`},
		{internal.PolicyRule{Namespaces: []string{"b"}}, Request{Path: "/healthz"}, `namespaces: the rule is about resources, and /healthz is none`},
		{internal.PolicyRule{Resources: resources("", "pods")}, Request{Path: "/healthz"}, `resources: the rule is about resources, and /healthz is none`},
		{internal.PolicyRule{NonResourceURLs: []string{"*"}}, exec, "nonResourceURLs: a request for a resource never matches paths"},
		{internal.PolicyRule{NonResourceURLs: []string{"/healthz"}}, Request{Path: "/healthz/etcd"}, `nonResourceURLs: "/healthz/etcd" is not in [/healthz]`},
		{internal.PolicyRule{Resources: resources("", "pods", "secrets")}, exec, `resources: "pods/exec" is not in [pods secrets]; pods does not cover its subresources`},
		{internal.PolicyRule{Resources: resources("apps", "deployments")}, exec, `resources: the core group is not in [apps]`},
		{internal.PolicyRule{Resources: resources("", "deployments")}, Request{IsResource: true, Group: "apps", Resource: "deployments"}, `resources: the group "apps" is not in [""]; the rule names deployments in another group`},
		{internal.PolicyRule{Resources: []internal.GroupResources{{Resources: []string{"pods"}, ResourceNames: []string{"db"}}}}, Request{IsResource: true, Resource: "pods", Name: "web"}, `resources: the name "web" is not in resourceNames [db]`},
		{internal.PolicyRule{Resources: []internal.GroupResources{{Resources: []string{"pods"}, ResourceNames: []string{"db"}}}}, Request{Verb: "create", IsResource: true, Resource: "pods"}, `no rule with resourceNames matches`},
		{internal.PolicyRule{Resources: []internal.GroupResources{{Resources: []string{"pods"}, ResourceNames: []string{"db"}}}}, deleted, `deletecollection is about many objects`},
		{internal.PolicyRule{Verbs: []string{"list"}, Users: []string{"joe"}, Resources: resources("", "pods")}, exec, `users: "jane" is not in [joe]; verbs: "get" is not in [list]; resources: "pods/exec"`},
		{internal.PolicyRule{Users: strings.Split("a b c d e f g h i j", " ")}, exec, `[a b c d e f g h and 2 more]`},
	} {
		var got []string
		for _, reason := range reasonsOf(&test.rule, &test.request) {
			got = append(got, reason.Field+": "+reason.Why)
		}
		if all := strings.Join(got, "; "); !strings.Contains(all, test.want) || test.want == "" && all != "" {
			t.Errorf("%+v: %s\nwant %s", test.rule, all, test.want)
		}
	}
}

const explained = head + `omitStages: [RequestReceived]
rules:
- level: None
  users: [system:kube-proxy]
- level: None
  userGroups: [ops]
  verbs: [get]
- level: Metadata
  resources:
  - group: ""
    resources: [secrets, "pods/*"]
  omitManagedFields: true
- level: RequestResponse
  verbs: [delete]
- level: Request
  namespaces: [a]
  verbs: [list]
- level: Metadata
  omitStages: [ResponseComplete, ResponseStarted]
  verbs: [patch]
- level: RequestResponse
  resources:
  - group: ""
    resources: [configmaps]
`

func TestExplain(t *testing.T) {
	t.Parallel()
	p, err := Parse("p.yaml", []byte(explained))
	if err != nil {
		t.Fatal(err)
	}
	jane := Request{User: "jane", Groups: GroupsOf("jane", nil), IsResource: true, Version: "v1", Namespace: "a"}
	of := func(verb, resource, sub string) Request {
		r := jane
		r.Verb, r.Resource, r.Subresource = verb, resource, sub
		return r
	}
	nobody := of("get", "nodes", "")
	nobody.User, nobody.Groups = "", nil
	for _, test := range []struct {
		request  Request
		decision string // rule, from 0, and level
		events   string
		notes    []string
	}{
		{of("get", "pods", "exec"), "2 Metadata", "ResponseStarted ResponseComplete", []string{`rule 2 would match, if "jane" were in one of its groups`}},
		{of("get", "pods", ""), "2 Metadata", "ResponseComplete", []string{`rule 2 would match`, "pods/* matches pods itself too"}},
		{of("delete", "deployments", ""), "3 RequestResponse", "ResponseComplete+req+res", []string{"deletecollection, as when a whole namespace is deleted, is another request: no rule matches it, and nothing is logged"}},
		{of("list", "nodes", ""), "4 Request", "ResponseComplete", []string{"kubectl get --watch (watch) is another request", "for all namespaces (kubectl -A), which is in none"}},
		{of("patch", "nodes", ""), "5 Metadata", "", []string{"omitStages leaves out every stage", "update, as kubectl replace sends it, is another request"}},
		{of("create", "nodes", ""), "-1 None", "", nil},
		{of("create", "configmaps", ""), "6 RequestResponse", "ResponseComplete+req+res", []string{"the log then holds what is in configmaps"}},
		{of("update", "configmaps", "status"), "-1 None", "", nil},
		{of("delete", "configmaps", ""), "3 RequestResponse", "ResponseComplete+req+res", []string{"configmaps that do not go at once"}},
		{of("deletecollection", "configmaps", ""), "6 RequestResponse", "ResponseComplete+req+res", []string{"the log then holds what is in configmaps"}},
		{of("watch", "configmaps", ""), "6 RequestResponse", "ResponseStarted ResponseComplete", []string{"the list before it is another request: rule 5, level Request"}},
		{nobody, "-1 None", "", []string{"who asks is not said", "kubectl get without a name (list) is another request: rule 5"}},
		{Request{User: "jane", Groups: GroupsOf("jane", []string{"ops"}), Verb: "get", Path: "/healthz"}, "1 None", "", nil},
		{Request{User: "jane", Groups: GroupsOf("jane", []string{"devs"}), Verb: "delete", Path: "/debug/pprof/x"}, "3 RequestResponse", "ResponseStarted ResponseComplete", nil},
	} {
		e := p.Explain(test.request)
		var events []string
		for _, event := range e.Events {
			text := string(event.Stage)
			if event.RequestBody {
				text += "+req"
			}
			if event.ResponseBody {
				text += "+res"
			}
			events = append(events, text)
		}
		if got := fmt.Sprint(e.Decision.Rule, " ", e.Decision.Level); got != test.decision || strings.Join(events, " ") != test.events {
			t.Errorf("%s: %s, %q; want %s, %q", shown(test.request), got, events, test.decision, test.events)
		}
		if len(e.Notes) != len(test.notes) {
			t.Errorf("%s: notes %q, want %q", shown(test.request), e.Notes, test.notes)
			continue
		}
		for i, note := range test.notes {
			if !strings.Contains(e.Notes[i], note) {
				t.Errorf("%s: note %q, want %q", shown(test.request), e.Notes[i], note)
			}
		}
	}
	e := p.Explain(nobody)
	if !e.Earlier[0].Who || !e.Earlier[1].Who || e.Earlier[2].Who || e.Earlier[0].Reasons != nil {
		t.Errorf("%+v", e.Earlier)
	}
	if d := p.Explain(of("get", "secrets", "")).Decision; !d.OmitManagedFields || !slices.Equal(d.OmitStages, []internal.Stage{"RequestReceived"}) {
		t.Errorf("%+v", d)
	}
	if d := p.Explain(of("patch", "nodes", "")).Decision; !slices.Equal(d.OmitStages, []internal.Stage{"RequestReceived", "ResponseStarted", "ResponseComplete"}) {
		t.Errorf("%+v", d)
	}
}
