package ca_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"slices"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// FuzzDecode: whatever the bytes, Decode returns items or an error, and the
// items can be printed.
func FuzzDecode(f *testing.F) {
	for _, seed := range decodeSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := ca.Decode(data, "file")
		if (err == nil) == (len(items) == 0) {
			t.Fatalf("%d items and error %v", len(items), err)
		}
		if err == nil && !ca.IsEncoded(data) {
			t.Error("IsEncoded says no")
		}
		if _, err := json.Marshal(items); err != nil {
			t.Error(err)
		}
		certs := ca.Certificates(items)
		if len(certs) == 0 {
			return
		}
		roots := ca.Roots{Name: "roots", Certificates: certs}
		_, check := roots.Check(certs[0], certs[1:], now)
		for _, check := range []ca.Check{
			check, ca.CheckTime(certs[0], nil, now), ca.CheckUsage(certs[0], ""), ca.CheckHost(certs[0], "localhost"),
		} {
			if check.Name == "" || check.Status == "" {
				t.Errorf("an empty check: %+v", check)
			}
		}
	})
}

// decodeSeeds has one of each kind, as PEM and as DER.
func decodeSeeds(f *testing.F) [][]byte {
	key, err := ca.GenerateKey(ca.ECDSAP256)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "fuzz"}, SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(ca.Day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign,
		DNSNames: []string{"fuzz.example.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		PermittedDNSDomains: []string{"example.com"}, SubjectKeyId: []byte{1},
	}
	cert := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	request := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"a.b"}}, key))
	crl := must(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(ca.Day),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(2), RevocationTime: now, ReasonCode: 4}},
	}, must(x509.ParseCertificate(cert)), key))
	private := must(x509.MarshalPKCS8PrivateKey(key))
	public := must(x509.MarshalPKIXPublicKey(key.Public()))
	all := slices.Concat(pemBlock("CERTIFICATE", cert), pemBlock("CERTIFICATE REQUEST", request), pemBlock("X509 CRL", crl),
		pemBlock("PRIVATE KEY", private), pemBlock("PUBLIC KEY", public), pemBlock("EC PARAMETERS", []byte{6, 0}))
	return append(encryptedSeeds(f), cert, request, crl, private, public, all, []byte("-----BEGIN "), []byte("0"), nil)
}
