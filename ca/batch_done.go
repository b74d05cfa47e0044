package ca

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"slices"
)

// isDone says whether the files are there already and hold what the request
// asks for, in force: then an interrupted batch has come past this line. Other
// files are for checkTargets to refuse.
func (o IssueOptions) isDone(authority *CA, req Request, result *IssueResult) (bool, error) {
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
	key, err := publicKeyBeside(result.KeyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && equalKeys(key, cert.PublicKey), err
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
