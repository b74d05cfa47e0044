package lab_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/lab"
)

func selfTest(t *testing.T, files fstest.MapFS) ([]lab.LintFinding, error) {
	t.Helper()
	l, err := lab.Read(files, "two-keys", "two-keys")
	if err != nil {
		t.Fatal(err)
	}
	return l.SelfTest(t.Context(), lab.TrialOptions{Path: scriptPath(t), Now: time.Now})
}

func TestSelfTest(t *testing.T) {
	t.Parallel()
	if findings, err := selfTest(t, keysLab()); err != nil || len(findings) > 0 {
		t.Fatalf("%+v %v", findings, err)
	}
	write := func(name, text string) func(fstest.MapFS) {
		return func(f fstest.MapFS) { f[name] = &fstest.MapFile{Data: []byte(text)} }
	}
	key := "openssl genpkey -algorithm ed25519 -out a.key\n"
	for _, test := range []struct {
		name        string
		change      func(fstest.MapFS)
		where, want string
	}{
		{"gift", func(f fstest.MapFS) {
			replaced(t, f, "file: b.key, algorithm: ed25519", "file: old.key, algorithm: ed25519")
			f["start/old.key"] = &fstest.MapFile{Data: []byte("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n")}
			f["mutants/no-b.sh"].Data, f["mutants/other-name.sh"].Data = []byte("rm old.key"), []byte("rm old.key")
		}, "untouched", "check b passes, for nothing"},
		{"fails", write("solution/second.sh", "echo 1; echo 2; echo this is why >&2; exit 7"), "second", "exit status 7: 1; 2; this is why"},
		{"unset variable", write("solution/second.sh", key+"cp a.key b.key; echo $HOMER"), "second", "HOMER"},
		{"no such command", write("solution/pkictl.sh", "no-such-command\n"), "pkictl", "no-such-command"},
		{"half a solution", write("solution/second.sh", key), "second", "check b fails, and should not: wanted a private key"},
		{"a mutant that is none", write("mutants/no-a.sh", "true"), "mutant no-a", "check a passes, and should not"},
		{"a mutant that loses more", write("mutants/no-a.sh", "rm a.key b.key"), "mutant no-a", "check b fails, and should not"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := keysLab()
			test.change(files)
			findings, err := selfTest(t, files)
			if err != nil || len(findings) != 1 {
				t.Fatalf("%+v %v", findings, err)
			}
			if f := findings[0]; f.Level != lab.LintError || f.Where != test.where || !strings.Contains(f.Text, test.want) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestSelfTestAlone: scripts see nothing of whoever runs them.
func TestSelfTestAlone(t *testing.T) {
	t.Parallel()
	files := keysLab()
	files["solution/pkictl.sh"] = &fstest.MapFile{Data: []byte(`openssl genpkey -algorithm ed25519 -out a.key
cp a.key b.key
for name in $(env | sed 's/=.*//'); do
  case $name in PATH|HOME|TMPDIR|PWD|OLDPWD|SHLVL|_) ;; *) echo "there is $name"; exit 1;; esac
done
test -z "$(ls -A "$HOME")"
test "$(pwd)" != "$HOME"
`)}
	if findings, err := selfTest(t, files); err != nil || len(findings) > 0 {
		t.Errorf("%+v %v", findings, err)
	}
}

// TestSelfTestEnds: neither what a script has left in the background goes on, nor one
// that is cancelled.
func TestSelfTestEnds(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	pipe := filepath.Join(here, "alive")
	wait := `(trap '' INT TERM HUP; echo > "` + pipe + `.begun"; exec 3<>"` + pipe + `.lock"; flock 3; exec sleep 600) `
	gone := func() { // the lock is free as soon as the process is gone
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			if free(t, pipe+".lock") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("a process is left")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	files := keysLab()
	files["solution/pkictl.sh"] = &fstest.MapFile{Data: []byte(string(files["solution/tools.sh"].Data) + wait + "&\nwhile ! test -e " + pipe + ".begun; do sleep 0.01; done\n")}
	if findings, err := selfTest(t, files); err != nil || len(findings) > 0 {
		t.Errorf("%+v %v", findings, err)
	}
	gone()
	if err := os.Remove(pipe + ".begun"); err != nil {
		t.Fatal(err)
	}
	files["solution/pkictl.sh"].Data = []byte(wait)
	l, err := lab.Read(files, "two-keys", "two-keys")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := l.SelfTest(ctx, lab.TrialOptions{Path: scriptPath(t), Now: time.Now})
		ended <- err
	}()
	for {
		if _, err := os.Stat(pipe + ".begun"); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended before: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	gone()
}

// TestSelfTestNeeds: what cannot be run here is not taken for right.
func TestSelfTestNeeds(t *testing.T) {
	t.Parallel()
	files := keysLab()
	replaced(t, files, "minutes: 4", "minutes: 4\nneeds: [opa]")
	findings, err := selfTest(t, files)
	if err != nil || len(findings) != 1 || findings[0].Where != "needs" || !lab.LintFails(findings) {
		t.Errorf("%+v %v", findings, err)
	}
}

// free says whether nobody holds a lock.
func free(t *testing.T, name string) bool {
	t.Helper()
	lock := flock.New(name)
	ok, err := lock.TryLock()
	if err != nil {
		t.Fatal(err)
	}
	if ok {
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	return ok
}
