package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// Names of a CA's files, as kubeadm has them.
const (
	certFile  = "ca.crt"
	keyFile   = "ca.key"
	chainFile = "ca-chain.crt"
)

// CA is a certificate authority in a directory.
type CA struct {
	Dir string
	// Name is that of its files below Dir, without .crt and .key; empty: ca.
	Name        string
	Certificate *x509.Certificate
	// Chain are the CAs above an intermediate one, the nearest first and the
	// root last, as far as ca-chain.crt has them.
	Chain []*x509.Certificate
	key   crypto.Signer // nil until LoadKey

	standInOnce sync.Once
	standInCA   *standIn
	standInErr  error

	limitsOnce sync.Once
	limitsAre  []*constrained
	limitsErr  error
}

// CertPath returns the path of the CA certificate in a PKI directory.
func CertPath(dir string) string { return filepath.Join(dir, certFile) }

// KeyPath returns the path of the CA key in a PKI directory.
func KeyPath(dir string) string { return filepath.Join(dir, keyFile) }

// ChainPath returns the path of the file with an intermediate CA's certificate
// and those above it, the root last. A root CA has none.
func ChainPath(dir string) string { return filepath.Join(dir, chainFile) }

// CertPath returns the path of the CA's certificate.
func (c *CA) CertPath() string { return filesOf(c.Dir, c.Name).cert }

// KeyPath returns the path of the CA's key.
func (c *CA) KeyPath() string { return filesOf(c.Dir, c.Name).key }

// caPaths are the paths of a CA's files.
type caPaths struct{ cert, key, chain string }

// filesOf returns those of the CA with that name, in a directory where others
// may stand beside it, as front-proxy-ca does in a cluster's.
func filesOf(dir, name string) caPaths {
	if name == "" {
		return caPaths{CertPath(dir), KeyPath(dir), ChainPath(dir)}
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	return caPaths{path + ".crt", path + ".key", path + "-chain.crt"}
}

// Open reads the certificate of the CA in dir, and those above it. The key is read when something
// is to be signed, not before.
func Open(dir string) (*CA, error) { return OpenNamed(dir, "") }

// OpenNamed is Open for a CA with files of another name than ca, such as
// front-proxy-ca or etcd/ca, with slashes.
func OpenNamed(dir, name string) (*CA, error) {
	path := filesOf(dir, name).cert
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, noCA(dir)
	}
	cert, err := ReadCertificate(path)
	if err != nil {
		return nil, err
	}
	if !isAuthority(cert) {
		return nil, failure.New(failure.Failed,
			"a CA certificate has basic constraints CA:TRUE and may sign certificates; choose another directory with --dir",
			"%q is not the certificate of a CA", path)
	}
	c := &CA{Dir: dir, Name: name, Certificate: cert}
	if c.Chain, err = c.readChain(); err != nil {
		return nil, err
	}
	return c, nil
}

// isAuthority says whether a certificate is that of a CA which may sign others.
// Without a key usage extension every usage is allowed, as crypto/x509 and
// OpenSSL read it; many a CA made by recipe has none.
func isAuthority(cert *x509.Certificate) bool {
	return cert.BasicConstraintsValid && cert.IsCA && (cert.KeyUsage == 0 || cert.KeyUsage&x509.KeyUsageCertSign != 0)
}

// readChain reads the CAs above, if the directory has them.
func (c *CA) readChain() ([]*x509.Certificate, error) {
	path := filesOf(c.Dir, c.Name).chain
	certs, err := readCertificates(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !certs[0].Equal(c.Certificate) {
		return nil, failure.New(failure.Failed, "restore ca.crt and ca-chain.crt from one backup",
			"the first certificate of %q is not that of %q", path, c.CertPath())
	}
	return certs[1:], nil
}

// Bundle returns what a client that trusts the CA is given: its certificate
// and those above it.
func (c *CA) Bundle() []*x509.Certificate {
	return append([]*x509.Certificate{c.Certificate}, c.Chain...)
}

// bundlePath returns the path of the file that holds what Bundle returns.
func (c *CA) bundlePath() string {
	if len(c.Chain) > 0 {
		return filesOf(c.Dir, c.Name).chain
	}
	return c.CertPath()
}

// Presented returns what the holder of a certificate shows behind it: the CAs
// between it and the root, which the other side has.
func (c *CA) Presented() []*x509.Certificate {
	return slices.DeleteFunc(c.Bundle(), isSelfIssued)
}

func isSelfIssued(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, cert.RawIssuer)
}

func initHint(dir string) string {
	if dir == DefaultDir {
		return "make one with: pkictl init-ca"
	}
	return "make one with: pkictl init-ca --dir " + shell.Quote(dir)
}

// ReadCertificate reads the first certificate of a PEM file.
func ReadCertificate(path string) (*x509.Certificate, error) {
	certs, err := readCertificates(path)
	if err != nil {
		return nil, err
	}
	return certs[0], nil
}

// readCertificates reads the certificates of a PEM file, of which there is at
// least one.
func readCertificates(path string) ([]*x509.Certificate, error) {
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return nil, err
	}
	return parseCertificates(data, path)
}

// parseCertificates reads all certificates in PEM data, of which there is at
// least one; name is what errors call it.
func parseCertificates(data []byte, name string) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, failure.Wrap(err, failure.Failed, "restore the file from a backup", "certificate %q is damaged", name)
		}
		certs = append(certs, cert)
	}
	if certs != nil {
		return certs, nil
	}
	if len(splitPEM(data)) > 0 && bytes.Contains(data, []byte("BEGIN CERTIFICATE-----")) {
		return nil, failure.New(failure.Failed, "restore the file from a backup", "certificate %q is cut off or damaged", name)
	}
	return nil, failure.New(failure.Failed, "a certificate file begins with -----BEGIN CERTIFICATE-----",
		"%q holds no certificate in PEM form", name)
}

// standIn returns what signs in place of the CA until all is checked.
func (c *CA) standIn() (*standIn, error) {
	c.standInOnce.Do(func() { c.standInCA, c.standInErr = newStandIn(c.Certificate) })
	return c.standInCA, c.standInErr
}

// LoadKey reads the CA's key and checks that it is the certificate's. Close
// frees it. A key that is loaded is not read, nor its passphrase asked for, again.
func (c *CA) LoadKey(ask Passphrase) error {
	if c.key != nil {
		return nil
	}
	path := c.KeyPath()
	data, err := store.Read(path, store.MaxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return failure.New(failure.Failed,
			"restore "+filepath.Base(path)+" from a backup, or run this where the key is kept",
			"CA %q has no key: %q is missing", c.place(), path)
	}
	if err != nil {
		return err
	}
	key, err := ParseKey(data, path, ask)
	if err != nil {
		return err
	}
	if !EqualKeys(key.Public(), c.Certificate.PublicKey) {
		CloseKey(key)
		return failure.New(failure.Failed, "restore the pair "+filepath.Base(c.CertPath())+" and "+filepath.Base(path)+" from one backup",
			"CA key %q does not belong to certificate %q", path, c.CertPath())
	}
	c.key = key
	return nil
}

// loadKeyFor is LoadKey, but for a dry run that is to do without the key.
func (c *CA) loadKeyFor(dryRun bool, ask Passphrase) error {
	err := c.LoadKey(ask)
	if dryRun && errors.Is(err, ErrAskLater) {
		return nil
	}
	return err
}

// Close ends the session with a PKCS#11 token that LoadKey began, if there is
// one. The CA can be used again.
func (c *CA) Close() {
	CloseKey(c.key)
	c.key = nil
}

// place is what errors call the CA: its directory, or its certificate where
// others stand beside it.
func (c *CA) place() string {
	if c.Name == "" {
		return c.Dir
	}
	return c.CertPath()
}

// checkTime refuses to sign outside the CA's own validity.
func (c *CA) checkTime(now time.Time) error {
	cert := c.Certificate
	if now.After(cert.NotAfter) {
		return failure.New(failure.Failed, "make a new CA in another directory with: pkictl init-ca --dir DIR",
			"CA %q expired on %s", c.place(), cert.NotAfter.Format(time.DateOnly))
	}
	if now.Before(cert.NotBefore) {
		return failure.New(failure.Failed, "check the clock of this machine",
			"CA %q is not valid before %s", c.place(), cert.NotBefore.Format(time.RFC3339))
	}
	return nil
}
