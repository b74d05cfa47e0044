//go:build unix

package main_test

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is who runs the program in tests of permissions, which root passes by.
const nobody = 65534

// newNobodySite is newSite for tests of permissions: it belongs to whoever
// unprivileged makes a run of.
func newNobodySite(t *testing.T) string {
	t.Helper()
	dir := newSite(t)
	if os.Geteuid() != 0 {
		return dir
	}
	ok(t, os.Chmod(filepath.Dir(dir), 0o755)) // on the way there
	ok(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	}))
	return dir
}

func unprivileged(cmd *exec.Cmd) *exec.Cmd {
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

func chmod(mode fs.FileMode, paths ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for _, path := range paths {
			ok(t, os.Chmod(filepath.Join(dir, path), mode))
		}
	}
}

func directory(path string, mode fs.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, path)
		ok(t, os.Mkdir(path, mode))
		if os.Geteuid() == 0 {
			ok(t, os.Chown(path, nobody, nobody))
		}
	}
}

// TestPermissions are the faults that only a user without privileges meets.
func TestPermissions(t *testing.T) {
	t.Parallel()
	faults := []fault{
		{name: "directory that may not be written", args: issueOf(), says: "permission denied", hint: "owner and mode", prepare: chmod(0o500, "pki")},
		{name: "the same, with force", args: in("issue", "--cn", "old", "--force"), says: "permission denied", hint: "owner and mode", prepare: chmod(0o500, "pki")},
		{name: "parent that may not be written", args: in("init-ca", "--dir", "new/pki"), says: "permission denied", hint: "owner and mode", prepare: chmod(0o500, "")},
		{name: "directory for a CA that may not be written", args: in("init-ca", "--dir", "new"), says: "permission denied", hint: "owner and mode",
			prepare: directory("new", 0o555)},
		{name: "directory that may not be entered", args: issueOf(), says: "permission denied", hint: "owner and mode", prepare: chmod(0o600, "pki")},
		{name: "directory that may not be entered, to list", args: in("list"), says: "permission denied", hint: "owner and mode", prepare: chmod(0o600, "pki")},
		{name: "CA key that may not be read", args: issueOf(), says: `"pki/ca.key"`, hint: "owner and mode", prepare: chmod(0, "pki/ca.key")},
		{name: "CA certificate that may not be read", args: issueOf(), says: `"pki/ca.crt"`, hint: "owner and mode", prepare: chmod(0, "pki/ca.crt")},
		{name: "parent whose inventory may not be written", args: in("init-ca", "--dir", "new", "--parent", "pki"), says: "inventory", hint: "owner and mode", prepare: chmod(0o400, "pki/inventory.db")},
		{name: "parent whose key may not be read", args: in("init-ca", "--dir", "new", "--parent", "pki"), says: `"pki/ca.key"`, hint: "owner and mode", prepare: chmod(0, "pki/ca.key")},
		{name: "place for an intermediate that may not be written", args: in("init-ca", "--dir", "new", "--parent", "pki"), says: "permission denied", hint: "owner and mode",
			prepare: directory("new", 0o555)},
		{name: "key to import that may not be read", args: in("init-ca", "--dir", "new", "--import", "pki"), says: `"pki/ca.key"`, hint: "owner and mode", prepare: chmod(0, "pki/ca.key")},
		{name: "directory to import that may not be entered", args: in("init-ca", "--dir", "new", "--import", "pki"), says: "permission denied", hint: "owner and mode", prepare: chmod(0o600, "pki")},
		{name: "read-only inventory", args: issueOf(), says: "inventory", hint: "owner and mode", prepare: chmod(0o400, "pki/inventory.db")},
		{name: "inventory that may not be read", args: in("list"), says: "inventory", hint: "owner and mode", prepare: chmod(0, "pki/inventory.db")},
		{name: "read-only files", args: issueOf(), says: "inventory", hint: "owner and mode",
			prepare: chmod(0o400, "pki/inventory.db", "pki/inventory.db-journal", "pki/.lock", "pki/ca.key", "pki/ca.crt", "pki/.staging/files.json")},
		{name: "lock that may not be opened", args: issueOf(), says: "permission denied", hint: "owner and mode", prepare: chmod(0, "pki/.lock")},
		{name: "staging that may not be written", args: issueOf(), says: "permission denied", hint: "owner and mode", prepare: chmod(0o500, "pki/.staging/new")},
		{name: "out that may not be written", args: issueOf("--out", "out/jane"), says: `"out/jane.key": permission denied`, hint: "owner and mode",
			prepare: directory("out", 0o555)},
		{name: "kubeconfig that may not be written", args: issueOf("--kubeconfig", "out/x", "--server", "https://x"), says: `"out/x": permission denied`, hint: "owner and mode",
			prepare: directory("out", 0o555)},
		{name: "out on the way to which one may not go", args: issueOf("--out", "out/x/jane"), says: "permission denied", hint: "owner and mode",
			prepare: directory("out", 0o600)},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir := newNobodySite(t)
			f.prepare(t, dir)
			before := snapshotAsRoot(t, dir)
			got := runProgram(t, unprivileged(program(dir, f.args...)))
			checkRefusal(t, "run", got, 1, f.says, f.hint)
			if before != nil {
				checkUnchanged(t, "run", dir, before)
			}
			// Given back its rights, it works.
			ok(t, exec.Command("chmod", "-R", "u+rwX", dir).Run())
			if again := runProgram(t, unprivileged(program(dir, f.args...))); again.code != 0 && !strings.Contains(again.stderr, "make the directory") {
				t.Errorf("with all rights: exit code %d\n%s", again.code, again.stderr)
			}
		})
	}
}

// snapshotAsRoot reads what the tested user may not; nobody else can.
func snapshotAsRoot(t *testing.T, dir string) map[string]string {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	return snapshot(t, dir)
}

// TestReadOnlyKeys: that a key is read-only does not keep --force from
// replacing it, nor a read-only CA key from signing.
func TestReadOnlyKeys(t *testing.T) {
	t.Parallel()
	dir := newNobodySite(t)
	chmod(0o400, "pki/ca.key", "pki/ca.crt", "pki/old.key", "pki/old.crt")(t, dir)
	if got := runProgram(t, unprivileged(program(dir, "issue", "--cn", "old", "--force"))); got.code != 0 {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki/old.crt"), filepath.Join(dir, "pki/old.key")); err != nil {
		t.Error(err)
	}
}

// TestModes: under any umask, keys and what holds keys are for their owner
// only, certificates for all, and the owner can use what was made.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"0000", "0002", "0022", "0077", "0277", "0777"} {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ok(t, os.Chmod(filepath.Dir(dir), 0o755))
			ok(t, os.Chmod(dir, 0o777))
			for _, line := range []string{
				"init-ca --dir a/b/pki", "issue --dir a/b/pki --cn jane", "issue --dir a/b/pki --cn jane --force --kubeconfig x.conf --server https://x",
				"issue --dir a/b/pki --cn joe --out a/joe", "list --dir a/b/pki",
				"init-ca --dir a/c/low --parent a/b/pki", "issue --dir a/c/low --cn jane", "init-ca --dir a/d/copy --import a/b/pki",
			} {
				cmd := exec.Command("sh", "-c", fmt.Sprintf("umask %s; exec %s %s", umask, pkictl(), line))
				cmd.Dir = dir
				if got := runProgram(t, unprivileged(cmd)); got.code != 0 {
					t.Fatalf("%s: exit code %d\n%s", line, got.code, got.stderr)
				}
			}
			found := 0
			ok(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || path == dir {
					return err
				}
				want := fs.FileMode(0o600)
				switch {
				case entry.IsDir():
					want = 0o700
				case strings.HasSuffix(path, ".crt"):
					want = 0o644
				}
				info, err := entry.Info()
				if err != nil || info.Mode().Perm() != want {
					t.Errorf("%s has mode %v (%v), want %v", path, info.Mode(), err, want)
				}
				found++
				return nil
			}))
			if found < 33 {
				t.Errorf("%d files only", found)
			}
		})
	}
}
