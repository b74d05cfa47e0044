package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testPatch changes the manifest with the program: the audit log comes, and a bad
// change goes back by itself.
func (n *changingNode) testPatch(t *testing.T) {
	patch := func(line string) outcome {
		return runProgram(t, program(n.userDir.dir, append(in("apiserver", "patch", "--manifest", n.manifest, "--yes", "--wait", "--timeout", "2m",
			"--pod-logs", n.k.logs), strings.Fields(line)...)...))
	}
	log := filepath.Join(n.userDir.dir, "patched", "audit.log")
	audit := "--audit-preset minimal --config-dir " + filepath.Join(n.userDir.dir, "conf") + " --audit-log-path " + log

	got := patch(audit)
	if got.code != 0 || !strings.Contains(got.stdout, "kube-apiserver is healthy: it was seen to go down and come up\n") {
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
	if got.code != 1 || got.stdout != "" {
		t.Errorf("forced: %+v", got)
	}
	for _, want := range in("the encryption configuration is not accepted: ", "; the old manifest is back, and kube-apiserver is healthy again\n", "the last lines of ", "\n  E", "hint: mend the file of --encryption-provider-config") {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("forced: no %q in\n%s", want, got.stderr)
		}
	}
	n.checkOld(t, before)

	if entries, err := os.ReadDir(n.manifests); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}
