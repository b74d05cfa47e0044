package main_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/ca"
)

// auditPolicy has all levels, and rules of every kind.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  users: [system:kube-controller-manager, system:apiserver]
- level: None
  nonResourceURLs: [/livez*, /readyz]
- level: Metadata
  resources:
  - group: ""
    resources: [secrets, "pods/*", "*/token"]
- level: RequestResponse
  verbs: [create, delete, deletecollection]
  namespaces: [default]
- level: Request
  resources:
  - group: ""
    resources: [configmaps]
    resourceNames: [one]
  - group: apps
  omitManagedFields: true
- level: RequestResponse
  omitStages: [RequestReceived]
`

// auditCluster is a real control plane that logs by a policy.
type auditCluster struct {
	userDir
	url, log string
	client   *http.Client // of an administrator
}

// startAuditCluster starts a control plane that serves all that it can, until the
// test ends.
func startAuditCluster(t *testing.T, policy string) auditCluster {
	t.Helper()
	assets, _ := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca")
	c := auditCluster{userDir: w, log: filepath.Join(w.dir, "audit.log")}
	file := filepath.Join(w.dir, "policy.yaml")
	ok(t, os.WriteFile(file, []byte(policy), 0o600))
	cp := w.startControlPlaneWith(assets, map[string][]string{"kube-apiserver": {
		"--runtime-config=api/all=true", gates,
		"--audit-policy-file=" + file, "--audit-log-path=" + c.log, "--audit-log-mode=blocking-strict",
	}})
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.url = cp.URL()
	w.pkictl("issue --cn kube-admin --group system:masters --kubeconfig admin.conf --server " + c.url)
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "pki", "kube-admin.crt"), filepath.Join(w.dir, "pki", "kube-admin.key"))
	ok(t, err)
	root, err := ca.ReadCertificate(filepath.Join(w.dir, "pki", "ca.crt"))
	ok(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	c.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}}
	return c
}

// send sends a request marked with an id, and returns the status.
func (c auditCluster) send(method, uri, id, body string) (int, error) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+uri, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Audit-ID", id)
	req.Header.Set("Content-Type", "application/json")
	if method == "PATCH" {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// events returns what the log has, by audit ID.
func (c auditCluster) events() map[string][]auditv1.Event {
	c.t.Helper()
	data, err := os.ReadFile(c.log)
	ok(c.t, err)
	found := map[string][]auditv1.Event{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e auditv1.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the last line may still be written
		}
		found[string(e.AuditID)] = append(found[string(e.AuditID)], e)
	}
	ok(c.t, lines.Err())
	return found
}

// heldData is in objects that do not go at once when they are deleted, so that the
// answer has them.
const heldData = "what is held"

// sent are requests of all forms, those that the API server refuses included: the
// policy decides about them all.
var sent = []struct{ method, uri, body string }{
	{"GET", "/", ""},
	{"GET", "/api", ""},
	{"GET", "/api/", ""},
	{"GET", "/api/v1", ""},
	{"GET", "/apis", ""},
	{"GET", "/apis/apps", ""},
	{"GET", "/apis/apps/v1", ""},
	{"GET", "/apis/apps/v1/", ""},
	{"GET", "/version", ""},
	{"GET", "/healthz", ""},
	{"HEAD", "/healthz", ""},
	{"GET", "/healthz?verbose", ""},
	{"GET", "/healthz/etcd", ""},
	{"GET", "/livez", ""},
	{"GET", "/livez/ping?exclude=etcd", ""},
	{"GET", "/readyz", ""},
	{"GET", "/readyz/ping", ""},
	{"GET", "/debug/pprof/cmdline", ""},
	{"GET", "/.well-known/openid-configuration", ""},
	{"GET", "/no/such/path", ""},
	{"POST", "/no/such/path", "{}"},
	{"GET", "/API/v1/pods", ""},
	{"GET", "//api/v1/pods", ""},
	{"GET", "/api//v1/pods", ""},
	{"GET", "/api/v1//pods", ""},
	{"GET", "/api/v1/pods", ""},
	{"GET", "/api/v1/pods/", ""},
	{"GET", "/api/v1/pods?limit=500", ""},
	{"HEAD", "/api/v1/pods", ""},
	{"OPTIONS", "/api/v1/pods", ""},
	{"GET", "/api/v1/namespaces", ""},
	{"GET", "/api/v1/namespaces/default", ""},
	{"GET", "/api/v1/namespaces/default/status", ""},
	{"PUT", "/api/v1/namespaces/default/finalize", "{}"},
	{"GET", "/api/v1/namespaces/default/other", ""},
	{"GET", "/api/v1/namespaces//pods", ""},
	{"GET", "/api/v1/namespaces/default/pods", ""},
	{"GET", "/api/v1/namespaces/default/pods?watch=true&timeoutSeconds=1", ""},
	{"GET", "/api/v1/namespaces/default/pods?watch=1&timeoutSeconds=1", ""},
	{"GET", "/api/v1/namespaces/default/pods?watch=&timeoutSeconds=1", ""},
	{"GET", "/api/v1/namespaces/default/pods?watch=false", ""},
	{"GET", "/api/v1/namespaces/default/pods?watch=0", ""},
	{"GET", "/api/v1/watch/pods?timeoutSeconds=1", ""},
	{"GET", "/api/v1/watch/namespaces/default/pods?timeoutSeconds=1", ""},
	{"GET", "/api/v1/watch/namespaces/default/pods/web?timeoutSeconds=1", ""},
	{"GET", "/api/v1/namespaces/default/pods?fieldSelector=metadata.name%3Dweb", ""},
	{"GET", "/api/v1/namespaces/default/pods?fieldSelector=metadata.name=web&watch=true&timeoutSeconds=1", ""},
	{"GET", "/api/v1/namespaces/default/pods?fieldSelector=metadata.name!%3Dweb", ""},
	{"GET", "/api/v1/namespaces/default/pods?limit=many&fieldSelector=metadata.name=web", ""},
	{"GET", "/api/v1/namespaces/default/pods?limit=many&watch=true&timeoutSeconds=1", ""},
	{"GET", "/api/v1/namespaces/default/pods/web", ""},
	{"GET", "/api/v1/namespaces/default/pods/web/", ""},
	{"GET", "/api/v1/namespaces/default/pods/web/log?follow=true", ""},
	{"GET", "/api/v1/namespaces/default/pods/web/exec?command=ls&stdout=true", ""},
	{"POST", "/api/v1/namespaces/default/pods/web/exec?command=ls&stdout=true", ""},
	{"POST", "/api/v1/namespaces/default/pods/web/attach", ""},
	{"POST", "/api/v1/namespaces/default/pods/web/portforward", ""},
	{"GET", "/api/v1/namespaces/default/pods/web/proxy", ""},
	{"PATCH", "/api/v1/namespaces/default/pods/web/proxy/x/y?z=1", ""},
	{"GET", "/api/v1/proxy/namespaces/default/pods/web/x", ""},
	{"GET", "/api/v1/namespaces/default/services/https:web:443/proxy/x", ""},
	{"GET", "/api/v1/nodes/n1/proxy/metrics", ""},
	{"POST", "/api/v1/namespaces/default/pods/web/eviction", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web"}}`},
	{"POST", "/api/v1/namespaces/default/serviceaccounts/default/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`},
	{"POST", "/api/v1/namespaces/default/configmaps", `{"metadata":{"name":"one"}}`},
	{"POST", "/api/v1/namespaces/default/configmaps", `{"metadata":{"name":"one"}}`},
	{"POST", "/api/v1/namespaces/default/configmaps", `not JSON`},
	{"GET", "/api/v1/namespaces/default/configmaps/one", ""},
	{"GET", "/api/v1/namespaces/default/configmaps/%6fne", ""},
	{"GET", "/api/v1/namespaces/default/configmaps/o%2Fne", ""},
	{"PUT", "/api/v1/namespaces/default/configmaps/one", `{"metadata":{"name":"one"},"data":{"a":"b"}}`},
	{"PATCH", "/api/v1/namespaces/default/configmaps/one", `{"data":{"a":"c"}}`},
	{"POST", "/api/v1/namespaces/default/secrets", `{"metadata":{"name":"two"}}`},
	{"GET", "/api/v1/namespaces/default/secrets/two", ""},
	{"DELETE", "/api/v1/namespaces/default/secrets/two", ""},
	{"DELETE", "/api/v1/namespaces/default/configmaps/one", ""},
	{"POST", "/api/v1/namespaces/default/configmaps", `{"metadata":{"name":"held","finalizers":["example.com/held"]},"data":{"a":"` + heldData + `"}}`},
	{"DELETE", "/api/v1/namespaces/default/configmaps/held", ""},
	{"POST", "/api/v1/namespaces/default/configmaps", `{"metadata":{"name":"front"},"data":{"a":"` + heldData + `"}}`},
	{"DELETE", "/api/v1/namespaces/default/configmaps/front?propagationPolicy=Foreground", ""},
	{"DELETE", "/api/v1/namespaces/default/configmaps?labelSelector=a%3Db", `{"kind":"DeleteOptions","apiVersion":"v1"}`},
	{"DELETE", "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dx", ""},
	{"POST", "/api/v1/namespaces", `{"metadata":{"name":"team-a"}}`},
	{"PATCH", "/api/v1/namespaces/team-a", `{"metadata":{"labels":{"a":"b"}}}`},
	{"DELETE", "/api/v1/namespaces/team-a", ""},
	{"POST", "/apis/apps/v1/namespaces/default/deployments", `{"metadata":{"name":"web"},"spec":{"replicas":0,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`},
	{"GET", "/apis/apps/v1/namespaces/default/deployments/web/scale", ""},
	{"PATCH", "/apis/apps/v1/namespaces/default/deployments/web/scale", `{"spec":{"replicas":0}}`},
	{"GET", "/apis/apps/v1/deployments", ""},
	{"DELETE", "/apis/apps/v1/namespaces/default/deployments/web", ""},
	{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}`},
	{"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view", ""},
	{"GET", "/apis/example.com/v1/namespaces/default/widgets/w/status", ""},
	{"DELETE", "/apis/example.com/v1/widgets", ""},
}

// TestExplainOnRealAPIServer sends requests to a real API server, and holds what
// pkictl says of their URLs against its audit log.
func TestExplainOnRealAPIServer(t *testing.T) {
	t.Parallel()
	c := startAuditCluster(t, auditPolicy)

	t.Run("resources", func(t *testing.T) {
		file, err := filepath.Abs(filepath.Join("..", "..", "apiserver", "audit", "resources.txt"))
		ok(t, err)
		got := c.resources()
		if *updateResources {
			ok(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		ok(t, err)
		if got != string(want) {
			ok(t, os.WriteFile(filepath.Join(c.dir, "resources.txt"), []byte(got), 0o644))
			diff, _, _ := c.try("diff", file, "resources.txt")
			t.Errorf("kube-apiserver serves other resources (go test ./cmd/pkictl -run TestExplainOnRealAPIServer -update-resources):\n%s", diff)
		}
	})

	policy, err := audit.Parse("policy.yaml", []byte(auditPolicy))
	ok(t, err)
	wanted := map[string]*audit.Explanation{}
	status := c.sendAll()
	events := 0
	for i, s := range sent {
		id := fmt.Sprintf("request-%02d", i)
		r, err := audit.ParseRequest(s.method, s.uri)
		ok(t, err)
		r.User, r.Groups = "kube-admin", audit.GroupsOf("kube-admin", []string{"system:masters"})
		wanted[id] = policy.Explain(r)
		events += len(wanted[id].Events)
	}
	logged := c.waitForEvents(wanted)
	for i, s := range sent {
		id := fmt.Sprintf("request-%02d", i)
		compareEvents(t, fmt.Sprintf("%s %s (status %d)", s.method, s.uri, status[id]), s.uri, s.body, status[id], wanted[id], logged[id])
	}
	for i, s := range sent {
		if s.method != "DELETE" || !strings.Contains(s.uri, "configmaps/held") && !strings.Contains(s.uri, "configmaps/front") {
			continue
		}
		got := logged[fmt.Sprintf("request-%02d", i)]
		if len(got) == 0 || got[len(got)-1].ResponseObject == nil || !strings.Contains(string(got[len(got)-1].ResponseObject.Raw), heldData) {
			t.Errorf("%s %s: the log does not have what is deleted: %+v", s.method, s.uri, got)
		}
	}
	if events < len(sent) {
		t.Errorf("%d events of %d requests: the policy is badly chosen", events, len(sent))
	}
}

// sendAll sends the requests in their order, but for watches, which last a second
// and disturb none, and returns the status of each.
func (c auditCluster) sendAll() map[string]int {
	c.t.Helper()
	var watches sync.WaitGroup
	codes, errs := make([]int, len(sent)), make([]error, len(sent))
	send := func(i int) {
		codes[i], errs[i] = c.send(sent[i].method, sent[i].uri, fmt.Sprintf("request-%02d", i), sent[i].body)
	}
	for i, s := range sent {
		if strings.Contains(s.uri, "timeoutSeconds") {
			watches.Go(func() { send(i) })
		} else {
			send(i)
		}
	}
	watches.Wait()
	status := map[string]int{}
	for i, s := range sent {
		if errs[i] != nil {
			c.t.Fatalf("%s %s: %v", s.method, s.uri, errs[i])
		}
		status[fmt.Sprintf("request-%02d", i)] = codes[i]
	}
	return status
}

// waitForEvents waits for the log to have as many events of each request as are
// wanted, and then for one more request to be logged: what else there was to come
// has come.
func (c auditCluster) waitForEvents(wanted map[string]*audit.Explanation) map[string][]auditv1.Event {
	c.t.Helper()
	if _, err := c.send("GET", "/version", "the-last", ""); err != nil {
		c.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		logged := c.events()
		missing := len(logged["the-last"]) == 0
		for id, e := range wanted {
			missing = missing || len(logged[id]) < len(e.Events)
		}
		if !missing || time.Now().After(deadline) {
			return logged
		}
	}
}

// compareEvents holds the events of one request against what was said of it.
func compareEvents(t *testing.T, what, uri, body string, status int, want *audit.Explanation, got []auditv1.Event) {
	t.Helper()
	var stages, wantStages []string
	for _, e := range got {
		stages = append(stages, string(e.Stage))
		compareEvent(t, what, uri, want, e)
	}
	for _, e := range want.Events {
		wantStages = append(wantStages, string(e.Stage))
	}
	if !slices.Equal(stages, wantStages) {
		t.Errorf("%s: logged at %q, want %q (rule %d, %s)", what, stages, wantStages, want.Decision.Rule+1, want.Decision.Level)
		return
	}
	if status >= 300 {
		return // of what was refused there may be less
	}
	deletesBare := strings.HasPrefix(want.Request.Verb, "delete") && body == "" // kubectl always sends options
	for i, e := range want.Events {
		if request := got[i].RequestObject != nil; request != (e.RequestBody && !deletesBare) {
			t.Errorf("%s: %s has the request's body: %t, want %t", what, e.Stage, request, e.RequestBody)
		}
		if response := got[i].ResponseObject != nil; response != e.ResponseBody {
			t.Errorf("%s: %s has the response's body: %t, want %t", what, e.Stage, response, e.ResponseBody)
		}
		if bodies := string(objectOf(got[i].RequestObject)) + string(objectOf(got[i].ResponseObject)); want.Decision.OmitManagedFields && strings.Contains(bodies, "managedFields") {
			t.Errorf("%s: %s has managed fields", what, e.Stage)
		}
	}
}

func objectOf(object *runtime.Unknown) []byte {
	if object == nil {
		return nil
	}
	return object.Raw
}

func compareEvent(t *testing.T, what, uri string, want *audit.Explanation, got auditv1.Event) {
	t.Helper()
	r := want.Request
	if string(got.Level) != string(want.Decision.Level) || got.Verb != r.Verb || got.RequestURI != uri || got.User.Username != r.User || !slices.Equal(got.User.Groups, r.Groups) {
		t.Errorf("%s: logged %s %s %s by %s %q, want %s %s by %s %q", what, got.Level, got.Verb, got.RequestURI, got.User.Username, got.User.Groups,
			want.Decision.Level, r.Verb, r.User, r.Groups)
	}
	ref := got.ObjectRef
	switch {
	case (ref != nil) != r.IsResource:
		t.Errorf("%s: logged as a resource: %t, want %t", what, ref != nil, r.IsResource)
		return
	case ref == nil:
		return
	case r.Name == "" && r.Verb == "create": // taken from the body, after the policy decided
		ref.Name = ""
	}
	if r.Namespace == "" && r.Verb == "create" {
		ref.Namespace = ""
	}
	logged := []string{ref.APIGroup, ref.APIVersion, ref.Resource, ref.Subresource, ref.Namespace, ref.Name}
	if said := []string{r.Group, r.Version, r.Resource, r.Subresource, r.Namespace, r.Name}; !slices.Equal(logged, said) {
		t.Errorf("%s: logged of %q, want %q", what, logged, said)
	}
}
