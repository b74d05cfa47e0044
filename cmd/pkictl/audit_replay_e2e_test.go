package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
      containers: [{name: web, image: registry.k8s.io/pause:3.10}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
spec:
  containers: [{name: web, image: registry.k8s.io/pause:3.10}]
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
	for name, text := range map[string]string{"policy.yaml": policy, "made.yaml": auditMade, "named.yaml": auditNamed} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
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

func TestAuditReplayTMP(t *testing.T) {
	log := writeAuditLog(t, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n")
	data, _ := os.ReadFile(log)
	os.WriteFile("/tmp/wt/x/real.log", data, 0o600)
}
