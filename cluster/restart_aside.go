package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// asideSuffix makes of the name of the directory of manifests that of the one
// beside it, on the same file system, where a manifest is while its pod stops.
// The kubelet does not look there.
const asideSuffix = "-restarting"

// aside moves manifests away from the kubelet and back, under a lock.
type aside struct {
	manifests, dir string
	close          func() // frees the lock
}

// openAside locks a directory of manifests. It waits for another holder until ctx
// ends.
func openAside(ctx context.Context, manifests string, waiting func()) (*aside, error) {
	real, err := filepath.EvalSymlinks(manifests)
	if err != nil {
		return nil, manifestsError(err, manifests)
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return nil, failure.New(failure.Failed, "name the directory that the kubelet's staticPodPath names", "%q is no directory", manifests)
	}
	unlock, err := staticpod.Lock(ctx, real, waiting)
	if err != nil {
		return nil, err
	}
	return &aside{manifests: real, dir: real + asideSuffix, close: unlock}, nil
}

// left lists the manifests that lie aside.
func (a *aside) left() ([]string, error) { return leftAside(a.dir) }

func leftAside(dir string) ([]string, error) {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0) {
		// What is moved from there is run by the kubelet, as root.
		return nil, failure.New(failure.Refused, "see who made it, and move it away", "%q is not trusted: it is no directory that only its owner can write", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, failure.Wrap(store.Cause(err), failure.Failed, "run it as root", "cannot read directory %q", dir)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// putBackAll puts back what a killed run has left aside, or nothing at all.
func (a *aside) putBackAll() ([]string, error) {
	names, err := a.left()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(a.manifests, name)); err == nil {
			return nil, a.bothError(name)
		}
	}
	for _, name := range names {
		if err := a.putBack(name); err != nil {
			return nil, err
		}
	}
	_ = os.Remove(a.dir) // an empty one
	return names, nil
}

// moveAway takes a manifest away from the kubelet.
func (a *aside) moveAway(name string) error {
	err := os.Mkdir(a.dir, 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = moveFile(filepath.Join(a.manifests, name), filepath.Join(a.dir, name))
	}
	if err != nil {
		_ = os.Remove(a.dir)
		return failure.Wrap(store.Cause(err), failure.Failed, moveHint(err),
			"cannot move manifest %q to %q", filepath.Join(a.manifests, name), a.dir)
	}
	if err := a.sync(name); err != nil {
		return errors.Join(err, a.putBack(name))
	}
	return nil
}

// putBack gives a manifest back to the kubelet.
func (a *aside) putBack(name string) error {
	err := moveFile(filepath.Join(a.dir, name), filepath.Join(a.manifests, name))
	if errors.Is(err, fs.ErrExist) {
		return a.bothError(name)
	}
	if err != nil {
		return failure.Wrap(store.Cause(err), failure.Failed, "move it back by hand: mv "+shell.Quote(filepath.Join(a.dir, name))+" "+shell.Quote(a.manifests)+"/",
			"cannot move manifest %q back", filepath.Join(a.dir, name))
	}
	err = a.sync(name)
	_ = os.Remove(a.dir) // once it is empty
	return err
}

func (a *aside) bothError(name string) error {
	return failure.New(failure.Refused, "compare the two, remove the one that is not meant, and run the command again",
		"manifest %q was written anew while the old one lay in %q", filepath.Join(a.manifests, name), a.dir)
}

func moveHint(err error) string {
	switch {
	case errors.Is(err, syscall.EXDEV):
		return "the directory of manifests is a mount of its own: restart the static pods by hand"
	case errors.Is(err, fs.ErrPermission):
		return "run it as root"
	case errors.Is(err, fs.ErrExist):
		return "another program made it: see what it is"
	}
	return ""
}

// sync brings a move to the disk: after a power cut the manifest is in one of
// the two places.
func (a *aside) sync(name string) error {
	if err := store.SyncDirs(a.dir, a.manifests); err != nil {
		return failure.Wrap(store.Cause(err), failure.Failed, "see the system's log", "manifest %q was moved, but that may not outlive a power cut", name)
	}
	return nil
}

// InterruptedRestarts lists the manifests, by path, that a restart which was
// killed has left aside: their pods do not run. With running set no restart was
// killed, but one is under way. It changes nothing, and waits for nobody.
func InterruptedRestarts(manifests string) (paths []string, running bool, err error) {
	real, err := filepath.EvalSymlinks(manifests)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil // no node of a control plane
	}
	if err != nil {
		return nil, false, manifestsError(err, manifests)
	}
	names, err := leftAside(real + asideSuffix)
	if err != nil || names == nil {
		return nil, false, err
	}
	for _, name := range names {
		paths = append(paths, filepath.Join(real+asideSuffix, name))
	}
	return paths, staticpod.IsLocked(real), nil
}

// PutManifestsBack puts the manifests back that a restart which was killed has
// left aside, and returns their names. It waits for a restart that is under
// way, and says so to progress, which may be nil. Where a manifest was written
// anew in the meantime it changes nothing.
func PutManifestsBack(ctx context.Context, manifests string, progress func(string)) ([]string, error) {
	a, err := openAside(ctx, manifests, func() {
		if progress != nil {
			progress(waitingFor(manifests))
		}
	})
	if err != nil {
		return nil, err
	}
	defer a.close()
	return a.putBackAll()
}

func waitingFor(manifests string) string {
	return fmt.Sprintf("waiting for another pkictl that restarts the static pods of %q", manifests)
}

// moveFile is renameNew, which may have happened in spite of an error, as over a
// network.
func moveFile(from, to string) error {
	err := renameNew(from, to)
	if err == nil {
		return nil
	}
	_, toErr := os.Lstat(to)
	if _, fromErr := os.Lstat(from); errors.Is(fromErr, fs.ErrNotExist) && toErr == nil {
		return nil
	}
	return err
}

// renameLooking renames a file unless there is one of that name.
func renameLooking(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}
