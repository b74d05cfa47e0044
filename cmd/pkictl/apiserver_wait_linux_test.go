package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// changingNode is a node whose API server is changed again and again.
type changingNode struct {
	*kubeadmNode
	k        *standIn
	manifest string
	good     []byte
}

// waitOptions give kube-apiserver as long as a busy machine may need, where it is
// to come back.
func (n *changingNode) waitOptions() apiserver.WaitOptions {
	return apiserver.WaitOptions{
		Manifest: n.manifest, Timeout: 2 * time.Minute, LogDir: n.k.logs,
		Progress: func(step string) { n.t.Log(step) },
	}
}

// with returns the good manifest with flags added, and with a volume and its mount
// if one is given as NAME TYPE PATH.
func (n *changingNode) with(flags []string, volume ...string) []byte {
	n.t.Helper()
	var lines strings.Builder
	for _, flag := range flags {
		fmt.Fprintf(&lines, "    - %s\n", flag)
	}
	text := strings.Replace(string(n.good), "    - kube-apiserver\n", "    - kube-apiserver\n"+lines.String(), 1)
	for _, v := range volume {
		name, kind, path := strings.Fields(v)[0], strings.Fields(v)[1], strings.Fields(v)[2]
		text = strings.Replace(text, "    volumeMounts:\n", fmt.Sprintf("    volumeMounts:\n    - {name: %s, mountPath: %s}\n", name, path), 1)
		text = strings.Replace(text, "  volumes:\n", fmt.Sprintf("  volumes:\n  - {name: %s, hostPath: {path: %s, type: %s}}\n", name, path, kind), 1)
	}
	if text == string(n.good) {
		n.t.Fatal("nothing was changed")
	}
	return []byte(text)
}

// change writes a manifest under watch, as apiserver patch does.
func (n *changingNode) change(ctx context.Context, o apiserver.WaitOptions, manifest []byte) (*apiserver.WaitResult, error) {
	n.t.Helper()
	w, err := apiserver.Watch(ctx, o)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	ok(n.t, store.ReplaceFile(store.File{Path: o.Manifest, Data: manifest, Keep: true}))
	return w.Await(ctx)
}

// checkOld checks that the very old file is back, and nothing else left.
func (n *changingNode) checkOld(t *testing.T, before string) {
	t.Helper()
	if after := n.manifestsOf(); after != before {
		t.Errorf("the manifests were\n%sand are\n%s", before, after)
	}
	if exists(n.manifests + "-changing") {
		t.Error("the old manifest is still kept")
	}
}

func (n *changingNode) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(n.userDir.dir, name)
	ok(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestAwaitHealthy changes the manifest of a real kube-apiserver for better and
// for worse: after each it is healthy, with the old manifest after a bad one.
func TestAwaitHealthy(t *testing.T) {
	t.Parallel()
	node := newKubeadmNode(t)
	ok(t, os.Remove(filepath.Join(node.manifests, "kube-controller-manager.yaml")))
	n := &changingNode{kubeadmNode: node, k: node.startKubelet(), manifest: filepath.Join(node.manifests, "kube-apiserver.yaml")}
	var err error
	n.good, err = os.ReadFile(n.manifest)
	ok(t, err)
	n.awaitReady()

	t.Run("good", n.testGood)
	t.Run("bad", n.testBad)
	t.Run("no proof but its metrics", n.testMetrics)
	t.Run("cut short", n.testCutShort)
	t.Run("slow start", n.testSlowStart)
	t.Run("interrupted", n.testWaitInterrupted)
	t.Run("killed", n.testWaitKilled)
	t.Run("no kubelet", n.testNoKubelet)
	t.Run("was not healthy", n.testWasNotHealthy)
	t.Run("patch", n.testPatch)
}

// awaitReady waits until the API server answers, without any change.
func (n *changingNode) awaitReady() {
	n.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, _, err := n.try(n.kubectl, "--kubeconfig", filepath.Join(n.dir, "super-admin.conf"), "get", "--raw", "/readyz"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("no API server\n%s", n.k.logOf(cluster.ComponentAPIServer))
		}
	}
}

const goodPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"

func (n *changingNode) testGood(t *testing.T) {
	log := filepath.Join(n.userDir.dir, "audit", "audit.log")
	policy := n.file(t, "policy.yaml", goodPolicy)
	manifest := n.with(in("--audit-policy-file="+policy, "--audit-log-path="+log), "policy File "+policy, "log DirectoryOrCreate "+filepath.Dir(log))
	result, err := n.change(t.Context(), n.waitOptions(), manifest)
	if err != nil || result.State != apiserver.WaitHealthy || result.Proof == "" || !result.WasHealthy || result.Cause != nil {
		t.Fatalf("%+v, %v", result, err)
	}
	data, err := os.ReadFile(n.manifest)
	ok(t, err)
	if !bytes.Equal(data, manifest) || exists(n.manifests+"-changing") {
		t.Error("the changed manifest is not the only one")
	}
	if !exists(log) {
		t.Error("there is no audit log")
	}
}

// testBad: what else a log can say is in TestCause of package apiserver.
func (n *changingNode) testBad(t *testing.T) {
	policy := n.file(t, "bad.yaml", strings.Replace(goodPolicy, "Metadata", "Metdata", 1))
	for _, tt := range []struct {
		name     string
		manifest []byte
		timeout  time.Duration
		found    string
		tail     string
		final    bool
	}{
		{"audit policy", n.with(in("--audit-policy-file="+policy, "--audit-log-path=-"), "policy File "+policy), 0,
			`the audit policy is not accepted: loading audit policy file: rules[0].level: Unsupported value: "Metdata"`, "Metdata", true},
		{"volume that is not there", n.with(nil, "gone File "+n.userDir.dir+"/gone"), 0, `volume "gone" wants a File at`, "", true},
		{"the kubelet is not let in", n.with(in("--anonymous-auth=false")), 0, "the kubelet's probe is refused", "", true},
		{"no container", bytes.Replace(n.good, []byte("- kube-apiserver\n"), []byte("- no-such-program\n"), 1), 3 * time.Second, "it left no log in", "", false},
		{"etcd is elsewhere", bytes.Replace(n.good, fmt.Appendf(nil, "--etcd-servers=https://127.0.0.1:%d", n.ports[0]), []byte("--etcd-servers=https://127.0.0.1:1"), 1),
			6 * time.Second, "etcd does not answer", "127.0.0.1:1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := n.manifestsOf()
			o := n.waitOptions()
			if tt.timeout != 0 {
				o.Timeout = tt.timeout
			}
			result, err := n.change(t.Context(), o, tt.manifest)
			if err == nil || result == nil {
				t.Fatalf("%+v, %v", result, err)
			}
			t.Logf("%v\nhint: %s", err, failure.HintOf(err))
			// A short time may be too short for the good one too.
			if result.State != apiserver.WaitRolledBack && (tt.timeout == 0 || result.State != apiserver.WaitNotHealthy) {
				t.Errorf("state %s", result.State)
			}
			if !strings.Contains(result.Cause.Found, tt.found) || result.Cause.Final != tt.final || failure.HintOf(err) == "" || failure.KindOf(err) != failure.Failed {
				t.Errorf("%+v, %v", result.Cause, err)
			}
			if !strings.Contains(err.Error(), tt.found) || !strings.Contains(err.Error(), "the old manifest is back") || !strings.Contains(strings.Join(result.Tail, "\n"), tt.tail) {
				t.Errorf("%v", err)
			}
			n.checkOld(t, before)
			n.awaitReady()
		})
	}
}

// testMetrics asks so seldom that it never sees the API server down, and does not
// know where the kubelet's logs are.
func (n *changingNode) testMetrics(t *testing.T) {
	n.asAdmin("create clusterrolebinding metrics --clusterrole=system:monitoring --user=kube-apiserver-kubelet-client")
	n.awaitMetrics(t)
	o := n.waitOptions()
	o.LogDir = t.TempDir()
	w, err := apiserver.Watch(t.Context(), o)
	ok(t, err)
	defer w.Close()
	n.k.started()
	ok(t, store.ReplaceFile(store.File{Path: n.manifest, Data: n.with(in("--v=3")), Keep: true}))
	for deadline := time.Now().Add(time.Minute); !strings.Contains(n.k.started(), cluster.ComponentAPIServer); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("kube-apiserver was not started again")
		}
	}
	n.awaitReady()
	result, err := w.Await(t.Context())
	if err != nil || result.State != apiserver.WaitHealthy || !strings.Contains(result.Proof, "metrics") {
		t.Fatalf("%+v, %v", result, err)
	}
}

// awaitMetrics waits until the certificate for kubelets may read metrics.
func (n *changingNode) awaitMetrics(t *testing.T) {
	t.Helper()
	pod, err := staticpod.Parse(n.good)
	ok(t, err)
	at, err := staticpod.Find(pod, cluster.ComponentAPIServer).APIServer()
	ok(t, err)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		started, err := at.Started(t.Context())
		if err == nil && time.Since(time.Unix(int64(started), 0)) < 10*time.Minute {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v, %v", started, err)
		}
	}
}

func (n *changingNode) testWaitInterrupted(t *testing.T) {
	before := n.manifestsOf()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := n.waitOptions()
	o.Progress = func(step string) {
		if strings.Contains(step, "with the changed manifest") {
			cancel()
		}
	}
	result, err := n.change(ctx, o, n.with(in("--v=1")))
	if !errors.Is(err, context.Canceled) || result.State != apiserver.WaitInterrupted || !strings.Contains(err.Error(), "the old manifest is back") {
		t.Errorf("%+v, %v", result, err)
	}
	n.checkOld(t, before)
	// What the kubelet made of the two changes is over with the next.
	if result, err := n.change(t.Context(), n.waitOptions(), n.with(in("--v=2"))); err != nil {
		t.Fatalf("%+v, %v", result, err)
	}
}

// testWaitKilled leaves what a killed program leaves: the changed manifest, which
// is bad, and the old one aside.
func (n *changingNode) testWaitKilled(t *testing.T) {
	before := n.manifestsOf()
	cmd := waitProgram(n.manifest, n.k.logs)
	cmd.Stdin = bytes.NewReader(n.with(in("--no-such-flag=1")))
	ok(t, cmd.Start())
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		data, err := os.ReadFile(n.manifest)
		ok(t, err)
		if bytes.Contains(data, []byte("--no-such-flag")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the manifest was not changed")
		}
	}
	ok(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	kept := apiserver.InterruptedChange(n.manifest)
	if kept != filepath.Join(n.manifests+"-changing", "kube-apiserver.yaml") {
		t.Fatalf("kept is %q", kept)
	}
	n.awaitDown(t, "no-such-flag")
	o, said := n.waitOptions(), ""
	o.Progress = func(step string) { said += step + "\n" }
	result, err := n.change(t.Context(), o, n.with(in("--nor-such=1")))
	if err == nil || result.State != apiserver.WaitRolledBack || !strings.Contains(err.Error(), "is healthy again") || !strings.Contains(said, "cut short") {
		t.Errorf("%+v, %v, %s", result, err, said)
	}
	n.checkOld(t, before)
	if kept := apiserver.InterruptedChange(n.manifest); kept != "" {
		t.Errorf("kept is %q", kept)
	}
}

// testNoKubelet changes a manifest that no kubelet reads, while the API server of
// the node answers.
func (n *changingNode) testNoKubelet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "manifests")
	ok(t, os.Mkdir(dir, 0o700))
	o := n.waitOptions()
	o.Manifest, o.Timeout = filepath.Join(dir, "kube-apiserver.yaml"), 3*time.Second
	o.TakeBack = func() error { return errors.New("the policy stays") }
	ok(t, os.WriteFile(o.Manifest, n.good, 0o640))
	result, err := n.change(t.Context(), o, n.with(in("--v=1")))
	if err == nil || result.State != apiserver.WaitNotTaken || !strings.Contains(err.Error(), "the kubelet has not taken the change") || !strings.Contains(err.Error(), "in the backups: the policy stays") || !strings.Contains(failure.HintOf(err), "systemctl status kubelet") {
		t.Errorf("%+v, %v", result, err)
	}
	data, err := os.ReadFile(o.Manifest)
	ok(t, err)
	info, err := os.Stat(o.Manifest)
	ok(t, err)
	if !bytes.Equal(data, n.good) || info.Mode() != 0o640 || exists(dir+"-changing") {
		t.Errorf("%v, or another manifest", info.Mode())
	}
}

// awaitDown waits until no API server answers, and one has said why.
func (n *changingNode) awaitDown(t *testing.T, why string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", n.ports[3]))
		if err != nil && strings.Contains(n.k.logOf(cluster.ComponentAPIServer), why) {
			return
		}
		if err == nil {
			_ = conn.Close()
		}
		if time.Now().After(deadline) {
			t.Fatal("kube-apiserver does not end")
		}
	}
}

// testWasNotHealthy mends an API server, and then fails to.
func (n *changingNode) testWasNotHealthy(t *testing.T) {
	bad := n.with(in("--not-a-flag=1"))
	ok(t, store.ReplaceFile(store.File{Path: n.manifest, Data: bad, Keep: true}))
	n.awaitDown(t, "not-a-flag")
	before := n.manifestsOf()
	result, err := n.change(t.Context(), n.waitOptions(), n.with(in("--nor-such=1")))
	if err == nil || result.State != apiserver.WaitRolledBack || result.WasHealthy || !strings.Contains(result.Cause.Found, "--nor-such") || !strings.Contains(err.Error(), "was not healthy with that either") {
		t.Errorf("%+v, %v", result, err)
	}
	n.checkOld(t, before)
	result, err = n.change(t.Context(), n.waitOptions(), n.good)
	if err != nil || result.State != apiserver.WaitHealthy || result.WasHealthy || result.Proof == "" {
		t.Errorf("%+v, %v", result, err)
	}
}
