package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
)

// clusterSite is a cluster directory that is put back to what it was before
// each fault.
type clusterSite struct {
	dir, saved string // above the cluster directory
	old        map[string]string
}

func newClusterSite(t testing.TB) *clusterSite {
	t.Helper()
	s := &clusterSite{dir: filepath.Join(t.TempDir(), "site"), saved: t.TempDir(), old: map[string]string{}}
	ok(t, os.Mkdir(s.dir, 0o700))
	do(t, s.dir, "cluster", "init", "-q", "--node", "cp-1", "--advertise-address", "10.0.0.11")
	for _, name := range cluster.RenewableNames() {
		s.old[name] = s.serial(t, "before", name)
	}
	copyTree(t, s.dir, s.saved)
	return s
}

func (s *clusterSite) reset(t testing.TB) {
	t.Helper()
	ok(t, os.RemoveAll(s.dir))
	copyTree(t, s.saved, s.dir)
}

func (s *clusterSite) serial(t testing.TB, what, name string) string {
	t.Helper()
	cert := clusterCert(t, what, filepath.Join(s.dir, "kubernetes"), name) // checks the key
	if cert.SerialNumber == nil {
		return "none"
	}
	return ca.FormatSerial(cert.SerialNumber)
}

// check checks that each certificate has its key and its row, and that of those
// named all are old or all are new, and the others are old. It returns whether
// they are new.
func (s *clusterSite) check(t testing.TB, what string, names []string) bool {
	t.Helper()
	rows := strings.Join(rowsOf(t, filepath.Join(s.dir, "kubernetes", "pki", "inventory.db")), "\n")
	renewed := 0
	for name, old := range s.old {
		cert := clusterCert(t, what, filepath.Join(s.dir, "kubernetes"), name)
		if cert.SerialNumber == nil {
			continue
		}
		if pem := string(ca.EncodeCertificates(cert)); !strings.Contains(rows, pem) {
			t.Errorf("%s: %s has no row", what, name)
		}
		switch isNew := ca.FormatSerial(cert.SerialNumber) != old; {
		case isNew && !slices.Contains(names, name):
			t.Errorf("%s: %s was renewed", what, name)
		case isNew:
			renewed++
		}
	}
	if renewed != 0 && renewed != len(names) {
		t.Errorf("%s: %d of %d are new", what, renewed, len(names))
	}
	return renewed > 0
}

// recovers checks that the next run completes, and leaves nothing behind.
func (s *clusterSite) recovers(t testing.TB, what string, names []string) {
	t.Helper()
	do(t, s.dir, append(in("cluster", "renew", "-q"), names...)...)
	if !s.check(t, what+", then renewed", names) {
		t.Errorf("%s: the next run renewed nothing", what)
	}
	ok(t, filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		if name == ".staging" {
			left, err := unfinished(path)
			if left != "" {
				t.Errorf("%s: left: %s", what, left)
			}
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if entry.Type()&fs.ModeSymlink != 0 || (strings.HasPrefix(name, ".") && name != ".lock") {
			t.Errorf("%s: %s was left", what, path)
		}
		return err
	}))
}

// TestClusterRenewFaults: whatever happens at whichever system call, what is
// renewed together is old or new, each pair fits, and the next run completes.
func TestClusterRenewFaults(t *testing.T) {
	t.Parallel()
	some := in("apiserver", "etcd/server", "admin.conf") // of two CAs, inside of pki and outside
	for _, f := range []struct {
		name  string
		fault syscall.Errno
		names []string
		step  int
	}{
		{"some kill", killed, some, 1},
		{"some ENOSPC", syscall.ENOSPC, some, 1},
		{"some EIO", syscall.EIO, some, 1},
		{"some EIO of what happened", syscall.EIO | happened, some, 1},
		{"all kill", killed, renewable(), 7},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := newClusterSite(t)
			old, renewed := 0, 0
			for n := 1; ; n += f.step {
				s.reset(t)
				before := snapshot(t, s.dir)
				got, reached := breakAt(t, program(s.dir, append(in("cluster", "renew", "-q"), f.names...)...), n, f.fault)
				if !reached {
					break
				}
				what := fmt.Sprintf("%s at %d", f.name, n)
				isNew := s.check(t, what, f.names)
				if isNew {
					renewed++
				} else {
					old++
				}
				if f.fault != killed {
					s.checkSaid(t, what, got, isNew, before)
				}
				s.recovers(t, what, f.names)
			}
			t.Logf("%d old, %d new", old, renewed)
			if want := 12 / f.step; old < want || renewed < want/4 {
				t.Errorf("%d old, %d new: the faults miss the point", old, renewed)
			}
		})
	}
}

// checkSaid checks what the command says of a call that failed.
func (s *clusterSite) checkSaid(t *testing.T, what string, got outcome, isNew bool, before map[string]string) {
	t.Helper()
	if got.code == 0 {
		if !isNew || got.stderr != "" {
			t.Errorf("%s: success, renewed: %v\n%s", what, isNew, got.stderr)
		}
		return
	}
	checkRefusal(t, what, got, 1, "", "")
	if strings.Contains(got.stderr, "nothing was changed") {
		if isNew {
			t.Errorf("%s: it was renewed, but\n%s", what, got.stderr)
		}
		checkUnchanged(t, what, s.dir, before)
	}
}

// TestClusterRenewAtOnce: of several at the same time each does all of its work,
// one after the other.
func TestClusterRenewAtOnce(t *testing.T) {
	t.Parallel()
	s := newClusterSite(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if got := runProgram(t, program(s.dir, "cluster", "renew", "-q")); got.code != 0 {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
		})
	}
	all.Wait()
	s.recovers(t, "four at once", renewable())
	if rows := rowsOf(t, filepath.Join(s.dir, "kubernetes", "pki", "inventory.db")); len(rows) != 3+12+5*len(renewable()) {
		t.Errorf("%d rows", len(rows))
	}
}

// TestClusterRenewReadOnly writes where nobody can.
func TestClusterRenewReadOnly(t *testing.T) {
	t.Parallel()
	dir := mountSmall(t, "size=4m,mode=700")
	do(t, dir, "cluster", "init", "-q", "--node", "cp-1", "--advertise-address", "10.0.0.11")
	before := snapshot(t, dir)
	ok(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	got := runProgram(t, program(dir, "cluster", "renew"))
	checkRefusal(t, "read-only", got, 1, "read-only file system", "--dir")
	do(t, dir, "cluster", "renew", "--dry-run")
	do(t, dir, "cluster", "renew", "--explain")
	checkUnchanged(t, "read-only", dir, before)
}
