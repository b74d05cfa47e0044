package main_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/kubeconfig"
)

// checkKilled checks what must hold at the moment a command was killed, before
// any other runs: a pair that is replaced fits, and so does its kubeconfig; a
// new one has a certificate only with its key; and no certificate is without
// its row.
func checkKilled(t testing.TB, what, dir string, replaced ...string) {
	t.Helper()
	rows := strings.Join(rowsOf(t, filepath.Join(dir, "pki", "inventory.db")), "\n")
	entries, err := os.ReadDir(filepath.Join(dir, "pki"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, isCert := strings.CutSuffix(entry.Name(), ".crt")
		if !isCert {
			continue
		}
		path := filepath.Join(dir, "pki", entry.Name())
		pem, err := os.ReadFile(path)
		pem, _, _ = bytes.Cut(pem, []byte("-----END")) // CAs may follow
		if name == "ca-chain" {
			name = "ca"
		}
		if err != nil || !strings.Contains(rows, string(pem)) {
			t.Errorf("%s: %s has no row (%v)", what, path, err)
		}
		if _, err := tls.LoadX509KeyPair(path, filepath.Join(dir, "pki", name+".key")); err != nil {
			t.Errorf("%s: %s: %v", what, path, err)
		}
	}
	for _, name := range replaced {
		pem, err := os.ReadFile(filepath.Join(dir, "pki", name+".crt"))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", name+".crt"), filepath.Join(dir, "pki", name+".key")); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		config, err := kubeconfig.Load(filepath.Join(dir, name+".conf"))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if string(config.AuthInfos[name].ClientCertificateData) != string(pem) {
			t.Errorf("%s: the kubeconfig of %s holds another certificate", what, name)
		}
	}
}

// checkRecovered checks what must hold after the next run: nothing of the killed
// one is left but, at most, a row of its own.
func checkRecovered(t testing.TB, what, dir string) {
	t.Helper()
	for _, folder := range []string{dir, filepath.Join(dir, "pki")} {
		entries, err := os.ReadDir(folder)
		ok(t, err)
		for _, entry := range entries {
			name := entry.Name()
			isKnown := !strings.HasPrefix(name, ".") || name == ".lock" || name == ".staging"
			if !isKnown || entry.Type()&fs.ModeSymlink != 0 {
				t.Errorf("%s: %s was left", what, name)
			}
			base, isKey := strings.CutSuffix(name, ".key")
			if _, err := os.Stat(filepath.Join(folder, base+".crt")); isKey && err != nil {
				t.Errorf("%s: %s is alone: %v", what, name, err)
			}
		}
	}
	left, err := unfinished(filepath.Join(dir, "pki", ".staging"))
	if left != "" || err != nil {
		t.Errorf("%s: left in .staging: %s (%v)", what, left, err)
	}
}

// kubeconfigOf is the rest of a command line that also writes a kubeconfig,
// outside of the PKI directory.
func kubeconfigOf(name string) []string {
	return in("--kubeconfig", name+".conf", "--server", "https://10.0.0.10:6443")
}

// TestKill kills 500 commands, at moments spread over all that they do.
func TestKill(t *testing.T) {
	t.Parallel()
	const kills, workers = 500, 4
	for worker := range workers {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			killMany(t, t.TempDir(), kills/workers)
		})
	}
}

// killMany kills half of the commands while they replace a pair, the others
// while they make a new one.
func killMany(t *testing.T, dir string, kills int) {
	do(t, dir, "init-ca")
	force := append(in("issue", "--cn", "jane", "--force", "-q"), kubeconfigOf("jane")...)
	longest := 10 * time.Millisecond
	measure := func(args ...string) {
		// It is longer when more runs at once, so follow it.
		longest = max(longest*15/16, measureRun(t, dir, args...))
	}
	measure(force...)
	var done, undone [2]int // replacing, and making anew
	for n := range kills {
		name := fmt.Sprintf("new-%d", n)
		args := force
		if n%2 == 1 {
			args = append(in("issue", "--cn", name, "-q"), kubeconfigOf(name)...)
		}
		what := fmt.Sprintf("%d %s", n, strings.Join(args, " "))
		certificate := filepath.Join(dir, "pki", "jane.crt")
		if n%2 == 1 {
			certificate = filepath.Join(dir, "pki", name+".crt")
		}
		before, _ := os.ReadFile(certificate)
		killAfter(t, program(dir, args...), spread(n, longest))
		checkKilled(t, what, dir, "jane")
		if after, _ := os.ReadFile(certificate); string(after) != string(before) {
			done[n%2]++
		} else {
			undone[n%2]++
		}
		switch n % 3 {
		case 0:
			measure(force...)
		case 1:
			measure("issue", "--cn", fmt.Sprintf("next-%d", n), "-q")
		case 2: // the same again: it is there, or it is not
			got := runProgram(t, program(dir, args...))
			if got.code != 0 && (n%2 == 0 || !strings.Contains(got.stderr, "exists")) {
				t.Errorf("%s: again: exit code %d\n%s", what, got.code, got.stderr)
			}
		}
		checkRecovered(t, what, dir)
	}
	incomplete := 0
	for _, item := range list(t, dir).Items {
		if item.State == "incomplete" {
			incomplete++
		}
	}
	t.Logf("replaced %d, not %d; made %d, not %d; %d rows are incomplete", done[0], undone[0], done[1], undone[1], incomplete)
	if least := kills / 32; min(done[0], undone[0], done[1], undone[1]) < least || incomplete < 1 {
		t.Errorf("replaced %d, not %d; made %d, not %d; %d incomplete: the kills miss the point",
			done[0], undone[0], done[1], undone[1], incomplete)
	}
}

// spread returns the nth of moments spread evenly over a little more than that
// time, in any order: multiples of the golden ratio do.
func spread(n int, longest time.Duration) time.Duration {
	share := float64(n) * 0.6180339887
	return time.Duration((share - float64(int(share))) * 1.2 * float64(longest))
}

// measureRun says how long a command takes.
func measureRun(t testing.TB, dir string, args ...string) time.Duration {
	t.Helper()
	begun := time.Now()
	do(t, dir, args...)
	return time.Since(begun)
}

// killAfter starts a command and kills it after that time, if it still runs.
func killAfter(t testing.TB, cmd *exec.Cmd, delay time.Duration) {
	t.Helper()
	ok(t, cmd.Start())
	timer := time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // killed or not
	timer.Stop()
}
