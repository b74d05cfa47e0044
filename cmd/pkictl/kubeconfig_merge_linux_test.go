package main_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const mergeTarget = "# mine\napiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: https://a}\nusers: []\n"

// writeMerge makes a directory with a kubeconfig, and one to merge into it.
func writeMerge(t testing.TB, target string) string {
	t.Helper()
	dir := t.TempDir()
	ok(t, os.Mkdir(filepath.Join(dir, "home"), 0o700))
	if target != "" {
		ok(t, os.WriteFile(filepath.Join(dir, "home/config"), []byte(target), 0o640))
		ok(t, os.Chmod(filepath.Join(dir, "home/config"), 0o640))
	}
	writeContext(t, filepath.Join(dir, "new.conf"), "new")
	return dir
}

// writeContext writes a kubeconfig with one context.
func writeContext(t testing.TB, path, name string) {
	t.Helper()
	text := fmt.Sprintf("clusters: [{name: c, cluster: {server: 'https://c'}}]\nusers: [{name: %[1]s, user: {token: t}}]\ncontexts: [{name: %[1]s, context: {cluster: c, user: %[1]s}}]\n", name)
	ok(t, os.WriteFile(path, []byte(text), 0o600))
}

// TestMergeFaults: whatever happens at whichever system call of a merge, the
// kubeconfig is the old one or the new one, and the next run completes at once
// and leaves nothing behind.
func TestMergeFaults(t *testing.T) {
	t.Parallel()
	merge := in("kubeconfig", "merge", "new.conf", "--into", "home/config", "-q")
	for _, start := range []struct{ name, target string }{{"old", mergeTarget}, {"none", ""}} {
		want := writeMerge(t, start.target)
		do(t, want, merge...)
		merged, err := os.ReadFile(filepath.Join(want, "home/config"))
		ok(t, err)
		for fault, name := range faultNames {
			t.Run(start.name+" "+name, func(t *testing.T) {
				t.Parallel()
				old, renewed := 0, 0
				for n := 1; ; n++ {
					dir := writeMerge(t, start.target)
					got, reached := breakAt(t, program(dir, merge...), n, fault)
					if !reached {
						break
					}
					what := fmt.Sprintf("%s at %d", name, n)
					config := filepath.Join(dir, "home/config")
					is, err := os.ReadFile(config)
					switch {
					case err != nil && start.target != "":
						t.Errorf("%s: %v", what, err)
					case string(is) == start.target:
						old++
					case bytes.Equal(is, merged):
						renewed++
					default:
						t.Errorf("%s: neither old nor new:\n%s", what, is)
					}
					isNew := bytes.Equal(is, merged)
					if fault != killed && got.code != 0 {
						checkRefusal(t, what, got, 1, "", "")
					}
					if got.code == 0 && !isNew || isNew && strings.Contains(got.stderr, "nothing was changed") {
						t.Errorf("%s: exit code %d, new: %v\n%s", what, got.code, isNew, got.stderr)
					}
					again := runProgram(t, program(dir, merge...))
					if is, err := os.ReadFile(config); again.code != 0 || again.stderr != "" || err != nil || !bytes.Equal(is, merged) {
						t.Errorf("%s, again: exit code %d, %v\n%s\n%s", what, again.code, err, again.stderr, is)
					}
					left, err := os.ReadDir(filepath.Dir(config))
					ok(t, err)
					if info, err := os.Stat(config); len(left) != 1 || err != nil || start.target != "" && info.Mode().Perm() != 0o640 {
						t.Errorf("%s: left %v, mode %v", what, left, info.Mode())
					}
				}
				t.Logf("%d old, %d new", old, renewed)
				if old < 5 || renewed < 2 {
					t.Errorf("%d old, %d new: the faults miss the point", old, renewed)
				}
			})
		}
	}
}

// TestMergeFullDisk: without space the kubeconfig stays, and nothing is left.
func TestMergeFullDisk(t *testing.T) {
	t.Parallel()
	root := mountSmall(t, "size=1m,nr_inodes=200,mode=700")
	dir := filepath.Join(root, "site")
	ok(t, os.Mkdir(dir, 0o700))
	ok(t, os.WriteFile(filepath.Join(dir, "config"), []byte(mergeTarget), 0o600))
	writeContext(t, filepath.Join(dir, "new.conf"), "new")
	before := snapshot(t, dir)
	merge := in("kubeconfig", "merge", "new.conf", "--into", "config")
	for _, s := range scarcities {
		s.take(t, root, 0)
		checkRefusal(t, s.name, runProgram(t, program(dir, merge...)), 1, "no space left", "free some space")
		checkUnchanged(t, s.name, dir, before)
		s.give(t, root)
	}
	do(t, dir, merge...)
	ok(t, syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	do(t, dir, merge...) // what changes nothing needs no lock
	got := runProgram(t, program(dir, append(merge, "--set-current", "--rename", "other")...))
	checkRefusal(t, "read-only", got, 1, "read-only file system", "another place")
}

// TestMergeAsAnother: who may not write the directory is told so; a lock that
// somebody else left, too.
func TestMergeAsAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another")
	}
	dir := writeMerge(t, mergeTarget)
	for _, d := range []string{filepath.Dir(dir), dir} {
		ok(t, os.Chmod(d, 0o755))
	}
	ok(t, os.Chmod(filepath.Join(dir, "home"), 0o755))
	ok(t, os.Chmod(filepath.Join(dir, "home/config"), 0o644))
	ok(t, os.Chmod(filepath.Join(dir, "new.conf"), 0o644))
	before := snapshot(t, dir)
	cmd := program(dir, "kubeconfig", "merge", "new.conf", "--into", "home/config")
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	checkRefusal(t, "another user", runProgram(t, cmd), 1, `cannot lock "home/config": permission denied`, "owner and mode")
	checkUnchanged(t, "another user", dir, before)

	// Who may write it, but does not own it, keeps its owner, which is root's alone.
	ok(t, os.Chown(filepath.Join(dir, "home/config"), 12345, 12345))
	do(t, dir, "kubeconfig", "merge", "new.conf", "--into", "home/config")
	info, err := os.Stat(filepath.Join(dir, "home/config"))
	ok(t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 12345 || stat.Gid != 12345 || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, owner %d", info.Mode(), stat.Uid)
	}
}

// asNobody makes a directory that belongs to nobody, with a kubeconfig to merge
// and one with that owner and mode to merge it into.
func asNobody(t *testing.T, uid, gid int, mode os.FileMode) (dir string, merge func(args ...string) outcome) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another")
	}
	dir = writeMerge(t, mergeTarget)
	ok(t, os.Chmod(filepath.Dir(dir), 0o755))
	ok(t, os.Chmod(dir, 0o755))
	for _, name := range []string{"home", "new.conf"} {
		ok(t, os.Chown(filepath.Join(dir, name), nobody, nobody))
	}
	ok(t, os.Chown(filepath.Join(dir, "home/config"), uid, gid))
	ok(t, os.Chmod(filepath.Join(dir, "home/config"), mode))
	return dir, func(args ...string) outcome {
		cmd := program(dir, append(in("kubeconfig", "merge", "new.conf", "--into", "home/config"), args...)...)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		return runProgram(t, cmd)
	}
}

// TestMergeOfAnotherGroup: a kubeconfig whose group is not ours is replaced by
// one of our group, which gets no rights; one of another user's is not.
func TestMergeOfAnotherGroup(t *testing.T) {
	t.Parallel()
	dir, merge := asNobody(t, nobody, 0, 0o640)
	if got := merge("-q"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	info, err := os.Stat(filepath.Join(dir, "home/config"))
	ok(t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != nobody || stat.Gid != nobody || info.Mode().Perm() != 0o600 {
		t.Errorf("%v of %d:%d", info.Mode(), stat.Uid, stat.Gid)
	}
	dir, merge = asNobody(t, 12345, nobody, 0o666)
	before := snapshot(t, dir)
	checkRefusal(t, "another's", merge(), 1, "it belongs to another user", "its owner")
	checkUnchanged(t, "another's", dir, before)
}

// TestMergeLockOfRoot: a lock that a killed sudo has left is not waited for
// without end.
func TestMergeLockOfRoot(t *testing.T) {
	t.Parallel()
	dir, merge := asNobody(t, nobody, nobody, 0o600)
	lock := filepath.Join(dir, "home/config.lock")
	ok(t, os.WriteFile(lock, nil, 0o700))
	ok(t, os.Chmod(lock, 0o700))
	hourAgo := time.Now().Add(-time.Hour)
	ok(t, os.Chtimes(lock, hourAgo, hourAgo))
	before := snapshot(t, dir)
	got := merge("-q")
	checkRefusal(t, "root's lock", got, 1, "belongs to the user with the number 0", "remove it")
	checkUnchanged(t, "root's lock", dir, before)
}

// TestMergeIntoMount: a kubeconfig that is a mount of its own cannot be replaced,
// and the hint says what to do.
func TestMergeIntoMount(t *testing.T) {
	t.Parallel()
	root := mountSmall(t, "size=1m,mode=700")
	for name, text := range map[string]string{"config": "", "elsewhere": mergeTarget} {
		ok(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	writeContext(t, filepath.Join(root, "new.conf"), "new")
	ok(t, syscall.Mount(filepath.Join(root, "elsewhere"), filepath.Join(root, "config"), "", syscall.MS_BIND, ""))
	before := snapshot(t, root)
	got := runProgram(t, program(root, "kubeconfig", "merge", "new.conf", "--into", "config", "-q"))
	checkRefusal(t, "mounted", got, 1, "device or resource busy", "mount the directory")
	checkUnchanged(t, "mounted", root, before)
}

// keepFresh touches a lock until it is told to stop, or for a minute, so that
// nobody takes it for one of a crash, however slow the machine is.
func keepFresh(lock string) (stop func()) {
	done := make(chan struct{})
	go func() {
		for range 60 {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
				_ = os.Chtimes(lock, time.Now(), time.Now()) // it may be gone
			}
		}
	}()
	return func() { close(done) }
}

// TestMergeHangup: a terminal that is closed ends a merge in good order, unless
// it was started to outlive it.
func TestMergeHangup(t *testing.T) {
	t.Parallel()
	// Where the tests themselves were started to outlive a terminal, so would
	// what they start: a signal that is caught here is not ignored there.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for _, outlives := range []bool{false, true} {
		dir := writeMerge(t, mergeTarget)
		lock := filepath.Join(dir, "home/config.lock")
		ok(t, os.WriteFile(lock, nil, 0o600))
		ok(t, os.Chmod(lock, 0))
		defer keepFresh(lock)()
		cmd := program(dir, "kubeconfig", "merge", "new.conf", "--into", "home/config")
		if outlives {
			cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, cmd.Args...)
		}
		pipe, err := cmd.StderrPipe()
		ok(t, err)
		ok(t, cmd.Start())
		line := make([]byte, 200)
		_, err = pipe.Read(line) // it waits for the lock
		ok(t, err)
		ok(t, cmd.Process.Signal(syscall.SIGHUP))
		if outlives {
			ok(t, os.Remove(lock))
		}
		rest, err := io.ReadAll(pipe)
		ok(t, err)
		_ = cmd.Wait() // the exit code tells
		code, says := cmd.ProcessState.ExitCode(), string(rest)
		if outlives && code != 0 || !outlives && (code != 1 || !strings.Contains(says, "error: interrupted while waiting")) {
			t.Errorf("outlives %v: %v\n%s", outlives, cmd.ProcessState, says)
		}
	}
}
