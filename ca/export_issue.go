package ca

import (
	"cmp"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// PathFor returns where the export goes if nobody says otherwise: beside the
// files of key and certificate.
func (f ExportForm) PathFor(o IssueOptions) string { return o.Prefix() + f.Extension() }

// Named returns the export with the name of its Secret, which is that of the
// files where none is given.
func (e Export) Named(name, prefix string) Export {
	if e.Form.IsSecret() {
		e.Name = cmp.Or(name, SecretName(filepath.Base(prefix)))
	}
	return e
}

// Place says in words where the export is, given its path.
func (e Export) Place(path string) string {
	switch {
	case !e.Form.IsSecret():
		return path
	case e.Namespace != "":
		return e.Namespace + "/" + e.Name + " in " + path
	}
	return e.Name + " in " + path
}

// CheckPath refuses the path for the export that another file of the options
// takes.
func (e Export) CheckPath(path string, o IssueOptions) error {
	for _, other := range append([]string{o.Prefix() + ".crt", o.Prefix() + ".key"}, o.AlsoPaths...) {
		if filepath.Clean(path) == filepath.Clean(other) {
			return failure.New(failure.Usage, "choose different names", "%q would hold two things at once", path)
		}
	}
	return nil
}

// IssueTo has the export written to path in the same step as the key and
// certificate of the options. It comes after a kubeconfig, which an Opaque
// Secret then holds.
func (e Export) IssueTo(path string, o *IssueOptions) error {
	err := e.issueWith(o, func(data []byte) []store.File {
		return []store.File{{Path: path, Data: data, Mode: 0o600}}
	})
	if err == nil {
		o.AlsoPaths = append(o.AlsoPaths, path)
	}
	return err
}

// IssueThrough has the export of the key and certificate of the options handed
// to take, before anything is written. It comes after a kubeconfig, which an
// Opaque Secret then holds.
func (e Export) IssueThrough(take func(data []byte), o *IssueOptions) error {
	return e.issueWith(o, func(data []byte) []store.File {
		take(data)
		return nil
	})
}

func (e Export) issueWith(o *IssueOptions, become func(data []byte) []store.File) error {
	if err := e.Validate(); err != nil {
		return err
	}
	kubeconfigs := o.Also
	o.Also = func(c Credential) ([]store.File, error) {
		var files []store.File
		export := e
		if kubeconfigs != nil {
			var err error
			if files, err = kubeconfigs(c); err != nil {
				return nil, err
			}
			export.Kubeconfig = files[0].Data
		}
		data, err := export.Encode(c)
		if err != nil {
			return nil, err
		}
		return append(files, become(data)...), nil
	}
	return nil
}
