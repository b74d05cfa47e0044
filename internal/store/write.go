package store

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
)

// WriteFile writes a file outside of a PKI directory's care, such as a report,
// in one step and brings it to the disk: readers see the old one or the new.
// While it is written its name is another, which begins with a dot and has
// another suffix.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return failure.New(failure.Failed, "choose another file", "%q is not a file", path)
	}
	dir, base := filepath.Split(path)
	beside := filepath.Join(dir, "."+base+"."+rand.Text())
	err := writeSynced(beside, data, mode)
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		_ = os.Remove(beside)
		return diskError(err, "write %q", path)
	}
	return diskError(syncDirs(filepath.Clean(dir+".")), "write %q", path)
}

// WriteNew is WriteFile for a file that must not be there yet: of several who
// write it at once one does, and the others get an ExistsError.
func WriteNew(path string, data []byte, mode fs.FileMode) error {
	dir, base := filepath.Split(path)
	beside := filepath.Join(dir, "."+base+"."+rand.Text())
	defer func() { _ = os.Remove(beside) }()
	err := writeSynced(beside, data, mode)
	if err == nil {
		err = os.Link(beside, path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) && isWritten(beside) { // a file system without links
		err = writeSynced(path, data, mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return &ExistsError{Path: path}
	}
	if err != nil {
		return diskError(err, "write %q", path)
	}
	return diskError(syncDirs(filepath.Clean(dir+".")), "write %q", path)
}

func isWritten(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
