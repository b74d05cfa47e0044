package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// apiserverReport is what apiserver check prints as JSON, as far as tests look.
type apiserverReport struct {
	OK     bool
	Checks []struct {
		ID, Status, Found, Node, Note, File string
		Line                                int
		Fix                                 *struct{ Command, Hint, Think string }
	}
	Drift []struct {
		Flag   string
		Values map[string]string
	}
	Notes []string
}

// with returns the IDs of the checks that ended so, on a node.
func (r *apiserverReport) with(status, node string) string {
	var ids []string
	for _, c := range r.Checks {
		if c.Status == status && c.Node == node {
			ids = append(ids, c.ID)
		}
	}
	return strings.Join(ids, " ")
}

// apiserverCheck runs apiserver check and compares its exit code with its report.
func (w userDir) apiserverCheck(args ...string) *apiserverReport {
	w.t.Helper()
	got := runProgram(w.t, program(w.dir, append(in("apiserver", "check", "-o", "json"), args...)...))
	r := new(apiserverReport)
	if err := json.Unmarshal([]byte(got.stdout), r); err != nil {
		w.t.Fatalf("%v: %+v", err, got)
	}
	if want := map[bool]int{true: 0, false: 3}[r.OK]; got.code != want || strings.Contains(got.stderr, "error: ") {
		w.t.Errorf("exit %d, want %d: %s", got.code, want, got.stderr)
	}
	return r
}

// TestAPIServerCheckSeen: what kube-apiserver does by default is seen from
// outside, where nothing else says its flags.
func TestAPIServerCheckSeen(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	r := c.apiserverCheck("--live", "--kubeconfig", c.admin, "--only", "1.2.1,1.2.15,1.2.29")
	if got := r.with("fail", ""); got != "1.2.1 1.2.15 1.2.29" {
		t.Errorf("failed are %s: %+v", got, r.Checks)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "kube-system has no pods of a control plane") {
		t.Errorf("notes %q", r.Notes)
	}
	for _, suite := range in("TLS_ECDHE_", "_CBC_SHA") {
		if !strings.Contains(r.Checks[2].Found, suite) {
			t.Errorf("%s is not in %q", suite, r.Checks[2].Found)
		}
	}
}

// TestAPIServerCheckSeenByNobody: who may do nothing sees what is left, and is told
// so.
func TestAPIServerCheckSeenByNobody(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.pkictl("issue --dir " + c.pki + " --cn check-nobody --out nobody --kubeconfig nobody.conf --server " + c.url)
	r := c.apiserverCheck("--live", "--kubeconfig", "nobody.conf")
	if fail, unknown := r.with("fail", ""), r.with("unknown", ""); fail != "1.2.1 1.2.29" || unknown != "1.2.15" {
		t.Errorf("failed have %s, unknown are %s", fail, unknown)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], `may not list the pods of kube-system`) {
		t.Errorf("notes %q", r.Notes)
	}
	got := runProgram(t, program(c.dir, "apiserver", "check", "--live", "--kubeconfig", "nowhere.conf"))
	checkRefusal(t, "no kubeconfig", got, 1, "nowhere.conf", "")
}

// TestAPIServerCheckHardened: what flags forbid is seen to be forbidden. The pods
// are those of kubeadm's manifest as kubelets show them, one of them changed.
func TestAPIServerCheckHardened(t *testing.T) {
	t.Parallel()
	assets, kubectl := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca")
	ok(t, os.WriteFile(filepath.Join(w.dir, "authn.yaml"), []byte(`apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]
`), 0o600))
	cp := w.startControlPlaneWith(assets, map[string][]string{cluster.ComponentAPIServer: {
		"--profiling=false", "--authentication-config=" + filepath.Join(w.dir, "authn.yaml"),
		"--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	}})
	t.Cleanup(func() { ok(t, cp.Stop()) })
	w.pkictl("issue --cn kube-admin --group system:masters --kubeconfig admin.conf --server " + cp.URL())
	args := in("--live", "--kubeconfig", "admin.conf")
	r := w.apiserverCheck(args...)
	if got := r.with("pass", ""); got != "1.2.1 1.2.15 1.2.29" || !r.OK {
		t.Errorf("passed have %s: %+v", got, r.Checks)
	}

	n := newKubeadmNode(t)
	manifest, err := os.ReadFile(filepath.Join(n.manifests, "kube-apiserver.yaml"))
	ok(t, err)
	for i, extra := range in("", "    - --profiling=false\n    - --audit-policy-file="+n.dir+"/pki/audit.yaml\n") {
		text := strings.Replace(string(manifest), "  name: kube-apiserver\n", fmt.Sprintf("  name: kube-apiserver-cp-%d\n", i+1), 1)
		text = strings.Replace(text, "    - kube-apiserver\n", "    - kube-apiserver\n"+extra, 1)
		text = strings.Replace(text, "  annotations:\n", "  annotations:\n    kubernetes.io/config.mirror: \"1\"\n", 1)
		text = strings.Replace(text, "spec:\n", fmt.Sprintf("spec:\n  nodeName: cp-%d\n", i+1), 1)
		ok(t, os.WriteFile(filepath.Join(w.dir, "pod.yaml"), []byte(text), 0o600))
		w.run(kubectl, "--kubeconfig", "admin.conf", "create", "-f", "pod.yaml")
	}
	r = w.apiserverCheck(args...)
	if a, b := r.with("fail", "cp-1"), r.with("fail", "cp-2"); !strings.Contains(a, "1.2.15") || strings.Contains(b, "1.2.15") {
		t.Errorf("failed are %s, and %s", a, b)
	}
	if got := r.with("unknown", "cp-2"); got != "3.2.1 3.2.2" {
		t.Errorf("unknown are %s", got)
	}
	var flags []string
	for _, d := range r.Drift {
		flags = append(flags, d.Flag)
	}
	if !slices.Equal(flags, in("audit-policy-file", "profiling")) {
		t.Errorf("drift of %s", flags)
	}
}
