package lab_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pkictl/pkictl/lab"
)

const accessLab = `apiVersion: pkictl.dev/v1
kind: Lab
title: A test
domain: cluster-setup
minutes: 5
needs: [cluster]
cluster:
  objects: objects.yaml
  issue:
  - {file: kube/jane.conf, user: jane, groups: [dev, ops], namespace: shop, contextName: c, clusterName: k, userName: u}
  - {file: kube/old.conf, user: jane, ends: -24h}
  - {file: kube/stranger.conf, user: jane, signer: other}
  - {file: kube/distrusts.conf, user: jane, ca: other}
scenario: Something is to be done.
tasks: [Do it.]
checks:
- {id: may, name: a, kind: canI, points: 1, task: 1, with: {as: {user: jane, groups: [dev]}, allowed: [{verbs: [get, list], resources: [pods, pods/log], namespaces: shop}],
    denied: [{verbs: "*", resources: "*.*"}, {verbs: get, paths: /metrics}, {verbs: get, resources: configmaps, namespaces: shop, names: other}]}}
- {id: account, name: a, kind: canI, points: 1, task: 1, with: {as: {serviceAccount: shop/builder}, allowed: [{verbs: get, resources: deployments.apps/scale, namespaces: shop}]}}
- {id: who, name: a, kind: canI, points: 1, task: 1, with: {as: {kubeconfig: my.conf}, allowed: [{verbs: get, resources: pods, namespaces: shop}], denied: [{verbs: delete, resources: pods, namespaces: shop}],
    also: [{as: {user: erin}, denied: [{verbs: get, resources: pods, namespaces: shop}]}]}}
- {id: login, name: a, kind: kubeconfig, points: 1, task: 1, with: {file: my.conf, logsIn: {user: jane, groups: [ops, dev]}}}
- {id: reaches, name: a, kind: kubeconfig, points: 1, task: 1, with: {file: my.conf, reaches: true}}
- {id: embedded, name: a, kind: kubeconfig, points: 1, task: 1, with: {file: my.conf, embedded: true, contexts: c, namespace: shop}}
- {id: map, name: a, kind: object, points: 1, task: 1, with: {apiVersion: v1, resource: configmaps, namespace: shop, name: map, fields: {data.a: b}}}
- {id: gone, name: a, kind: object, points: 1, task: 1, with: {apiVersion: v1, resource: secrets, namespace: shop, name: old, absent: true}}
- {id: any, name: a, kind: object, points: 1, task: 1, with: {apiVersion: rbac.authorization.k8s.io/v1, resource: roles, namespace: shop, fields: {"rules[any].resources": {contains: pods}}}}
- {id: denied, name: a, kind: admission, points: 1, task: 1, with: {denied: [{create: privileged.yaml, text: a privileged pod}], message: violates PodSecurity}}
- {id: admitted, name: a, kind: admission, points: 1, task: 1, with: {admitted: [{create: pod.yaml, text: a pod}, {patch: label.yaml, text: a label}]}}
- {id: hook, name: a, kind: admission, points: 1, task: 1, with: {denied: [{create: hooli.yaml, text: a pod of hooli}], message: untrusted registry,
    webhook: {service: shop/hook, certificate: tls.crt, key: tls.key, registry: hooli.example}}}
`

const accessObjects = `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: old, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: hook, namespace: shop}
spec: {type: ExternalName, externalName: 127.0.0.1, ports: [{port: $(FREE_PORT)}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: web, image: "nginx:1.29"}]}
`

const accessPod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c, image: \"nginx:1.29\"}]}\n"

// access is a lab of these checks with its cluster.
type access struct {
	*testing.T
	w *lab.Workspace
}

func startAccess(t *testing.T) access {
	t.Helper()
	l, err := lab.Read(fstest.MapFS{
		"lab.yaml": {Data: []byte(accessLab)}, "cluster/objects.yaml": {Data: []byte(accessObjects)}, "hidden/pod.yaml": {Data: []byte(accessPod)},
		"hidden/hooli.yaml":      {Data: []byte(strings.Replace(accessPod, "nginx", "hooli.example/nginx", 1))},
		"hidden/privileged.yaml": {Data: []byte(strings.Replace(accessPod, "1.29\"", "1.29\", securityContext: {privileged: true}", 1))},
		"hidden/label.yaml":      {Data: []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {a: b}}\n")},
	}, "access", "access")
	if err != nil {
		t.Fatal(err)
	}
	limitClusters(t, l)
	return access{t, startCluster(t, l, t.TempDir())}
}

func (a access) kubectl(args string) {
	a.Helper()
	if out, err := kubectl(a.w, strings.Fields(args)...); err != nil {
		a.Fatalf("kubectl %s: %v\n%s", args, err, out)
	}
}

func (a access) path(name string) string { return filepath.Join(a.w.Dir, name) }

func (a access) read(name string) string {
	a.Helper()
	data, err := os.ReadFile(a.path(name))
	if err != nil {
		a.Fatal(err)
	}
	return string(data)
}

func (a access) write(name, text string) {
	a.Helper()
	if err := os.WriteFile(a.path(name), []byte(text), 0o600); err != nil {
		a.Fatal(err)
	}
}

// want compares what checks find, of which an empty text means that they pass.
func (a access) want(what string, want map[string]string) {
	a.Helper()
	result, err := a.w.Check(a.Context(), time.Now())
	if err != nil {
		a.Fatal(err)
	}
	for _, check := range result.Checks {
		found, ok := want[check.ID]
		if ok && (check.Passed != (found == "") || !strings.Contains(check.Found, found)) || check.Wanted == "" {
			a.Errorf("%s: %s passed %v\nwanted %q\nfound %q, want %q", what, check.ID, check.Passed, check.Wanted, check.Found, found)
		}
		if strings.Contains(check.Found, "PRIVATE KEY") || strings.Contains(check.Found, "LS0t") {
			a.Errorf("%s: %s shows a key: %q", what, check.ID, check.Found)
		}
	}
}

// TestAccess asks a real API server what somebody may do, what there is, and what it
// admits.
func TestAccess(t *testing.T) {
	t.Parallel()
	a := startAccess(t)
	a.want("untouched", map[string]string{
		"may": "the API server denies it, as a member of dev", "account": "denies it", "who": "no file my.conf", "login": "no file my.conf", "reaches": "no file my.conf",
		"map": "there is none", "gone": "it is there", "any": "there is none", "denied": "it is admitted", "admitted": "", "hook": "no file tls.crt",
	})

	a.kubectl("create role -n shop reader --verb=get,list --resource=pods,pods/log")
	a.kubectl("create rolebinding -n shop dev --role=reader --group=dev")
	a.kubectl("create role -n shop scaler --verb=get --resource=deployments.apps/scale")
	a.kubectl("create rolebinding -n shop builder --role=scaler --serviceaccount=shop:builder")
	a.kubectl("create configmap -n shop map --from-literal=a=b")
	a.kubectl("delete secret -n shop old")
	a.kubectl("label namespace shop pod-security.kubernetes.io/enforce=baseline")
	a.want("done", map[string]string{"may": "", "account": "", "map": "", "gone": "", "any": "", "denied": "", "admitted": "", "who": "no file"})

	a.kubectl("create clusterrolebinding all --clusterrole=view --user=jane")
	a.kubectl("patch configmap -n shop map -p {\"data\":{\"a\":\"c\"}}")
	a.kubectl("delete rolebinding -n shop builder")
	a.kubectl("label --overwrite namespace shop pod-security.kubernetes.io/enforce=restricted")
	a.want("too much, or too little", map[string]string{
		"may": "allows it", "account": "denies it", "map": "data.a is c", "denied": "", "admitted": "violates PodSecurity",
	})
	a.kubectl("delete clusterrolebinding all")
	a.kubectl("create clusterrolebinding all --clusterrole=cluster-admin --user=jane")
	a.want("an administrator", map[string]string{"may": `allowed by ClusterRoleBinding "all" of ClusterRole "cluster-admin"`})
	a.kubectl("delete clusterrolebinding all")
	a.kubectl("label namespace shop pod-security.kubernetes.io/enforce=baseline --overwrite")
	a.kubectl("create rolebinding -n shop builder --role=scaler --serviceaccount=shop:builder")

	a.checkKubeconfigs()
	a.checkWebhook()
}

// checkKubeconfigs: nothing in a kubeconfig is run, and nobody called but the lab's API server.
func (a access) checkKubeconfigs() {
	good := a.read("kube/jane.conf")
	var calls atomic.Int32
	elsewhere, err := (&net.ListenConfig{}).Listen(a.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		a.Fatal(err)
	}
	defer elsewhere.Close()
	go func() {
		for {
			conn, err := elsewhere.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = conn.Close()
		}
	}()
	field := func(name string) string { // of a kubeconfig that clientcmd has written
		for _, line := range strings.Split(good, "\n") {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), name+": "); ok {
				return rest
			}
		}
		a.Fatalf("no %s", name)
		return ""
	}
	server := field("server")
	instead := func(old, by string) string {
		if !strings.Contains(good, old) {
			a.Fatalf("no %q in the kubeconfig", old)
		}
		return strings.Replace(good, old, by, 1)
	}
	marker := a.path("was-run")
	a.write("ca.crt", a.read("cluster/pki/ca.crt"))
	a.write("empty.crt", "nothing\n")
	ok := map[string]string{"who": "", "login": "", "reaches": "", "embedded": ""}
	for _, test := range []struct {
		name, data string
		want       map[string]string
	}{
		{"good", good, ok},
		{"by name", instead("127.0.0.1", "LocalHost"), ok},
		{"with a slash", instead(server, server+"/"), ok},
		{"by a name of the certificate", instead("    server:", "    tls-server-name: kubernetes.default.svc\n    server:"), ok},
		{"a file", instead("certificate-authority-data: "+field("certificate-authority-data"), "certificate-authority: ca.crt"), map[string]string{"reaches": "", "embedded": "it names the file ca.crt", "login": ""}},
		{"a file by its path", instead("certificate-authority-data: "+field("certificate-authority-data"), "certificate-authority: "+a.path("ca.crt")), map[string]string{"reaches": "", "embedded": "names the file"}},
		{"no certificate in a file", instead("certificate-authority-data: "+field("certificate-authority-data"), "certificate-authority: empty.crt"), map[string]string{"reaches": "neither PEM nor", "login": ""}},
		{"another port", instead(server, "https://"+elsewhere.Addr().String()), map[string]string{"reaches": "and the lab's is " + server, "login": ""}},
		{"another host", instead("127.0.0.1", "localhost.example.com"), map[string]string{"reaches": "and the lab's is"}},
		{"no TLS", instead("https:", "http:"), map[string]string{"reaches": "is not https"}},
		{"a secret in the server", instead("https://", "https://jane:hidden@"), map[string]string{"reaches": ""}},
		{"a path", instead(server, server+"/proxy"), map[string]string{"reaches": "and the lab's is"}},
		{"a proxy", instead("    server:", "    proxy-url: http://"+elsewhere.Addr().String()+"\n    server:"), map[string]string{"reaches": "through the proxy", "login": ""}},
		{"not verified", instead("certificate-authority-data: "+field("certificate-authority-data"), "insecure-skip-tls-verify: true"), map[string]string{"reaches": "insecure-skip-tls-verify", "embedded": "no certificate-authority-data"}},
		{"another name", instead("    server:", "    tls-server-name: other\n    server:"), map[string]string{"reaches": "not other"}},
		{"another CA", a.read("kube/distrusts.conf"), map[string]string{"reaches": "not signed by the CA"}},
		{"expired", a.read("kube/old.conf"), map[string]string{"who": "has expired", "login": "has expired", "reaches": ""}},
		{"signed by a stranger", a.read("kube/stranger.conf"), map[string]string{"who": "unknown authority", "login": "unknown authority"}},
		{"a plugin", instead("    client-key-data:", "    exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: ["+marker+"], interactiveMode: Never}\n    client-key-data:"), map[string]string{"who": "runs a program", "login": "runs a program"}},
		{"impersonation", instead("    client-key-data:", "    as: root\n    client-key-data:"), map[string]string{"login": "impersonates root"}},
		{"no credential", instead("client-certificate-data: "+field("client-certificate-data"), "token: hidden"), map[string]string{"who": "no client certificate", "login": "no client certificate", "embedded": "lacks"}},
		{"no key", instead("client-key-data: "+field("client-key-data"), "token: hidden"), map[string]string{"login": "that of its certificate"}},
		{"another's key", instead("client-key-data: "+field("client-key-data"), strings.TrimSpace(line(a.read("kube/old.conf"), "client-key-data"))), map[string]string{"login": "not that of its certificate"}},
		{"no base64", instead("client-key-data: "+field("client-key-data"), "client-key-data: hidden"), map[string]string{"login": "my.conf", "reaches": "my.conf"}},
	} {
		a.write("my.conf", test.data)
		a.want(test.name, test.want)
	}
	if n := calls.Load(); n != 0 {
		a.Errorf("another server was called %d times", n)
	}
	if _, err := os.Stat(marker); err == nil {
		a.Error("a plugin was run")
	}
}

func line(text, begin string) string {
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), begin) {
			return line
		}
	}
	return ""
}

// checkWebhook: it is served with what the learner has made, at the port of the Service,
// and where another has that port, that one is asked.
func (a access) checkWebhook() {
	a.Helper()
	run(a.T, a.w, `export KUBECONFIG=admin.conf
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.crt -subj /CN=a -addext subjectAltName=DNS:hook.shop.svc -days 5
kubectl create -f - <<EOF
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
- name: hook.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  clientConfig:
    caBundle: $(base64 -w 0 tls.crt)
    service: {name: hook, namespace: shop, port: $(kubectl get service hook -n shop -o 'jsonpath={.spec.ports[0].port}')}
EOF`)
	a.want("webhook", map[string]string{"hook": "", "admitted": "failed calling webhook"})
	a.want("again, in a new server", map[string]string{"hook": ""})

	port, err := kubectl(a.w, "get", "service", "hook", "-n", "shop", "-o", "jsonpath={.spec.ports[0].port}")
	if err != nil {
		a.Fatal(err)
	}
	busy, err := (&net.ListenConfig{}).Listen(a.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		a.Fatal(err)
	}
	var hang atomic.Bool
	go func() {
		for {
			conn, err := busy.Accept()
			if err != nil {
				return
			}
			defer conn.Close() // at the end of all: one that nobody holds is closed at any time
			if !hang.Load() {
				_ = conn.Close()
			}
		}
	}()
	a.want("something else at that port", map[string]string{"hook": "failed calling webhook"})
	hang.Store(true)
	a.want("something at that port that says nothing", map[string]string{"hook": "no answer within"})
	if err := busy.Close(); err != nil {
		a.Fatal(err)
	}
	a.write("tls.key", a.read("cluster/pki/ca.key"))
	a.want("another key", map[string]string{"hook": "does not match"})
	a.kubectl("delete service -n shop hook")
	a.want("another key, and no service", map[string]string{"hook": "there is no services hook in namespace shop"})
	run(a.T, a.w, `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.crt -subj /CN=a -days 5`)
	a.want("no service", map[string]string{"hook": "there is no services hook in namespace shop"})
}
