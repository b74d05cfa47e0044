//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAPIServerCheckUnread: what may not be read is unknown, and an error.
func TestAPIServerCheckUnread(t *testing.T) {
	t.Parallel()
	dir := newNobodySite(t)
	policy := filepath.Join(dir, "policy.yaml")
	written("policy.yaml", "rules: []\n")(t, dir)
	written("kube-apiserver.yaml", `apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver}
spec:
  containers:
  - name: kube-apiserver
    command: [kube-apiserver, --audit-policy-file=`+policy+`]
    volumeMounts: [{name: here, mountPath: `+dir+`}]
  volumes: [{name: here, hostPath: {path: `+dir+`}}]
`)(t, dir)
	ok(t, os.Chmod(filepath.Join(dir, "kube-apiserver.yaml"), 0o644))
	ok(t, os.Chmod(policy, 0))
	before := snapshot(t, dir)
	for _, words := range [][]string{in("--only", "3.2"), in("--only", "3.2", "--quiet"), in("--only", "3.2.2", "-o", "json")} {
		got := runProgram(t, unprivileged(program(dir, append(in("apiserver", "check", "kube-apiserver.yaml"), words...)...)))
		if got.code != 1 {
			t.Errorf("%v: %+v", words, got)
		}
		got.stdout = "" // the checks are unknown there
		checkRefusal(t, "unread", got, 1, `cannot read "`+policy+`"`, "sudo pkictl apiserver check")
	}
	checkUnchanged(t, "unread", dir, before)
}
