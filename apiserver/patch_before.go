package apiserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/store"
)

// beforeName is a second name of a file that is replaced: to give it back needs
// no space on the disk. It stays until the manifest has proven itself.
func beforeName(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".before")
}

// hostPaths lists what flags of a manifest name, as paths of the host.
func hostPaths(m *Manifest) []string {
	var paths []string
	for _, flag := range m.Flags() {
		if !path.IsAbs(flag.Value) || strings.ContainsAny(flag.Value, ",\x00") {
			continue
		}
		if host, isMounted := m.HostPath(flag.Value); isMounted {
			paths = append(paths, host)
		}
	}
	return paths
}

// dropBefore removes what this or a killed run has left of such names, unless a
// change was cut short, which they belong to as well.
func (p *Patch) dropBefore() {
	if cutShort(p.Path) != "" {
		return
	}
	for _, path := range p.planned {
		_ = os.Remove(beforeName(path)) // most often there is none
	}
}

// takeFilesBack gives the files that were replaced their old contents: those of
// before a change that was cut short, if that goes back too. What somebody else has
// changed since stays.
func (p *Patch) takeFilesBack() error {
	var errs []error
	for _, path := range p.planned {
		if err := p.takeFileBack(path); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (p *Patch) takeFileBack(path string) error {
	i := slices.IndexFunc(p.Files, func(f PatchFile) bool { return f.Path == path && f.Old != nil })
	if i < 0 {
		_ = os.Rename(beforeName(path), path) // most often there is none
		return nil
	}
	f := p.Files[i]
	now, err := store.Read(path, store.MaxYAML)
	if err == nil && !bytes.Equal(now, f.Data) && !bytes.Equal(now, f.Old) {
		return fmt.Errorf("somebody else has changed %q in the meantime, and it stays as it is", path)
	}
	if os.Rename(beforeName(path), path) == nil || err == nil && bytes.Equal(now, f.Old) {
		return nil
	}
	return store.ReplaceFile(store.File{Path: path, Data: f.Old, Mode: f.Mode, Keep: true})
}
