//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestReplaceFile: a file that keeps its mode lets nobody read what the new one
// hides, and what a killed one has left goes.
func TestReplaceFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		old, mode, want fs.FileMode
		keep, fails     bool
	}{
		{0, 0o600, 0o600, true, false},
		{0o644, 0o600, 0o640, true, false},
		{0o644, 0o644, 0o644, true, false},
		{0o644, 0o600, 0o600, false, false},
		{0o400, 0o600, 0o400, true, true},
		{0o400, 0o600, 0o600, false, false},
	} {
		dir := t.TempDir()
		path, left := filepath.Join(dir, "x"), filepath.Join(dir, ".x.unfinished")
		check(t, os.WriteFile(left, nil, 0o400))
		if test.old != 0 {
			check(t, os.WriteFile(path, []byte("old"), 0o600))
			check(t, os.Chmod(path, test.old))
		}
		file := File{Path: path, Data: []byte("new"), Mode: test.mode, Keep: test.keep}
		if err := ReplaceFile(file); (err != nil) != test.fails {
			t.Errorf("%+v: %v", test, err)
		}
		if err := CheckReplace(path); (err != nil) != (test.fails) {
			t.Errorf("%+v: %v", test, err)
		}
		want := "new"
		if test.fails {
			want = "old"
			DropUnfinished(path)
		}
		info, err := os.Lstat(path)
		check(t, err)
		if data, err := os.ReadFile(path); err != nil || string(data) != want || info.Mode().Perm() != test.want {
			t.Errorf("%+v: %q, %v (%v)", test, data, info.Mode(), err)
		}
		if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: left behind: %v", test, err)
		}
	}
	dir := t.TempDir()
	check(t, os.Symlink("elsewhere", filepath.Join(dir, "link")))
	for _, keep := range []bool{true, false} {
		if err := ReplaceFile(File{Path: filepath.Join(dir, "link"), Mode: 0o600, Keep: keep}); err == nil {
			t.Error("a link is replaced")
		}
	}
}
