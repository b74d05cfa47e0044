package apiserver

import (
	"bytes"
	"path/filepath"
	"slices"

	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// findCutShort looks for a change that was cut short. While another pkictl changes
// the manifest there is none yet.
func (p *Patch) findCutShort(isUndone bool) {
	kept := InterruptedChange(p.Path)
	if kept == "" || staticpod.IsLocked(filepath.Dir(p.Path)) {
		return
	}
	p.CutShort = kept
	if !isUndone {
		p.warn("an earlier change was cut short before kube-apiserver was healthy; --undo puts the manifest back as it was, which is %q", kept)
	}
}

// undo takes what a change that was cut short has left, or else the newest backup,
// for the manifest.
func (p *Patch) undo() (*Manifest, error) {
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
		return after, p.undoFiles(after)
	}
	return after, nil
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

// warnOfKeys warns where kube-apiserver would not know the keys any more with
// which it has encrypted.
func (p *Patch) warnOfKeys(before, after *Manifest) {
	const flag = "encryption-provider-config"
	file, _ := before.Value(flag)
	now, _ := after.Value(flag)
	if file == "" || file == now {
		return
	}
	without := "without --" + flag
	if now != "" {
		without = "unless its keys are in the new one too"
	}
	p.warn("what is encrypted with the keys in %q cannot be read any more %s: first make identity the first provider in it, and after a restart kubectl get secrets --all-namespaces -o json | kubectl replace -f -; the file stays", file, without)
}
