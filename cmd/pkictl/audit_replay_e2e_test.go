package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	internal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	kubeaudit "k8s.io/apiserver/pkg/audit"

	"github.com/pkictl/pkictl/apiserver/audit"
)

// auditTraffic are requests of every verb, by kubectl's arguments: of resources of
// several groups, their subresources, lists by name, names that the API server
// makes up, refused and impersonated ones, and paths that are no resources.
const auditTraffic = `
create namespace shop
create configmap settings --from-literal=a=b --namespace shop
create secret generic token --from-literal=a=b --namespace shop
get secret token --namespace shop
get secrets --all-namespaces
get configmap settings --namespace shop -o yaml
patch configmap settings --namespace shop -p {"data":{"a":"c"}}
apply -f made.yaml
apply -f made.yaml --server-side --force-conflicts
create -f named.yaml
get --raw /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb
get --raw /api/v1/namespaces/shop/configmaps?limit=1
get --raw /api/v1/watch/namespaces/shop/configmaps?timeoutSeconds=1
get --raw /api/v1/pods?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dweb
get --raw /apis/apps/v1/namespaces/shop/deployments?limit=x
get --raw /healthz
get --raw /livez/ping
get --raw /version
get --raw /openapi/v3
get --raw //api/v1/namespaces
get --raw /api/v1/namespaces/%73hop/configmaps
get --raw /metrics
get --raw /nothing/here?a=b
scale deployment web --replicas 2 --namespace shop
logs web-0 --namespace shop
exec web-0 --namespace shop -- true
get pods --as jane
get configmaps --namespace shop --as jane --as-group system:masters
create token default --namespace shop
auth can-i --list
auth whoami
label namespace shop tier=test
annotate deployment web --namespace shop a=b
delete configmap settings --namespace shop
delete configmaps --all --namespace shop
delete --raw /api/v1/namespaces/shop/secrets?labelSelector=a%3Db
delete pod web-0 --namespace shop --wait=false --grace-period=0 --force
delete namespace shop --wait=false
`

const auditMade = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example.com/pause:3.10}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
spec:
  containers: [{name: web, image: example.com/pause:3.10}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: shop-reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
`

const auditNamed = `apiVersion: v1
kind: ConfigMap
metadata: {generateName: made-, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings-2, namespace: shop}
`

// writeAuditLog runs auditTraffic on a real control plane that logs it by a policy,
// and returns the path of the log.
func writeAuditLog(t *testing.T, policy string) string {
	t.Helper()
	assets, kubectl := peers(t)
	w := newUserDir(t)
	w.write("policy.yaml", policy)
	w.write("made.yaml", auditMade)
	w.write("named.yaml", auditNamed)
	log := filepath.Join(w.dir, "audit.log")
	w.pkictl("init-ca")
	cp := w.startControlPlaneWith(assets, map[string][]string{"kube-apiserver": {
		"--audit-policy-file=" + filepath.Join(w.dir, "policy.yaml"), "--audit-log-path=" + log,
	}})
	w.pkictl("issue --cn kube-admin --group system:masters --kubeconfig admin.conf --server " + cp.URL())
	for line := range strings.Lines(strings.TrimSpace(auditTraffic)) {
		// Some are refused, which is logged too.
		_, _, _ = w.try(kubectl, append([]string{"--kubeconfig", "admin.conf"}, strings.Fields(line)...)...)
	}
	if err := cp.Stop(); err != nil {
		t.Error(err)
	}
	return log
}

// replayedPolicy decides by all that a rule can name: a name that is not yet known
// when something is created, among them.
const replayedPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: [/readyz*, /livez]
- level: Request
  users: [system:apiserver]
  verbs: [list, create]
  omitStages: [RequestReceived]
- level: None
  users: [system:apiserver]
- level: RequestResponse
  omitManagedFields: false
  resources: [{group: "", resources: [configmaps], resourceNames: [settings, settings-2]}]
- level: Metadata
  resources: [{group: "", resources: [configmaps, secrets, serviceaccounts/token]}]
- level: Request
  verbs: [patch, update]
  resources: [{group: apps, resources: ["*/scale", "*/status", deployments]}]
- level: RequestResponse
  namespaces: [shop]
  omitStages: [ResponseStarted]
- level: Request
  userGroups: [system:masters]
  resources: [{group: "", resources: [pods, "pods/*", namespaces]}]
- level: Metadata
  nonResourceURLs: ["/openapi/*", /version, "/livez*"]
- level: RequestResponse
  namespaces: [""]
  resources: [{group: "rbac.authorization.k8s.io"}]
- level: None
  userGroups: [system:nodes, "system:serviceaccounts:kube-system"]
- level: Metadata
`

// TestAuditReplayIsWhatWasLogged replays the log of a real kube-apiserver by the
// very policy that it was written by: all of it is kept, at the same level and
// byte for byte the same length.
func TestAuditReplayIsWhatWasLogged(t *testing.T) {
	t.Parallel()
	log := writeAuditLog(t, replayedPolicy)
	w := userDir{t, filepath.Dir(log)}
	w.write("metadata.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
	var r audit.ReplayReport
	if err := json.Unmarshal([]byte(w.pkictl("audit replay --policy policy.yaml --against metadata.yaml --top 0 -o json audit.log")), &r); err != nil {
		t.Fatal(err)
	}
	if r.Log.Events < 400 || len(r.NotEvents) > 0 {
		t.Errorf("%d events, %v %v", r.Log.Events, r.NotEvents, r.Problems)
	}
	if r.Policy.Kept != r.Log {
		t.Errorf("kept %+v of %+v", r.Policy.Kept, r.Log)
	}
	for _, row := range r.Levels[1:] {
		if row.Kept != row.Log || row.Log.Events == 0 {
			t.Errorf("%s: %+v in the log, %+v kept", row.Name, row.Log, row.Kept)
		}
	}
	for _, rows := range [][]audit.Row{r.Users, r.Resources, r.Days} {
		for _, row := range rows {
			if row.Kept != row.Log {
				t.Errorf("%s: %+v in the log, %+v kept", row.Name, row.Log, row.Kept)
			}
		}
	}
	for _, rule := range r.Policy.Rules {
		if wanted := rule.Level != "None"; (rule.Events > 0) != wanted {
			t.Errorf("rule %d (%s), %s: %d events", rule.Rule, rule.Text, rule.Level, rule.Events)
		}
	}
	// By another policy all are kept, and all are lowered that were higher.
	if d := r.Difference; d.Gained+d.Lost+d.Lowered != 0 || d.Raised != r.Levels[2].Log.Events+r.Levels[3].Log.Events {
		t.Errorf("gained %d, lost %d, raised %d, lowered %d", d.Gained, d.Lost, d.Raised, d.Lowered)
	}
	checkMetadataSizes(t, log, r.Against.Kept.Bytes)
}

// checkMetadataSizes compares bytes at level Metadata with those of the log's lines
// as kube-apiserver's own encoder writes them at that level.
func checkMetadataSizes(t *testing.T, log string, got int64) {
	t.Helper()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for line := range strings.Lines(string(data)) {
		var e internal.Event
		if err := runtime.DecodeInto(kubeaudit.Codecs.UniversalDecoder(), []byte(line), &e); err != nil {
			t.Fatal(err)
		}
		e.Level, e.RequestObject, e.ResponseObject = internal.LevelMetadata, nil, nil
		written, err := runtime.Encode(kubeaudit.Codecs.LegacyCodec(auditv1.SchemeGroupVersion), &e)
		if err != nil {
			t.Fatal(err)
		}
		want += int64(len(written))
	}
	if got != want {
		t.Errorf("%d bytes at level Metadata, but kube-apiserver writes %d", got, want)
	}
}
