package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/cluster"
)

// webhooks are what a kube-apiserver calls: it receives audit events, lets the
// user walter list pods, and refuses images of bad.example.com.
type webhooks struct {
	*httptest.Server
	mu     sync.Mutex
	events int
}

func startWebhooks(t *testing.T) *webhooks {
	w := &webhooks{}
	w.Server = httptest.NewTLSServer(http.HandlerFunc(w.answer))
	t.Cleanup(w.Close)
	return w
}

func (w *webhooks) answer(rw http.ResponseWriter, r *http.Request) {
	var review map[string]any
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	text := fmt.Sprint(review["spec"])
	switch r.URL.Path {
	case "/audit":
		events, _ := review["items"].([]any)
		w.mu.Lock()
		w.events += len(events)
		w.mu.Unlock()
	case "/authorize":
		review["status"] = map[string]any{"allowed": strings.Contains(text, "user:walter") && strings.Contains(text, "resource:pods")}
	case "/images":
		review["status"] = map[string]any{"allowed": !strings.Contains(text, "bad.example.com"), "reason": "bad is bad"}
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(review)
}

func (w *webhooks) received() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events
}

// kubeconfig writes one that names a webhook.
func (w *webhooks) kubeconfig(t *testing.T, file, path string) string {
	t.Helper()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.Certificate().Raw})
	ok(t, os.WriteFile(file, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: hook, cluster: {server: "%s%s", certificate-authority-data: %s}}]
contexts: [{name: hook, context: {cluster: hook, user: apiserver}}]
users: [{name: apiserver, user: {}}]
current-context: hook
`, w.URL, path, base64.StdEncoding.EncodeToString(authority)), 0o600))
	return file
}

// flagsNode is a node of kubeadm whose kube-apiserver gets flags of pkictl.
type flagsNode struct {
	*kubeadmNode
	hooks *webhooks
	own   string // --config-dir
	log   string // of audit
}

func newFlagsNode(t *testing.T) *flagsNode {
	n := &flagsNode{kubeadmNode: newKubeadmNode(t), hooks: startWebhooks(t)}
	n.own, n.log = filepath.Join(n.dir, "apiserver"), filepath.Join(n.dir, "log", "audit", "audit.log")
	return n
}

// everything asks for all topics at once.
func (n *flagsNode) everything() []string {
	hook := func(name string) string { return n.hooks.kubeconfig(n.t, filepath.Join(n.dir, name+".conf"), "/"+name) }
	pki := filepath.Join(n.dir, "pki")
	return in("apiserver", "flags", "--config-dir", n.own, "--cis",
		"--audit-log-path", n.log, "--audit-webhook-config-file", hook("audit"), "--audit-webhook-batch-max-wait", "100ms", "--audit-webhook-batch-max-size", "50",
		"--encrypt", "secrets,configmaps", "--encryption-provider-config-automatic-reload",
		"--enable-admission-plugins", "AlwaysPullImages", "--disable-admission-plugins", "DefaultStorageClass", "--pod-security", "baseline", "--image-policy-config", hook("images"),
		"--tls-min-version", "1.2", "--client-ca-file", pki+"/ca.crt", "--kubelet-certificate-authority", pki+"/ca.crt",
		"--authorization-mode", "Node,RBAC,Webhook", "--authorization-webhook-config-file", hook("authorize"),
		"--set", "event-ttl=2h",
	)
}

// merge puts what is in a ClusterConfiguration into kubeadm's configuration.
func (n *flagsNode) merge(form string) {
	n.t.Helper()
	var from map[string]any
	ok(n.t, yaml.Unmarshal([]byte(form), &from))
	data, err := os.ReadFile(n.config)
	ok(n.t, err)
	initial, ours, _ := strings.Cut(string(data), "---\n")
	var into map[string]any
	ok(n.t, yaml.Unmarshal([]byte(ours), &into))
	more, server := from["apiServer"].(map[string]any), into["apiServer"].(map[string]any)
	server["extraArgs"] = append(server["extraArgs"].([]any), more["extraArgs"].([]any)...)
	server["extraVolumes"] = more["extraVolumes"]
	merged, err := yaml.Marshal(into)
	ok(n.t, err)
	ok(n.t, os.WriteFile(n.config, []byte(initial+"---\n"+string(merged)), 0o600))
}

// pod reads the manifest of kube-apiserver in a directory.
func (n *flagsNode) pod(dir string) *corev1.Pod {
	n.t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "kube-apiserver.yaml"))
	ok(n.t, err)
	pod := new(corev1.Pod)
	ok(n.t, yaml.UnmarshalStrict(data, pod))
	return pod
}

// get asks the API server without credentials and returns status and body.
func (n *flagsNode) get(path string) (int, string) {
	n.t.Helper()
	authority, err := os.ReadFile(filepath.Join(n.dir, "pki", "ca.crt"))
	ok(n.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d%s", n.ports[3], path))
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ok(n.t, err)
	return response.StatusCode, string(body)
}

// await waits until a kube-apiserver that was started since serves.
func (n *flagsNode) await(k *standIn) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 2*time.Minute)
	defer cancel()
	for last := ""; ; time.Sleep(100 * time.Millisecond) {
		code, body := n.get("/readyz")
		if code == http.StatusOK {
			return
		}
		if last = body; ctx.Err() != nil {
			n.t.Fatalf("kube-apiserver does not come up: %d %s\n%s", code, last, lastOf(k.logOf(cluster.ComponentAPIServer), 4000))
		}
	}
}

func lastOf(log string, size int) string { return log[max(0, len(log)-size):] }

// stored returns the bytes that etcd has of an object, through its JSON gateway.
func (n *flagsNode) stored(key string) string {
	n.t.Helper()
	pki := filepath.Join(n.dir, "pki")
	pair, err := tls.LoadX509KeyPair(pki+"/apiserver-etcd-client.crt", pki+"/apiserver-etcd-client.key")
	ok(n.t, err)
	authority, err := os.ReadFile(pki + "/etcd/ca.crt")
	ok(n.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, DisableKeepAlives: true}}
	body, err := json.Marshal(map[string]string{"key": base64.StdEncoding.EncodeToString([]byte("/registry/" + key))})
	ok(n.t, err)
	response, err := client.Post(fmt.Sprintf("https://127.0.0.1:%d/v3/kv/range", n.ports[0]), "application/json", bytes.NewReader(body))
	ok(n.t, err)
	defer response.Body.Close()
	var found struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	ok(n.t, json.NewDecoder(response.Body).Decode(&found))
	if len(found.KVs) != 1 {
		n.t.Fatalf("etcd has %d objects %q", len(found.KVs), key)
	}
	return string(found.KVs[0].Value)
}

// kubectl runs kubectl as administrator and returns what it says, and whether it
// succeeded.
func (n *flagsNode) try(line string) (string, bool) {
	stdout, stderr, err := n.userDir.try(n.kubectl, append([]string{"--kubeconfig", filepath.Join(n.dir, "super-admin.conf")}, strings.Fields(line)...)...)
	return stdout + stderr, err == nil
}

// TestAPIServerFlags starts a real kube-apiserver with all that can be asked for
// by kubeadm's configuration, and sees that each does what it is for.
func TestAPIServerFlags(t *testing.T) {
	t.Parallel()
	n := newFlagsNode(t)
	form := n.run(pkictl(), append(n.everything(), "--out", "/", "-o", "kubeadm")...)
	n.merge(form)
	n.run(n.kubeadm, "config", "validate", "--config", n.config)
	n.init("control-plane", "apiserver", "--dry-run")
	k := n.startKubelet()
	n.await(k)
	n.checkAccess()
	n.checkEncrypted("k8s:enc:secretbox:v1:key1:")
	n.checkAdmission()
	n.checkAudit()
	n.checkTLS()
}

// checkAccess: who may be anonymous where, and the order of authorizers.
func (n *flagsNode) checkAccess() {
	n.t.Helper()
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/healthz": 200, "/version": 401, "/api": 401, "/livez/ping": 401,
		"/api/v1/namespaces/kube-public/configmaps/cluster-info": 403, // known as anonymous, and not authorized before kubeadm's bindings
	} {
		if code, body := n.get(path); code != want {
			n.t.Errorf("%s without credentials: %d, want %d\n%s", path, code, want, body)
		}
	}
	for _, test := range []struct {
		line string
		want bool
	}{
		{"get pods --as walter", true}, {"get secrets --as walter", false}, {"get pods --as eve", false},
	} {
		if out, allowed := n.try(test.line); allowed != test.want {
			n.t.Errorf("%s: allowed %t\n%s", test.line, allowed, out)
		}
	}
}

// checkEncrypted: what etcd has begins with the name of provider and key.
func (n *flagsNode) checkEncrypted(prefix string) {
	n.t.Helper()
	name := strings.Trim(strings.ReplaceAll(prefix, ":", "-"), "-")
	for _, kind := range in("secret generic", "configmap") {
		if out, done := n.try("create " + kind + " " + name + " --from-literal=word=plaintext"); !done {
			n.t.Fatal(out)
		}
	}
	for _, resource := range in("secrets", "configmaps") {
		stored := n.stored(resource + "/default/" + name)
		if !strings.HasPrefix(stored, prefix) || strings.Contains(stored, "plaintext") {
			n.t.Errorf("etcd has %s as %.60q, want %q", resource, stored, prefix)
		}
	}
}

func (n *flagsNode) checkAdmission() {
	n.t.Helper()
	n.asAdmin("create serviceaccount default") // which a controller manager would make
	for _, test := range []struct{ name, args, says string }{
		{"good", "--image=good.example.com/a:1 --image-pull-policy=Never", ""},
		{"bad", "--image=bad.example.com/a:1", "bad is bad"},
		{"privileged", "--image=good.example.com/a:1 --privileged", "violates PodSecurity"},
	} {
		out, admitted := n.try("run " + test.name + " " + test.args)
		if admitted != (test.says == "") || !strings.Contains(out, test.says) {
			n.t.Errorf("%s pod: admitted %t\n%s", test.name, admitted, out)
		}
	}
	if out, _ := n.try("get pod good -o jsonpath={.spec.containers[0].imagePullPolicy}"); out != "Always" {
		n.t.Errorf("AlwaysPullImages made %q of the policy", out)
	}
}

// checkAudit: the log has events, and none of what is in a Secret; the webhook
// received some.
func (n *flagsNode) checkAudit() {
	n.t.Helper()
	log, err := os.ReadFile(n.log)
	ok(n.t, err)
	if !bytes.Contains(log, []byte(`"resource":"secrets"`)) || bytes.Contains(log, []byte("plaintext")) || bytes.Contains(log, []byte(base64.StdEncoding.EncodeToString([]byte("plaintext")))) {
		n.t.Errorf("the audit log:\n%.2000s", log)
	}
	waitFor(n.t, func() bool { return n.hooks.received() > 0 })
}

func (n *flagsNode) checkTLS() {
	n.t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", n.ports[3])
	for name, config := range map[string]*tls.Config{
		"TLS 1.1":          {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"a CBC suite only": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
	} {
		config.InsecureSkipVerify = true // it is the handshake that is looked at
		if conn, err := tls.Dial("tcp", address, config); err == nil {
			_ = conn.Close()
			n.t.Errorf("kube-apiserver speaks %s", name)
		}
	}
}

// TestAPIServerStaticPod puts the fragment of the static-pod form into kubeadm's
// manifest and starts that.
func TestAPIServerStaticPod(t *testing.T) {
	t.Parallel()
	n := newFlagsNode(t)
	ok(t, os.Remove(filepath.Join(n.manifests, "kube-controller-manager.yaml")))
	form := n.run(pkictl(), in("apiserver", "flags", "--config-dir", n.own, "--out", "/", "-o", "static-pod", "--audit-preset", "exam", "--audit-log-path", "-",
		"--encrypt", "secrets,configmaps", "--encryption-provider", "aescbc", "--anonymous", "/livez,/readyz", "--authorization-mode", "RBAC,Node")...)
	pod, fragment := n.pod(n.manifests), new(corev1.Pod)
	ok(t, yaml.UnmarshalStrict([]byte(form), fragment))
	container, more := &pod.Spec.Containers[0], fragment.Spec.Containers[0]
	container.Command = append(removeFlag(container.Command, "--authorization-mode="), more.Command...)
	container.VolumeMounts = append(container.VolumeMounts, more.VolumeMounts...)
	pod.Spec.Volumes = append(pod.Spec.Volumes, fragment.Spec.Volumes...)
	data, err := yaml.Marshal(pod)
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(n.manifests, "kube-apiserver.yaml"), data, 0o600))
	k := n.startKubelet()
	n.await(k)
	if code, body := n.get("/healthz"); code != http.StatusUnauthorized {
		t.Errorf("/healthz without credentials: %d\n%s", code, body)
	}
	n.checkEncrypted("k8s:enc:aescbc:v1:key1:")
	if log := k.logOf(cluster.ComponentAPIServer); !strings.Contains(log, `"kind":"Event","apiVersion":"audit.k8s.io/v1"`) {
		t.Error("no event on standard output")
	}
}

func removeFlag(command []string, prefix string) []string {
	var kept []string
	for _, word := range command {
		if !strings.HasPrefix(word, prefix) {
			kept = append(kept, word)
		}
	}
	return kept
}

// TestAPIServerKubeadmPatch: kubeadm takes the patch, and its manifest then has
// each flag and a mount for each path.
func TestAPIServerKubeadmPatch(t *testing.T) {
	t.Parallel()
	n := newFlagsNode(t)
	patches, made := filepath.Join(n.dir, "patches"), filepath.Join(n.dir, "made")
	ok(t, os.Mkdir(patches, 0o700))
	ok(t, os.Mkdir(made, 0o700))
	args := in("apiserver", "flags", "--config-dir", n.own, "--audit-preset", "cis", "--audit-log-path", n.log, "--encrypt", "secrets",
		"--enable-admission-plugins", "NodeRestriction,AlwaysPullImages", "--anonymous", "probes", "--tls-cipher-suites", "strong")
	patch := n.run(pkictl(), append(args, "-o", "kubeadm-patch")...)
	ok(t, os.WriteFile(filepath.Join(patches, "kube-apiserver+json.yaml"), []byte(patch), 0o600))
	n.replaceIn(n.config, "kind: InitConfiguration\n", "kind: InitConfiguration\npatches: {directory: "+patches+"}\n")
	n.run("env", "KUBEADM_INIT_DRYRUN_DIR="+made, n.kubeadm, "init", "phase", "control-plane", "apiserver", "--dry-run", "--config", n.config)
	container := n.pod(made).Spec.Containers[0]
	command := strings.Join(container.Command, "\n")
	for _, flag := range strings.Split(strings.TrimSpace(n.run(pkictl(), append(args, "-o", "flags")...)), "\n") {
		if flag = strings.Trim(flag, "'"); strings.Contains(flag, "admission-plugins") {
			flag = "--enable-admission-plugins=AlwaysPullImages" // beside kubeadm's own
		}
		if !strings.Contains(command+"\n", flag+"\n") {
			t.Errorf("no %s in\n%s", flag, command)
		}
	}
	var mounts []string
	for _, mount := range container.VolumeMounts {
		mounts = append(mounts, mount.MountPath)
	}
	for _, path := range in(n.own, filepath.Dir(n.log)) {
		if !strings.Contains(strings.Join(mounts, "\n"), path) {
			t.Errorf("%s is not mounted: %q", path, mounts)
		}
	}
}

// TestFaultyDiskFlags has each call that changes files fail once, as on a disk
// that is full: what is there is whole, what was there is as it was, and the next
// run completes it.
func TestFaultyDiskFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := flagsOf("--audit-preset", "exam", "--encrypt", "secrets", "--anonymous", "probes", "--out", "host", "--force", "-q")
	policy := filepath.Join(dir, "host/etc/kubernetes/apiserver/audit-policy.yaml")
	failed := 0
	for n := 1; ; n++ {
		ok(t, os.RemoveAll(filepath.Join(dir, "host")))
		ok(t, os.MkdirAll(filepath.Dir(policy), 0o700))
		ok(t, os.WriteFile(policy, []byte("an older one\n"), 0o600))
		got, reached := breakAt(t, program(dir, args...), n, syscall.ENOSPC)
		if !reached {
			break
		}
		if got.code != 0 {
			failed++
			checkRefusal(t, fmt.Sprint("fault ", n), got, 1, "", "")
		}
		ok(t, filepath.WalkDir(filepath.Join(dir, "host"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if got.code == 0 && strings.HasPrefix(entry.Name(), ".") {
				return nil // it was the call that would have taken this away
			}
			data, err := os.ReadFile(path)
			isWhole := path == policy && string(data) == "an older one\n" || strings.Contains(string(data), "apiVersion: a") && bytes.HasSuffix(data, []byte("\n"))
			if !isWhole || !strings.HasSuffix(path, ".yaml") || strings.HasPrefix(entry.Name(), ".") {
				t.Errorf("fault %d leaves %s:\n%s", n, path, data)
			}
			return err
		}))
		do(t, dir, args...)
	}
	if failed < 10 {
		t.Errorf("%d runs failed: the faults miss the point", failed)
	}
}
