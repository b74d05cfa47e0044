package apiserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// making is a patch that is being written.
type making struct {
	patch    *Patch
	made     []string // files and directories, in their order
	replaced []PatchFile
	linked   []string // those of them that have a second name; see beforeName
}

// all writes all, the manifest last.
func (m *making) all() (*Written, error) {
	p := m.patch
	written := &Written{}
	if err := m.dir(p.Backups); err != nil {
		return nil, err
	}
	for _, file := range p.Files {
		if err := m.file(file); err != nil {
			return nil, err
		}
		written.Files = append(written.Files, file.Path)
	}
	if !p.ChangesManifest() {
		return written, nil
	}
	backup, err := m.backup(p.Path, p.Before)
	if err != nil {
		return nil, err
	}
	written.Backup = backup
	err = store.ReplaceFile(store.File{Path: p.Path, Data: p.After, Mode: 0o600, Keep: true})
	if now, readErr := store.Read(p.Path, store.MaxYAML); err != nil && readErr == nil && string(now) == string(p.After) {
		m.made = nil // it was replaced all the same, and needs what was made
		m.replaced = nil
	}
	if err != nil {
		return nil, writeError(err)
	}
	dropOldBackups(p.Backups, p.Path)
	return written, nil
}

// dir makes a directory, and those above it, with mode 0700.
func (m *making) dir(path string) error {
	made, err := makeDir(path)
	m.made = append(m.made, made...)
	return err
}

// file makes or replaces a file that kube-apiserver needs. One that is replaced
// leaves a backup.
func (m *making) file(f PatchFile) error {
	if f.Dir {
		return m.dir(f.Path)
	}
	if err := m.dir(filepath.Dir(f.Path)); err != nil {
		return err
	}
	if f.Old == nil {
		return m.isNew(f.Path, store.WriteNew(f.Path, f.Data, f.Mode))
	}
	if _, err := m.backup(f.Path, f.Old); err != nil {
		return err
	}
	m.replaced = append(m.replaced, f)
	if os.Link(f.Path, beforeName(f.Path)) == nil { // without links it is written anew if need be
		m.linked = append(m.linked, f.Path)
	}
	if err := store.ReplaceFile(store.File{Path: f.Path, Data: f.Data, Mode: f.Mode, Keep: true}); err != nil {
		return writeError(err)
	}
	return nil
}

// isNew notes what was made, or half made.
func (m *making) isNew(path string, err error) error {
	var exists *store.ExistsError
	if !errors.As(err, &exists) {
		m.made = append(m.made, path)
	}
	return writeError(err)
}

func (m *making) backup(path string, data []byte) (string, error) {
	backup, isThere, err := writeBackup(m.patch.Backups, path, data, m.patch.now)
	if isThere {
		return backup, nil
	}
	return backup, m.isNew(backup, err)
}

// takeBack takes back what was made for a manifest that was not written.
func (m *making) takeBack() {
	for _, f := range slices.Backward(m.replaced) {
		if slices.Contains(m.linked, f.Path) && os.Rename(beforeName(f.Path), f.Path) == nil {
			continue
		}
		_ = store.ReplaceFile(store.File{Path: f.Path, Data: f.Old, Mode: f.Mode, Keep: true}) // its backup stays where this fails
	}
	for _, path := range slices.Backward(m.made) {
		_ = os.Remove(path) // a directory that has anything in it stays
	}
}

// writeError has the hint that fits a node of a control plane.
func writeError(err error) error {
	if err == nil {
		return nil
	}
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		return failure.Wrap(err, failure.Failed, "run the command again", "it was made in the meantime")
	}
	if hint := hintFor(err); hint != "" {
		return failure.New(failure.Failed, hint, "%s", err)
	}
	return err
}

func hintFor(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run it as root"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space on that file system, then run the command again; nothing was changed"
	case errors.Is(err, syscall.EROFS):
		return "have the file system mounted for writing, then run the command again"
	case errors.Is(err, syscall.EIO):
		return "the disk may be broken: see the system's log, then run the command again"
	}
	return ""
}
