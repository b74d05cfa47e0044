package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/internal/failure"
)

// kubectl locks a kubeconfig by making FILE.lock, which must not be there, with
// no rights at all, and fails where it is (k8s.io/client-go/tools/clientcmd,
// lockFile in loader.go). Such a file says nothing of who made it, and a crash
// leaves it.
//
// We make the same file, but one with a mode that no other program gives it,
// and hold flock(2) on it as well. So we know one that a killed pkictl left:
// nobody holds its flock. One of kubectl's becomes ours when it has been there
// for longer than kubectl ever takes.
const (
	ownLock = fs.FileMode(0o700)

	staleAfter  = 10 * time.Second // by its time stamp, or while we look at it
	lookFor     = time.Second      // whatever its time stamp says: clocks differ
	noticeAfter = time.Second
	shortestNap = 2 * time.Millisecond
	longestNap  = 50 * time.Millisecond
)

// lockEvents are told what happens while a lock is waited for; both may be nil.
type lockEvents struct {
	waiting   func(path string) // once
	recovered func(path string) // a lock that a crash left was taken over
}

// locks are held locks, and kubeconfigs that cannot be locked.
type locks struct {
	held   []*flock.Flock
	failed map[string]error // by path of the kubeconfig
}

// Lock locks a kubeconfig against kubectl and other commands of pkictl, and
// returns what frees it. It waits for who holds the lock until ctx ends; waiting
// is called once if that takes more than a second, and may be nil. The file need
// not exist.
func Lock(ctx context.Context, path string, waiting func()) (release func(), err error) {
	events := lockEvents{}
	if waiting != nil {
		events.waiting = func(string) { waiting() }
	}
	l, err := lockAll(ctx, []string{path}, events)
	if err != nil {
		return nil, err
	}
	if err := l.failed[path]; err != nil {
		l.release()
		return nil, err
	}
	return l.release, nil
}

// lockAll locks kubeconfigs. It takes the lock files in the order of their
// names, so that of two who lock the same ones neither waits for the other;
// kubectl waits for nobody. What cannot be locked is noted: it may not have to
// be changed.
func lockAll(ctx context.Context, paths []string, events lockEvents) (*locks, error) {
	l := &locks{failed: map[string]error{}}
	for _, name := range lockNames(paths...) {
		held, err := lock(ctx, name, events)
		switch {
		case err == nil:
			l.held = append(l.held, held)
		case ctx.Err() != nil:
			l.release()
			return nil, failure.New(failure.Failed, "another program is changing it; run the command again when it is done", "interrupted while waiting for %q", name)
		default:
			for _, path := range paths {
				if l.failed[path] == nil && slices.Contains(lockNames(path), name) {
					l.failed[path] = lockError(err, path)
				}
			}
		}
	}
	return l, nil
}

// lockNames returns the lock files of kubeconfigs, sorted, each once. Through a
// link, others know the same file by another name: it has two.
func lockNames(paths ...string) []string {
	var names []string
	for _, path := range paths {
		names = append(names, inRealDir(path)+".lock", realPath(path)+".lock")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// release frees the locks. A file is removed before its flock is freed: who
// gets the flock after that looks whether the file is still there.
func (l *locks) release() {
	for _, held := range slices.Backward(l.held) {
		if runtime.GOOS == "windows" { // which does not remove open files
			_ = held.Close()
		}
		_ = os.Remove(held.Path()) // if it stays, the next pkictl knows it as ours
		_ = held.Close()
	}
	l.held = nil
}

func lockError(err error, path string) error {
	var known *failure.Error
	if errors.As(err, &known) {
		return err
	}
	hint := "check owner and mode of the directory: kubectl, too, makes the lock there"
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = "free some space on that file system, then run the command again; nothing was changed"
	case errors.Is(err, syscall.EROFS):
		hint = "the file system is mounted read-only; choose another place"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		hint = "make the directory first, or choose another place"
	case errors.Is(err, syscall.EIO):
		hint = "the disk or what it is attached to may be broken: see the system's log, then run the command again"
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return failure.Wrap(err, failure.Failed, hint, "cannot lock %q", path)
}

// lock takes one lock file.
func lock(ctx context.Context, path string, events lockEvents) (*flock.Flock, error) {
	w := watch{path: path, events: events, begun: time.Now()}
	for longest := 2 * shortestNap; ; longest = min(2*longest, longestNap) {
		held, err := tryLock(path)
		if held != nil || err != nil {
			return held, err
		}
		if err := w.look(); err != nil {
			return nil, err
		}
		nap := time.NewTimer(shortestNap + rand.N(longest)) //nolint:gosec // G404: chance keeps many from meeting again, and is no secret
		select {
		case <-nap.C:
		case <-ctx.Done():
			nap.Stop()
			return nil, ctx.Err()
		}
	}
}

// tryLock makes a lock file, or takes over that of a killed pkictl. It returns
// nil where somebody else holds it.
func tryLock(path string) (*flock.Flock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, ownLock)
	if err == nil {
		_ = f.Close() // nothing was written; whoever gets the flock has it
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // just freed
	}
	if err != nil || !isOwn(info) {
		return nil, err
	}
	held := flock.New(path, flock.SetFlag(os.O_RDWR))
	got, err := held.TryLock()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		err = nil // just freed, or another user's
	}
	if !got {
		_ = held.Close() // not held
		return nil, err
	}
	if !isStill(held, path) {
		_ = held.Close() // it was freed between, and what we hold keeps nobody out
		return nil, nil
	}
	return held, nil
}

// isStill says whether the lock that is held is that of the file at path.
func isStill(held *flock.Flock, path string) bool {
	locked, err := held.Stat()
	if err != nil {
		return false
	}
	found, err := os.Lstat(path)
	return err == nil && os.SameFile(locked, found) && isOwn(found)
}

func isOwn(info fs.FileInfo) bool {
	if runtime.GOOS == "windows" { // knows one bit, which kubectl's file lacks
		return info.Mode().IsRegular() && info.Mode().Perm()&0o200 != 0
	}
	return info.Mode().IsRegular() && info.Mode().Perm()&0o700 == ownLock
}

// watch looks at a lock that others hold.
type watch struct {
	path    string
	events  lockEvents
	begun   time.Time
	noticed bool

	info  fs.FileInfo // of the file that is there
	since time.Time   // we have seen it
}

// look says once that we wait, and takes over a lock that a crash has left.
func (w *watch) look() error {
	now := time.Now()
	if !w.noticed && now.Sub(w.begun) > noticeAfter && w.events.waiting != nil {
		w.noticed = true
		w.events.waiting(w.path)
	}
	info, err := os.Lstat(w.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // just freed
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return failure.New(failure.Failed, "remove it if nothing uses it", "%q stands where the lock of the kubeconfig belongs, and is not a file", w.path)
	}
	if !sameLock(w.info, info) {
		w.info, w.since = info, now
		return nil
	}
	looked, age := now.Sub(w.since), now.Sub(info.ModTime())
	if looked < lookFor || (age < staleAfter && looked < staleAfter) {
		return nil
	}
	if isOwn(info) {
		return w.checkOwner()
	}
	return w.takeOver()
}

func sameLock(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// checkOwner gives up where it cannot be seen whether a lock is held: it is that
// of another user, whose file we may not open.
func (w *watch) checkOwner() error {
	f, err := os.OpenFile(w.path, os.O_RDWR, 0)
	if err == nil {
		_ = f.Close() // nothing was written; who holds it will free it
	}
	if !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return failure.New(failure.Failed, "if no pkictl of that user is at work, remove it", "%q belongs to %s, and may have been left by a crash", w.path, ownerText(w.info))
}

// takeOver makes a lock that a crash left one of ours, which the next attempt
// finds: nothing is removed that another might have made in the meantime.
func (w *watch) takeOver() error {
	if err := os.Chmod(w.path, ownLock); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return failure.Wrap(errors.Unwrap(err), failure.Failed, "if no kubectl is at work, remove it",
			"%q belongs to %s, was left by a crash, and cannot be taken over", w.path, ownerText(w.info))
	}
	info, err := os.Lstat(w.path)
	if err == nil && (!os.SameFile(info, w.info) || !info.ModTime().Equal(w.info.ModTime())) {
		return os.Chmod(w.path, 0) // it has just been made anew: give it back
	}
	if w.events.recovered != nil && isFree(w.path) {
		w.events.recovered(w.path)
	}
	return nil
}

// isFree says whether nobody holds the flock of a file. Some other program may
// hold it, which has not crashed then.
func isFree(path string) bool {
	held := flock.New(path, flock.SetFlag(os.O_RDWR))
	got, err := held.TryLock()
	_ = held.Close() // the next attempt takes it
	return got && err == nil
}

// ownerText says whose a file is.
func ownerText(info fs.FileInfo) string {
	if owner, known := ownerOf(info); known {
		return fmt.Sprintf("the user with the number %d", owner)
	}
	return "another user"
}

// inRealDir returns the absolute name of a file, in a directory that is reached
// through no link, as far as it is there.
func inRealDir(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(dir, filepath.Base(abs))
	}
	return abs
}

// realPath follows the links of a file that need not exist.
func realPath(path string) string {
	path = inRealDir(path)
	for range 40 { // as many as the system follows
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = inRealDir(target)
	}
	return path
}
