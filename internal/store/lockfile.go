package store

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// LockFile takes a lock that stands for the file at path: while one holds it,
// others wait until ctx ends; waiting is called once if that takes more than a
// second, and may be nil. The lock is flock(2) on a file beside it, PATH.lock,
// which release takes away. One that a killed process left locks nobody out.
func LockFile(ctx context.Context, path string, waiting func()) (release func(), err error) {
	name := path + ".lock"
	for {
		lock := flock.New(name, flock.SetPermissions(0o600))
		atOnce, err := lock.TryLock()
		if err == nil && !atOnce {
			err = wait(ctx, lock, waiting)
		}
		if err != nil {
			return nil, diskError(err, "lock %q", name)
		}
		// The holder before may have taken away what this one has waited for.
		if (&Dir{lock: lock}).holds(name) {
			return func() {
				_ = os.Remove(name) // left behind, it harms nobody
				_ = lock.Unlock()
			}, nil
		}
		_ = lock.Unlock()
	}
}

// textLength is the length of what rand.Text returns.
const textLength = 26

// Unfinished lists the files in a directory that a killed process may have left
// of WriteFile, by name.
func Unfinished(dir string) []string {
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return nil // what is wrong with the directory, the next write will say
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, ".") && entry.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}

// RemoveUnfinished removes what a killed process left of writing the file at
// path with WriteFile, of those that Unfinished found. It is for who keeps
// others from writing it.
func RemoveUnfinished(path string, found []string) {
	dir, base := filepath.Split(path)
	for _, name := range found {
		rest, ours := strings.CutPrefix(name, "."+base+".")
		if ours && len(rest) == textLength && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == "" {
			_ = os.Remove(filepath.Join(dir, name))
		}
	}
}
