//go:build unix

package store

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestKeepOwner: a file that is replaced keeps its group, and as far as one may
// choose it, its owner.
func TestKeepOwner(t *testing.T) {
	t.Parallel()
	pki := t.TempDir()
	path := filepath.Join(pki, "x")
	check(t, os.WriteFile(path, []byte("old"), 0o640))
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1234, 2345
	} else if groups, err := os.Getgroups(); err == nil && len(groups) > 0 {
		gid = groups[len(groups)-1]
	}
	check(t, os.Chown(path, uid, gid))
	dir, err := Lock(context.Background(), pki, nil)
	check(t, err)
	defer dir.Unlock()
	check(t, dir.Commit([]File{{Path: path, Data: []byte("new"), Mode: 0o600, Keep: true}}, true, nil))
	info, err := os.Stat(path)
	check(t, err)
	stat, isUnix := info.Sys().(*syscall.Stat_t)
	if !isUnix || int(stat.Uid) != uid || int(stat.Gid) != gid || info.Mode().Perm() != 0o640 {
		t.Errorf("it is %v of %d:%d, want 0640 of %d:%d", info.Mode(), stat.Uid, stat.Gid, uid, gid)
	}
}
