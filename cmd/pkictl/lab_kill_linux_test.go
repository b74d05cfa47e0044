package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestLabTogether: of hints that several processes ask for at once, none is counted
// twice or lost; labs are started beside each other.
func TestLabTogether(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	var running sync.WaitGroup
	numbers := make(chan int, 3)
	for range 3 {
		running.Go(func() {
			out, err := labCommand(w, "hint", "cluster-ca", "-o", "json").Output()
			var result struct {
				Hints []struct{ Number int } `json:"hints"`
			}
			if err == nil {
				err = json.Unmarshal(out, &result)
			}
			if err != nil || len(result.Hints) != 1 {
				t.Errorf("%v\n%s", err, out)
				return
			}
			numbers <- result.Hints[0].Number
		})
	}
	for _, id := range []string{"cluster-ca", "cluster-ca", "key-and-csr", "admin-credential"} {
		running.Go(func() {
			if out, err := labCommand(w, "start", id).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	running.Wait()
	close(numbers)
	seen := map[int]bool{}
	for n := range numbers {
		seen[n] = true
	}
	if len(seen) != 3 {
		t.Errorf("hints %v", seen)
	}
}

// TestLabKilled: killed at any time, start and reset are completed by the next start;
// nothing of the learner's is lost, and what is kept can be read.
func TestLabKilled(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	root := filepath.Join(w.dir, "pkictl-labs")
	var longest time.Duration
	for range 3 {
		began := time.Now()
		w.pkictl("lab start admin-credential")
		longest = max(longest, time.Since(began))
	}
	const kills = 20
	for i := range kills {
		work := filepath.Join(root, "admin-credential", fmt.Sprintf("work-%d", i))
		ok(t, os.WriteFile(work, []byte("mine"), 0o600))
		cmd := labCommand(w, "reset", "admin-credential", "--yes")
		killAfter(t, cmd, spread(i, longest))
		w.pkictl("lab start admin-credential")
		if _, err := os.Stat(filepath.Join(root, "admin-credential", "pki", "ca.key")); err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		w.pkictl("lab list")
	}
	// Each file is in the workspace, or in what was moved aside.
	for i := range kills {
		name := fmt.Sprintf("work-%d", i)
		there, err := filepath.Glob(filepath.Join(root, "*", name))
		ok(t, err)
		aside, err := filepath.Glob(filepath.Join(root, "before-reset", "*", name))
		ok(t, err)
		if len(there)+len(aside) != 1 {
			t.Errorf("%s is %d times there", name, len(there)+len(aside))
		}
	}
}
