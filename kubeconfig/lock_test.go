package kubeconfig_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/kubeconfig"
)

// TestLocksByAnyName: two who merge into the same files, named in other ways and
// another order, do not wait for each other for ever.
func TestLocksByAnyName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		write(t, dir, name, source)
	}
	write(t, dir, "source", source)
	for link, to := range map[string]string{"1": "b", "2": "a"} { // sorted, they are the other way round
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // for one that hangs
	defer cancel()
	var merging sync.WaitGroup
	for _, into := range [][]string{{relative + "/b", dir + "/a"}, {dir + "/a", dir + "/b"}, {dir + "/1", dir + "/2"}} {
		merging.Go(func() {
			for range 300 {
				if _, err := kubeconfig.Merge(ctx, kubeconfig.MergeOptions{Sources: []string{filepath.Join(dir, "source")}, Into: into}); err != nil {
					t.Errorf("%q: %v", into, err)
					return
				}
			}
		})
	}
	merging.Wait()
}

// TestLockOfAnother: a lock that kubectl has just made is waited for, and stays.
func TestLockOfAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock := filepath.Join(dir, "config.lock")
	f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close() // nothing was written
	ctx, cancel := context.WithCancel(context.Background())
	if release, err := kubeconfig.Lock(ctx, filepath.Join(dir, "config"), cancel); err == nil {
		release()
		t.Error("locked what kubectl has locked")
	}
	if info, err := os.Lstat(lock); err != nil || info.Mode().Perm() != 0 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	release, err := kubeconfig.Lock(context.Background(), filepath.Join(dir, "config"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0); !errors.Is(err, fs.ErrExist) {
		t.Errorf("kubectl can lock it, too: %v %v", f, err)
	}
	release()
	if _, err := os.Lstat(lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left behind: %v", err)
	}
	if _, err := kubeconfig.Lock(context.Background(), filepath.Join(dir, "none", "config"), nil); err == nil {
		t.Error("locked where there is no directory")
	}
}

// TestLockThatIsHeld: a lock file of another form, whose flock is held, was not
// left by a crash, however old it is.
func TestLockThatIsHeld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "source", source)
	lock := filepath.Join(dir, "target.lock")
	held := flock.New(lock, flock.SetPermissions(0o600))
	if got, err := held.TryLock(); !got || err != nil {
		t.Fatal(got, err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(lock, hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	merged := make(chan error, 1)
	go func() {
		_, err := mergeInto(t, dir, kubeconfig.MergeOptions{Recovered: func(lock string) { t.Errorf("%s was not left by a crash", lock) }}, "source")
		merged <- err
	}()
	for info, err := os.Lstat(lock); err == nil && info.Mode().Perm() == 0o600; info, err = os.Lstat(lock) {
		time.Sleep(time.Millisecond) // until it was looked at
	}
	select {
	case err := <-merged:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(100 * time.Millisecond): // many tries; none may succeed
	}
	if _, err := os.Lstat(filepath.Join(dir, "target")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(fmt.Errorf("written under another's lock: %w", err))
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-merged; err != nil {
		t.Error(err)
	}
}
