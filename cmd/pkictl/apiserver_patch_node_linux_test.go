package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPatchNode changes the manifest that kubeadm has made, while a kubelet runs
// it: the audit log comes, and a bad change goes back by itself.
func TestPatchNode(t *testing.T) {
	t.Parallel()
	node := newKubeadmNode(t)
	ok(t, os.Remove(filepath.Join(node.manifests, "kube-controller-manager.yaml")))
	n := &changingNode{kubeadmNode: node, k: node.startKubelet(), manifest: filepath.Join(node.manifests, "kube-apiserver.yaml")}
	var err error
	n.good, err = os.ReadFile(n.manifest)
	ok(t, err)
	n.awaitReady()
	patch := func(line string) outcome {
		return runProgram(t, program(n.userDir.dir, append(in("apiserver", "patch", "--manifest", n.manifest, "--yes", "--wait", "--timeout", "2m",
			"--pod-logs", n.k.logs), strings.Fields(line)...)...))
	}
	log := filepath.Join(n.userDir.dir, "audit", "audit.log")
	audit := "--audit-preset minimal --config-dir " + filepath.Join(n.userDir.dir, "conf") + " --audit-log-path " + log

	got := patch(audit)
	if got.code != 0 || !strings.Contains(got.stdout, "kube-apiserver is healthy") {
		t.Fatalf("%+v\n%s", got, n.k.logOf("kube-apiserver"))
	}
	n.asAdmin("create namespace audited")
	if data, err := os.ReadFile(log); err != nil || !strings.Contains(string(data), `"requestURI":"/api/v1/namespaces`) {
		t.Errorf("the audit log is, %v\n%.2000s", err, data)
	}
	if info, err := os.Stat(filepath.Dir(log)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before := n.manifestsOf()
	if again := patch(audit); again.code != 0 || again.stdout != "nothing to change\n" || again.stderr != "" {
		t.Errorf("again: %+v", again)
	}

	got = patch("--set encryption-provider-config=" + n.file(t, "none.yaml", "kind: Nothing\n"))
	if got.code != 3 || !strings.Contains(got.stderr, "is no EncryptionConfiguration") {
		t.Errorf("found: %+v", got)
	}
	got = patch("--force --set encryption-provider-config=" + n.file(t, "none.yaml", "kind: Nothing\n"))
	if got.code != 1 || !strings.Contains(got.stderr, "the old manifest is back, and kube-apiserver is healthy again") || !strings.Contains(got.stderr, "encryption") {
		t.Errorf("forced: %+v", got)
	}
	if after := n.manifestsOf(); after != before {
		t.Errorf("the manifests were\n%sand are\n%s", before, after)
	}

	if entries, err := os.ReadDir(n.manifests); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}
