package staticpod

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/internal/failure"
)

// Lock locks a directory of manifests, whose path is free of symbolic links: the
// lock is flock(2) on the very directory, so that no file is made in it and the
// kernel frees it when the holder ends, however it ends. It waits for another
// holder until ctx ends; waiting is told so, and may be nil.
func Lock(ctx context.Context, dir string, waiting func()) (unlock func(), err error) {
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	held, err := lock.TryLock()
	if err == nil && !held {
		if waiting != nil {
			waiting()
		}
		_, err = lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	if err != nil {
		return nil, lockError(err, dir)
	}
	return func() { _ = lock.Close() }, nil // which frees the lock
}

// IsLocked says whether somebody else holds the lock of a directory now.
func IsLocked(dir string) bool {
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	held, err := lock.TryLock()
	_ = lock.Close() // which frees it
	return err == nil && !held
}

func lockError(err error, dir string) error {
	hint := "another pkictl changes or restarts static pods; run the command again when it is done"
	if errors.Is(err, fs.ErrPermission) {
		hint = "run it as root"
	}
	var path *fs.PathError
	if errors.As(err, &path) { // the error around it names the path
		err = path.Err
	}
	return failure.Wrap(err, failure.Failed, hint, "cannot lock directory %q", dir)
}
