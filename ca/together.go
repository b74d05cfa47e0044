package ca

import (
	"crypto/x509"
	"path/filepath"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/store"
)

// NewRoot makes the root CA that Init would make, and writes nothing. Its key
// is loaded. Of the options it takes Dir, Name, Now and those that say what the
// certificate holds.
func NewRoot(o InitOptions) (*CA, error) {
	req, err := o.withDefaults().request()
	if err != nil {
		return nil, err
	}
	key, err := GenerateKey(req.Key)
	if err != nil {
		return nil, err
	}
	cert, err := signRoot(req, key, o.Now)
	if err != nil {
		return nil, err
	}
	return &CA{Dir: o.Dir, Name: o.Name, Certificate: cert, key: key}, nil
}

// Member is one certificate of several that are written together.
type Member struct {
	// CA signs what is prepared; its key is loaded. Without Prepared it is
	// itself what is written: a CA of NewRoot.
	CA       *CA
	Prepared *Prepared
	// Metadata is what the inventory keeps. Its paths are made such that they
	// hold when the directory moves.
	Metadata Metadata
	// Files returns the files that hold the certificate. Of a new CA there are
	// those of the CA; it may be nil.
	Files func(Credential) ([]store.File, error)
}

// WriteTogether signs certificates of one CA or of several, records them in the
// inventory of a locked PKI directory, and writes their files, and others, as
// one step: after any crash there are all of them or none. Unless replace is
// set, none of the files may exist. Where none did, they come one by one: first
// the others, then those of the members, in this order.
func WriteTogether(dir *store.Dir, now time.Time, replace bool, members []Member, others ...store.File) error {
	if len(members) == 0 {
		return dir.Commit(others, replace, nil)
	}
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	certs := make([]*pending, len(members))
	for i, m := range members {
		if certs[i], err = m.pending(dir); err != nil {
			return err
		}
	}
	files := certs[0].files
	certs[0].files = func(cert *x509.Certificate) ([]store.File, error) {
		own, err := files(cert)
		return append(slices.Clone(others), own...), err
	}
	return existsError(issuance{inv: inv, dir: dir, now: now, replace: replace}.run(certs...))
}

// pending returns the member on its way to the disk.
func (m Member) pending(dir *store.Dir) (*pending, error) {
	p := &pending{meta: m.Metadata}
	if m.Prepared == nil {
		return p, m.root(p)
	}
	p.meta = m.Metadata.beside(dir.Path())
	keyPEM, err := m.Prepared.keyPEM()
	if err != nil {
		return nil, err
	}
	p.linted = m.Prepared.Linted
	p.sign = func() (*x509.Certificate, error) { return m.Prepared.sign(m.CA.Certificate, m.CA.key) }
	p.files = func(cert *x509.Certificate) ([]store.File, error) { return m.Files(m.CA.credential(cert, keyPEM)) }
	return p, nil
}

// beside is the metadata with paths that hold when the PKI directory moves with
// what is beside it.
func (m Metadata) beside(dir string) Metadata {
	m.Out, m.Also = recordedBeside(dir, realPath(m.Out)), slices.Clone(m.Also)
	for i, path := range m.Also {
		m.Also[i] = recordedBeside(dir, realPath(path))
	}
	return m
}

// root completes the pending certificate of a new CA.
func (m Member) root(p *pending) error {
	keyPEM, err := MarshalKey(m.CA.key)
	if err != nil {
		return err
	}
	o := InitOptions{Dir: m.CA.Dir, Name: m.CA.Name, Organizations: m.CA.Certificate.Subject.Organization}
	p.meta = ownMetadata(o.name(), o.Organizations)
	p.linted = m.CA.Certificate
	p.sign = func() (*x509.Certificate, error) { return m.CA.Certificate, nil }
	p.files = func(cert *x509.Certificate) ([]store.File, error) {
		files := o.paths().files(keyPEM, cert)
		if m.Files == nil {
			return files, nil
		}
		more, err := m.Files(m.CA.credential(cert, keyPEM))
		return append(files, more...), err
	}
	return nil
}

// keyPEM encodes the key that was made for the certificate; nil where the
// request brought a public one.
func (p *Prepared) keyPEM() ([]byte, error) {
	if p.key == nil {
		return nil, nil
	}
	return MarshalKey(p.key)
}

// recordedBeside is recordedPath for files that may also stand beside the PKI
// directory, and move with it, as the kubeconfigs of a cluster do.
func recordedBeside(dir, path string) string {
	if filepath.Dir(path) == filepath.Dir(dir) {
		return filepath.Join("..", filepath.Base(path))
	}
	return recordedPath(dir, path)
}

// realPath returns the path of a file as that of a locked directory is: absolute,
// and free of symbolic links to directories, as far as that can be found out.
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return abs
	}
	return filepath.Join(dir, filepath.Base(abs))
}
