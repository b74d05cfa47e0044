package ca

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// isDone says whether the files are there already and hold what the request
// asks for, in force: then an interrupted batch has come past this line. Other
// files are for checkTargets to refuse. A certificate that was revoked is an
// error, with its serial number among those in revoked, in decimal.
func (o IssueOptions) isDone(authority *CA, revoked map[string]bool, req Request, result *IssueResult) (bool, error) {
	if o.Force {
		return false, nil
	}
	for _, path := range o.AlsoPaths { // such as a kubeconfig that was not asked for then
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	}
	cert, err := ReadCertificate(result.CertPath)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	isOurs := cert.CheckSignatureFrom(authority.Certificate) == nil
	if !isOurs || !isFor(cert, req) || o.Now.After(cert.NotAfter) {
		return false, nil
	}
	if revoked[cert.SerialNumber.String()] {
		return false, failure.New(failure.Failed, "issue another with --force, or leave the line out", "%q is revoked", result.CertPath)
	}
	key, err := publicKeyBeside(result.KeyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && EqualKeys(key, cert.PublicKey), err
}

// revokedSerials returns the serial numbers, in decimal, of what the CA has
// revoked and would be in force.
func (c *CA) revokedSerials(ctx context.Context, now time.Time) (map[string]bool, error) {
	inv, err := store.OpenInventory(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing was recorded
	}
	if err != nil {
		return nil, err
	}
	defer inv.Close()
	rows, err := inv.Revoked(ctx, c.aki(), now)
	serials := make(map[string]bool, len(rows))
	for _, row := range rows {
		serials[row.Serial] = true
	}
	return serials, err
}

// isFor says whether a certificate is one that the request could have led to;
// its times aside.
func isFor(cert *x509.Certificate, req Request) bool {
	_, extended, _ := req.Profile.raw.Usages()
	return cert.Subject.CommonName == req.CommonName &&
		slices.Equal(cert.Subject.Organization, req.Groups) &&
		slices.Equal(cert.ExtKeyUsage, extended) &&
		KeyName(cert.PublicKey) == string(req.Key) &&
		sameNames(SANsOf(cert), req.SANs)
}
