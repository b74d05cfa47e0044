package apiserver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBackups writes more backups than are kept, several in a second and with the
// clock put back: the newest is the one that was written last.
func TestBackups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for n := range 25 {
		at := now.Add(time.Duration(n%5) * time.Second)
		backup, isThere, err := writeBackup(dir, "/etc/m/kube-apiserver.yaml", fmt.Append(nil, n), at)
		if err != nil || isThere {
			t.Fatal(n, isThere, err)
		}
		if newest, err := newestBackup(dir, "kube-apiserver.yaml"); err != nil || newest != backup {
			t.Errorf("%d: the newest is %q, %v, want %q", n, newest, err, backup)
		}
		if again, isThere, err := writeBackup(dir, "kube-apiserver.yaml", fmt.Append(nil, n), at); again != backup || !isThere || err != nil {
			t.Errorf("%d again: %q, %v, %v", n, again, isThere, err)
		}
		dropOldBackups(dir, "kube-apiserver.yaml")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != keptBackups {
		t.Errorf("%d are left, %v", len(left), err)
	}
	if data, err := os.ReadFile(left[len(left)-1]); err != nil || string(data) != "24" {
		t.Errorf("%s, %v", data, err)
	}
}
