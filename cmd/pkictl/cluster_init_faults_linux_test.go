package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
)

// clusterCommand is a run of cluster init, what there was before, and what is
// there after it.
type clusterCommand struct {
	name    string
	prepare func(t *testing.T, dir string) // nil: nothing was there
	args    []string
	dirs    []string // cluster directories
	// replaced are files that change together.
	replaced []string
	stride   int // each how manieth of its system calls is tried
}

var clusterCommands = []clusterCommand{
	{name: "init", args: append(in("cluster", "init"), nodeFlags...), dirs: in("kubernetes"), stride: 7},
	{
		name: "repair", prepare: spoilCluster, args: append(in("cluster", "init", "--repair", "--endpoint", "k8s.example.com"), nodeFlags...),
		dirs: in("kubernetes"), stride: 9,
		replaced: in("pki/apiserver.crt", "pki/apiserver.key", "admin.conf", "super-admin.conf", "pki/etcd/peer.crt", "pki/etcd/peer.key", "pki/sa.pub"),
	},
	{
		name: "three nodes", args: in("cluster", "init", "--endpoint", "k8s.example.com", "--node", "cp-1=10.0.0.11", "--node", "cp-2=10.0.0.12", "--node", "cp-3=10.0.0.13"),
		dirs: in("kubernetes/cp-1", "kubernetes/cp-2", "kubernetes/cp-3"), stride: 29,
	},
}

// spoilCluster makes a cluster directory of which much has to be repaired.
func spoilCluster(t *testing.T, dir string) {
	do(t, dir, append(in("cluster", "init"), nodeFlags...)...)
	pki := filepath.Join(dir, "kubernetes", "pki")
	ok(t, os.Remove(filepath.Join(pki, "sa.pub")))
	ok(t, os.Remove(filepath.Join(pki, "front-proxy-client.crt")))
	ok(t, os.Remove(filepath.Join(pki, "front-proxy-client.key")))
	for _, suffix := range []string{".crt", ".key"} {
		data, err := os.ReadFile(filepath.Join(pki, "etcd", "healthcheck-client"+suffix))
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(pki, "etcd", "peer"+suffix), data, 0o600))
	}
}

// checkStanding checks what must hold of a cluster directory at any moment: a
// certificate has its key and its CA, and what is replaced is all old or all new.
func checkStanding(t testing.TB, what, dir string, old map[string]string, replaced []string) {
	t.Helper()
	for _, entry := range cluster.Layout() {
		found := cluster.Find(dir, entry)
		if entry.Kind == cluster.KindKeyPair {
			if found.Public != nil && (found.Key == nil || !ca.EqualKeys(found.Public[0], found.Key)) {
				t.Errorf("%s: sa.pub is not that of sa.key", what)
			}
			continue
		}
		for _, problem := range found.Problems {
			if !errors.Is(problem, fs.ErrNotExist) { // as readers see a file that is about to come
				t.Errorf("%s: %v", what, problem)
			}
		}
		if found.Certificate == nil {
			continue
		}
		if found.Key == nil || !ca.EqualKeys(found.Key, found.Certificate.PublicKey) {
			t.Errorf("%s: %s and its key are not a pair", what, entry.Name)
		}
		if entry.CA == "" {
			continue
		}
		issuer, _ := cluster.EntryNamed(entry.CA)
		if signer := cluster.Find(dir, issuer).Certificate; signer == nil || found.Certificate.CheckSignatureFrom(signer) != nil {
			t.Errorf("%s: %s is not of the CA that is there", what, entry.Name)
		}
	}
	changed := 0
	for _, path := range replaced {
		data, err := os.ReadFile(filepath.Join(dir, path))
		if was, isThere := old[path]; isThere != (err == nil) || isThere && !strings.HasSuffix(was, " "+string(data)) {
			changed++
		}
	}
	if changed != 0 && changed != len(replaced) {
		t.Errorf("%s: %d of %d files that are replaced together are new", what, changed, len(replaced))
	}
}

// checkClusterDone runs the command again, which completes what is missing, and
// once more, which finds all there.
func (c clusterCommand) checkDone(t testing.TB, what, dir string) {
	t.Helper()
	do(t, dir, c.args...)
	var last struct {
		Nodes []struct {
			Entries []struct{ Name, State string }
		}
	}
	ok(t, json.Unmarshal([]byte(do(t, dir, append(c.args, "-o", "json")...)), &last))
	if len(last.Nodes) != len(c.dirs) {
		t.Errorf("%s: %d nodes", what, len(last.Nodes))
	}
	for _, node := range last.Nodes {
		for _, entry := range node.Entries {
			if entry.State != "kept" || len(node.Entries) != 16 {
				t.Errorf("%s: at the end %s of %d is %s", what, entry.Name, len(node.Entries), entry.State)
			}
		}
	}
	shared := map[string]bool{}
	for _, site := range c.dirs {
		checkStanding(t, what+", at the end", filepath.Join(dir, site), nil, nil)
		data, err := os.ReadFile(filepath.Join(dir, site, "pki", "ca.key"))
		ok(t, err)
		shared[string(data)] = true
	}
	if len(shared) != 1 {
		t.Errorf("%s: %d CAs", what, len(shared))
	}
	checkNothingLeft(t, what, dir)
}

// checkNothingLeft checks that there are no temporary files and no links.
func checkNothingLeft(t testing.TB, what, dir string) {
	t.Helper()
	ok(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Name() == ".staging" {
			if left, err := unfinished(path); left != "" || err != nil {
				t.Errorf("%s: left %s (%v)", what, left, err)
			}
			return fs.SkipDir
		}
		if strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".lock" || entry.Type()&fs.ModeSymlink != 0 {
			t.Errorf("%s: %s was left", what, path)
		}
		return nil
	}))
}

// prepared returns a function that puts a directory into the state before the
// command, and what the files were.
func (c clusterCommand) prepared(t *testing.T) (dir string, reset func(), old map[string]string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "site")
	ok(t, os.Mkdir(dir, 0o700))
	if c.prepare == nil {
		return dir, func() { ok(t, os.RemoveAll(dir)); ok(t, os.Mkdir(dir, 0o700)) }, nil
	}
	c.prepare(t, dir)
	saved := t.TempDir()
	copyTree(t, dir, saved)
	return dir, func() { ok(t, os.RemoveAll(dir)); copyTree(t, saved, dir) }, clusterFiles(t, filepath.Join(dir, c.dirs[0]))
}

// TestKillClusterInit kills cluster init before its system calls that change
// anything: not before each, as there are some hundred, but before one of
// several, from the first to the last.
func TestKillClusterInit(t *testing.T) {
	t.Parallel()
	for _, command := range clusterCommands {
		t.Run(command.name, func(t *testing.T) {
			t.Parallel()
			dir, reset, old := command.prepared(t)
			kills := 0
			for n := 1; ; n += command.stride {
				reset()
				if _, reached := breakAt(t, program(dir, command.args...), n, killed); !reached {
					break
				}
				kills++
				what := fmt.Sprintf("killed at %d", n)
				for _, site := range command.dirs {
					checkStanding(t, what, filepath.Join(dir, site), old, command.replaced)
				}
				command.checkDone(t, what, dir)
			}
			if kills < 15 {
				t.Errorf("killed %d times only", kills)
			}
		})
	}
}

// TestClusterInitDiskErrors lets the system calls of cluster init fail, one of
// several: it says so, or did all; what is there fits, and the next run completes it.
func TestClusterInitDiskErrors(t *testing.T) {
	t.Parallel()
	for _, command := range clusterCommands {
		for fault, says := range map[syscall.Errno]string{syscall.EIO: "broken", syscall.ENOSPC: "free some space"} {
			t.Run(fmt.Sprintf("%s %v", command.name, fault), func(t *testing.T) {
				t.Parallel()
				dir, reset, old := command.prepared(t)
				failed := 0
				for n := 1; ; n += 2 * command.stride {
					reset()
					got, reached := breakAt(t, program(dir, command.args...), n, fault)
					if !reached {
						break
					}
					what := fmt.Sprintf("%v at %d", fault, n)
					if got.code != 0 {
						failed++
						checkRefusal(t, what, got, 1, "", "")
						if !strings.Contains(got.stderr, says) && !strings.Contains(got.stderr, "the next pkictl command") {
							t.Errorf("%s: %s", what, got.stderr)
						}
					}
					for _, site := range command.dirs {
						checkStanding(t, what, filepath.Join(dir, site), old, command.replaced)
					}
					command.checkDone(t, what, dir)
				}
				if failed < 5 {
					t.Errorf("it failed %d times only", failed)
				}
			})
		}
	}
}

// TestClusterInitFullDisk makes a cluster directory on ever more of a small disk.
func TestClusterInitFullDisk(t *testing.T) {
	t.Parallel()
	command := clusterCommands[0]
	root := mountSmall(t, "size=2m,nr_inodes=400,mode=700")
	failed, succeeded := 0, 0
	for n := 0; n < 120; n += 6 {
		dir := filepath.Join(root, "site")
		ok(t, os.Mkdir(dir, 0o700))
		takeSpace(t, root, n*4096)
		got := runProgram(t, program(dir, command.args...))
		what := fmt.Sprintf("%d blocks left", n)
		if got.code == 0 {
			succeeded++
		} else {
			failed++
			checkRefusal(t, what, got, 1, "", "free some space")
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("%s: left %v (%v)", what, entries, err)
			}
		}
		ok(t, os.Remove(filepath.Join(root, "filler")))
		command.checkDone(t, what, dir)
		ok(t, os.RemoveAll(dir))
	}
	if failed < 3 || succeeded < 3 {
		t.Errorf("%d times it failed, %d times it succeeded", failed, succeeded)
	}
}

// TestClusterInitAtOnce: of several at once one makes the PKI, and the others
// find it there.
func TestClusterInitAtOnce(t *testing.T) {
	t.Parallel()
	for _, command := range []clusterCommand{clusterCommands[0], clusterCommands[2]} {
		for range 3 {
			dir := t.TempDir()
			results := make([]outcome, 8)
			inParallel(len(results), func(i int) { results[i] = runProgram(t, program(dir, command.args...)) })
			made := 0
			for _, got := range results {
				if got.code != 0 {
					t.Errorf("exit code %d\n%s", got.code, got.stderr)
				}
				if strings.Contains(got.stdout, " made ") {
					made++
				}
			}
			if made != 1 {
				t.Errorf("%d of them made a PKI", made)
			}
			command.checkDone(t, command.name, dir)
		}
	}
}

// TestClusterInitReadOnly: nothing can be written, and what is there is said.
func TestClusterInitReadOnly(t *testing.T) {
	t.Parallel()
	dir := mountSmall(t, "size=4m,mode=700")
	command := clusterCommands[0]
	do(t, dir, command.args...)
	before := snapshot(t, dir)
	ok(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	checkRefusal(t, "new", runProgram(t, program(dir, append(slices.Clone(command.args), "--dir", "new")...)), 1, "read-only file system", "--dir")
	checkRefusal(t, "repair", runProgram(t, program(dir, append(slices.Clone(command.args), "--repair", "--san", "x")...)), 1, "read-only file system", "--dir")
	do(t, dir, append(slices.Clone(command.args), "--dry-run")...)
	checkUnchanged(t, "read-only", dir, before)
}
