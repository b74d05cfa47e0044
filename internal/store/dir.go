package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/internal/failure"
)

// Names inside a PKI directory that belong to the store.
const (
	lockName      = ".lock"
	inventoryName = "inventory.db"
)

// noticeAfter is how long Lock waits before it tells that it is waiting.
const noticeAfter = time.Second

// Dir is a PKI directory whose lock is held. All changes go through it.
type Dir struct {
	path string
	lock *flock.Flock
}

// Lock takes the lock of the PKI directory at path, which must exist, and
// completes or undoes what a killed process left half done there. It waits for
// another holder until ctx ends; waiting is called once if that takes more
// than a second, and may be nil. The lock is flock(2): the kernel frees it
// when the holder ends, however it ends.
func Lock(ctx context.Context, path string, waiting func()) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// Through a symbolic link the relative links of Commit would dangle.
	abs, err = filepath.EvalSymlinks(abs)
	if err != nil {
		return nil, diskError(err, "open directory %q", path)
	}
	lock := flock.New(filepath.Join(abs, lockName), flock.SetPermissions(0o600))
	if err := acquire(ctx, lock, waiting); err != nil {
		return nil, diskError(err, "lock directory %q", path)
	}
	dir := &Dir{path: abs, lock: lock}
	if err := dir.recover(); err != nil {
		dir.Unlock()
		return nil, diskError(err, "complete an interrupted change in %q", path)
	}
	return dir, nil
}

func acquire(ctx context.Context, lock *flock.Flock, waiting func()) error {
	done := make(chan error, 1)
	go func() { done <- lock.Lock() }()
	if waiting == nil {
		waiting = func() {}
	}
	notice := time.NewTimer(noticeAfter)
	defer notice.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-notice.C:
			waiting()
		case <-ctx.Done():
			// The goroutine still waits; free the lock as soon as it has it.
			go func() {
				if <-done == nil {
					_ = lock.Unlock()
				}
			}()
			return ctx.Err()
		}
	}
}

// Unlock frees the lock.
func (d *Dir) Unlock() { _ = d.lock.Unlock() }

// Inventory opens the directory's inventory for writing and makes it if it is
// not there.
func (d *Dir) Inventory() (*Inventory, error) {
	return openInventory(filepath.Join(d.path, inventoryName), true)
}

// OpenInventory opens the inventory of the PKI directory at path for reading.
// It needs no lock. The error is fs.ErrNotExist where there is none.
func OpenInventory(path string) (*Inventory, error) {
	return openInventory(filepath.Join(path, inventoryName), false)
}

// Make makes the PKI directory at path, and the ones above it, with mode 0700
// whatever the umask, and returns a function that takes back what it and the
// store made there, as long as nothing else is in it. An existing directory
// stays as it is.
func Make(path string) (undo func(), err error) {
	existed := func(name string) bool {
		_, err := os.Lstat(filepath.Join(path, name))
		return err == nil
	}
	hadDir, hadLock, hadInventory := existed("."), existed(lockName), existed(inventoryName)
	missing := missingAbove(path)
	if err := os.MkdirAll(path, 0o700); err != nil {
		removeDirs(missing)
		return nil, diskError(err, "make directory %q", path)
	}
	if !hadDir {
		if err := os.Chmod(path, 0o700); err != nil {
			removeDirs(missing)
			return nil, diskError(err, "make directory %q", path)
		}
	}
	return func() {
		if !hadInventory {
			_ = os.Remove(filepath.Join(path, inventoryName))
			_ = os.Remove(filepath.Join(path, inventoryName+"-journal"))
		}
		if !hadLock {
			_ = os.Remove(filepath.Join(path, lockName))
		}
		removeDirs(missing)
	}, nil
}

// missingAbove lists path and its parents that do not exist, deepest first.
func missingAbove(path string) []string {
	var missing []string
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) || p == filepath.Dir(p) {
			return missing
		}
		missing = append(missing, p)
	}
}

// removeDirs removes directories, deepest first, that are empty.
func removeDirs(dirs []string) {
	for _, dir := range dirs {
		_ = os.Remove(dir)
	}
}

// diskError adds what to do next to an error of the file system. The error's
// own text names the path; the system's word for the operation is left out,
// as it says nothing to a user.
func diskError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	cause := err
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		cause = pathErr.Err
	case errors.As(err, &linkErr):
		cause = linkErr.Err
	}
	return failure.Wrap(cause, failure.Failed, diskHint(err), "cannot "+format, args...)
}

func diskHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space on that file system, then run the command again; nothing was changed"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only; choose another place with --dir or --out"
	case errors.Is(err, fs.ErrPermission):
		return "check owner and mode of the directory, or choose another place with --dir or --out"
	case errors.Is(err, fs.ErrNotExist):
		return "make the directory first, or choose another place"
	default:
		return ""
	}
}
