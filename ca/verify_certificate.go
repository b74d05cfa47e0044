package ca

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"
)

// Roots are CA certificates that are trusted, and what results call them.
type Roots struct {
	Name         string
	Certificates []*x509.Certificate
}

// Check checks that a chain leads from cert to one of the roots, and returns
// it. Usages and host are not looked at; CheckTime says whether the time is
// right. Only where no chain holds at any one time is that a matter of Check.
func (r Roots) Check(cert *x509.Certificate, others []*x509.Certificate, now time.Time) ([]*x509.Certificate, Check) {
	check := Check{Name: "chain", Wanted: "a chain to " + r.Name}
	if len(r.Certificates) > 0 {
		check.Wanted = "a chain to " + FormatName(r.Certificates[0].RawSubject) + " in " + r.Name
	}
	chain, err := r.verify(cert, others, now)
	if err != nil {
		return nil, check.failed(r.problem(highest(cert, others), err))
	}
	if len(chain) == 1 {
		return chain, check.ok("that CA itself")
	}
	var issuers []string
	for _, issuer := range chain[1:] {
		issuers = append(issuers, FormatName(issuer.RawSubject))
	}
	return chain, check.ok("signed by " + strings.Join(issuers, ", which is signed by "))
}

// verify looks for a chain that is valid now, or failing that at the nearest
// time at which both the certificate and the root are.
func (r Roots) verify(cert *x509.Certificate, others []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	opts := x509.VerifyOptions{
		Roots: newPool(r.Certificates), Intermediates: newPool(others),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: now,
	}
	chains, err := cert.Verify(opts)
	for _, root := range r.Certificates {
		var invalid x509.CertificateInvalidError
		if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
			break
		}
		opts.CurrentTime = nearest(now, cert, root)
		chains, err = cert.Verify(opts)
	}
	if err != nil {
		return nil, err
	}
	return chains[0], nil
}

func newPool(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool
}

// nearest moves a time into the validity of both certificates.
func nearest(t time.Time, certs ...*x509.Certificate) time.Time {
	for _, cert := range certs {
		if t.Before(cert.NotBefore) {
			t = cert.NotBefore
		}
	}
	for _, cert := range certs {
		if t.After(cert.NotAfter) {
			t = cert.NotAfter
		}
	}
	return t
}

// highest follows the issuers of a certificate as far as others has them.
func highest(cert *x509.Certificate, others []*x509.Certificate) *x509.Certificate {
	for range others { // a circle ends too
		i := slices.IndexFunc(others, func(other *x509.Certificate) bool {
			return bytes.Equal(other.RawSubject, cert.RawIssuer)
		})
		if i < 0 {
			break
		}
		cert = others[i]
	}
	return cert
}

// problem turns an error of crypto/x509 into what was found, and a hint; cert
// is the one whose issuer is not there.
func (r Roots) problem(cert *x509.Certificate, err error) (found, hint string) {
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		return "none: " + plain(err), ""
	}
	for _, root := range r.Certificates {
		switch {
		case !bytes.Equal(cert.RawIssuer, root.RawSubject):
		case cert.CheckSignatureFrom(root) == nil: // what is wrong is between this one and the first
			return "none: " + plain(err), "see what is in the file with: pkictl inspect"
		default:
			return "an issuer of that name, but another key: " + keyIDs(cert, root),
				"the CA was made anew or there are two of that name; find the one that signed it"
		}
	}
	if bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		return "none: it names itself as its issuer", "have the CA issue it, or name the directory of another CA with --dir"
	}
	return "none: " + FormatName(cert.RawSubject) + " is signed by " + FormatName(cert.RawIssuer),
		"put the certificates between into the same file behind it, or name the directory of another CA with --dir"
}

func keyIDs(cert, root *x509.Certificate) string {
	if len(cert.AuthorityKeyId) == 0 || bytes.Equal(cert.AuthorityKeyId, root.SubjectKeyId) {
		return "the signature is not by the CA's key"
	}
	return "key identifier " + colonHex(cert.AuthorityKeyId) + ", not " + colonHex(root.SubjectKeyId)
}

// CheckTime checks that a certificate is valid at a time, and ends before its
// issuer, which may be nil.
func CheckTime(cert, issuer *x509.Certificate, now time.Time) Check {
	check := Check{Name: "time", Wanted: "valid on " + showTime(now)}
	switch {
	case now.Before(cert.NotBefore):
		return check.failed("not yet valid, begins on "+showTime(cert.NotBefore), "check the clock of this machine and of the one that issued it")
	case now.After(cert.NotAfter):
		return check.failed("expired on "+showTime(cert.NotAfter), "issue it again")
	case issuer == nil:
	case now.Before(issuer.NotBefore):
		return check.failed("its CA is not yet valid, begins on "+showTime(issuer.NotBefore), "check the clock of this machine")
	case now.After(issuer.NotAfter):
		return check.failed("its CA expired on "+showTime(issuer.NotAfter), "make a new CA and issue it again")
	case cert.NotAfter.After(issuer.NotAfter):
		return check.failed("ends on "+showTime(cert.NotAfter)+", after its CA, which ends on "+showTime(issuer.NotAfter),
			"it stops to work when its CA ends; issue it again for a shorter time")
	}
	return check.ok("valid until " + showTime(cert.NotAfter))
}

func showTime(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// CheckUsage checks that a certificate may be used for a purpose. Without one
// it may be used for whatever it says itself.
func CheckUsage(cert *x509.Certificate, purpose Purpose) Check {
	usages := usageNamesOf(cert)
	check := Check{Name: "usage", Wanted: string(purpose) + " auth"}
	switch {
	case purpose == "" && cert.IsCA && len(usages) == 0:
		return SkippedCheck("usage", "it is a CA's certificate without extended usages")
	case purpose == "" || purpose == PurposeAny:
		check.Wanted = "any usage"
	case !mayServe(cert, purpose):
		return check.failed(strings.Join(usages, ", "), "issue it again with --profile "+string(purpose))
	}
	// RFC 8446, 4.4.2.2: both sides of TLS sign.
	if !cert.IsCA && cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return check.failed("a key usage without digital signature", "TLS needs it; issue it again")
	}
	found := strings.Join(usages, ", ")
	if len(usages) == 0 {
		found = "no extended usages, which allows all" // RFC 5280, 4.2.1.12
	}
	if purpose != PurposeServer && (purpose != "" || !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth)) {
		return check.ok(found)
	}
	if len(cert.DNSNames)+len(cert.IPAddresses) == 0 {
		return check.failed(found+", but no DNS name or IP address",
			"clients look at nothing else; issue it again with --profile server and --dns or --ip")
	}
	return check.ok(found + " for " + strings.Join(hostNames(cert), ", "))
}

// mayServe follows crypto/x509: no extended usages allow all.
func mayServe(cert *x509.Certificate, purpose Purpose) bool {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	wanted := x509.ExtKeyUsageClientAuth
	if purpose == PurposeServer {
		wanted = x509.ExtKeyUsageServerAuth
	}
	return slices.Contains(cert.ExtKeyUsage, wanted) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func usageNamesOf(cert *x509.Certificate) []string {
	info, err := newRequestedInfo(cert.Extensions, SANsOf(cert))
	if err != nil {
		return nil // crypto/x509 has read the same bytes
	}
	return info.ExtendedKeyUsages
}

func hostNames(cert *x509.Certificate) []string {
	return SANs{DNS: cert.DNSNames, IPs: cert.IPAddresses}.Strings()
}

// CheckHost checks that a certificate is for a DNS name or IP address, as a
// TLS client does.
func CheckHost(cert *x509.Certificate, host string) Check {
	check := Check{Name: "host", Wanted: host}
	if cert.VerifyHostname(host) == nil {
		return check.ok("it among the alternative names")
	}
	names := hostNames(cert)
	switch {
	case strings.EqualFold(cert.Subject.CommonName, host): // RFC 6125, 6.4.4; Go since 1.15
		return check.failed("only the common name is the same",
			"clients look at alternative names alone; issue it again with --profile server")
	case len(names) == 0:
		return check.failed("no alternative names", "issue it again with --profile server and --dns or --ip")
	}
	return check.failed("a certificate for "+strings.Join(names, ", "), "dial one of these names, or issue it again with --dns or --ip")
}
