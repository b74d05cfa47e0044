package main_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
)

// TestHappened: a change of names that the system has made and reports as
// failed leaves no certificate without its row, and nothing undone for good.
func TestHappened(t *testing.T) {
	t.Parallel()
	for _, command := range []struct {
		name, user string
		args       []string
	}{
		{"issue", "jane", append(in("issue", "--cn", "jane", "-q"), kubeconfigOf("jane")...)},
		{"issue --force", "joe", append(in("issue", "--cn", "joe", "--force", "-q"), kubeconfigOf("joe")...)},
	} {
		t.Run(command.name, func(t *testing.T) {
			t.Parallel()
			s := newFaultSite(t, "joe")
			failed, succeeded := 0, 0
			for n := 1; ; n++ {
				s.reset(t)
				before := snapshot(t, s.dir)
				got, reached := breakAt(t, program(s.dir, command.args...), n, syscall.EIO|happened)
				if !reached {
					break
				}
				what := fmt.Sprintf("error of what happened at %d", n)
				checkKilled(t, what, s.dir, "joe")
				if got.code == 0 {
					succeeded++
					checkKilled(t, what, s.dir, command.user)
				} else {
					failed++
					checkRefusal(t, what, got, 1, "", "")
				}
				do(t, s.dir, "list")
				do(t, s.dir, "issue", "--cn", "last", "-q")
				checkKilled(t, what+", then another", s.dir, "joe")
				checkRecovered(t, what+", then another", s.dir)
				if got.code != 0 {
					after := snapshot(t, s.dir)
					for _, name := range []string{"pki/joe.crt", "pki/joe.key", "joe.conf"} {
						if path := filepath.Join(s.dir, name); after[path] == "" || after[path] != before[path] {
							t.Errorf("%s: it failed, and %s is another", what, name)
						}
					}
				}
			}
			t.Logf("%d failed, %d succeeded", failed, succeeded)
			if failed < 3 || succeeded < 3 {
				t.Errorf("%d failed, %d succeeded: the faults miss the point", failed, succeeded)
			}
		})
	}
}
