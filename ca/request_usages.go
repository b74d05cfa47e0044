package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/bits"

	"github.com/pkictl/pkictl/internal/failure"
)

// SignWithUsages is Sign for a request that also says what the certificate is
// to be used for: key usage, extended key usage and basic constraints are among
// the extensions that it asks for (RFC 2985, 5.4.2), as the certificate of the
// request's profile would have them. Who signs it may copy them.
func (r Request) SignWithUsages(key crypto.Signer) ([]byte, error) {
	_, extended, _ := r.Profile.raw.Usages()
	extensions, err := usageExtensions(r.usage(key.Public()), extended, -1)
	if err != nil {
		return nil, err
	}
	return r.signWith(key, extensions)
}

// SignForCA is SignWithUsages for the certificate of a CA that may sign
// certificates and revocation lists, with that path length (RFC 5280, 4.2.1.9).
// Of the request it takes the names.
func (r Request) SignForCA(key crypto.Signer, pathLength int) ([]byte, error) {
	extensions, err := usageExtensions(x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil, pathLength)
	if err != nil {
		return nil, err
	}
	return r.signWith(key, extensions)
}

func (r Request) signWith(key crypto.Signer, extensions []pkix.Extension) ([]byte, error) {
	rawSubject, err := subject(r.Groups, r.CommonName)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		RawSubject: rawSubject, DNSNames: r.SANs.DNS, IPAddresses: r.SANs.IPs, URIs: r.SANs.URIs, EmailAddresses: r.SANs.Emails,
		ExtraExtensions: extensions,
	}, key)
	if err != nil {
		return nil, failure.Wrap(err, failure.Failed, "", "cannot make a certificate request for %q", r.CommonName)
	}
	return EncodeRequest(der), nil
}

var (
	idKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	idBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	idExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// usageExtensions encodes basic constraints, of a CA unless the path length is
// negative, and usages, as crypto/x509 does for certificates.
func usageExtensions(usage x509.KeyUsage, extended []x509.ExtKeyUsage, pathLength int) ([]pkix.Extension, error) {
	var constraints any = struct{}{}
	if pathLength >= 0 {
		constraints = struct {
			IsCA       bool
			PathLength int
		}{true, pathLength}
	}
	oids := make([]asn1.ObjectIdentifier, len(extended))
	for i, one := range extended {
		var err error
		if oids[i], err = extendedUsageOID(one); err != nil {
			return nil, err
		}
	}
	length := bits.Len(uint(usage))
	used := []byte{bits.Reverse8(byte(usage & 0xff)), bits.Reverse8(byte(usage >> 8 & 0xff))}[:(length+7)/8]
	var list []pkix.Extension
	for _, e := range []struct {
		id       asn1.ObjectIdentifier
		critical bool
		value    any
	}{
		{idKeyUsage, true, asn1.BitString{Bytes: used, BitLength: length}},
		{idExtendedKeyUsage, false, oids},
		{idBasicConstraints, true, constraints},
	} {
		if e.id.Equal(idExtendedKeyUsage) && len(oids) == 0 {
			continue
		}
		value, err := asn1.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		list = append(list, pkix.Extension{Id: e.id, Critical: e.critical, Value: value})
	}
	return list, nil
}

// extendedUsageOID is the purpose as RFC 5280, 4.2.1.12 numbers it.
func extendedUsageOID(usage x509.ExtKeyUsage) (asn1.ObjectIdentifier, error) {
	switch usage {
	case x509.ExtKeyUsageServerAuth:
		return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}, nil
	case x509.ExtKeyUsageClientAuth:
		return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}, nil
	}
	return nil, failure.New(failure.Usage, "choose one of the built-in profiles", "no request asks for the usage %s", usage)
}

// OpenSSLWords is what a request says, in the words of openssl. Subject is the
// argument of -subj, not yet quoted for a shell.
type OpenSSLWords struct {
	Genpkey  string // arguments of openssl genpkey
	Digest   string // for what a key of that kind signs
	Subject  string
	Usage    string // value of keyUsage
	Extended string // value of extendedKeyUsage
	Names    string // value of subjectAltName; may be empty
}

// OpenSSL returns the request in the words of openssl.
func (r Request) OpenSSL() OpenSSLWords {
	return OpenSSLWords{
		Genpkey: genpkey(r.Key), Digest: digest(string(r.Key)), Subject: opensslSubject(r.Groups, r.CommonName),
		Usage: opensslUsage(r), Extended: opensslExtended(r.Profile), Names: opensslNames(r.SANs),
	}
}
