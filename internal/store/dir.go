package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// InventoryPath returns the path of the inventory of a PKI directory.
func InventoryPath(dir string) string { return filepath.Join(dir, inventoryName) }

// noticeAfter is how long Lock waits before it tells that it is waiting.
const noticeAfter = time.Second

// Dir is a PKI directory whose lock is held. All changes go through it.
type Dir struct {
	path    string
	lock    *flock.Flock
	made    []string // what was made to get here, and would be taken back
	changed bool     // a Commit was made
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
	dir := &Dir{path: abs}
	if err := dir.take(ctx, waiting); err != nil {
		return nil, diskError(err, "lock directory %q", path)
	}
	if err := dir.recover(); err != nil {
		dir.Abandon()
		return nil, diskError(err, "complete an interrupted change in %q", path)
	}
	return dir, nil
}

// Create is Lock for a directory that need not exist. It is made, and the ones
// above it, with mode 0700.
func Create(ctx context.Context, path string, waiting func()) (*Dir, error) {
	missing := missingAbove(path)
	if err := os.MkdirAll(path, 0o700); err != nil {
		removeBackward(missing)
		return nil, diskError(err, "make directory %q", path)
	}
	dir, err := Lock(ctx, path, waiting)
	if err != nil {
		removeBackward(missing)
		return nil, err
	}
	dir.made = append(missing, dir.made...)
	return dir, nil
}

// Recover completes or undoes what a killed process left half done in the PKI
// directory at path, as Lock does. Where there is nothing to do it takes no
// lock and changes nothing; the directory need not exist.
func Recover(ctx context.Context, path string, waiting func()) error {
	left := &commit{staging: filepath.Join(path, stagingName)}
	if !left.interrupted() {
		return nil
	}
	dir, err := Lock(ctx, path, waiting)
	if err != nil {
		return err
	}
	dir.Unlock()
	return nil
}

// take takes the lock, and again where the holder before took the file back
// that it had made: a lock on what is no longer there keeps nobody out.
func (d *Dir) take(ctx context.Context, waiting func()) error {
	path := filepath.Join(d.path, lockName)
	for {
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		made := err == nil
		if made {
			_ = f.Close() // nothing was written
		}
		d.lock = flock.New(path, flock.SetPermissions(0o600))
		atOnce, err := d.lock.TryLock()
		if err == nil && !atOnce {
			err = wait(ctx, d.lock, waiting)
		}
		if err != nil {
			if made {
				_ = os.Remove(path) // nobody holds it, or who does looks again
			}
			return err
		}
		if d.holds(path) {
			if made && atOnce { // otherwise another has used it
				d.made = append(d.made, path)
			}
			return nil
		}
		d.Unlock()
	}
}

// holds says whether the lock that is held is that of the file at path.
func (d *Dir) holds(path string) bool {
	locked, err := d.lock.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(path)
	return err == nil && os.SameFile(locked, found)
}

func wait(ctx context.Context, lock *flock.Flock, waiting func()) error {
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

// Path is the directory's, absolute and free of symbolic links.
func (d *Dir) Path() string { return d.path }

// Make makes a directory below this one, or beside it, and those above it that
// are missing, with mode 0700. Abandon takes them back.
func (d *Dir) Make(path string) error {
	missing := missingAbove(path)
	d.made = append(d.made, missing...)
	return diskError(os.MkdirAll(path, 0o700), "make directory %q", path)
}

// Unlock frees the lock.
func (d *Dir) Unlock() {
	if d.lock.Unlock() != nil {
		// A network file system may fail to. Held on to, it would keep this very
		// process from its next change for ever.
		_ = d.lock.Unlock()
	}
}

// Abandon is Unlock for a change that failed. It takes back what was made for
// it: directories, lock and inventory. Once a Commit was made all of it stays.
// The inventory must be closed.
func (d *Dir) Abandon() {
	if !d.changed {
		removeBackward(d.made)
	}
	d.Unlock()
}

// Inventory opens the directory's inventory for writing and makes it if it is
// not there.
func (d *Dir) Inventory() (*Inventory, error) {
	path := filepath.Join(d.path, inventoryName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		d.made = append(d.made, path, path+"-journal")
	}
	return openInventory(path, true)
}

// OpenInventory opens the inventory of the PKI directory at path for reading.
// It needs no lock. The error is fs.ErrNotExist where there is none.
func OpenInventory(path string) (*Inventory, error) {
	return openInventory(filepath.Join(path, inventoryName), false)
}

// missingAbove lists path and its parents that do not exist, deepest last.
func missingAbove(path string) []string {
	var missing []string
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) || p == filepath.Dir(p) {
			slices.Reverse(missing)
			return missing
		}
		missing = append(missing, p)
	}
}

// removeBackward removes files and empty directories, the last first.
func removeBackward(paths []string) {
	for _, path := range slices.Backward(paths) {
		_ = os.Remove(path) // what another has filled since stays
	}
}

// diskError adds what to do next to an error of the file system.
func diskError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return failure.Wrap(Cause(err), failure.Failed, diskHint(err), "cannot "+format, args...)
}

// Cause returns what the system said of a file. The path is in the error's own text, and the
// system's word for the operation says nothing to a user.
func Cause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}

// brokenHint is for a disk that does not do what it is told.
const brokenHint = "the disk or what it is attached to may be broken: see the system's log, then run the command again"

func diskHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space on that file system, then run the command again; nothing was changed"
	case errors.Is(err, syscall.EIO):
		return brokenHint
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only; choose another place with --dir or --out"
	case errors.Is(err, fs.ErrPermission):
		return "check owner and mode of the directory, or choose another place with --dir or --out"
	case errors.Is(err, fs.ErrNotExist):
		return "make the directory first, or choose another place"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist):
		return "choose another place with --dir or --out"
	case errors.Is(err, errNotPlain), errors.Is(err, syscall.ELOOP):
		return "remove the link, or choose another name with --out"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "choose a shorter name with --out"
	case errors.Is(err, syscall.EBUSY):
		return "it is a mount of its own, as with docker run -v FILE:FILE, and cannot be replaced: mount the directory that it is in, or choose another file"
	case errors.Is(err, errOwner):
		return "have its owner run the command, or choose another file"
	case errors.Is(err, context.Canceled):
		return "another pkictl is changing the directory; run the command again when it is done"
	default:
		return ""
	}
}
