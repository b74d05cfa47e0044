//go:build unix

package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBatchPlaces: lines whose directory may not be written fail, each by its
// number, and keep no other from being issued; given the right, they work.
func TestBatchPlaces(t *testing.T) {
	t.Parallel()
	const users = 1500 // three steps
	dir := newNobodySite(t)
	directory("pki/closed", 0o555)(t, dir)
	var text bytes.Buffer
	text.WriteString("cn,out\n")
	for i := range users {
		out := ""
		if i%3 == 0 {
			out = fmt.Sprintf("closed/user-%d", i)
		}
		fmt.Fprintf(&text, "user-%d,%s\n", i, out)
	}
	ok(t, os.WriteFile(filepath.Join(dir, "users.csv"), text.Bytes(), 0o644))
	args := in("issue", "-f", "users.csv", "-o", "json")
	got := runProgram(t, unprivileged(program(dir, args...)))
	counts := countsOf(t, got.stdout)
	if got.code != 1 || counts.Issued != users*2/3 || counts.Failed != users/3 || len(counts.Errors) != users/3 {
		t.Fatalf("exit code %d, issued %d, failed %d\n%.1000s", got.code, counts.Issued, counts.Failed, got.stderr)
	}
	for i, e := range counts.Errors {
		if e.Line != 3*i+2 || !strings.Contains(e.Error, fmt.Sprintf(`cannot write "pki/closed/user-%d.`, 3*i)) ||
			!strings.Contains(e.Error, "permission denied") || !strings.Contains(e.Hint, "owner and mode") {
			t.Fatalf("error %d: %+v", i, e)
		}
	}
	if pairs, withoutFiles := checkBatch(t, "closed", dir); pairs != users*2/3+1 || withoutFiles != 0 { // and the site's own
		t.Errorf("%d pairs, %d rows without files", pairs, withoutFiles)
	}
	ok(t, os.Chmod(filepath.Join(dir, "pki/closed"), 0o755))
	again := countsOf(t, runProgram(t, unprivileged(program(dir, args...))).stdout)
	if again.Issued != users/3 || again.Skipped != users*2/3 || again.Failed != 0 {
		t.Errorf("with the right: %+v", again)
	}
}
