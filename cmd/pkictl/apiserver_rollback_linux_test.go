package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// rollbackNode is a directory with a manifest that no kubelet runs: each change
// under watch is taken back at once.
type rollbackNode struct {
	dir, manifest, old string
	patch              []string // replaces an audit policy, too
}

func newRollbackNode(t testing.TB, dir string, port int) rollbackNode {
	t.Helper()
	n := rollbackNode{dir: dir, manifest: filepath.Join(dir, "manifests", "kube-apiserver.yaml")}
	n.patch = append(writePatchNode(t, dir), "--wait", "--timeout=1ms", "--pod-logs=pods", "-q=false")
	n.old = patchManifest + fmt.Sprintf("    - --bind-address=127.0.0.1\n    - --secure-port=%d\n", port)
	ok(t, os.WriteFile(n.manifest, []byte(n.old), 0o640))
	return n
}

func (n rollbackNode) read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.dir, name))
	ok(t, err)
	return string(data)
}

// check checks what must be so whatever happened, and says whether the manifest and
// the policy are the old ones.
func (n rollbackNode) check(t testing.TB, what string) (isOld, isOldPolicy bool) {
	t.Helper()
	manifest, policy := n.read(t, "manifests/kube-apiserver.yaml"), n.read(t, "conf/audit-policy.yaml")
	isOld, isOldPolicy = manifest == n.old, policy == patchPolicy+"# old\n"
	isNew := strings.HasPrefix(manifest, n.old) && strings.HasSuffix(manifest, "DirectoryOrCreate\n    name: audit-log\n")
	if !isOld && !isNew {
		t.Errorf("%s: the manifest is neither old nor new:\n%s", what, manifest)
	}
	if !isOldPolicy && policy != patchPolicy {
		t.Errorf("%s: the policy is neither old nor new:\n%s", what, policy)
	}
	if info, err := os.Stat(n.manifest); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%s: mode %v, %v", what, info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(n.manifest))
	ok(t, err)
	for _, entry := range entries {
		if name := entry.Name(); name[0] != '.' && name != "kube-apiserver.yaml" {
			t.Errorf("%s: %s is beside the manifest", what, name)
		}
	}
	if kept := filepath.Join(n.dir, "manifests-changing", "kube-apiserver.yaml"); exists(kept) {
		if data, err := os.ReadFile(kept); err != nil || string(data) != n.old {
			t.Errorf("%s: kept is another manifest, %v", what, err)
		}
	}
	return isOld, isOldPolicy
}

// checkAllOld checks that all is as it was, but for backups and what was made.
func (n rollbackNode) checkAllOld(t testing.TB, what string) {
	t.Helper()
	if isOld, isOldPolicy := n.check(t, what); !isOld || !isOldPolicy {
		t.Errorf("%s: the old manifest: %v; the old policy: %v", what, isOld, isOldPolicy)
	}
	for _, pattern := range in("manifests-changing", "manifests/.*", "conf/.*") {
		if left, err := filepath.Glob(filepath.Join(n.dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("%s: left are %q, %v", what, left, err)
		}
	}
}

// checkFailed is checkRefusal after the change was shown.
func checkFailed(t testing.TB, what string, got outcome, says string) {
	t.Helper()
	if at := strings.Index(got.stderr, "error: "); at > 0 {
		got.stderr = got.stderr[at:]
	}
	checkRefusal(t, what, got, 1, says, "")
}

func (n rollbackNode) undo() []string {
	return in("apiserver", "patch", "--manifest", "manifests/kube-apiserver.yaml", "--undo", "--yes")
}

// TestRollbackFaults: whatever happens at whichever system call of a change under
// watch that is taken back, the manifest is the old one or the new one, and what
// comes next has the old one come back, with the old policy.
func TestRollbackFaults(t *testing.T) {
	t.Parallel()
	ports, err := cluster.FreePorts(1)
	ok(t, err)
	for name, fault := range map[string]syscall.Errno{"kill": killed, "EIO": syscall.EIO, "EIO, and happened": syscall.EIO | happened} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := map[string]int{}
			n := 1
			for ; breakRollback(t, name, n, fault, ports[0], said); n++ {
			}
			t.Logf("%d calls, %v", n-1, said)
			if fault == killed && (said["cut short"] < 5 || said["undone"] < 5) || fault != killed && said["back"] < 5 {
				t.Errorf("%d calls, %v: the faults miss the point", n-1, said)
			}
		})
	}
}

// breakRollback breaks a change at its nth system call, and checks that it is
// recovered from. It says whether there was such a call.
func breakRollback(t *testing.T, name string, nth int, fault syscall.Errno, port int, said map[string]int) bool {
	t.Helper()
	dir, what := t.TempDir(), fmt.Sprintf("%s at %d", name, nth)
	n := newRollbackNode(t, dir, port)
	got, reached := breakAt(t, program(dir, n.patch...), nth, fault)
	isOld, isOldPolicy := n.check(t, what)
	if fault != killed {
		checkFailed(t, what, got, "")
		if !isOld || !isOldPolicy && !strings.Contains(got.stderr, "; but ") {
			t.Errorf("%s: the old manifest: %v; the old policy: %v\n%s", what, isOld, isOldPolicy, got.stderr)
		}
		if strings.Contains(got.stderr, "the old manifest is back") {
			said["back"]++
		}
	}
	wasCutShort := exists(filepath.Join(dir, "manifests-changing", "kube-apiserver.yaml")) && !isOld
	if wasCutShort && nth%2 == 0 {
		said["undone"]++
		do(t, dir, n.undo()...)
		n.checkAllOld(t, what+", undone")
		return reached
	}
	again := runProgram(t, program(dir, n.patch...))
	checkFailed(t, what+", again", again, "the old manifest is back")
	if strings.Contains(again.stderr, "cut short") != wasCutShort {
		t.Errorf("%s, again: cut short: %v\n%s", what, wasCutShort, again.stderr)
	}
	if wasCutShort {
		said["cut short"]++
	}
	if isOldPolicy || wasCutShort { // else it was replaced before anything else was
		n.checkAllOld(t, what+", again")
	}
	return reached
}
