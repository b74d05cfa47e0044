package apiserver

import (
	"bytes"
	"slices"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// undo takes what a change that was cut short has left, or else the newest backup,
// for the manifest.
func (p *Patch) undo(before *Manifest, force bool) (*Manifest, error) {
	newest := p.CutShort
	if newest == "" {
		var err error
		if newest, err = newestBackup(p.Backups, p.Path); err != nil {
			return nil, err
		}
	}
	after, err := ReadManifest(newest)
	if err != nil {
		return nil, err
	}
	p.After = after.data
	if p.CutShort != "" {
		if err := p.undoFiles(after); err != nil {
			return nil, err
		}
	}
	return after, p.checkUndo(before, after, force)
}

// checkUndo refuses to take an encryption configuration away: kube-apiserver has
// used its key since. See Plan.checkReplaces.
func (p *Patch) checkUndo(before, after *Manifest, force bool) error {
	const config = "encryption-provider-config"
	was, _ := before.Value(config)
	is, _ := after.Value(config)
	if was == "" || was == is {
		return nil
	}
	const lost = "the backup is from before --%s=%s: what was encrypted with the keys in it could not be read any more"
	if force {
		p.warn(lost, config, was)
		return nil
	}
	return failure.New(failure.Refused, "put identity first in that file, restart kube-apiserver, write everything again, then take --force; or take it now if kube-apiserver has never run with it", lost, config, was)
}

// undoFiles has the files come back, too, that a change has replaced which was cut
// short.
func (p *Patch) undoFiles(after *Manifest) error {
	for _, path := range hostPaths(after) {
		if !slices.Contains(p.planned, path) {
			p.planned = append(p.planned, path)
		}
	}
	for _, path := range p.planned {
		before, err := store.Read(beforeName(path), store.MaxYAML)
		if err != nil {
			continue // it was not replaced
		}
		now, err := store.Read(path, store.MaxYAML)
		if err != nil {
			return readFileError(err, path)
		}
		if !bytes.Equal(before, now) {
			p.Files = append(p.Files, PatchFile{File: File{Path: path, Mode: 0o600, Data: before, Why: "as it was before the change that was cut short"}, Old: now})
		}
	}
	return nil
}
