package audit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	internal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
)

func generate(t *testing.T, o Options) *Policy {
	t.Helper()
	data, err := Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := Parse("generated", data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	checkStrict(t, data)
	return policy
}

var strictDecoder = sync.OnceValue(func() runtime.Decoder {
	scheme := runtime.NewScheme()
	if err := auditv1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
})

// checkStrict decodes a policy as kube-apiserver first tries to: unknown and
// duplicate fields are errors.
func checkStrict(t *testing.T, data []byte) {
	t.Helper()
	if _, _, err := strictDecoder().Decode(data, nil, nil); err != nil {
		t.Errorf("%v\n%s", err, data)
	}
}

// of is a request for a resource, as ParseRequest reads it.
func of(t testing.TB, user, method, url string) *Request {
	t.Helper()
	r, err := ParseRequest(method, url)
	if err != nil {
		t.Fatal(err)
	}
	r.User, r.Groups = user, []string{"system:authenticated"}
	return &r
}

func TestPresets(t *testing.T) {
	t.Parallel()
	const secret, pod, deployment = "/api/v1/namespaces/dev/secrets/s", "/api/v1/namespaces/dev/pods/p", "/apis/apps/v1/namespaces/dev/deployments/d"
	for _, test := range []struct {
		user, method, url string
		want              [5]internal.Level // of minimal, cis, detailed, exam, none
	}{
		{"jane", "GET", secret, [5]internal.Level{"None", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "PUT", secret, [5]internal.Level{"Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "DELETE", pod, [5]internal.Level{"Metadata", "Request", "RequestResponse", "Metadata", "Metadata"}},
		{"jane", "DELETE", "/api/v1/namespaces/prod-namespace/pods", [5]internal.Level{"Metadata", "Request", "RequestResponse", "RequestResponse", "Metadata"}},
		{"jane", "GET", pod, [5]internal.Level{"None", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "PATCH", deployment, [5]internal.Level{"Metadata", "Request", "RequestResponse", "Metadata", "Metadata"}},
		{"jane", "GET", pod + "/exec", [5]internal.Level{"Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "POST", pod + "/portforward", [5]internal.Level{"Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "GET", pod + "/proxy", [5]internal.Level{"Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"system:kube-controller-manager", "GET", pod + "/exec", [5]internal.Level{"Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"system:kube-controller-manager", "GET", pod, [5]internal.Level{"None", "None", "None", "Metadata", "Metadata"}},
		{"system:kube-controller-manager", "GET", secret, [5]internal.Level{"None", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", [5]internal.Level{"None", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "POST", "/api/v1/namespaces/dev/serviceaccounts/a/token", [5]internal.Level{"Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", [5]internal.Level{"Metadata", "Request", "RequestResponse", "Metadata", "Metadata"}},
		{"jane", "POST", "/apis/example.com/v1/widgets", [5]internal.Level{"Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "POST", "/apis/resource.k8s.io/v1/namespaces/dev/resourceclaims", [5]internal.Level{"Metadata", "Metadata", "RequestResponse", "Metadata", "Metadata"}},
		{"system:anonymous", "GET", "/healthz", [5]internal.Level{"None", "None", "None", "Metadata", "Metadata"}},
		{"system:anonymous", "GET", "/debug/pprof/", [5]internal.Level{"None", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"jane", "DELETE", "/api/v1/namespaces/dev/events/e", [5]internal.Level{"Metadata", "Metadata", "RequestResponse", "Metadata", "Metadata"}},
	} {
		for i, preset := range Presets() {
			policy := generate(t, Options{Preset: preset.Name})
			if got := policy.Evaluator().Decide(of(t, test.user, test.method, test.url)).Level; got != test.want[i] {
				t.Errorf("%s: %s %s as %s at %s, want %s", preset.Name, test.method, test.url, test.user, got, test.want[i])
			}
		}
	}
}

func TestPresetsNeverLogSecrets(t *testing.T) {
	t.Parallel()
	for _, preset := range Presets() {
		checkGuards(t, generate(t, Options{Preset: preset.Name}))
		checkReached(t, generate(t, Options{Preset: preset.Name}))
	}
}

// checkGuards tries each way to a secret that some rule may be about.
func checkGuards(t *testing.T, policy *Policy) {
	t.Helper()
	e := policy.Evaluator()
	users, groups, namespaces, names := []string{other}, []string{other}, []string{"", other}, []string{"", other}
	for _, r := range policy.Rules {
		users, groups, namespaces = append(users, r.Users...), append(groups, r.UserGroups...), append(namespaces, r.Namespaces...)
		for _, g := range r.Resources {
			names = append(names, g.ResourceNames...)
		}
	}
	for _, list := range []*[]string{&users, &groups, &namespaces, &names} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	for _, secret := range guarded() {
		for _, resource := range secret.Resources {
			r := Request{IsResource: true, Group: secret.Group, Version: "v1"}
			known, _ := findResource(secret.Group, resource)
			verbs, places := known.Verbs, namespaces // what is served at all: else no body is read
			if !known.Namespaced {
				places = []string{""}
			}
			r.Resource, r.Subresource, _ = strings.Cut(resource, "/")
			for _, r.User = range users {
				for _, group := range groups {
					r.Groups = []string{group}
					for _, r.Verb = range verbs {
						for _, r.Namespace = range places {
							for _, r.Name = range names {
								if d := e.Decide(&r); aboveMetadata(d.Level) {
									t.Fatalf("rule %d logs %+v at %s", d.Rule, r, d.Level)
								}
							}
						}
					}
				}
			}
		}
	}
}

// checkReached has each rule decide a request.
func checkReached(t *testing.T, policy *Policy) {
	t.Helper()
	e := policy.Evaluator()
	for i := range policy.Rules {
		r, ok := policy.requestFor(i, e)
		if !ok {
			t.Errorf("rule %d decides nothing: %+v", i, policy.Rules[i])
		} else if d := e.Decide(&r); d.Rule != i {
			t.Errorf("rule %d does not decide %+v, but rule %d", i, r, d.Rule)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		options Options
		want    []internal.PolicyRule // that come first
	}{
		{Options{Log: []string{"delete pods in prod-namespace at RequestResponse"}}, []internal.PolicyRule{{
			Level: "RequestResponse", Verbs: []string{"delete", "deletecollection"}, Namespaces: []string{"prod-namespace"}, Resources: []internal.GroupResources{resources("", "pods")}}}},
		{Options{Log: []string{"deploy,sts,ev,pods/exec named a, b by jane,kim by group devs at metadata"}}, []internal.PolicyRule{{
			Level: "Metadata", Users: []string{"jane", "kim"}, UserGroups: []string{"devs"}, Resources: []internal.GroupResources{
				{Group: "apps", Resources: []string{"deployments", "statefulsets"}, ResourceNames: []string{"a", "b"}},
				{Group: "", Resources: []string{"events", "pods/exec"}, ResourceNames: []string{"a", "b"}},
				{Group: "events.k8s.io", Resources: []string{"events"}, ResourceNames: []string{"a", "b"}}}}}},
		{Options{Log: []string{"changes widgets.Example.com/status at Request"}}, []internal.PolicyRule{{
			Level: "Request", Verbs: changes, Resources: []internal.GroupResources{resources("example.com", "widgets/status")}}}},
		{Options{Ignore: []string{"get,head /logs*,/metrics by group monitoring"}}, []internal.PolicyRule{{
			Level: "None", UserGroups: []string{"monitoring"}, Verbs: []string{"get", "head"}, NonResourceURLs: []string{"/logs*", "/metrics"}}}},
		{Options{Ignore: []string{"any */scale", "reads any by robot"}}, []internal.PolicyRule{
			{Level: "None", Resources: []internal.GroupResources{resources("*", "*/scale")}},
			{Level: "None", Users: []string{"robot"}, Verbs: reads, Resources: []internal.GroupResources{{Group: "*"}}}}},
		{Options{Rules: []string{"verbs=delete,resources=pods,namespaces=prod-namespace,level=RequestResponse"}}, []internal.PolicyRule{{
			Level: "RequestResponse", Verbs: []string{"delete"}, Namespaces: []string{"prod-namespace"}, Resources: []internal.GroupResources{resources("", "pods")}}}},
		{Options{Rules: []string{"level=Metadata; users=Jane Doe, CN=kim,O=x; namespaces=dev"}}, []internal.PolicyRule{{
			Level: "Metadata", Users: []string{"Jane Doe", "CN=kim", "O=x"}, Namespaces: []string{"dev"}, Resources: []internal.GroupResources{{Group: "*"}}}}},
		{Options{Log: []string{"changes pods named a at Request"}}, []internal.PolicyRule{
			{Level: "Request", Verbs: []string{"update", "patch", "delete"}, Resources: []internal.GroupResources{{Resources: []string{"pods"}, ResourceNames: []string{"a"}}}}}},
		// The narrower comes first, whatever was said first.
		{Options{Log: []string{"pods at Metadata", "get pods at Request", "get pods by jane at RequestResponse"}}, []internal.PolicyRule{
			{Level: "RequestResponse", Users: []string{"jane"}, Verbs: []string{"get"}, Resources: []internal.GroupResources{resources("", "pods")}},
			{Level: "Request", Verbs: []string{"get"}, Resources: []internal.GroupResources{resources("", "pods")}},
			{Level: "Metadata", Resources: []internal.GroupResources{resources("", "pods")}}}},
		// Of the same requests each is said once.
		{Options{Preset: noPreset, Log: []string{"get,list pods at Request", "list,get po at request"}}, []internal.PolicyRule{
			{Level: "Request", Verbs: []string{"get", "list"}, Resources: []internal.GroupResources{resources("", "pods")}},
			{Level: "Metadata"}}},
		// The guard of a rule is as narrow as that.
		{Options{Log: []string{"serviceaccounts/* in dev at Request"}}, []internal.PolicyRule{
			{Level: "Metadata", Namespaces: []string{"dev"}, Resources: []internal.GroupResources{resources("", "serviceaccounts/token")}},
			{Level: "Request", Namespaces: []string{"dev"}, Resources: []internal.GroupResources{resources("", "serviceaccounts/*")}}}},
	} {
		policy := generate(t, test.options)
		for i, want := range test.want {
			got := policy.Rules[i]
			if asYAML(got) != asYAML(want) {
				t.Errorf("%+v: rule %d is\n%s\nwant\n%s", test.options, i, asYAML(got), asYAML(want))
			}
		}
		checkReached(t, policy)
	}
}

func asYAML(r internal.PolicyRule) string {
	data, err := yaml.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestRulesRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		options    Options
		kind       failure.Kind
		says, hint string
	}{
		{Options{Preset: "ciss"}, failure.Usage, `there is no preset "ciss"`, "did you mean cis?"},
		{Options{Log: []string{""}}, failure.Usage, "names no resources", "delete pods in"},
		{Options{Log: []string{"pods"}}, failure.Usage, "it has no level", "at LEVEL"},
		{Options{Log: []string{"pods at"}}, failure.Usage, "nothing follows at", ""},
		{Options{Log: []string{"pods at Metadta"}}, failure.Usage, `no level "Metadta"`, "did you mean Metadata?"},
		{Options{Log: []string{"pods at Metadata,Request"}}, failure.Usage, `no level "Metadata,Request"`, "did you mean Metadata?"},
		{Options{Log: []string{"delet pods at Request"}}, failure.Usage, `no verb "delet"`, "did you mean delete?"},
		{Options{Log: []string{"delete pids at Request"}}, failure.Usage, `no resource "pids"`, "did you mean pods?"},
		{Options{Log: []string{"delete widgets at Request"}}, failure.Usage, `no resource "widgets"`, "widgets.example.com"},
		{Options{Log: []string{"get pods/exce at Request"}}, failure.Usage, "no subresource", "did you mean pods/exec?"},
		{Options{Log: []string{"get nodes in dev at Request"}}, failure.Usage, "in no namespace", "the namespaces"},
		{Options{Log: []string{"get pods,nodes in dev at Request"}}, failure.Usage, "nodes are in no namespace", "the namespaces"},
		{Options{Log: []string{"create,update pods named a at Request"}}, failure.Usage, "to create pods has no name", "leave create out"},
		{Options{Log: []string{"delete pods/log at Request"}}, failure.Usage, "nobody can delete", "its verbs are get"},
		{Options{Log: []string{"get pods in dev in prod at Request"}}, failure.Usage, "in is there twice", ""},
		{Options{Log: []string{"get pods in dev prod at Request"}}, failure.Usage, "what prod means", ""},
		{Options{Log: []string{"please get pods at Request"}}, failure.Usage, "begins with verbs and resources", ""},
		{Options{Log: []string{"get,,list pods at Request"}}, failure.Usage, "a name is empty", ""},
		{Options{Log: []string{"get pods,any at Request"}}, failure.Usage, "in a list with others", ""},
		{Options{Log: []string{"get,any pods at Request"}}, failure.Usage, "all verbs already", ""},
		{Options{Log: []string{"get pods at Request\nrules: []"}}, failure.Usage, "cannot be printed", ""},
		{Options{Log: []string{"everything in dev at Metadata"}}, failure.Usage, "no namespace", "say any"},
		{Options{Log: []string{"get /healthz* in dev at Metadata"}}, failure.Usage, "no namespace", ""},
		{Options{Log: []string{"get /h*z at Metadata"}}, failure.Usage, "is no path", ""},
		{Options{Log: []string{"create /healthz at Metadata"}}, failure.Usage, `no verb "create"`, "HTTP method"},
		{Options{Ignore: []string{"pods at None"}}, failure.Usage, "no level", "--log"},
		{Options{Rules: []string{"verbs=get;resources=pods"}}, failure.Usage, "it has no level", "level="},
		{Options{Rules: []string{"level=None;resource=pods"}}, failure.Usage, `no key "resource"`, "did you mean resources?"},
		{Options{Rules: []string{"level=None;level=Request"}}, failure.Usage, "level is there twice", ""},
		{Options{Rules: []string{"level=None;resources=pods;urls=/x"}}, failure.Usage, "resources or for urls", "two rules"},
		{Options{Log: []string{"pods at Metadata", "pods at Request"}}, failure.Usage, "for the same requests", ""},
		{Options{Log: []string{"pods at Metadata", "reads pods at Request", "changes pods at Request"}}, failure.Usage, "decides nothing", ""},
		{Options{Log: []string{"pods in dev at Request", "pods in kube-* at Request"}}, failure.Usage, "--log 'pods in kube-* at Request'", "one by one"},
		{Options{Log: []string{"pods in * at Request"}}, failure.Usage, "no wildcards", "leave namespaces out"},
		{Options{Log: []string{"pods in Dev at Request"}}, failure.Usage, `no namespace can be called "Dev"`, "lower-case"},
		{Options{Log: []string{"pods by system:nodes at Request"}}, failure.Usage, "is a group", "userGroups"},
		{Options{Ignore: []string{"any by group system:kube-proxy"}}, failure.Usage, "is a user", "users"},
		{Options{Log: []string{"/api/v1/pods at Metadata"}}, failure.Usage, "path of a resource", "below resources"},

		{Options{Log: []string{"get secrets at Request"}}, failure.Refused, "bodies of secrets are never logged", "at Metadata"},
		{Options{Log: []string{"cm,pods at RequestResponse"}}, failure.Refused, "bodies of configmaps are never logged", "at Metadata"},
		{Options{Log: []string{"create sa/token at Request"}}, failure.Refused, "bodies of serviceaccounts/token", "at Metadata"},
		{Options{Log: []string{"*/token at Request"}}, failure.Refused, "bodies of */token", "at Metadata"},
		{Options{Log: []string{"secrets/* at Request"}}, failure.Refused, "bodies of secrets/*", "at Metadata"},
		{Options{Rules: []string{"level=Request;resources=tokenreviews"}}, failure.Refused, "bodies of tokenreviews", "at Metadata"},
		{Options{Log: []string{"everything by eve at Request"}}, failure.Refused, "bodies of everything", "say any"},
		{Options{Rules: []string{"level=Request;users=eve"}}, failure.Refused, "bodies of everything", "say any"},
	} {
		data, err := Generate(test.options)
		if err == nil {
			t.Errorf("%+v is accepted:\n%s", test.options, data)
			continue
		}
		if failure.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) || failure.HintOf(err) == "" {
			t.Errorf("%+v: kind %d: %v; hint: %s", test.options, failure.KindOf(err), err, failure.HintOf(err))
		}
	}
}

// randomOptions puts rules together from words that make sense, and some that do not.
func randomOptions(r *rand.Rand) Options {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	words := func() string {
		text := pick("", "get ", "reads ", "changes ", "delete ", "create,update ", "any ") +
			pick("pods", "pods,nodes", "deploy", "any", "secrets", "serviceaccounts/*", "pods/exec", "widgets.example.com", "everything", "*/scale", "/healthz*", "/x,/y", "events")
		for _, clause := range []string{pick("", " in dev", " in dev,prod"), pick("", "", " named a", " named a,b"), pick("", " by eve", " by eve,bob"), pick("", " by group ops")} {
			text += clause
		}
		return text
	}
	o := Options{Preset: pick("minimal", "cis", "detailed", "exam", "none")}
	for range r.IntN(5) {
		o.Log = append(o.Log, words()+" at "+pick("Metadata", "Request", "RequestResponse"))
	}
	for range r.IntN(3) {
		o.Ignore = append(o.Ignore, words())
	}
	return o
}

// TestRandomRules makes policies of many sets of rules: none logs a secret, and
// each rule decides a request.
func TestRandomRules(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	made := 0
	for i := 0; made < 200; i++ {
		if i == 20000 {
			t.Fatalf("%d policies of %d", made, i)
		}
		o := randomOptions(r)
		data, err := Generate(o)
		if err != nil {
			if failure.HintOf(err) == "" || failure.KindOf(err) == failure.Failed {
				t.Errorf("%+v: %v", o, err)
			}
			continue
		}
		made++
		policy, err := Parse(fmt.Sprintf("%+v", o), data)
		if err != nil {
			t.Fatal(err)
		}
		checkStrict(t, data)
		checkGuards(t, policy)
		checkReached(t, policy)
		checkLint(t, "generated", data, "verb-forgotten") // it was asked for so
		if t.Failed() {
			t.Fatalf("%+v\n%s", o, data)
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	policy, err := Generate(Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := JSON(policy)
	if err != nil {
		t.Fatal(err)
	}
	checkStrict(t, data)
	if data, err = ConfigMap(policy, "audit-policy", "kube-system"); err != nil {
		t.Fatal(err)
	}
	var object struct {
		Metadata struct{ Name, Namespace string }
		Data     map[string]string
	}
	if err := yaml.UnmarshalStrict(bytes.ReplaceAll(data, []byte("apiVersion: v1\nkind: ConfigMap\n"), nil), &object); err != nil {
		t.Fatal(err)
	}
	if object.Data[ConfigMapKey] != string(policy) || object.Metadata.Name != "audit-policy" || object.Metadata.Namespace != "kube-system" {
		t.Errorf("%s", data)
	}
	for _, name := range []string{"-a", "A", "a/b", "a b", strings.Repeat("a", 64)} {
		if _, err := ConfigMap(policy, name, ""); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func FuzzGenerate(f *testing.F) {
	f.Add("delete pods in prod-namespace at RequestResponse", "level=Request;verbs=get;users=Jane Doe", "reads any by group ops")
	f.Add("any at Request", "level=None,urls=/x*", "everything")
	f.Add("pods named ': #' at Metadata", "level=None;users=- a,\"b\",{c},&d,*e,!f", "/x*,/y by EOF")
	f.Fuzz(func(t *testing.T, log, rule, ignore string) {
		data, err := Generate(Options{Preset: noPreset, Log: []string{log}, Rules: []string{rule}, Ignore: []string{ignore}})
		if err != nil {
			if failure.KindOf(err) == failure.Failed {
				t.Errorf("%q %q %q: %v", log, rule, ignore, err)
			}
			return
		}
		policy, err := Parse("fuzz", data)
		if err != nil {
			t.Fatal(err)
		}
		checkStrict(t, data)
		checkGuards(t, policy)
		checkReached(t, policy)
	})
}

// checkLint has the linter find nothing that is wrong; notes may be.
func checkLint(t *testing.T, name string, data []byte, except ...string) {
	t.Helper()
	findings, err := Lint(name, data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if Fails([]Finding{f}) && !slices.Contains(except, f.ID) {
			t.Errorf("%s, line %d: %s: %s", name, f.Line, f.ID, f.Message)
		}
	}
}

func TestPresetsLintClean(t *testing.T) {
	t.Parallel()
	for _, preset := range Presets() {
		data, err := Generate(Options{Preset: preset.Name})
		if err != nil {
			t.Fatal(err)
		}
		checkLint(t, preset.Name, data)
	}
}
