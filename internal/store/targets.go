package store

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pkictl/pkictl/internal/failure"
)

// CheckAbsent returns the error that Commit would return when one of the paths
// exists. It serves to say no before costly work is done.
func CheckAbsent(paths ...string) error {
	for _, path := range paths {
		if err := checkOwn(path); err != nil {
			return err
		}
		if err := checkTarget(path, false); err != nil {
			return err
		}
	}
	return nil
}

// CheckTargets returns the error that Commit would return because of what is
// there, or because there is no directory for one of the paths, or too long a
// name. It serves as CheckAbsent does.
func CheckTargets(replace bool, paths ...string) error {
	for _, path := range paths {
		if err := checkOwn(path); err != nil {
			return err
		}
		if err := checkTarget(path, replace); err != nil && (!replace || switchTarget(path) == "") {
			return err // unless another process replaces it just now: Commit waits for its end
		}
		dir, base := filepath.Split(path)
		if _, err := os.Stat(cmp.Or(dir, ".")); err != nil {
			return diskError(err, "write %q", path)
		}
		longest := filepath.Join(dir, "."+base+"."+rand.Text()+".link") // as beside has it
		if _, err := os.Lstat(longest); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return diskError(err, "write %q", path)
		}
	}
	return nil
}

// TargetError says which of the files of a Commit cannot be written. The others
// could be, without it.
type TargetError struct {
	Path string // as the File has it
	Err  error
}

func (e *TargetError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the file.
func (e *TargetError) Unwrap() error { return e.Err }

// InDirectory returns the error that another file in the same directory meets,
// nil where what is wrong may be with the one file alone.
func (e *TargetError) InDirectory(path string) error {
	var errno syscall.Errno
	if errors.As(e.Err, &errno) {
		switch errno {
		case syscall.EACCES, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.ENOENT, syscall.ENOTDIR:
			return &TargetError{path, diskError(errno, "write %q", path)}
		}
	}
	return nil
}

// targets returns the absolute paths of files, their directories free of
// symbolic links, and refuses those that may not be written with a TargetError.
func targets(files []File, replace bool) ([]string, error) {
	paths := make([]string, len(files))
	real := map[string]string{} // directories without symbolic links
	taken := map[string]bool{}
	for i, f := range files {
		path, err := target(f.Path, replace, real)
		if err == nil && taken[path] {
			err = failure.New(failure.Usage, "choose different names", "%q would hold two things at once", f.Path)
		}
		if err != nil {
			return nil, &TargetError{f.Path, err}
		}
		paths[i], taken[path] = path, true
	}
	return paths, nil
}

func target(path string, replace bool, real map[string]string) (string, error) {
	dir := filepath.Dir(path)
	if real[dir] == "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		if real[dir], err = filepath.EvalSymlinks(abs); err != nil {
			return "", diskError(err, "write %q", path)
		}
	}
	if err := checkOwn(path); err != nil {
		return "", err
	}
	return filepath.Join(real[dir], filepath.Base(path)), checkTarget(path, replace)
}

// checkOwn refuses paths of what the store itself keeps in a PKI directory: the
// next Commit would delete or damage what is written there.
func checkOwn(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	dir, base := filepath.Split(abs)
	if real, err := filepath.EvalSymlinks(dir); err == nil { // otherwise whoever writes there says it
		dir = real
	}
	own := []string{lockName, inventoryName, inventoryName + "-journal", inventoryName + "-wal", inventoryName + "-shm"}
	isOwn := slices.ContainsFunc(own, func(name string) bool { return strings.EqualFold(base, name) })
	for p := filepath.Join(dir, base); p != filepath.Dir(p) && !isOwn; p = filepath.Dir(p) {
		isOwn = strings.EqualFold(filepath.Base(p), stagingName) && isPKI(filepath.Dir(p))
	}
	if isOwn {
		return failure.New(failure.Usage, "choose another name or directory", "%q is a place where pkictl keeps its own files", path)
	}
	return nil
}

// isPKI says whether a directory has, or had, an inventory.
func isPKI(dir string) bool {
	return slices.ContainsFunc([]string{lockName, inventoryName}, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	})
}

func checkTarget(path string, replace bool) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 && switchTarget(path) == "" {
		info, err = os.Lstat(path) // another process may have replaced it since
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return diskError(err, "write %q", path)
	case !replace && switchTarget(path) != "": // another process replaces it just now
		return &ExistsError{Path: path}
	case info.Mode()&fs.ModeSymlink != 0:
		return failure.New(failure.Failed, "remove the link, or choose another name with --out",
			"%q is a symbolic link; keys and certificates are not written through links", path)
	case !info.Mode().IsRegular():
		return failure.New(failure.Failed, "choose another name with --out", "%q is not a file", path)
	case !replace:
		return &ExistsError{Path: path}
	}
	return nil
}

// ExistsError says that a file which may not be replaced is there.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return fmt.Sprintf("%q exists", e.Path) }
