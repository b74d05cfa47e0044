package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/pkictl/pkictl/internal/failure"
)

// Size limits of files that are read, in bytes.
const (
	MaxPEM  = 1 << 20
	MaxYAML = 4 << 20
	MaxCRL  = 16 << 20 // PEM of 220,000 entries with reasons
)

// Read reads a file of at most max bytes. It stops reading at the limit, so
// that an endless file costs no memory.
func Read(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, ReadError(err, path)
	}
	defer f.Close()
	data, err := ReadAll(f, path, max)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return nil, ReadError(err, path)
	}
	return data, err
}

// ReadAll reads at most max bytes of r, and fails if there are more; name is
// what the error calls it.
func ReadAll(r io.Reader, name string, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, failure.New(failure.Failed, "check that it is the file you mean",
			"%q is larger than %s", name, size(max))
	}
	return data, nil
}

// ReadError says what to do about a file that cannot be opened or read.
func ReadError(err error, path string) error {
	hint := diskHint(err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "check owner and mode of the file; keys are readable by their owner only"
	case errors.Is(err, fs.ErrNotExist):
		hint = "check the name"
	case errors.Is(err, syscall.EISDIR):
		hint = "name a file in it, or another place with --dir"
	}
	return failure.Wrap(Cause(err), failure.Failed, hint, "cannot read %q", path)
}

func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	if n >= 1<<10 && n%(1<<10) == 0 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// writeSynced makes a new file with that mode and brings it to the disk.
func writeSynced(path string, data []byte, mode fs.FileMode) error {
	f, err := create(path, data, mode)
	if err != nil {
		return err
	}
	return syncAll(f)
}

// create makes a new file and gives it its mode, which is 0600 until the
// contents are written. It is the caller's to sync and close.
func create(path string, data []byte, mode fs.FileMode) (*os.File, error) {
	return write(path, os.O_EXCL, data, func(f *os.File) error { return f.Chmod(mode) })
}

// overwrite gives a file new contents in place, or makes it. It does not free
// the file's first block, and is not atomic. It is the caller's to sync and
// close.
func overwrite(path string, data []byte) (*os.File, error) {
	return write(path, 0, data, func(f *os.File) error { return f.Truncate(int64(len(data))) })
}

func write(path string, flag int, data []byte, then func(f *os.File) error) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(data); err == nil {
		err = then(f)
	}
	if err != nil {
		_ = f.Close() // the first error says it
		return nil, err
	}
	return f, nil
}

// syncers is how many files are brought to the disk at once.
const syncers = 16

// syncAll brings files to the disk and closes them. It does so at once for
// several, as a file system writes its journal once for all that wait.
func syncAll(files ...*os.File) error {
	if len(files) > syncers {
		for _, f := range files {
			startWriteback(f)
		}
	}
	errs := make([]error, len(files))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(len(files), syncers) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
				errs[i] = errors.Join(files[i].Sync(), files[i].Close())
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// linkOrCopy makes to another name of the file from, or a copy where from is
// on another file system or the file system knows no links. Another process may
// have put anything in from's place: what is not a plain file is refused.
func linkOrCopy(from, to string) error {
	info, err := os.Lstat(from)
	if err == nil {
		err = checkPlain(from, info)
	}
	if err != nil {
		return err
	}
	err = os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return err
	}
	return copyFile(from, to)
}

// copyFile makes a copy of a plain file, with its mode and owner.
func copyFile(from, to string) error {
	source, err := os.OpenFile(from, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err == nil {
		err = checkPlain(from, info)
	}
	if err != nil {
		return err
	}
	data, err := io.ReadAll(source)
	if err != nil {
		return err
	}
	f, err := create(to, data, info.Mode().Perm())
	if err != nil {
		return err
	}
	return errors.Join(keepOwner(f, info, info.Mode().Perm()), syncAll(f))
}

// errNotPlain says that a symbolic link, or something else, has taken the place
// of a file.
var errNotPlain = errors.New("not a plain file")

// errOwner says that a file would get another owner.
var errOwner = errors.New("it belongs to another user, and would not any more")

func checkPlain(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: errNotPlain}
}

// openDirs opens directories for syncAll, which then brings their entries to
// the disk. Windows has no such operation; its file system journals renames.
func openDirs(paths ...string) ([]*os.File, error) {
	if runtime.GOOS == "windows" {
		return nil, nil
	}
	var dirs []*os.File
	for _, path := range paths {
		dir, err := os.Open(path)
		if err != nil {
			for _, d := range dirs {
				_ = d.Close() // read only
			}
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// SyncDirs brings the entries of directories to the disk, the renames in them with
// it, where the system has such an operation.
func SyncDirs(paths ...string) error {
	dirs, err := openDirs(paths...)
	if err != nil {
		return err
	}
	return syncAll(dirs...)
}
