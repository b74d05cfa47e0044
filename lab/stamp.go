package lab

import (
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
)

// maxStamped bounds what Stamp looks at: a learner may unpack anything.
const maxStamped = 4096

// Stamp tells the states of a workspace apart, by the names, sizes, modes and
// times of its files, which it does not open. It is cheap enough to be asked for
// every second. What a running cluster writes is left out.
func (w *Workspace) Stamp() string {
	hash := fnv.New64a()
	w.look(func(path string, info fs.FileInfo) bool {
		fmt.Fprintf(hash, "%q %v %d %d\n", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		return true
	})
	return fmt.Sprintf("%016x", hash.Sum64())
}

// Touched says whether a file was written since the lab was begun. Work that is in a
// cluster alone leaves no trace here.
func (w *Workspace) Touched() bool {
	mark, err := os.Lstat(filepath.Join(w.Dir, markFile))
	if err != nil {
		return true
	}
	touched := false
	w.look(func(_ string, info fs.FileInfo) bool {
		touched = !info.IsDir() && info.ModTime().After(mark.ModTime())
		return !touched
	})
	return touched
}

// look goes over what is in the workspace until see returns false. What cannot be
// read, or goes meanwhile, is passed over.
func (w *Workspace) look(see func(path string, info fs.FileInfo) bool) {
	left := maxStamped
	_ = filepath.WalkDir(w.Dir, func(path string, entry fs.DirEntry, err error) error {
		if left--; left < 0 {
			return fs.SkipAll
		}
		if entry == nil { // the workspace itself is gone
			return err
		}
		if w.isRunDir(path) {
			return fs.SkipDir
		}
		if info, err := entry.Info(); err == nil && !see(path, info) {
			return fs.SkipAll
		}
		return nil
	})
}
