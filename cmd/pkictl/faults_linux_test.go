package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// mountSmall gives the test a small file system at a directory of its own. Only
// this thread, and what it starts, see it: the test must not leave it, so no
// t.Run and no goroutine that opens files. It goes with the thread.
func mountSmall(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	runtime.LockOSThread() // and never unlock it
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// scarcity is what there can be too little of, and in which steps.
type scarcity struct {
	name        string
	steps, step int
	// take leaves that much, and give frees what was taken.
	take func(t *testing.T, dir string, left int)
	give func(t *testing.T, dir string)
}

var scarcities = []scarcity{
	{"space", 50, 4096, takeSpace, func(t *testing.T, dir string) { ok(t, os.Remove(filepath.Join(dir, "filler"))) }},
	{"files", 24, 1, takeFiles, func(t *testing.T, dir string) { ok(t, os.RemoveAll(filepath.Join(dir, "fillers"))) }},
}

func takeSpace(t *testing.T, dir string, left int) {
	t.Helper()
	var stat syscall.Statfs_t
	f, err := os.Create(filepath.Join(dir, "filler"))
	ok(t, err)
	defer f.Close()
	ok(t, syscall.Statfs(dir, &stat))
	if take := int(stat.Bavail)*int(stat.Bsize) - left; take > 0 {
		_, err = f.Write(make([]byte, take))
		ok(t, err)
	}
	ok(t, syscall.Statfs(dir, &stat))
	if free := int(stat.Bavail) * int(stat.Bsize); free != left {
		t.Fatalf("%d octets are free, want %d", free, left)
	}
}

func takeFiles(t *testing.T, dir string, left int) {
	t.Helper()
	fillers := filepath.Join(dir, "fillers")
	ok(t, os.Mkdir(fillers, 0o700))
	var made []string
	for {
		path := filepath.Join(fillers, fmt.Sprint(len(made)))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			break
		}
		made = append(made, path)
	}
	if len(made) < left {
		t.Fatalf("there is room for %d files only", len(made))
	}
	for _, path := range made[:left] {
		ok(t, os.Remove(path))
	}
}

// TestFullDisk runs each command with ever more left of the disk: it changes
// nothing, or it succeeds, and with room again it works.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, command := range []struct {
		name           string
		prepare, again []string // before each step, and what must then be possible
		args           []string
	}{
		{"init-ca", nil, in("issue", "--cn", "jane"), in("init-ca")},
		{"init-ca --parent", in("init-ca"), in("issue", "--dir", "low", "--cn", "jane", "--force"), in("init-ca", "--dir", "low", "--parent", "pki")},
		{"init-ca --import", in("init-ca"), in("issue", "--dir", "low", "--cn", "jane", "--force"), in("init-ca", "--dir", "low", "--import", "pki")},
		{"issue", in("init-ca"), in("issue", "--cn", "jane", "--force"), issueOf("--kubeconfig", "jane.conf", "--server", "https://x")},
		{"renew", in("init-ca"), in("issue", "--cn", "joe"), in("renew", "old")},
		{"issue --force", in("init-ca"), in("issue", "--cn", "joe"), in("issue", "--cn", "old", "--force", "--kubeconfig", "old.conf", "--server", "https://x")},
	} {
		for _, s := range scarcities {
			t.Run(command.name+" "+s.name, func(t *testing.T) {
				t.Parallel()
				root := mountSmall(t, "size=1m,nr_inodes=200,mode=700")
				failed, succeeded := 0, 0
				for n := range s.steps {
					dir := filepath.Join(root, "site")
					ok(t, os.Mkdir(dir, 0o700))
					if command.prepare != nil {
						do(t, dir, command.prepare...)
						do(t, dir, "issue", "--cn", "old", "--kubeconfig", "old.conf", "--server", "https://x")
					}
					before := snapshot(t, dir)
					s.take(t, root, n*s.step)
					got := runProgram(t, program(dir, command.args...))
					what := fmt.Sprintf("%d left", n*s.step)
					if got.code == 0 {
						succeeded++
						checkPairs(t, what, dir)
					} else {
						failed++
						checkRefusal(t, what, got, 1, "", "free some space")
						checkUnchanged(t, what, dir, before)
					}
					s.give(t, root)
					if got.code != 0 {
						do(t, dir, command.args...)
					}
					do(t, dir, command.again...)
					checkPairs(t, what, dir)
					ok(t, os.RemoveAll(dir))
				}
				if failed < 3 || succeeded < 3 {
					t.Errorf("%d times it failed, %d times it succeeded: the steps miss the point", failed, succeeded)
				}
			})
		}
	}
}

// TestFullDiskBatch: a batch says how many certificates it has issued when the
// disk is full; they are whole, and with room again it goes on.
func TestFullDiskBatch(t *testing.T) {
	t.Parallel()
	const users = 1200 // three steps
	for _, s := range []struct {
		name, options string
		take          func(t *testing.T, dir string, left int)
		left          int
		give          func(t *testing.T, dir string)
	}{
		{"space", "size=32m,nr_inodes=9000,mode=700", takeSpace, 1500 * 4096, scarcities[0].give},
		{"files", "size=64m,nr_inodes=6000,mode=700", takeFiles, 2600, scarcities[1].give},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			root := mountSmall(t, s.options)
			dir := filepath.Join(root, "site")
			ok(t, os.Mkdir(dir, 0o700))
			do(t, dir, "init-ca")
			writeUsers(t, filepath.Join(dir, "users.csv"), users)
			s.take(t, root, s.left)
			got := runProgram(t, program(dir, "issue", "-f", "users.csv"))
			pairs, withoutFiles := checkBatch(t, "full", dir)
			checkRefusal(t, "full", got, 1, fmt.Sprintf("after %d certificates", pairs), "goes on where it stopped")
			if pairs == 0 || pairs == users || withoutFiles != 0 || !strings.Contains(got.stderr, "no space left on device") {
				t.Errorf("%d pairs, %d rows without files\n%s", pairs, withoutFiles, got.stderr)
			}
			checkPairs(t, "full", dir)
			s.give(t, root)
			again := countsOf(t, do(t, dir, "issue", "-f", "users.csv", "-o", "json"))
			if again.Skipped != pairs || again.Issued != users-pairs {
				t.Errorf("with room again: %+v, with %d there", again, pairs)
			}
			checkPairs(t, "with room again", dir)
		})
	}
}

// TestReadOnlyFileSystem writes where nobody can.
func TestReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	dir := mountSmall(t, "size=4m,mode=700")
	do(t, dir, "init-ca")
	do(t, dir, "issue", "--cn", "old", "--kubeconfig", "old.conf", "--server", "https://x")
	before := snapshot(t, dir)
	ok(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for _, args := range [][]string{
		in("init-ca", "--dir", "new"), in("init-ca", "--dir", "."), issueOf(), in("issue", "--cn", "old", "--force"),
		issueOf("--kubeconfig", "x.conf", "--server", "https://x"),
	} {
		got := runProgram(t, program(dir, args...))
		checkRefusal(t, strings.Join(args, " "), got, 1, "read-only file system", "--dir")
	}
	if listed := do(t, dir, "list"); !strings.Contains(listed, "old") {
		t.Errorf("list shows\n%s", listed)
	}
	do(t, dir, "issue", "--cn", "jane", "--dry-run")
	checkUnchanged(t, "read-only", dir, before)
}
