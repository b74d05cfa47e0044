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
	Dir         string
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

// Open reads the certificate of the CA in dir, and those above it. The key is read when something
// is to be signed, not before.
func Open(dir string) (*CA, error) {
	path := CertPath(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, failure.New(failure.Failed, initHint(dir), "there is no CA in %q", dir)
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
	chain, err := readChain(dir, cert)
	if err != nil {
		return nil, err
	}
	return &CA{Dir: dir, Certificate: cert, Chain: chain}, nil
}

// isAuthority says whether a certificate is that of a CA which may sign others.
// Without a key usage extension every usage is allowed, as crypto/x509 and
// OpenSSL read it; many a CA made by recipe has none.
func isAuthority(cert *x509.Certificate) bool {
	return cert.BasicConstraintsValid && cert.IsCA && (cert.KeyUsage == 0 || cert.KeyUsage&x509.KeyUsageCertSign != 0)
}

// readChain reads the CAs above cert, if the directory has them.
func readChain(dir string, cert *x509.Certificate) ([]*x509.Certificate, error) {
	path := ChainPath(dir)
	certs, err := readCertificates(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !certs[0].Equal(cert) {
		return nil, failure.New(failure.Failed, "restore ca.crt and ca-chain.crt from one backup",
			"the first certificate of %q is not that of %q", path, CertPath(dir))
	}
	return certs[1:], nil
}

// Bundle returns what a client that trusts the CA is given: its certificate
// and those above it.
func (c *CA) Bundle() []*x509.Certificate {
	return append([]*x509.Certificate{c.Certificate}, c.Chain...)
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
	return "make one with: pkictl init-ca --dir " + ShellQuote(dir)
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
	path := KeyPath(c.Dir)
	data, err := store.Read(path, store.MaxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return failure.New(failure.Failed,
			"restore ca.key from a backup, or run this where the key is kept",
			"CA %q has no key: %q is missing", c.Dir, path)
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
		return failure.New(failure.Failed, "restore the pair ca.crt and ca.key from one backup",
			"CA key %q does not belong to certificate %q", path, CertPath(c.Dir))
	}
	c.key = key
	return nil
}

// Close ends the session with a PKCS#11 token that LoadKey began, if there is
// one. The CA can be used again.
func (c *CA) Close() {
	CloseKey(c.key)
	c.key = nil
}

// checkTime refuses to sign outside the CA's own validity.
func (c *CA) checkTime(now time.Time) error {
	cert := c.Certificate
	if now.After(cert.NotAfter) {
		return failure.New(failure.Failed, "make a new CA in another directory with: pkictl init-ca --dir DIR",
			"CA %q expired on %s", c.Dir, cert.NotAfter.Format(time.DateOnly))
	}
	if now.Before(cert.NotBefore) {
		return failure.New(failure.Failed, "check the clock of this machine",
			"CA %q is not valid before %s", c.Dir, cert.NotBefore.Format(time.RFC3339))
	}
	return nil
}
