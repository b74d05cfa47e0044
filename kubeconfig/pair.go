package kubeconfig

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Pair is a client certificate and its key, in files.
type Pair struct {
	CertFile, KeyFile string
	CertPEM, KeyPEM   []byte
	Certificates      []*x509.Certificate // the client's, and those of the CAs between
	// Warnings say what is not as it should be, and works.
	Warnings []string
}

// Certificate returns the client's certificate.
func (p *Pair) Certificate() *x509.Certificate { return p.Certificates[0] }

// ReadPair reads a client certificate and its key, in PEM and at most 1 MiB
// each. It refuses what no API server would take: a certificate that is not
// valid now, is not for clients or names no user, and a key that is another's,
// or that kubectl cannot read. The errors hold nothing of the key.
func ReadPair(certFile, keyFile string, now time.Time) (*Pair, error) {
	p := &Pair{CertFile: certFile, KeyFile: keyFile}
	if err := p.readCertificate(now); err != nil {
		return nil, err
	}
	if err := p.readKey(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Pair) readCertificate(now time.Time) error {
	data, err := store.Read(p.CertFile, store.MaxPEM)
	if err != nil {
		return err
	}
	items, err := ca.Decode(data, p.CertFile)
	if err != nil {
		return err
	}
	p.Certificates = ca.Certificates(items)
	if len(p.Certificates) == 0 {
		return failure.New(failure.Failed, "name the file with the certificate; see what is in one with: pkictl inspect", "there is no certificate in %q", p.CertFile)
	}
	if p.CertPEM = data; len(items) > len(p.Certificates) || items[0].Block == 0 { // a key is in it too, or it is DER
		p.CertPEM = ca.EncodeCertificates(p.Certificates...)
	}
	return p.checkCertificate(now)
}

func (p *Pair) checkCertificate(now time.Time) error {
	cert := p.Certificate()
	if check := ca.CheckTime(cert, nil, now); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, "renew it; one of pkictl with: pkictl renew NAME", "no API server takes certificate %q: %s", p.CertFile, check.Found)
	}
	if check := ca.CheckUsage(cert, ca.PurposeClient); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, "issue one for a client with: pkictl issue --cn NAME", "nobody can log in with certificate %q: wanted %s; found %s", p.CertFile, check.Wanted, check.Found)
	}
	if cert.Subject.CommonName == "" {
		return failure.New(failure.Failed, "issue one with: pkictl issue --cn NAME", "certificate %q has no common name, which is the name of the user", p.CertFile)
	}
	return nil
}

func (p *Pair) readKey() error {
	info, err := ca.KeyBeside(p.KeyFile)
	if err != nil {
		return err
	}
	const hint = "decrypt it to a file of mode 0600, or have a new pair issued"
	switch {
	case info.Encrypted:
		return failure.New(failure.Failed, hint, "key %q is encrypted, which kubectl cannot read", p.KeyFile)
	case info.Public == nil:
		return failure.New(failure.Failed, hint, "key %q is in a PKCS#11 token, which kubectl cannot use", p.KeyFile)
	}
	if check := ca.CheckKey(p.Certificate(), p.CertFile, info.Public, p.KeyFile); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, check.Hint, "key %q does not belong to certificate %q", p.KeyFile, p.CertFile)
	}
	if p.KeyPEM, err = store.Read(p.KeyFile, store.MaxPEM); err != nil {
		return err
	}
	if items, err := ca.Decode(p.KeyPEM, p.KeyFile); err != nil || items[0].Block == 0 {
		return failure.New(failure.Failed, "convert it with: openssl pkey -in FILE -out KEY.pem", "key %q is not PEM, which kubectl needs", p.KeyFile)
	}
	if file, err := os.Stat(p.KeyFile); err == nil && runtime.GOOS != "windows" && file.Mode().Perm()&0o077 != 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("key %q can be read or changed by others: mode %04o", p.KeyFile, file.Mode().Perm()))
	}
	return nil
}

// CheckIssuer holds the certificate against a CA. One by another key of that
// CA's name, or that the CA has revoked, is refused; of a CA of another name
// there is a warning at most: that of the clients need not be that of the server.
func (p *Pair) CheckIssuer(ctx context.Context, roots ca.Roots, dir string, now time.Time) error {
	_, check := roots.Check(p.Certificate(), p.Certificates[1:], now)
	if check.Status == ca.CheckFailed {
		if dir != "" {
			return failure.New(failure.Failed, check.Hint, "certificate %q is not by the CA beside it: wanted %s; found %s", p.CertFile, check.Wanted, check.Found)
		}
		p.Warnings = append(p.Warnings, fmt.Sprintf("the CA of the server did not sign certificate %q: %s; it works if the API server trusts that one for clients", p.CertFile, check.Found))
		return nil
	}
	if dir == "" {
		return nil
	}
	entries, err := ca.List(ctx, ca.ListOptions{Dir: dir, Serial: p.Certificate().SerialNumber, Now: now})
	if err != nil || len(entries) == 0 {
		return err
	}
	if entries[0].State == ca.StateRevoked {
		return failure.New(failure.Failed, "issue another one", "certificate %q was revoked on %s for the reason %s", p.CertFile, day(*entries[0].RevokedAt), entries[0].Reason)
	}
	return nil
}

// CheckNew refuses to write a kubeconfig where there is something: without
// force anything, and with it what holds other entries than this one.
func (e Entry) CheckNew(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return store.ReadError(err, path)
	case !info.Mode().IsRegular():
		return failure.New(failure.Failed, "choose another file with --out", "%q is not a file", path)
	case !force:
		return failure.New(failure.Failed, "replace it with --force, or choose another file with --out", "%q exists", path)
	}
	return e.CheckReplace(path)
}
