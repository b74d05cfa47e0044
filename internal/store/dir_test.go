package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/failure"
)

func TestLockFreedByKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := startChild(t, "hold", dir)
	locked := make(chan error, 1)
	var notices atomic.Int32
	go func() {
		d, err := Lock(context.Background(), dir, func() { notices.Add(1) })
		if err == nil {
			d.Unlock()
		}
		locked <- err
	}()
	select {
	case err := <-locked:
		t.Fatalf("two hold the lock (%v)", err)
	case <-time.After(noticeAfter + 300*time.Millisecond):
	}
	if n := notices.Load(); n != 1 {
		t.Errorf("%d notices of waiting, want 1", n)
	}
	kill(child)
	select {
	case err := <-locked:
		check(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the lock was not freed")
	}
}

// TestLockInterrupted gives up waiting: nothing of the holder's may go.
func TestLockInterrupted(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	holder, err := Lock(context.Background(), path, nil)
	check(t, err)
	inv, err := holder.Inventory()
	check(t, err)
	check(t, inv.Close())
	before := names(t, path)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = Create(ctx, path, nil)
	if !errors.Is(err, context.Canceled) || failure.HintOf(err) == "" {
		t.Errorf("error %v, hint %q", err, failure.HintOf(err))
	}
	if after := names(t, path); len(after) != len(before) {
		t.Errorf("%q became %q", before, after)
	}
	holder.Unlock()
	// Whoever gave up does not keep it.
	next, err := Lock(context.Background(), path, nil)
	check(t, err)
	next.Unlock()
}

// TestLockAfterAbandon waits for a lock whose file the holder takes back.
func TestLockAfterAbandon(t *testing.T) {
	t.Parallel()
	for range 50 {
		path := t.TempDir()
		first, err := Lock(context.Background(), path, nil)
		check(t, err)
		second := make(chan *Dir, 1)
		go func() {
			d, err := Lock(context.Background(), path, nil)
			if err != nil {
				t.Error(err)
			}
			second <- d
		}()
		time.Sleep(time.Millisecond) // most of the time it waits by now
		first.Abandon()
		holder := <-second
		if holder == nil {
			t.Fatal("no lock")
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		if third, err := Lock(ctx, path, nil); err == nil {
			third.Unlock()
			t.Fatal("two hold the lock")
		}
		cancel()
		holder.Unlock()
	}
}

func TestCreateAndAbandon(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	path := filepath.Join(root, "a", "b", "pki")
	create := func() (*Dir, *Inventory) {
		dir, err := Create(context.Background(), path, nil)
		check(t, err)
		inv, err := dir.Inventory()
		check(t, err)
		return dir, inv
	}
	dir, inv := create()
	for _, made := range []string{"a", "a/b", "a/b/pki"} {
		info, err := os.Stat(filepath.Join(root, made))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v (%v)", made, info.Mode(), err)
		}
	}
	check(t, inv.Close())
	dir.Abandon()
	if left := names(t, root); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	// What was there before stays, and so does what others have put there.
	check(t, os.Mkdir(filepath.Join(root, "a"), 0o755))
	dir, inv = create()
	check(t, os.WriteFile(filepath.Join(root, "a", "b", "notes"), nil, 0o600))
	check(t, inv.Close())
	dir.Abandon()
	if left := names(t, filepath.Join(root, "a", "b")); len(left) != 1 {
		t.Errorf("left: %q", left)
	}

	// Once a Commit was made, all stays.
	dir, inv = create()
	check(t, inv.Reserve(time.Now(), certdb.CertificateRecord{Serial: "1", AKI: "a"}))
	check(t, dir.Commit([]File{{Path: filepath.Join(path, "x.key"), Mode: 0o600}}, false, nil))
	check(t, inv.Close())
	dir.Abandon()
	inv, err := OpenInventory(path)
	check(t, err)
	defer inv.Close()
	if rows, err := inv.List(context.Background(), Filter{}); err != nil || len(rows) != 1 {
		t.Errorf("%d rows (%v)", len(rows), err)
	}

	// Nor does a later failure take back what was there when it began.
	dir, inv = create()
	check(t, inv.Close())
	dir.Abandon()
	for _, name := range []string{lockName, inventoryName, "x.key"} {
		if _, err := os.Lstat(filepath.Join(path, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	check(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	check(t, os.Symlink("nowhere", filepath.Join(root, "dangling")))
	for _, path := range []string{"file", "file/pki", "dangling", "dangling/pki"} {
		before := names(t, root)
		dir, err := Create(context.Background(), filepath.Join(root, path), nil)
		if err == nil {
			dir.Abandon()
			t.Errorf("%s: no error", path)
			continue
		}
		if failure.HintOf(err) == "" {
			t.Errorf("%s: no hint for %v", path, err)
		}
		if after := names(t, root); len(before) != len(after) {
			t.Errorf("%s: %q became %q", path, before, after)
		}
	}
	if _, err := Lock(context.Background(), filepath.Join(root, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock of no directory: %v", err)
	}
	check(t, Recover(context.Background(), filepath.Join(root, "none"), nil))
}

// TestOddDirectories uses names that mean something to shells, patterns, URIs
// and SQL.
func TestOddDirectories(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b", "pki[1]", "p[", "*", "what?", "50%41", "a#b", "a&b=c", "it's \"x\"", "größe", "-x", "new\nline", ";"} {
		p := newPlace(t, "")
		path := filepath.Join(p.pki, name)
		dir, err := Create(context.Background(), path, nil)
		check(t, err)
		inv, err := dir.Inventory()
		check(t, err)
		check(t, inv.Reserve(time.Now(), certdb.CertificateRecord{Serial: "1", AKI: "a"}))
		check(t, inv.Close())
		p.pki, p.paths[0], p.paths[1] = path, filepath.Join(path, "a.key"), filepath.Join(path, "a.crt")
		p.write("old", [3]bool{true, true, true})
		c := p.commit()
		check(t, c.stageAll(p.files("new")))
		check(t, c.linkOld())
		check(t, c.flip())
		dir.Unlock()
		check(t, Recover(context.Background(), path, nil))
		if got := p.read(); !same(got, "new") {
			t.Errorf("%q: recovery makes %q", name, got)
		}
		if _, err := os.Lstat(filepath.Join(path, inventoryName)); err != nil {
			t.Error(err)
		}
		inv, err = OpenInventory(path)
		check(t, err)
		if rows, err := inv.List(context.Background(), Filter{}); err != nil || len(rows) != 1 {
			t.Errorf("%q: %d rows (%v)", name, len(rows), err)
		}
		check(t, inv.Close())
	}
}

// TestLockThroughLink reaches one directory by two names.
func TestLockThroughLink(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "")
	link := p.pki + "-link"
	check(t, os.Symlink(p.pki, link))
	dir, err := Lock(context.Background(), link, nil)
	check(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, p.pki, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two hold the lock (%v)", err)
	}
	real := p.paths[0]
	p.paths[0] = filepath.Join(link, "jane.key")
	for _, generation := range []string{"1", "2"} {
		check(t, dir.Commit(p.files(generation), true, nil))
	}
	if data, err := os.ReadFile(real); err != nil || string(data) != "2 of file 0" {
		t.Errorf("%q (%v)", data, err)
	}
	dir.Unlock()
}
