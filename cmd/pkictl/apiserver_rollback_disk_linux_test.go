package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// wait is a change under watch that is taken back, with nothing shown but its error.
func (n rollbackNode) wait() []string { return append(n.patch[:len(n.patch):len(n.patch)], "-q") }

// TestRollbackFullDisk: with however little left of the disk, the old manifest and
// the old policy are there in the end, also where the old manifest cannot be kept by
// a second name.
func TestRollbackFullDisk(t *testing.T) {
	t.Parallel()
	ports, err := cluster.FreePorts(1)
	ok(t, err)
	root := mountSmall(t, "size=1m,nr_inodes=200,mode=700")
	dir := filepath.Join(root, "site")
	failed, back := 0, 0
	for _, s := range scarcities {
		for left := range 13 {
			ok(t, os.Mkdir(dir, 0o700))
			n := newRollbackNode(t, dir, ports[0])
			s.take(t, root, left*s.step)
			got := runProgram(t, program(dir, n.wait()...))
			if checkFailed(t, s.name, got, ""); strings.Contains(got.stderr, "the old manifest is back") {
				back++
			} else {
				failed++
				checkFailed(t, s.name, got, "no space left")
			}
			n.checkAllOld(t, s.name)
			s.give(t, root)
			ok(t, os.RemoveAll(dir))
		}
	}
	if failed < 4 || back < 4 {
		t.Errorf("%d times it failed, %d times it was taken back: the steps miss the point", failed, back)
	}

	ok(t, os.Mkdir(dir, 0o700))
	n := newRollbackNode(t, dir, ports[0])
	before := snapshot(t, dir)
	ok(t, syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	checkRefusal(t, "read-only", runProgram(t, program(dir, n.wait()...)), 1, "read-only file system", "mounted for writing")
	checkUnchanged(t, "read-only", dir, before)
}

// TestRollbackOtherFileSystem keeps the old manifest on another file system, to
// which neither link nor rename leads. Full, it is no place to keep anything.
func TestRollbackOtherFileSystem(t *testing.T) {
	t.Parallel()
	ports, err := cluster.FreePorts(1)
	ok(t, err)
	dir := mountSmall(t, "size=2m,mode=700")
	n := newRollbackNode(t, dir, ports[0])
	changing := filepath.Join(dir, "manifests-changing")
	ok(t, os.Mkdir(changing, 0o700))
	ok(t, syscall.Mount("tmpfs", changing, "tmpfs", 0, "size=64k,nr_inodes=20,mode=700"))
	checkOld := func(what string) {
		t.Helper()
		if isOld, isOldPolicy := n.check(t, what); !isOld || !isOldPolicy {
			t.Errorf("%s: the old manifest: %v; the old policy: %v", what, isOld, isOldPolicy)
		}
		if entries, err := os.ReadDir(changing); err != nil || len(entries) != 0 {
			t.Errorf("%s: left are %v, %v", what, entries, err)
		}
	}
	checkRefusal(t, "another file system", runProgram(t, program(dir, n.wait()...)), 1, "the old manifest is back", "")
	checkOld("another file system")

	// Killed after it wrote: what is kept there is found.
	undone := 0
	for nth := 30; ; nth += 9 {
		ok(t, os.WriteFile(filepath.Join(dir, "conf/audit-policy.yaml"), []byte(patchPolicy+"# old\n"), 0o600))
		_, reached := breakAt(t, program(dir, n.wait()...), nth, killed)
		if isOld, _ := n.check(t, "killed"); !isOld {
			undone++
			do(t, dir, n.undo()...)
			checkOld("undone")
		}
		if !reached {
			break
		}
	}
	if undone == 0 {
		t.Error("it was never killed after it wrote")
	}
	before := snapshot(t, filepath.Join(dir, "manifests"))
	takeSpace(t, changing, 0)
	checkRefusal(t, "full", runProgram(t, program(dir, n.wait()...)), 1, "no space left", "free some space")
	checkUnchanged(t, "full", filepath.Join(dir, "manifests"), before)
}

// TestRollbackAsAnother: who may not make a directory beside the manifests, or
// write there, changes nothing.
func TestRollbackAsAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another")
	}
	ports, err := cluster.FreePorts(1)
	ok(t, err)
	dir := t.TempDir()
	n := newRollbackNode(t, dir, ports[0])
	for _, path := range in(filepath.Dir(dir), dir, dir+"/manifests", dir+"/conf", dir+"/conf/audit-policy.yaml", dir+"/policy.yaml", n.manifest) {
		ok(t, os.Chmod(path, 0o755))
	}
	before := snapshot(t, dir)
	cmd := program(dir, n.wait()...)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	checkRefusal(t, "another", runProgram(t, cmd), 1, "permission denied", "run it as root")
	checkUnchanged(t, "another", dir, before)
}
