package main_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeUsers writes a file of n users.
func writeUsers(t testing.TB, path string, n int) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("cn,group\n")
	for i := range n {
		fmt.Fprintf(&b, "user-%d,dev;team-%d\n", i, i%7)
	}
	ok(t, os.WriteFile(path, b.Bytes(), 0o600))
}

// batchCounts is what `pkictl issue -f FILE -o json` prints.
type batchCounts struct {
	Issued, Skipped, Failed int
	Warnings                []struct {
		Text         string
		Lines, First int
	}
	Errors []struct {
		Line        int
		Error, Hint string
	}
}

func countsOf(t testing.TB, stdout string) batchCounts {
	t.Helper()
	var counts batchCounts
	ok(t, json.Unmarshal([]byte(stdout), &counts))
	return counts
}

// checkBatch checks what a batch has left, done or not: each certificate fits
// its key and has its row, and no serial stands twice. It returns how many pairs
// there are, and how many good rows whose files are not: of steps that were
// killed when their rows were on the disk, and not yet in their places.
func checkBatch(t testing.TB, what, dir string) (pairs, withoutFiles int) {
	t.Helper()
	good := map[string]bool{}
	rows := rowsOf(t, filepath.Join(dir, "pki", "inventory.db"))
	serials := map[string]bool{}
	for _, row := range rows {
		fields := strings.SplitN(row, " ", 5)
		if len(fields) != 5 {
			t.Fatalf("%s: row %q", what, row)
		}
		if serials[fields[0]] {
			t.Errorf("%s: serial %s stands twice", what, fields[0])
		}
		serials[fields[0]] = true
		if fields[2] == "good" {
			good[fields[4]] = true
		}
	}
	paths, err := filepath.Glob(filepath.Join(dir, "pki", "*.crt"))
	ok(t, err)
	for _, path := range paths {
		pem, err := os.ReadFile(path)
		ok(t, err)
		if !good[string(pem)] {
			t.Errorf("%s: %s has no row", what, path)
		}
		delete(good, string(pem))
		if _, err := tls.LoadX509KeyPair(path, strings.TrimSuffix(path, ".crt")+".key"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	return len(paths) - 1, len(good)
}

// TestBatchKilled kills a batch 20 times; run once more, it completes.
func TestBatchKilled(t *testing.T) {
	t.Parallel()
	const users, kills = 3000, 20
	dir := t.TempDir()
	do(t, dir, "init-ca")
	path := filepath.Join(dir, "users.csv")
	writeUsers(t, path, users)
	longest := measureRun(t, dir, "issue", "-f", "users.csv", "--out", dir, "-q") // beside, to measure it
	ok(t, os.RemoveAll(filepath.Join(dir, "pki")))
	do(t, dir, "init-ca")
	interrupted, before := 0, 0
	for n := range kills {
		killAfter(t, program(dir, "issue", "-f", "users.csv", "-q"), spread(n, longest*2/5))
		now := pairsIn(t, dir)
		if now < before {
			t.Errorf("kill %d: %d pairs, %d before", n, now, before)
		}
		if now > before && now < users {
			interrupted++
		}
		before = now
	}
	got := countsOf(t, do(t, dir, "issue", "-f", "users.csv", "-o", "json"))
	if got.Issued+got.Skipped != users || got.Failed != 0 {
		t.Errorf("issued %d, skipped %d, failed %d", got.Issued, got.Skipped, got.Failed)
	}
	t.Logf("%d kills left some of it; the last run issued %d and skipped %d", interrupted, got.Issued, got.Skipped)
	if interrupted == 0 {
		t.Error("the kills miss the point")
	}
	if pairs, withoutFiles := checkBatch(t, "at the end", dir); pairs != users || withoutFiles != 0 {
		t.Errorf("%d pairs, want %d; %d rows are without files", pairs, users, withoutFiles)
	}
	checkRecovered(t, "at the end", dir)
	again := countsOf(t, do(t, dir, "issue", "-f", "users.csv", "-o", "json"))
	if again.Skipped != users || again.Issued != 0 {
		t.Errorf("again: issued %d, skipped %d", again.Issued, again.Skipped)
	}
}

// pairsIn counts certificates with their keys; one without is an error.
func pairsIn(t testing.TB, dir string) int {
	t.Helper()
	certs, err := filepath.Glob(filepath.Join(dir, "pki", "user-*.crt"))
	ok(t, err)
	for _, path := range certs {
		if _, err := os.Stat(strings.TrimSuffix(path, ".crt") + ".key"); err != nil {
			t.Errorf("%s is alone: %v", path, err)
		}
	}
	return len(certs)
}

// TestBatchInterrupted presses Ctrl-C in the middle: it says how far it came.
func TestBatchInterrupted(t *testing.T) {
	t.Parallel()
	const users = 6000
	dir := t.TempDir()
	do(t, dir, "init-ca")
	writeUsers(t, filepath.Join(dir, "users.csv"), users)
	cmd := program(dir, "issue", "-f", "users.csv")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ok(t, cmd.Start())
	// When the first step has gone to the disk, there are more to come.
	waitFor(t, func() bool { return pairsIn(t, dir) > 0 })
	ok(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait() // the exit code tells
	pairs, withoutFiles := checkBatch(t, "interrupted", dir)
	if withoutFiles != 0 {
		t.Errorf("%d rows are without files", withoutFiles)
	}
	checkRefusal(t, "Ctrl-C", outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, 1,
		fmt.Sprintf("interrupted after %d certificates", pairs), "goes on where it stopped")
	got := countsOf(t, do(t, dir, "issue", "-f", "users.csv", "-o", "json"))
	if got.Issued != users-pairs || got.Skipped != pairs {
		t.Errorf("then issued %d and skipped %d, with %d there", got.Issued, got.Skipped, pairs)
	}
}

// TestBatchInterruptedWaiting presses Ctrl-C while standard input says nothing.
func TestBatchInterruptedWaiting(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"", "cn\njane\n"} {
		dir := t.TempDir()
		do(t, dir, "init-ca")
		before := snapshot(t, dir)
		cmd := program(dir, "issue", "-f", "-")
		in, err := cmd.StdinPipe()
		ok(t, err)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		ok(t, cmd.Start())
		_, err = in.Write([]byte(sent))
		ok(t, err)
		waitFor(t, func() bool { return readsInput(t, cmd.Process.Pid) })
		ok(t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait() // the exit code tells
		checkRefusal(t, "Ctrl-C", outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, 1, "interrupted", "run it again")
		if sent == "" {
			checkUnchanged(t, "Ctrl-C", dir, before)
		} else {
			checkPairs(t, "Ctrl-C", dir) // a line that was read may be done
		}
	}
}

// waitFor waits until something is so; the test's own limit ends it.
func waitFor(t testing.TB, isSo func() bool) {
	t.Helper()
	for !isSo() {
		time.Sleep(5 * time.Millisecond)
	}
}

// TestBatchesAtOnce runs two batches of one file, and single issues beside.
func TestBatchesAtOnce(t *testing.T) {
	t.Parallel()
	const users = 1500
	dir := t.TempDir()
	do(t, dir, "init-ca")
	writeUsers(t, filepath.Join(dir, "users.csv"), users)
	var issued, failed [2]int
	inParallel(3, func(i int) {
		if i == 2 {
			for n := range 20 {
				if got := runProgram(t, program(dir, "issue", "--cn", fmt.Sprint("single-", n), "-q")); got.code != 0 {
					t.Errorf("single: exit code %d\n%s", got.code, got.stderr)
				}
			}
			return
		}
		got := runProgram(t, program(dir, "issue", "-f", "users.csv", "-o", "json"))
		counts := countsOf(t, got.stdout)
		issued[i], failed[i] = counts.Issued, counts.Failed
		if counts.Issued+counts.Skipped+counts.Failed != users || got.code != min(1, counts.Failed) {
			t.Errorf("exit code %d, %+v", got.code, counts)
		}
		for _, e := range counts.Errors {
			if !strings.Contains(e.Error, "exists") || e.Hint == "" {
				t.Errorf("line %d: %s", e.Line, e.Error)
			}
		}
	})
	if issued[0]+issued[1] != users {
		t.Errorf("issued %d, failed %d", issued, failed)
	}
	if pairs, withoutFiles := checkBatch(t, "at the end", dir); pairs != users+20 || withoutFiles != 0 {
		t.Errorf("%d pairs, %d rows without files", pairs, withoutFiles)
	}
	checkPairs(t, "at the end", dir)
}

// TestBatchMemory: 10,000 certificates take less than 150 MB, and what is
// refused less than 64 MB.
func TestBatchMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	writeUsers(t, filepath.Join(dir, "users.csv"), 10_000)
	got, most := maxMemory(t, program(dir, "issue", "-f", "users.csv", "-o", "json"))
	if counts := countsOf(t, got.stdout); counts.Issued != 10_000 || most > 150e6 {
		t.Errorf("%+v, with %d MB", counts, most/1e6)
	}
	t.Logf("10,000 certificates: %d MB", most/1e6)
	bomb := "items: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("k%d: &k%d [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n", i, i)
	}
	for name, text := range map[string]string{
		"bomb.yaml": bomb, "many.yaml": "[" + strings.Repeat("a,", 2_000_000) + "]", "deep.json": strings.Repeat("[", 1<<20),
		"large.yaml": "- {cn: " + strings.Repeat("x", 100<<20) + "}", "large.csv": "cn\n" + strings.Repeat("x", 100<<20),
		"long.csv": strings.Repeat("cn\n", 1_000_001),
	} {
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		got, most := maxMemory(t, program(dir, "issue", "-f", name))
		checkRefusal(t, name, got, max(got.code, 1), "", "")
		if most > 64e6 {
			t.Errorf("%s: %d MB", name, most/1e6)
		}
	}
	got, most = maxMemory(t, program(dir, "issue", "-f", "/dev/zero"))
	checkRefusal(t, "/dev/zero", got, 2, "longer than 65536 bytes", "the file you mean")
	if most > 64e6 {
		t.Errorf("/dev/zero: %d MB", most/1e6)
	}
}

// TestBatchTerminal: on a terminal a bar shows rate and remaining time, and is
// gone at the end; elsewhere there is none.
func TestBatchTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	writeUsers(t, filepath.Join(dir, "users.csv"), 6000)
	shown := shell(t, dir, "script -qefc 'pkictl issue -f users.csv --dir pki > result' typescript < /dev/null")
	for _, part := range []string{"\r\x1b[K  [", " of 6000  ", "/s  ", " left"} {
		if !strings.Contains(shown, part) {
			t.Errorf("%q is missing in %q", part, shown)
		}
	}
	if !strings.HasSuffix(shown, "\r\x1b[K") {
		t.Errorf("the bar is left: %q", shown[max(0, len(shown)-100):])
	}
	result, err := os.ReadFile(filepath.Join(dir, "result"))
	if err != nil || !strings.HasPrefix(string(result), "Issued 6000 certificates") || bytes.ContainsAny(result, "\r\x1b") {
		t.Errorf("the result is %q (%v)", result, err)
	}
	if again := runProgram(t, program(dir, "issue", "-f", "users.csv", "--force")); again.code != 0 || again.stderr != "" {
		t.Errorf("without a terminal: exit code %d and %q", again.code, again.stderr)
	}
	checkRecovered(t, "at the end", dir)
	ok(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type()&fs.ModeSymlink != 0 {
			t.Errorf("%s was left", path)
		}
		return err
	}))
}
