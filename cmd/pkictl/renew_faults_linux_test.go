package main_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/kubeconfig"
)

// credential is a pair with its kubeconfig, which is in another directory.
type credential struct{ key, cert, config []byte }

// credentialOf reads a credential and checks that all of it fits.
func credentialOf(t testing.TB, what, dir, name string) credential {
	t.Helper()
	var c credential
	for path, data := range map[string]*[]byte{"pki/" + name + ".key": &c.key, "pki/" + name + ".crt": &c.cert, name + ".conf": &c.config} {
		read, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		*data = read
	}
	if _, err := tls.X509KeyPair(c.cert, c.key); err != nil {
		t.Errorf("%s: %s: %v", what, name, err)
	}
	config, err := kubeconfig.Parse(c.config, name)
	if err != nil || config.AuthInfos[name] == nil {
		t.Errorf("%s: %v", what, err)
		return c
	}
	user := config.AuthInfos[name]
	if !bytes.Equal(user.ClientCertificateData, c.cert) || !bytes.Equal(user.ClientKeyData, c.key) {
		t.Errorf("%s: the kubeconfig of %s holds another pair", what, name)
	}
	return c
}

// isNew compares a credential with what it was: all is new, or nothing.
func (c credential) isNew(t testing.TB, what string, old credential) bool {
	t.Helper()
	key, cert, config := !bytes.Equal(c.key, old.key), !bytes.Equal(c.cert, old.cert), !bytes.Equal(c.config, old.config)
	if key != cert || key != config {
		t.Errorf("%s: key is new: %v, certificate: %v, kubeconfig: %v", what, key, cert, config)
	}
	return cert
}

// copyTree copies a directory: what a fault spoils is made once only.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	ok(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	}))
}

// site is a directory that is put back to what it was before each fault: paths
// in the inventory are absolute, so it is always the same one.
type site struct {
	dir, saved string
	names      []string
	old        map[string]credential
}

func newFaultSite(t testing.TB, names ...string) *site {
	t.Helper()
	s := &site{dir: filepath.Join(t.TempDir(), "site"), saved: t.TempDir(), names: names, old: map[string]credential{}}
	ok(t, os.Mkdir(s.dir, 0o700))
	do(t, s.dir, "init-ca")
	for _, name := range names {
		do(t, s.dir, append(in("issue", "--cn", name), kubeconfigOf(name)...)...)
		s.old[name] = credentialOf(t, "before", s.dir, name)
	}
	copyTree(t, s.dir, s.saved)
	return s
}

func (s *site) reset(t testing.TB) {
	t.Helper()
	ok(t, os.RemoveAll(s.dir))
	copyTree(t, s.saved, s.dir)
}

// check checks what must hold after a fault and before any other command: each
// credential is old or new, and no certificate without its row. It returns how
// many are new.
func (s *site) check(t testing.TB, what string) int {
	t.Helper()
	checkKilled(t, what, s.dir)
	renewed := 0
	for _, name := range s.names {
		if credentialOf(t, what, s.dir, name).isNew(t, what, s.old[name]) {
			renewed++
		}
	}
	return renewed
}

// faultNames are what can happen at a system call.
var faultNames = map[syscall.Errno]string{killed: "kill", syscall.ENOSPC: "ENOSPC", syscall.EIO: "EIO"}

// renewFaults counts the faults that were put into renew.
var renewFaults atomic.Int64

// TestRenewFaults: whatever happens at whichever system call of renew, key,
// certificate and kubeconfig are all old or all new, and the next command works.
func TestRenewFaults(t *testing.T) {
	t.Parallel()
	t.Run("faults", func(t *testing.T) {
		for fault, name := range faultNames {
			t.Run("one "+name, func(t *testing.T) {
				t.Parallel()
				breakEverywhere(t, fault, newFaultSite(t, "jane"), in("renew", "jane", "-q"))
			})
			t.Run("all "+name, func(t *testing.T) {
				t.Parallel()
				breakEverywhere(t, fault, newFaultSite(t, "jane", "joe", "jill"), in("renew", "--all", "-q"))
			})
		}
		for worker := range 2 {
			t.Run(fmt.Sprintf("kills %d", worker), func(t *testing.T) {
				t.Parallel()
				killRenew(t, newFaultSite(t, "jane"), 80)
			})
		}
	})
	t.Logf("%d faults", renewFaults.Load())
	if n := renewFaults.Load(); n < 1000 && !t.Failed() {
		t.Errorf("%d faults only", n)
	}
}

func breakEverywhere(t *testing.T, fault syscall.Errno, s *site, args []string) {
	old, renewed, mixed := 0, 0, 0
	for n := 1; ; n++ {
		s.reset(t)
		got, reached := breakAt(t, program(s.dir, args...), n, fault)
		if !reached {
			break
		}
		renewFaults.Add(1)
		what := fmt.Sprintf("%s at %d", faultNames[fault], n)
		count := s.check(t, what)
		switch {
		case count == 0:
			old++
		case count == len(s.names):
			renewed++
		default:
			mixed++ // each of them is whole
		}
		if fault != killed {
			checkFault(t, what, got, len(s.names), count)
		}
		s.recovers(t, what)
	}
	t.Logf("%d old, %d new, %d between", old, renewed, mixed)
	if old+mixed < 50 || renewed < 10 || (len(s.names) > 1) != (mixed > 50) {
		t.Errorf("%d old, %d new, %d between: the faults miss the point", old, renewed, mixed)
	}
}

// checkFault checks what the command says of a call that failed.
func checkFault(t *testing.T, what string, got outcome, all, renewed int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
	switch {
	case got.code == 0 && (got.stderr != "" || renewed != all):
		t.Errorf("%s: success, with %d of %d renewed, and\n%s", what, renewed, all, got.stderr)
	case got.code == 0:
	case got.code != 1 || len(lines) < 2:
		t.Errorf("%s: exit code %d\n%s", what, got.code, got.stderr)
	case !strings.HasPrefix(lines[len(lines)-2], "error: ") || !strings.HasPrefix(lines[len(lines)-1], "hint: "):
		t.Errorf("%s: want an error and a hint, not\n%s", what, got.stderr)
	case all == 1 && len(lines) != 2:
		t.Errorf("%s: want one error and one hint, not\n%s", what, got.stderr)
	case strings.Contains(got.stderr, "nothing was changed") && all == 1 && renewed != 0:
		t.Errorf("%s: something was changed, but\n%s", what, got.stderr)
	}
}

// recovers checks that the next command works and leaves nothing behind.
func (s *site) recovers(t testing.TB, what string) {
	t.Helper()
	do(t, s.dir, "renew", "jane", "-q")
	s.check(t, what+", then renewed")
	checkRecovered(t, what, s.dir)
}

// killRenew kills renew at moments spread over all that it does.
func killRenew(t *testing.T, s *site, kills int) {
	longest := measureRun(t, s.dir, "renew", "jane", "-q")
	old, renewed := 0, 0
	for n := range kills {
		before := credentialOf(t, "before", s.dir, "jane")
		killAfter(t, program(s.dir, "renew", "jane", "-q"), spread(n, longest))
		renewFaults.Add(1)
		what := fmt.Sprintf("kill %d", n)
		checkKilled(t, what, s.dir)
		if credentialOf(t, what, s.dir, "jane").isNew(t, what, before) {
			renewed++
		} else {
			old++
		}
		longest = max(longest*15/16, measureRun(t, s.dir, "renew", "jane", "-q"))
		checkRecovered(t, what, s.dir)
	}
	t.Logf("%d old, %d new", old, renewed)
	if min(old, renewed) < kills/20 {
		t.Errorf("%d old, %d new: the kills miss the point", old, renewed)
	}
}

// TestFirstFaults does the same to commands that make what was not there:
// nothing is left of them but, at most, a row.
func TestFirstFaults(t *testing.T) {
	t.Parallel()
	for fault, name := range faultNames {
		if fault == killed {
			continue // TestKillAtEverySystemCall
		}
		for _, args := range [][]string{in("init-ca"), append(in("issue", "--cn", "jane", "-q"), kubeconfigOf("jane")...)} {
			t.Run(args[0]+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newFaultSite(t, "joe")
				if args[0] == "init-ca" {
					ok(t, errors.Join(os.RemoveAll(s.saved), os.Mkdir(s.saved, 0o700)))
				}
				failed, succeeded := 0, 0
				for n := 1; ; n++ {
					s.reset(t)
					before := snapshot(t, s.dir)
					got, reached := breakAt(t, program(s.dir, args...), n, fault)
					if !reached {
						break
					}
					what := fmt.Sprintf("%s at %d", name, n)
					checkKilled(t, what, s.dir)
					if got.code == 0 {
						succeeded++
					} else {
						failed++
						checkRefusal(t, what, got, 1, "", "")
						if strings.Contains(got.stderr, "nothing was changed") {
							checkUnchanged(t, what, s.dir, before)
						}
					}
					again := runProgram(t, program(s.dir, args...))
					if again.code != 0 && !strings.Contains(again.stderr, "there is a CA") && !strings.Contains(again.stderr, "exists") {
						t.Errorf("%s, again: exit code %d\n%s", what, again.code, again.stderr)
					}
					checkRecovered(t, what, s.dir)
				}
				t.Logf("%d failed, %d succeeded", failed, succeeded)
				if failed < 10 || succeeded < 3 {
					t.Errorf("%d failed, %d succeeded: the faults miss the point", failed, succeeded)
				}
			})
		}
	}
}
