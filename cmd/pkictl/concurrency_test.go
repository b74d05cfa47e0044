package main_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/store"
)

// inParallel runs n at once.
func inParallel(n int, run func(i int)) {
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wait.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	wait.Wait()
}

// listed is what `pkictl list -o json` prints.
type listed struct{ Items []listedItem }

type listedItem struct{ Name, Serial, State, Reason, RevokedAt string }

func list(t testing.TB, dir string, args ...string) listed {
	t.Helper()
	var result listed
	ok(t, json.Unmarshal([]byte(do(t, dir, append(in("list", "-o", "json"), args...)...)), &result))
	return result
}

// TestManyIssueAtOnce runs 64 times 50 issues at once: all succeed, with as many
// serials and rows.
func TestManyIssueAtOnce(t *testing.T) {
	t.Parallel()
	const processes, each = 64, 50
	dir := t.TempDir()
	do(t, dir, "init-ca")
	begun := time.Now()
	inParallel(processes+1, func(i int) {
		if i == processes { // one more lists in between
			for range each / 2 {
				list(t, dir)
			}
			return
		}
		for n := range each {
			name := fmt.Sprintf("p%d-n%d", i, n)
			got := runProgram(t, program(dir, "issue", "--cn", name, "-q"))
			if got.code != 0 || got.stderr != "" {
				t.Errorf("%s: exit code %d\n%s", name, got.code, got.stderr)
			}
		}
	})
	t.Logf("%d certificates in %v", processes*each, time.Since(begun).Round(time.Millisecond))
	serials := map[string]bool{}
	for _, item := range list(t, dir).Items {
		serials[item.Serial] = true
		if item.State != "valid" {
			t.Errorf("%s is %s", item.Name, item.State)
		}
		if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", item.Name+".crt"), filepath.Join(dir, "pki", item.Name+".key")); err != nil {
			t.Errorf("%s: %v", item.Name, err)
		}
	}
	if rows := rowsOf(t, filepath.Join(dir, "pki", "inventory.db")); len(rows) != processes*each+1 || len(serials) != processes*each+1 {
		t.Errorf("%d rows, %d serials, want %d", len(rows), len(serials), processes*each+1)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "pki"))
	ok(t, err)
	if want := 2*(processes*each+1) + len([]string{".lock", ".staging", "inventory.db", "inventory.db-journal"}); len(entries) != want {
		t.Errorf("%d files, want %d", len(entries), want)
	}
}

// TestTwoIssueAtOnce: for two names both succeed, for one name one does, and the
// other changes nothing.
func TestTwoIssueAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	refused := 0
	for round := range 20 {
		same := fmt.Sprintf("same-%d", round)
		var results [4]outcome
		inParallel(4, func(i int) {
			name := []string{same, same, fmt.Sprintf("a-%d", round), fmt.Sprintf("b-%d", round)}[i]
			results[i] = runProgram(t, program(dir, "issue", "--cn", name, "-q"))
		})
		loser := results[0]
		if loser.code == 0 {
			loser = results[1]
		}
		if results[0].code+results[1].code != 1 {
			t.Errorf("one name: exit codes %d and %d, want 0 and 1", results[0].code, results[1].code)
			continue
		}
		checkRefusal(t, same, loser, 1, "exists", "--force")
		refused++
		for _, other := range results[2:] {
			if other.code != 0 {
				t.Errorf("two names: exit code %d\n%s", other.code, other.stderr)
			}
		}
	}
	if rows := rowsOf(t, filepath.Join(dir, "pki", "inventory.db")); len(rows) != 1+3*refused {
		t.Errorf("%d rows, want %d", len(rows), 1+3*refused)
	}
	checkPairs(t, "at the end", dir)
}

// TestForceAtOnce replaces one pair many times at once, while others read it:
// they always find a pair that fits, and a kubeconfig with the same.
func TestForceAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	force := in("issue", "--cn", "jane", "--force", "-q", "--kubeconfig", "jane.conf", "--server", "https://x")
	do(t, dir, force...)
	const writers, each = 4, 25
	done := make(chan struct{})
	var reading sync.WaitGroup
	reads := 0
	reading.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			// Each file is read at its own time, so that it fits the one before may
			// be checked only for one that did not change between.
			before, err := os.ReadFile(filepath.Join(dir, "pki", "jane.crt"))
			if err != nil {
				t.Error(err)
				return
			}
			key, err := os.ReadFile(filepath.Join(dir, "pki", "jane.key"))
			if err != nil {
				t.Error(err)
				return
			}
			after, err := os.ReadFile(filepath.Join(dir, "pki", "jane.crt"))
			if err != nil {
				t.Error(err)
				return
			}
			if string(before) != string(after) {
				continue
			}
			reads++
			if _, err := tls.X509KeyPair(after, key); err != nil {
				t.Error(err)
				return
			}
		}
	})
	inParallel(writers, func(int) {
		for range each {
			if got := runProgram(t, program(dir, force...)); got.code != 0 {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
		}
	})
	close(done)
	reading.Wait()
	if reads < 20 {
		t.Errorf("%d reads only", reads)
	}
	checkPairs(t, "at the end", dir)
	if rows := list(t, dir, "--cn", "jane").Items; len(rows) != writers*each+1 {
		t.Errorf("%d rows, want %d", len(rows), writers*each+1)
	}
}

// TestTwoInitAtOnce: one makes the CA, and it is whole; the others change
// nothing of it.
func TestTwoInitAtOnce(t *testing.T) {
	t.Parallel()
	for round := range 15 {
		dir := t.TempDir()
		results := make([]outcome, 3)
		inParallel(len(results), func(i int) {
			results[i] = runProgram(t, program(dir, "init-ca", "--dir", "a/pki", "--cn", fmt.Sprintf("CA %d", i)))
		})
		made := 0
		for _, got := range results {
			if got.code == 0 {
				made++
			} else {
				checkRefusal(t, fmt.Sprint(round), got, 1, "there is a CA", "--dir DIR")
			}
		}
		if made != 1 {
			t.Fatalf("%d of them made a CA", made)
		}
		ok(t, os.Rename(filepath.Join(dir, "a", "pki"), filepath.Join(dir, "pki")))
		do(t, dir, "issue", "--cn", "jane")
		checkPairs(t, fmt.Sprint(round), dir)
		if rows := list(t, dir).Items; len(rows) != 2 {
			t.Errorf("round %d: %d rows", round, len(rows))
		}
	}
}

// TestListWhileIssuing lists and dry-runs without pause while others issue.
func TestListWhileIssuing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	const writers, each = 2, 30
	done := make(chan struct{})
	var reading sync.WaitGroup
	for _, args := range [][]string{in("list"), in("issue", "--cn", "dry", "--dry-run")} {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := runProgram(t, program(dir, args...)); got.code != 0 || got.stderr != "" {
					t.Errorf("%s: exit code %d\n%s", args[0], got.code, got.stderr)
					return
				}
			}
		})
	}
	inParallel(writers, func(i int) {
		for n := range each {
			if got := runProgram(t, program(dir, "issue", "--cn", fmt.Sprintf("w%d-%d", i, n), "-q")); got.code != 0 || got.stderr != "" {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
		}
	})
	close(done)
	reading.Wait()
	if rows := list(t, dir).Items; len(rows) != writers*each+1 {
		t.Errorf("%d rows", len(rows))
	}
}

// TestSignalWhileWaiting interrupts a command that waits for another's lock.
func TestSignalWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{in("issue", "--cn", "jane"), in("init-ca", "--dir", "new")} {
		dir := newSite(t)
		ok(t, os.Mkdir(filepath.Join(dir, "new"), 0o700))
		unlock := holdLock(t, filepath.Join(dir, map[string]string{"issue": "pki", "init-ca": "new"}[args[0]]))
		before := snapshot(t, dir)
		cmd := program(dir, args...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		ok(t, cmd.Start())
		time.Sleep(1500 * time.Millisecond)
		ok(t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait() // the exit code tells
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("%s: exit code %d", args[0], code)
		}
		for _, part := range []string{"waiting for another pkictl", "error: cannot lock directory", "hint: another pkictl"} {
			if !strings.Contains(stderr.String(), part) {
				t.Errorf("%s: %q is missing in\n%s", args[0], part, stderr.String())
			}
		}
		checkUnchanged(t, args[0], dir, before)
		unlock()
		do(t, dir, args...)
	}
}

// holdLock takes the lock of a PKI directory, as another process would.
func holdLock(t *testing.T, dir string) (unlock func()) {
	t.Helper()
	lock, err := store.Lock(context.Background(), dir, nil)
	ok(t, err)
	return lock.Unlock
}

// TestManyBelowAtOnce makes CAs below one another's parents and below one
// directory at once: each directory gets one CA, each of which has its row.
func TestManyBelowAtOnce(t *testing.T) {
	t.Parallel()
	const places, each = 6, 4
	dir := t.TempDir()
	do(t, dir, "init-ca")
	made := make([]int, places*each)
	inParallel(places*each, func(i int) {
		place := fmt.Sprintf("low-%d", i%places)
		got := runProgram(t, program(dir, "init-ca", "--dir", place, "--parent", "pki", "--path-length", "1", "-q"))
		if made[i] = 1 - got.code; got.code != 0 {
			checkRefusal(t, place, got, 1, "exists", "--dir DIR")
			return
		}
		do(t, dir, "init-ca", "--dir", place+"/below", "--parent", place, "-q")
	})
	sum := 0
	for _, one := range made {
		sum += one
	}
	if sum != places {
		t.Errorf("%d were made, want %d", sum, places)
	}
	if rows := list(t, dir).Items; len(rows) != places+1 {
		t.Errorf("%d rows, want %d", len(rows), places+1)
	}
	for place := range places {
		name := fmt.Sprintf("low-%d/below", place)
		do(t, dir, "issue", "--dir", name, "--cn", "jane", "-q")
		do(t, dir, "verify", "--dir", name, "jane")
	}
}
