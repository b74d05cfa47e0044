package apiserver

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// changingSuffix makes of the name of the kubelet's directory that of the one
// beside it in which a manifest lies, as it was, until the changed one has proven
// itself. The kubelet does not look there.
const changingSuffix = "-changing"

// kept is a manifest as it was before a change. It is a second name of the very
// file where the file system has such: to put it back is then one rename(2), which
// needs no space on the disk and brings owner, mode and contents back as they were.
type kept struct {
	manifest, path string
	data           []byte // its contents
	wasThere       bool   // it is from before an earlier change, which was cut short
}

// keptPath is where a manifest is kept.
func keptPath(manifest string) string {
	if whole, err := filepath.Abs(manifest); err == nil { // DIR of "." has nothing beside it
		manifest = whole
	}
	return filepath.Join(filepath.Dir(manifest)+changingSuffix, filepath.Base(manifest))
}

// openKept opens the place where a manifest is kept. The caller holds the lock of
// the manifest's directory. What is there already is from a change that was cut
// short by a crash after it wrote.
func openKept(manifest string) (*kept, error) {
	k := &kept{manifest: manifest, path: keptPath(manifest)}
	if err := k.open(); err != nil {
		return nil, err
	}
	if isThere(k.path) && k.isUnchanged() {
		_ = os.Remove(k.path) // it was cut short before
	}
	var err error
	if k.wasThere = isThere(k.path); k.wasThere {
		k.data, err = store.Read(k.path, store.MaxYAML)
	} else {
		k.data, err = store.Read(manifest, store.MaxYAML)
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// keep keeps the manifest that is there now, instead of what is kept already.
func (k *kept) keep() error {
	if k.wasThere {
		k.wasThere = false
		_ = os.Remove(k.path)
	}
	err := k.copy()
	if err == nil {
		err = syncDir(filepath.Dir(k.path))
	}
	return err
}

// isUnchanged says whether what an earlier change has kept is still what the
// manifest is: it was cut short before it wrote.
func (k *kept) isUnchanged() bool {
	before, err := store.Read(k.path, store.MaxYAML)
	if err != nil {
		return false
	}
	now, err := store.Read(k.manifest, store.MaxYAML)
	return err == nil && bytes.Equal(before, now)
}

// copy gives the manifest a second name.
func (k *kept) copy() error {
	info, err := os.Lstat(k.manifest)
	if err == nil && !info.Mode().IsRegular() {
		return failure.New(failure.Failed, "name the file itself", "manifest %q is not a file", k.manifest)
	}
	if k.data, err = store.Read(k.manifest, store.MaxYAML); err != nil {
		return err
	}
	if os.Link(k.manifest, k.path) == nil || k.isLinked(info) {
		return nil
	}
	return writeError(store.WriteNew(k.path, k.data, info.Mode().Perm())) // another file system, or one without links
}

// isLinked says whether a file system has given the file its second name in spite
// of an error.
func (k *kept) isLinked(file fs.FileInfo) bool {
	second, err := os.Lstat(k.path)
	return err == nil && os.SameFile(file, second)
}

// open makes the directory.
func (k *kept) open() error {
	dir := filepath.Dir(k.path)
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = syncDir(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return failure.Wrap(err, failure.Failed, cmp.Or(hintFor(err), "run it as root, on the node of the control plane"), "the old manifest cannot be kept")
	}
	info, err := os.Lstat(dir)
	if err == nil && (!info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0) {
		// What is moved from there is run by the kubelet, as root.
		return failure.New(failure.Refused, "see who made it, and move it away", "%q is not trusted: it is no directory that only its owner can write", dir)
	}
	return nil
}

// putBack gives the kubelet the manifest as it was. After an error it is still
// kept.
func (k *kept) putBack() error {
	err := os.Rename(k.path, k.manifest)
	if err != nil { // such as of a mount of its own
		err = store.ReplaceFile(store.File{Path: k.manifest, Data: k.data, Mode: 0o600, Keep: true})
	}
	if err != nil {
		return err
	}
	k.drop() // rename does nothing where both are names of one file
	return syncDir(filepath.Dir(k.manifest))
}

// drop forgets what was kept.
func (k *kept) drop() {
	_ = os.Remove(k.path)
	_ = os.Remove(filepath.Dir(k.path)) // unless there is more in it
}

// close removes a directory in which nothing is kept.
func (k *kept) close() { _ = os.Remove(filepath.Dir(k.path)) }

// dropKept drops what a change that was cut short has kept, after another one.
func dropKept(manifest string) {
	if k := (&kept{path: keptPath(manifest)}); isThere(k.path) {
		k.drop()
	}
}

// dropStale forgets what was kept if it is what the manifest is: a change was cut
// short before it wrote.
func dropStale(manifest string) {
	k := &kept{manifest: manifest, path: keptPath(manifest)}
	if isThere(k.path) && k.isUnchanged() {
		k.drop()
	}
}

// syncDir brings the entries of a directory to the disk.
func syncDir(path string) error {
	if err := store.SyncDirs(path); err != nil {
		return failure.Wrap(err, failure.Failed, "see the system's log", "what was moved in %q may not outlive a power cut", path)
	}
	return nil
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
