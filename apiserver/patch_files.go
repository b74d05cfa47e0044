package apiserver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

func (p *Patch) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// files finds out which files of a plan are to be made, and which are there.
func (p *Patch) files(plan *Plan, after *Manifest, o Options) error {
	for _, file := range plan.Files {
		if host, isMounted := after.HostPath(file.Path); isMounted {
			file.Path = host
		}
		p.planned = append(p.planned, file.Path)
		add, err := p.file(file, o)
		if err != nil {
			return err
		}
		if add != nil {
			p.Files = append(p.Files, *add)
		}
	}
	return nil
}

// file returns what is to be done about a file, nil if nothing is.
func (p *Patch) file(file File, o Options) (*PatchFile, error) {
	info, err := os.Stat(file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if file.Dir || file.Data != nil {
			return &PatchFile{File: file}, nil
		}
		return nil, nil // the check says that it is missing
	case err != nil:
		return nil, readFileError(err, file.Path)
	case info.IsDir() != file.Dir:
		what := "a directory"
		if file.Dir {
			what = "no directory"
		}
		return nil, failure.New(failure.Failed, "choose another path", "%q is %s", file.Path, what)
	}
	if note := othersMayRead(file.Path); file.Secret && note != "" {
		p.warn("%s", note)
	}
	if file.Data == nil {
		return nil, nil
	}
	old, err := store.Read(file.Path, store.MaxYAML)
	switch {
	case err != nil:
		return nil, readFileError(err, file.Path)
	case file.Secret: // its key is what data is encrypted with
		return nil, CheckEncryption(file.Path, old, o.Encryption)
	case bytes.Equal(old, file.Data):
		return nil, nil
	}
	if err := store.CheckReplace(file.Path); err != nil {
		return nil, err
	}
	return &PatchFile{File: file, Old: old}, nil
}

func readFileError(err error, path string) error {
	if errors.Is(err, fs.ErrPermission) {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return failure.Wrap(err, failure.Failed, "run it as root", "cannot read %q", path)
	}
	return err
}

// warnOfOthers warns of other files beside the manifest that run kube-apiserver.
func (p *Patch) warnOfOthers() {
	dir := filepath.Dir(p.Path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // the manifest can be read all the same
	}
	var others []string
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.Name()[0] != '.' && path != p.Path && entry.Type().IsRegular() && runsAPIServer(path) {
			others = append(others, fmt.Sprintf("%q", entry.Name()))
		}
	}
	if others != nil {
		p.warn("beside it %s run kube-apiserver too: the kubelet runs every file in %q that does not begin with a dot (kubernetes/kubernetes#55596); move them away", strings.Join(others, ", "), dir)
	}
}

func runsAPIServer(path string) bool {
	data, err := store.Read(path, store.MaxYAML)
	if err != nil || !bytes.Contains(data, []byte(Component)) {
		return false
	}
	pod, err := staticpod.Parse(data)
	return err == nil && staticpod.Find(pod, Component) != nil
}
