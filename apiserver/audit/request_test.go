package audit

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// shown writes a request in one line.
func shown(r Request) string {
	if !r.IsResource {
		return r.Verb + " " + r.Path
	}
	return strings.Join([]string{r.Verb, r.Group + "/" + r.Version, r.Resource + "/" + r.Subresource, "ns=" + r.Namespace, "name=" + r.Name}, " ")
}

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, url, want string }{
		{"GET", "https://10.0.0.1:6443/api/v1/pods?limit=500", "list /v1 pods/ ns= name="},
		{"get", "/api/v1/namespaces/a/pods/b", "get /v1 pods/ ns=a name=b"},
		{"GET", "/api/v1/namespaces/a/pods?watch=true", "watch /v1 pods/ ns=a name="},
		{"GET", "/api/v1/watch/namespaces/a/pods", "watch /v1 pods/ ns=a name="},
		{"GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Db", "list /v1 pods/ ns=a name=b"},
		{"POST", "/api/v1/namespaces/a/pods/b/exec?command=sh", "create /v1 pods/exec ns=a name=b"},
		{"GET", "/api/v1/namespaces/a/pods/b/proxy/x/y", "get /v1 pods/proxy ns=a name=b"},
		{"GET", "/api/v1/proxy/namespaces/a/pods/b/x", "proxy /v1 pods/ ns=a name=b"},
		{"PUT", "/api/v1/namespaces/a/finalize", "update /v1 namespaces/finalize ns=a name=a"},
		{"DELETE", "/api/v1/namespaces/a", "delete /v1 namespaces/ ns=a name=a"},
		{"DELETE", "/apis/apps/v1/namespaces/a/deployments", "deletecollection apps/v1 deployments/ ns=a name="},
		{"PATCH", "/apis/apps/v1/namespaces/a/deployments/b/scale/", "patch apps/v1 deployments/scale ns=a name=b"},
		{"HEAD", "/api/v1/nodes/n", "get /v1 nodes/ ns= name=n"},
		{"OPTIONS", "/api/v1/nodes/n", " /v1 nodes/ ns= name=n"},
		{"GET", "/api/v1/namespaces/a/configmaps/b%3Ac", "get /v1 configmaps/ ns=a name=b:c"},
		{"GET", "/apis", "get /apis"},
		{"GET", "/apis/apps/v1", "get /apis/apps/v1"},
		{"GET", "/healthz?verbose", "get /healthz"},
		{"POST", "/healthz/", "post /healthz/"},
		{"GET", "https://10.0.0.1:6443", "get /"},
		{"GET", "/", "get /"},
	} {
		r, err := ParseRequest(test.method, test.url)
		if err != nil || shown(r) != test.want {
			t.Errorf("%s %s: %q, %v, want %q", test.method, test.url, shown(r), err, test.want)
		}
	}
	for _, bad := range [][2]string{{"GET", ""}, {"GET", "pods"}, {"GET", "api/v1/pods"}, {"FETCH", "/api"}, {"", "/api"}, {"GET", "/api/v1/watch"}, {"GET", "/%zz"}, {"GET", "http://[::1"}} {
		_, err := ParseRequest(bad[0], bad[1])
		if err == nil || failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
			t.Errorf("%q: %v, hint %q", bad, err, failure.HintOf(err))
		}
	}
}

func TestParseRequestLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"/healthz":     " /healthz",
		"GET /healthz": "GET /healthz",
		"post /x":      "post /x",
		"FOO /x":       "FOO /x", // which is no method: ParseRequest says so
		"https://10.0.0.1:6443/api/v1/pods?limit=500":                                                                                                                                                    " https://10.0.0.1:6443/api/v1/pods?limit=500",
		`I0521 11:22:33.123456   12345 round_trippers.go:463] GET https://10.0.0.1:6443/api/v1/pods?limit=500`:                                                                                           "GET https://10.0.0.1:6443/api/v1/pods?limit=500",
		`I0521 11:22:33.123456   12345 round_trippers.go:553] GET https://10.0.0.1:6443/api/v1/pods 200 OK in 3 milliseconds`:                                                                            "GET https://10.0.0.1:6443/api/v1/pods",
		`I1121 12:00:00.000000   12345 round_trippers.go:527] "Request" verb="DELETE" url="https://10.0.0.1:6443/api/v1/namespaces/a/pods/b" headers=<`:                                                  "DELETE https://10.0.0.1:6443/api/v1/namespaces/a/pods/b",
		`I1121 12:00:00.000000   12345 round_trippers.go:632] "Response" verb="GET" url="https://10.0.0.1:6443/api" status="200 OK" milliseconds=3`:                                                      "GET https://10.0.0.1:6443/api",
		`curl -v -XPATCH  -H "Accept: application/json" -H "User-Agent: kubectl/v1.36.3 (linux/amd64) kubernetes/abc" 'https://10.0.0.1:6443/apis/apps/v1/namespaces/a/deployments/b?fieldManager=edit'`: "PATCH https://10.0.0.1:6443/apis/apps/v1/namespaces/a/deployments/b?fieldManager=edit",
	} {
		method, url, err := ParseRequestLine(line)
		if err != nil || method+" "+url != want {
			t.Errorf("%s: %s %s, %v", line, method, url, err)
		}
	}
	for _, bad := range []string{"", "GET", "GET pods", "kubectl get pods"} {
		if _, _, err := ParseRequestLine(bad); err == nil || failure.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzParseRequest: whatever is pasted is an error or a request that a policy can
// decide about.
func FuzzParseRequest(f *testing.F) {
	f.Add("GET https://10.0.0.1:6443/api/v1/watch/namespaces/a/pods?watch=x&fieldSelector=metadata.name=b")
	f.Add(`"Request" verb="DELETE" url="/apis/apps/v1//x"`)
	f.Fuzz(func(t *testing.T, line string) {
		method, url, err := ParseRequestLine(line)
		if err != nil {
			return
		}
		if r, err := ParseRequest(method, url); err == nil && !strings.HasPrefix(r.Path, "/") {
			t.Errorf("%q: %+v", line, r)
		}
	})
}

// TestNamedIsURL: the words of kubectl and the URL that is built of them are the
// same request, for all that Kubernetes serves.
func TestNamedIsURL(t *testing.T) {
	t.Parallel()
	for _, resource := range Resources() {
		for _, verb := range resource.Verbs {
			for _, namespace := range []string{"", "team-a"} {
				for _, name := range []string{"", "web:1"} {
					n := Named{Verb: verb, Resource: resource.Name, Group: resource.Group, Namespace: namespace, Name: name}
					if n.Group == "" {
						n.Group = "core"
					}
					isSub := strings.Contains(resource.Name, "/")
					if name == "" && (isSub || verb == "get" || verb == "delete") {
						continue // the URL has no place for it: it would be another verb
					}
					r, _, err := n.Request()
					if err != nil {
						t.Fatalf("%+v: %v", n, err)
					}
					method, url := r.URL()
					back, err := ParseRequest(method, url)
					if err != nil || !reflect.DeepEqual(back, r) {
						t.Errorf("%+v:\n%+v\n%s %s:\n%+v, %v", n, r, method, url, back, err)
					}
				}
			}
		}
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		named         Named
		want, warning string
	}{
		{Named{Verb: "delete", Resource: "pods", Namespace: "a", Name: "b"}, "delete /v1 pods/ ns=a name=b", ""},
		{Named{Verb: "GET", Resource: "deploy", Namespace: "a"}, "get apps/v1 deployments/ ns=a name=", ""},
		{Named{Verb: "get", Resource: "pod", Subresource: "exec", Namespace: "a", Name: "b"}, "get /v1 pods/exec ns=a name=b", ""},
		{Named{Verb: "get", Resource: "pods/exec", Subresource: "exec"}, "get /v1 pods/exec ns= name=", ""},
		{Named{Verb: "get", Resource: "events"}, "get /v1 events/ ns= name=", "events is in the core group and group events.k8s.io: this is about that of the core group"},
		{Named{Verb: "get", Resource: "events", Group: "events.k8s.io"}, "get events.k8s.io/v1 events/ ns= name=", ""},
		{Named{Verb: "get", Resource: "nodes", Namespace: "a", Name: "b"}, "get /v1 nodes/ ns= name=b", ""},
		{Named{Verb: "get", Resource: "namespaces", Name: "a"}, "get /v1 namespaces/ ns=a name=a", ""},
		{Named{Verb: "list", Resource: "namespaces", Name: "a"}, "list /v1 namespaces/ ns= name=a", ""},
		{Named{Verb: "create", Resource: "namespaces", Name: "a"}, "create /v1 namespaces/ ns= name=", "has no name in its URL"},
		{Named{Verb: "create", Resource: "pods", Namespace: "a", Name: "b"}, "create /v1 pods/ ns=a name=", "a request to create pods has no name in its URL, so the policy sees none"},
		{Named{Verb: "create", Resource: "pods/eviction", Namespace: "a", Name: "b"}, "create /v1 pods/eviction ns=a name=b", ""},
		{Named{Verb: "deletecollection", Resource: "namespaces"}, "deletecollection /v1 namespaces/ ns= name=", "there is no deletecollection of namespaces: its verbs are create, delete, get, list, patch, update, watch"},
		{Named{Verb: "get", Resource: "pods/exce", Namespace: "a"}, "get /v1 pods/exce ns=a name=", `pods has no subresource "exce": it has attach, binding,`},
		{Named{Verb: "get", Resource: "configmaps/x"}, "get /v1 configmaps/x ns= name=", `configmaps has no subresource "x": it has none`},
		{Named{Verb: "get", Resource: "widgets", Namespace: "a"}, "get /v1 widgets/ ns=a name=", "give the group too, as in widgets.example.com"},
		{Named{Verb: "get", Resource: "widgets.example.com", Namespace: "a"}, "get example.com/v1 widgets/ ns=a name=", "none of Kubernetes' own resources"},
		{Named{Verb: "get", Resource: "widgets/status", Group: "example.com"}, "get example.com/v1 widgets/status ns= name=", "none of Kubernetes' own resources"},
		{Named{Verb: "get", Resource: "pods.apps"}, "get apps/v1 pods/ ns= name=", "pods is in the core group, and not in group apps"},
		{Named{Verb: "get", Resource: "deployments", Group: "core"}, "get /v1 deployments/ ns= name=", "deployments is in group apps, and not in the core group"},
		{Named{Verb: "get", Resource: "widgets.apps"}, "get apps/v1 widgets/ ns= name=", `group apps has no resource "widgets"`},
	} {
		r, warnings, err := test.named.Request()
		if err != nil || shown(r) != test.want || !strings.Contains(strings.Join(warnings, "; "), test.warning) || test.warning == "" && warnings != nil {
			t.Errorf("%+v: %q, warnings %q, %v\nwant %q, %q", test.named, shown(r), warnings, err, test.want, test.warning)
		}
	}
	for _, bad := range []struct {
		named     Named
		err, hint string
	}{
		{Named{Verb: "exec", Resource: "pods"}, `"exec" is no verb of a request`, "--verb get --resource pods/exec"},
		{Named{Verb: "POST", Resource: "pods"}, `"post" is no verb`, "create"},
		{Named{Verb: "read", Resource: "pods"}, `"read" is no verb`, "deletecollection"},
		{Named{Verb: "", Resource: "pods"}, `"" is no verb`, "get, list"},
		{Named{Verb: "get"}, `"" is no resource`, "pods/exec"},
		{Named{Verb: "get", Resource: "pods/exec/x"}, `"pods/exec/x" is no resource`, "--name"},
		{Named{Verb: "get", Resource: "pods/exec", Subresource: "log"}, `given twice`, "leave one"},
	} {
		if _, _, err := bad.named.Request(); err == nil || !strings.Contains(err.Error(), bad.err) || !strings.Contains(failure.HintOf(err), bad.hint) {
			t.Errorf("%+v: %v, hint %q", bad.named, err, failure.HintOf(err))
		}
	}
}

func TestGroupsOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		user         string
		groups, want []string
	}{
		{"", nil, nil},
		{"jane", nil, []string{"system:authenticated"}},
		{"jane", []string{"devs", "system:authenticated"}, []string{"devs", "system:authenticated"}},
		{"", []string{"devs"}, []string{"devs", "system:authenticated"}},
		{"system:anonymous", nil, []string{"system:unauthenticated"}},
		{"", []string{"system:unauthenticated"}, []string{"system:unauthenticated"}},
		{"system:serviceaccount:a:b", nil, []string{"system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"}},
		{"system:serviceaccount:a", nil, []string{"system:authenticated"}},
		{"system:node:n", []string{"system:nodes"}, []string{"system:nodes", "system:authenticated"}},
	} {
		if got := GroupsOf(test.user, test.groups); !slices.Equal(got, test.want) {
			t.Errorf("GroupsOf(%q, %q) = %q, want %q", test.user, test.groups, got, test.want)
		}
	}
}
