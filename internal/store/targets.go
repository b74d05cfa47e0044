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
		if err := checkTarget(path, replace); err != nil {
			return err
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

// targets returns the absolute paths of files, their directories free of
// symbolic links, and refuses those that may not be written.
func targets(files []File, replace bool) ([]string, error) {
	paths := make([]string, len(files))
	real := map[string]string{} // directories without symbolic links
	taken := map[string]bool{}
	for i, f := range files {
		dir := filepath.Dir(f.Path)
		if real[dir] == "" {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return nil, err
			}
			if real[dir], err = filepath.EvalSymlinks(abs); err != nil {
				return nil, diskError(err, "write %q", f.Path)
			}
		}
		if err := checkOwn(f.Path); err != nil {
			return nil, err
		}
		if err := checkTarget(f.Path, replace); err != nil {
			return nil, err
		}
		paths[i] = filepath.Join(real[dir], filepath.Base(f.Path))
		if taken[paths[i]] {
			return nil, failure.New(failure.Usage, "choose different names", "%q would hold two things at once", f.Path)
		}
		taken[paths[i]] = true
	}
	return paths, nil
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
