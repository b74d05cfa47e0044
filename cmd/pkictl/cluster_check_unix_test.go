//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClusterCheckUnread: of files that somebody may not read one error tells,
// and the others are looked at.
func TestClusterCheckUnread(t *testing.T) {
	t.Parallel()
	dir := newNobodySite(t)
	if got := runProgram(t, unprivileged(program(dir, "cluster", "init", "--node", "cp-1", "--advertise-address", "10.0.0.11"))); got.code != 0 {
		t.Fatal(got.stderr)
	}
	for _, name := range []string{"pki/ca.key", "admin.conf", "pki/etcd/peer.key"} {
		ok(t, os.Chmod(filepath.Join(dir, "kubernetes", name), 0))
	}
	ok(t, os.Chmod(filepath.Join(dir, "kubernetes", "scheduler.conf"), 0o644))
	before := snapshot(t, filepath.Join(dir, "pki"))
	got := runProgram(t, unprivileged(program(dir, "cluster", "check")))
	for _, want := range []string{"admin.conf", "not read", "\n1 finding on 1 node", "(CIS 1.1.15)"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	got.stdout = ""
	checkRefusal(t, "check", got, 1, `cannot read "kubernetes/pki/ca.key": permission denied, and 2 more`, "sudo pkictl cluster check")
	checkUnchanged(t, "check", filepath.Join(dir, "pki"), before)
}
