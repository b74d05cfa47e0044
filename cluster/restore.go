package cluster

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// RestoreOptions say what to restore, how to open it, and where to.
type RestoreOptions struct {
	File   string    // a bundle, or "-" for Reader
	Reader io.Reader // of at most 32 MiB
	Identities
	Dir    string // cluster directory, which need not exist
	DryRun bool   // everything but writing
	Now    time.Time
	// Waiting is told when another process changes the directory. It may be nil.
	Waiting func()
}

// RestoreResult says what was in a bundle, and what came of it.
type RestoreResult struct {
	*Bundle
	Written []string // names of files that were, or in a dry run would be, written
	// Kept are names of files that are there: the same ones, or a cluster.yaml of
	// the node's own.
	Kept []string
}

// Restore puts the files of a bundle into a cluster directory, as one step: after
// any crash there are all of them or none. All is checked before. Files that
// are there and are the same stay as they are; another CA or another key in
// their place is an error of kind Refused, and so is anything in the bundle that
// does not belong there.
func Restore(ctx context.Context, o RestoreOptions) (*RestoreResult, error) {
	bundle, err := o.read()
	if err != nil {
		return nil, err
	}
	if o.DryRun {
		return o.plan(bundle)
	}
	pki := PKIDir(o.Dir)
	locked, err := store.Create(ctx, pki, o.Waiting)
	if err != nil {
		return nil, err
	}
	result, err := o.plan(bundle)
	if err == nil {
		err = o.write(locked, result)
	}
	if err != nil {
		locked.Abandon()
		return nil, err
	}
	locked.Unlock()
	return result, nil
}

// read opens the bundle and checks it.
func (o RestoreOptions) read() (*Bundle, error) {
	name := o.File
	var data []byte
	var err error
	if o.File == "-" {
		name = "standard input"
		data, err = store.ReadAll(o.Reader, name, maxBundle)
	} else {
		data, err = store.Read(o.File, maxBundle)
	}
	if err != nil {
		return nil, err
	}
	archive, err := o.decrypt(data, name)
	if err != nil {
		return nil, err
	}
	files, err := readArchive(archive, name)
	if err != nil {
		return nil, err
	}
	return newBundle(files, name, o.Now)
}

// plan compares the bundle with what is in the directory. Both together must
// be right: a key that only one of them has belongs to the certificate of both.
func (o RestoreOptions) plan(bundle *Bundle) (*RestoreResult, error) {
	there, err := readShared(o.Dir, "")
	if err != nil {
		return nil, err
	}
	result := &RestoreResult{Bundle: bundle}
	bundle.Warnings = nil // those of both together count
	disk := &Bundle{Files: there}
	for _, f := range bundle.Files {
		old := disk.file(f.Name)
		switch {
		case old == nil:
			// A link that leads nowhere is no file to read, nor a place to write.
			if err := store.CheckAbsent(filepath.Join(o.Dir, filepath.FromSlash(f.Name))); err != nil {
				return nil, err
			}
			result.Written = append(result.Written, f.Name)
			there = append(there, f)
		case bytes.Equal(old.Data, f.Data):
			result.Kept = append(result.Kept, f.Name)
		case f.Kind == BundleSettings:
			result.Kept = append(result.Kept, f.Name)
			bundle.warn("%q is kept as it is; the bundle has other settings", old.path)
		default:
			return nil, failure.New(failure.Refused, "nothing was changed; choose another directory with --dir, or move the old PKI away",
				"%q is another one than in the bundle", old.path)
		}
	}
	merged, err := newBundle(there, o.Dir, o.Now)
	if err != nil {
		return nil, err
	}
	merged.warnOthers(o.Dir)
	bundle.Name, bundle.Warnings = merged.Name, slices.Concat(bundle.Warnings, merged.Warnings, openLinks(o.Dir))
	return result, nil
}

// warnOthers warns of certificates in a cluster directory that its CAs have not
// signed: they stood there before the CAs did.
func (b *Bundle) warnOthers(dir string) {
	for _, e := range Layout() {
		if e.Kind != KindLeaf {
			continue
		}
		leaf, issuer := Find(dir, e).Certificate, b.file("pki/"+e.CA+".crt")
		if leaf == nil || issuer == nil {
			continue
		}
		certs, err := issuer.certificates()
		if err == nil && leaf.CheckSignatureFrom(certs[0]) != nil {
			b.warn("%q is of another CA than %s.crt; see: pkictl cluster check", e.CertPath(dir), e.CA)
		}
	}
}

// write writes the files that are not there.
func (o RestoreOptions) write(locked *store.Dir, result *RestoreResult) error {
	var files []store.File
	for _, name := range result.Written {
		f := result.file(name)
		path := filepath.Join(o.Dir, filepath.FromSlash(name))
		if err := locked.Make(filepath.Dir(path)); err != nil {
			return err
		}
		files = append(files, store.File{Path: path, Data: f.Data, Mode: f.Kind.mode()})
	}
	if len(files) == 0 {
		return nil
	}
	return locked.Commit(files, false, nil)
}
