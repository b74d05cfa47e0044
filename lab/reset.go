package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// oldDir below the root has what Reset moved out of workspaces.
const oldDir = "before-reset"

// Reset begins the lab anew. What was in the workspace is not deleted but moved to
// the directory that it returns, below before-reset in the root; empty if there was
// nothing. Links are moved as they are: what they lead to is not touched.
//
// A cluster of the lab is not moved but ended and deleted with its data, and another
// one is started. Progress is told what begins, and with done what has ended; it may be
// nil.
func (w *Workspace) Reset(ctx context.Context, now time.Time, progress func(step string, done bool)) (movedTo string, err error) {
	if err := w.machine.lacks(w.Lab); err != nil {
		return "", err
	}
	err = w.alone(ctx, func() error {
		m, err := w.mark()
		if err != nil {
			return err
		}
		m.StartedAt = now
		movedTo, err = w.begin(ctx, m, now, progress)
		return err
	})
	return movedTo, err
}

// moveAway moves all but the mark out of the workspace. The directory itself stays,
// for a learner's shell may be in it. All happens below the root, through a handle
// of it, so that nobody can put a link to elsewhere in the way.
func (w *Workspace) moveAway() (to string, err error) {
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return "", store.ReadError(err, w.root)
	}
	defer root.Close()
	id := w.Lab.ID
	if info, err := root.Lstat(id); err != nil || !info.IsDir() {
		return "", failure.New(failure.Refused, "move it away", "%q is no directory", w.Dir)
	}
	entries, err := fs.ReadDir(root.FS(), id)
	if err != nil {
		return "", store.ReadError(err, w.Dir)
	}
	for _, entry := range entries {
		if entry.Name() == markFile {
			continue
		}
		if to == "" {
			if to, err = newDir(root, oldDir, id+"-"); err != nil {
				return "", failure.Wrap(store.Cause(err), failure.Failed, "", "cannot make a directory in %q", filepath.Join(w.root, oldDir))
			}
		}
		if err := root.Rename(filepath.Join(id, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return "", failure.Wrap(store.Cause(err), failure.Failed, "make the directory writable, or move it away yourself",
				"cannot move %q out of the workspace", filepath.Join(w.Dir, entry.Name()))
		}
	}
	if to == "" {
		return "", nil
	}
	return filepath.Join(w.root, to), nil
}

// newDir makes a directory below another, whose name ends with the next number.
func newDir(root *os.Root, above, prefix string) (string, error) {
	if err := root.MkdirAll(above, 0o700); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		name := filepath.Join(above, fmt.Sprint(prefix, n))
		if err := root.Mkdir(name, 0o700); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}
