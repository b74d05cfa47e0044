package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAuditLintBroken: whatever happens at whichever system call of --fix, the
// policy is the old or the mended one, and the next run mends it and leaves nothing
// else behind.
func TestAuditLintBroken(t *testing.T) {
	t.Parallel()
	fixed := strings.Replace(mendable, "v1beta1", "v1", 1)
	for _, fault := range []syscall.Errno{killed, syscall.ENOSPC, syscall.EIO} {
		t.Run(faultNames[fault], func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "audit.yaml")
			old := 0
			for n := 1; ; n++ {
				ok(t, os.WriteFile(path, []byte(mendable), 0o640))
				got, reached := breakAt(t, program(dir, lintOf("--fix", "-q")...), n, fault)
				if !reached {
					break
				}
				what := fmt.Sprintf("%s at %d", faultNames[fault], n)
				data, err := os.ReadFile(path)
				ok(t, err)
				switch {
				case string(data) == mendable:
					old++
					if got.code == 0 {
						t.Errorf("%s: not mended, without an error", what)
					}
				case string(data) != fixed:
					t.Errorf("%s: neither the old nor the mended policy: %q", what, data)
				}
				if fault != killed && got.code == 1 {
					checkRefusal(t, what, got, 1, "audit.yaml", "")
				}
				do(t, dir, lintOf("--fix", "-q")...)
				info, err := os.Stat(path)
				ok(t, err)
				entries, err := os.ReadDir(dir)
				ok(t, err)
				if data, _ := os.ReadFile(path); string(data) != fixed || info.Mode().Perm() != 0o640 {
					t.Errorf("%s: the next run leaves %q with mode %o", what, data, info.Mode().Perm())
				}
				if len(entries) != 1 && string(data) == mendable {
					t.Errorf("%s: left behind: %v", what, entries)
				}
			}
			if old < 3 {
				t.Errorf("only %d faults before the policy was replaced", old)
			}
		})
	}
}
