package apiserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// DefaultManifest is where kubeadm puts the manifest of kube-apiserver.
const DefaultManifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"

// PatchOptions say which manifest to change, and how.
type PatchOptions struct {
	Manifest string
	// Options are what kube-apiserver is to do. Without a Version it is that of
	// the manifest's image.
	Options
	Undo    bool   // nothing of Options: the newest backup takes the manifest's place
	Backups string // directory; empty: see backupsBeside
	Force   bool   // have it written although the check finds something
	Now     time.Time
}

// Patch is a change of a manifest that is planned and checked.
type Patch struct {
	Path          string // of the file that is replaced, absolute and free of links
	Before, After []byte
	Files         []PatchFile
	// Found is what would keep kube-apiserver from starting, and was not so before.
	Found    []Problem
	Warnings []string
	Backups  string // directory
	// CutShort is where an earlier change that did not end has left the manifest as
	// it was, "" if there was none. With PatchOptions.Undo it is what After is, and
	// the function Undo puts it back.
	CutShort string

	now     time.Time
	planned []string // all files that kube-apiserver needs, and those that it needed
}

// PatchFile is a file that kube-apiserver needs and that is made, or replaced.
type PatchFile struct {
	File
	Old []byte // what it has now, nil for one that is made
}

// Changes says whether there is anything to change.
func (p *Patch) Changes() bool { return p.ChangesManifest() || len(p.Files) > 0 }

// ChangesManifest says whether the manifest changes, so that the kubelet starts
// kube-apiserver anew.
func (p *Patch) ChangesManifest() bool { return !bytes.Equal(p.Before, p.After) }

// NewPatch reads a manifest, makes the change, and checks what would come of it;
// nothing is written. What it finds is an error of kind Finding, unless it is
// forced.
func NewPatch(o PatchOptions) (*Patch, error) {
	file, err := realFile(o.Manifest)
	if err != nil {
		return nil, err
	}
	before, err := readManifestAt(file)
	if err != nil {
		return nil, err
	}
	p := &Patch{Path: file, Before: before.data, now: o.Now, planned: hostPaths(before), Backups: cmp.Or(o.Backups, backupsBeside(file))}
	if p.Backups, err = filepath.Abs(p.Backups); err != nil {
		return nil, err
	}
	if err := p.checkBackups(); err != nil {
		return nil, err
	}
	if named, err := filepath.Abs(o.Manifest); err == nil && named != file {
		if info, err := os.Lstat(named); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			p.warn("%q is a link: what is changed is %q", o.Manifest, file)
		}
	}
	if p.CutShort = InterruptedChange(file); p.CutShort != "" && !o.Undo {
		p.warn("an earlier change was cut short before kube-apiserver was healthy; --undo puts the manifest back as it was, which is %q", p.CutShort)
	}
	after, err := p.change(o, before)
	if err != nil {
		return nil, err
	}
	p.check(o, before, after)
	p.warnOfOthers()
	if len(p.Found) > 0 && !o.Force {
		return p, foundError(p.Found)
	}
	return p, nil
}

// realFile returns the path of a file without links: the one that they lead to
// is replaced, and they stay.
func realFile(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", readManifestError(store.ReadError(err, path), err, path)
	}
	return abs, nil
}

func readManifestAt(path string) (*Manifest, error) {
	data, err := store.Read(path, store.MaxYAML)
	if err != nil {
		return nil, readManifestError(err, err, path)
	}
	return ParseManifest(path, data)
}

// restartingPath is where pkictl cluster renew --restart moves a manifest, so that
// the kubelet ends its pod.
func restartingPath(manifest string) string {
	if whole, err := filepath.Abs(manifest); err == nil {
		manifest = whole
	}
	return filepath.Join(filepath.Dir(manifest)+"-restarting", filepath.Base(manifest))
}

func readManifestError(err, cause error, path string) error {
	switch {
	case errors.Is(cause, fs.ErrPermission):
		return failure.Wrap(err, failure.Failed, "run it as root", "manifest")
	case errors.Is(cause, fs.ErrNotExist) && isThere(restartingPath(path)):
		return failure.Wrap(err, failure.Failed, "run the command again when that is done; if it was killed, pkictl cluster renew --restart static-pods puts it back", "a restart of static pods has moved it to %q for a while", restartingPath(path))
	case errors.Is(cause, fs.ErrNotExist):
		return failure.Wrap(err, failure.Failed, "run it on a node of the control plane, or name the file with --manifest", "manifest")
	}
	return err
}

// change makes the change, in memory.
func (p *Patch) change(o PatchOptions, before *Manifest) (*Manifest, error) {
	if o.Undo {
		return p.undo(before, o.Force)
	}
	if o.Version == "" {
		if o.Version = before.Version(); !isKnown(o.Version) {
			p.warn("the flags of kube-apiserver %s are not known: those of %s are taken; --kubernetes-version names another, and with --force --set takes any", cmp.Or(o.Version, "of that image"), NewestKnown())
			o.Version = ""
		}
	}
	o.AnyFlag = o.Force
	o.keep(before.Value)
	o.ReadHost = func(path string) ([]byte, error) {
		if host, isMounted := before.HostPath(path); isMounted {
			path = host
		}
		return store.Read(path, store.MaxYAML)
	}
	plan, err := NewPlan(o.Options)
	if err != nil {
		return nil, err
	}
	if err := plan.checkReplaces(before.Value); err != nil {
		return nil, err
	}
	p.Warnings = append(p.Warnings, plan.Notes...)
	data, err := before.Apply(plan.Change)
	if err != nil {
		return nil, err
	}
	p.After = data
	after, err := ParseManifest(p.Path, data)
	if err != nil {
		return nil, err
	}
	return after, p.files(plan, after, o.Options)
}

func isKnown(version string) bool {
	_, err := ParseVersion(version)
	return version != "" && err == nil
}

// Written says what was written.
type Written struct {
	Backup string   `json:"backup,omitempty"` // of the manifest
	Files  []string `json:"files,omitempty"`  // made or replaced
}

// Write makes the files, a backup of the manifest, and then replaces it in one
// step, with its mode and owner. It takes the lock of the directory of
// manifests, and changes nothing where the manifest is not the one any more that
// was read. Where it fails the manifest is the old one, and what was made for
// the new one goes.
func (p *Patch) Write(ctx context.Context, waiting func()) (*Written, error) {
	unlock, err := staticpod.Lock(ctx, filepath.Dir(p.Path), waiting)
	if err != nil {
		return nil, err
	}
	defer unlock()
	dropStale(p.Path)
	written, err := p.write()
	if err == nil && p.ChangesManifest() {
		dropKept(p.Path) // what is kept is from before an earlier change
	}
	p.dropBefore()
	return written, err
}

// write is Write with the lock held. The names that replaced files had before stay.
func (p *Patch) write() (*Written, error) {
	store.DropUnfinished(p.Path)
	now, err := store.Read(p.Path, store.MaxYAML)
	if err != nil {
		return nil, readManifestError(err, err, p.Path)
	}
	if !bytes.Equal(now, p.Before) {
		return nil, failure.New(failure.Refused, "run the command again, to see the change as it would be now", "%q was changed in the meantime", p.Path)
	}
	p.dropBefore()
	made := &making{patch: p}
	written, err := made.all()
	if err != nil {
		made.takeBack()
		return nil, err
	}
	return written, nil
}
