package ca

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"slices"
	"time"
)

const crlCheck = "revocation list"

// checkRevocation looks the certificate up in the list that was given, or the
// one in the PKI directory.
func checkRevocation(o VerifyOptions, chain []*x509.Certificate) Check {
	issuer := IssuerIn(chain)
	if o.CRL != nil {
		if issuer == nil {
			return SkippedCheck(crlCheck, "without a chain it is not known whose list would have the certificate")
		}
		return CheckRevocation(o.Certificates[0], issuer, o.CRL, o.Now)
	}
	path := CRLPath(o.Dir)
	list, err := ReadCRL(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return SkippedCheck(crlCheck, "none was given, and there is no "+path)
	case err != nil:
		return FailedCheck(crlCheck, "a revocation list in "+path, plain(err), "make it again with: pkictl crl")
	case issuer == nil || !bytes.Equal(list.List.RawIssuer, issuer.RawSubject):
		return SkippedCheck(crlCheck, "that in "+path+" is not by the issuer of the certificate")
	case len(chain) == 1:
		return SkippedCheck(crlCheck, "no one heeds what a CA says of its own end")
	}
	return CheckRevocation(o.Certificates[0], issuer, list, o.Now)
}

// CheckRevocation checks that a certificate is not on the revocation list of
// its issuer, and that the list is the issuer's and good at a time (RFC 5280, 6.3.3).
func CheckRevocation(cert, issuer *x509.Certificate, crl *CRL, now time.Time) Check {
	check := Check{Name: crlCheck, Wanted: "serial " + FormatSerial(cert.SerialNumber) + " not in " + crl.Name}
	list := crl.List
	switch {
	case !bytes.Equal(list.RawIssuer, issuer.RawSubject):
		return check.failed("the list of another CA, "+FormatName(list.RawIssuer), "give the list of "+FormatName(issuer.RawSubject)+" with --crl")
	case issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		return check.failed("a list by a CA whose key usage is without cRLSign", "no one else takes its lists either; make a CA with: pkictl init-ca")
	case !crl.isOf(issuer):
		return check.failed("a list of that CA's name, but not signed by its key", "the CA was made anew or there are two of that name; give the list of the one that signed it")
	}
	for _, extension := range list.Extensions {
		// RFC 5280, 5.2: such as one that says the list is of differences, or of some certificates only.
		if extension.Critical {
			return check.failed("a list with the critical extension "+extension.Id.String()+", of which pkictl knows nothing", "give a complete list of the CA")
		}
	}
	i := slices.IndexFunc(list.RevokedCertificateEntries, func(entry x509.RevocationListEntry) bool {
		return entry.SerialNumber.Cmp(cert.SerialNumber) == 0
	})
	if i >= 0 {
		entry := list.RevokedCertificateEntries[i]
		return check.failed("revoked on "+showTime(entry.RevocationTime)+" for the reason "+reasonName(entry.ReasonCode), "issue another one")
	}
	switch {
	case now.Before(list.ThisUpdate):
		return check.failed("a list that is not yet valid, made on "+showTime(list.ThisUpdate), "check the clock of this machine and of the one that made it")
	case list.NextUpdate.IsZero():
	case now.After(list.NextUpdate):
		return check.failed("a list that is overdue since "+showTime(list.NextUpdate)+": who was revoked since is not on it", "make a new one with: pkictl crl")
	}
	return check.ok("a list of " + showTime(list.ThisUpdate) + " without it")
}
