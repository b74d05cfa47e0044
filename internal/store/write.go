package store

import (
	"cmp"
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

// WriteFiles is WriteFile for several files in one directory, which are brought
// to the disk together. Each is the old or the new one; where one cannot be
// written, others may be.
func WriteFiles(dir string, files []File) error {
	var open []*os.File
	var beside []string
	var err error
	for _, file := range files {
		name := filepath.Join(dir, "."+filepath.Base(file.Path)+"."+rand.Text())
		var f *os.File
		if f, err = create(name, file.Data, file.Mode); err != nil {
			break
		}
		open, beside = append(open, f), append(beside, name)
	}
	err = errors.Join(err, syncAll(open...))
	for i, name := range beside {
		if err == nil {
			err = os.Rename(name, files[i].Path)
		}
		if err != nil {
			_ = os.Remove(name)
		}
	}
	if err == nil {
		err = syncDirs(cmp.Or(dir, "."))
	}
	return diskError(err, "write files in %q", cmp.Or(dir, "."))
}
