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
	return diskError(SyncDirs(filepath.Clean(dir+".")), "write %q", path)
}

// WriteNew is WriteFile for a file that must not be there yet: of several who
// write it at once one does, and the others get an ExistsError.
func WriteNew(path string, data []byte, mode fs.FileMode) error {
	dir, base := filepath.Split(path)
	beside := filepath.Join(dir, "."+base+"."+rand.Text())
	defer func() { _ = os.Remove(beside) }()
	err := writeSynced(beside, data, mode)
	if err == nil {
		if err = os.Link(beside, path); err != nil && !errors.Is(err, fs.ErrExist) { // a file system without links
			err = writeInPlace(path, data, mode)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return &ExistsError{Path: path}
	}
	if err != nil {
		return diskError(err, "write %q", path)
	}
	return diskError(SyncDirs(filepath.Clean(dir+".")), "write %q", path)
}

// writeInPlace is writeSynced, and leaves nothing of a file that it has made but
// could not write, as on a full disk.
func writeInPlace(path string, data []byte, mode fs.FileMode) error {
	err := writeSynced(path, data, mode)
	var failed *fs.PathError
	if errors.As(err, &failed) && failed.Op != "open" {
		_ = os.Remove(path)
	}
	return err
}

// unfinished is where ReplaceFile writes before it renames.
func unfinished(path string) string {
	dir, base := filepath.Split(path)
	return filepath.Join(dir, "."+base+".unfinished")
}

// DropUnfinished removes what a killed ReplaceFile has left beside path. The
// caller holds a lock of path.
func DropUnfinished(path string) { _ = os.Remove(unfinished(path)) } // most often there is nothing

// CheckReplace says why ReplaceFile would not replace the file at path with one
// that keeps its mode, as far as the file itself is the reason. It need not exist.
func CheckReplace(path string) error {
	_, err := replaceable(path, true)
	return err
}

// replaceable returns the file that is to be replaced, nil if there is none.
func replaceable(path string, keep bool) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, diskError(err, "write %q", path)
	case !info.Mode().IsRegular():
		return nil, failure.New(failure.Failed, "choose another file", "%q is not a file", path)
	case keep && info.Mode().Perm()&0o200 == 0:
		return nil, failure.New(failure.Failed, "if it may be changed: chmod u+w FILE", "%q is write-protected", path)
	}
	return info, nil
}

// ReplaceFile is WriteFile for a file of which the caller holds a lock: what it
// leaves when it is killed is taken away by the next one, or by DropUnfinished.
// A file that it is to Keep the mode of must not be write-protected.
func ReplaceFile(file File) error {
	path := file.Path
	old, err := replaceable(path, file.Keep)
	if err != nil {
		return err
	}
	if !file.Keep {
		old = nil
	}
	DropUnfinished(path)
	beside := unfinished(path)
	err = writeLike(beside, file, old)
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		DropUnfinished(path)
		return diskError(err, "write %q", path)
	}
	if err := SyncDirs(filepath.Dir(path)); err != nil {
		return failure.Wrap(Cause(err), failure.Failed, brokenHint, "%q is written, but may not outlive a power cut", path)
	}
	return nil
}

// writeLike is writeSynced with owner and mode of another file, if there is one.
func writeLike(path string, file File, like fs.FileInfo) error {
	if like == nil {
		return writeSynced(path, file.Data, file.Mode)
	}
	f, err := create(path, file.Data, 0o600)
	if err != nil {
		return err
	}
	if err := keepOwner(f, like, file.kept(like)); err != nil {
		_ = f.Close() // the first error says it
		return err
	}
	return syncAll(f)
}

// WriteFiles is ReplaceFile for several files in one directory, which are brought
// to the disk together. The caller holds locks of all. Each is the old or the new one; where one cannot be
// written, others may be.
func WriteFiles(dir string, files []File) error {
	var open []*os.File
	var beside []string
	var err error
	for _, file := range files {
		name := unfinished(file.Path)
		_ = os.Remove(name) // what a killed one has left
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
		err = SyncDirs(cmp.Or(dir, "."))
	}
	return diskError(err, "write files in %q", cmp.Or(dir, "."))
}
