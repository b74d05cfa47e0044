package ca_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate; it is self-signed where parent is nil.
func sign(t *testing.T, template, parent *x509.Certificate, pub crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(0x0abc)
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = now.Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = now.Add(time.Hour)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func decodeOne(t *testing.T, data []byte) ca.Item {
	t.Helper()
	items, err := ca.Decode(data, "file")
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != 1 {
		t.Fatalf("%d items, want 1", len(items))
	}
	return items[0]
}

func pemBlock(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// must returns a value, for calls that cannot fail here.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// fullCertificate has every extension that is described, and some that are not.
func fullCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key := ecKey(t)
	_, network, _ := net.ParseCIDR("10.0.0.0/8")
	sans := must(asn1.Marshal([]asn1.RawValue{
		{Class: 2, Tag: 2, Bytes: []byte("a.example.com")},
		{Class: 2, Tag: 7, Bytes: net.ParseIP("fd00::10")},
		{Class: 2, Tag: 6, Bytes: []byte("spiffe://cluster.local/ns/dev")},
		{Class: 2, Tag: 1, Bytes: []byte("jane@example.com")},
		{Class: 2, Tag: 0, IsCompound: true, Bytes: append(
			must(asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3})),
			must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: []byte{0x0c, 1, 'u'}}))...)},
		{Class: 2, Tag: 8, Bytes: []byte{0x2a, 0x03}},
		{Class: 2, Tag: 4, IsCompound: true, Bytes: must(asn1.Marshal(pkix.Name{CommonName: "dir"}.ToRDNSequence()))},
	}))
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "full", Organization: []string{"dev"}},
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageDecipherOnly,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageOCSPSigning},
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{{1, 2, 3, 4}},
		SubjectKeyId:          []byte{1, 2, 0xab},
		AuthorityKeyId:        []byte{1, 2, 0xab},
		CRLDistributionPoints: []string{"http://crl.example.com/ca.crl"},
		OCSPServer:            []string{"http://ocsp.example.com"},
		IssuingCertificateURL: []string{"http://ca.example.com/ca.crt"},
		Policies:              []x509.OID{must(x509.OIDFromInts([]uint64{2, 23, 140, 1, 2, 1}))},
		PermittedDNSDomains:   []string{".example.com"},
		ExcludedIPRanges:      []*net.IPNet{network},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: sans},
			{Id: asn1.ObjectIdentifier{1, 2, 3, 5}, Critical: true, Value: []byte{5, 0}},
		},
		PermittedDNSDomainsCritical: true,
	}
	return sign(t, template, nil, key.Public(), key)
}

func TestDecodeCertificate(t *testing.T) {
	t.Parallel()
	cert := fullCertificate(t)
	item := decodeOne(t, cert.Raw)
	c := item.Certificate
	if item.Kind != ca.ItemCertificate || c == nil {
		t.Fatalf("got %+v", item)
	}
	zero := 0
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"subject", c.Subject, "O=dev,CN=full"},
		{"serial", c.Serial, "0ABC"},
		{"version", c.Version, 3},
		{"key", c.PublicKey.Kind, "ecdsa-p256"},
		{"signature", c.SignatureAlgorithm, "ECDSA-SHA256"},
		{"usages", c.KeyUsages, []string{"digital signature", "cert sign", "decipher only"}},
		{"extended", c.ExtendedKeyUsages, []string{"client auth", "ocsp signing", "1.2.3.4"}},
		{"constraints", c.BasicConstraints, &ca.BasicConstraints{CA: true, PathLength: &zero}},
		{"names", c.SANs, &ca.AltNames{
			DNS: []string{"a.example.com"}, IP: []string{"fd00::10"}, URI: []string{"spiffe://cluster.local/ns/dev"},
			Email: []string{"jane@example.com"},
			Other: []string{"otherName 1.3.6.1.4.1.311.20.2.3", "registeredID 1.2.3", "directoryName CN=dir"},
		}},
		{"key ID", c.SubjectKeyID, "01:02:AB"},
		{"CRL", c.CRLs, []string{"http://crl.example.com/ca.crl"}},
		{"OCSP", c.OCSP, []string{"http://ocsp.example.com"}},
		{"CA issuers", c.CAIssuers, []string{"http://ca.example.com/ca.crt"}},
		{"policies", c.Policies, []string{"2.23.140.1.2.1"}},
		{"name constraints", c.NameConstraints, &ca.NameConstraints{
			Permitted: []string{"DNS:.example.com"}, Excluded: []string{"IP:10.0.0.0/8"},
		}},
		{"self-signed", c.SelfSigned, true},
		{"user", c.Kubernetes, &ca.KubernetesUser{User: "full", Groups: []string{"dev"}}},
		{"critical", c.IsCritical(ca.ExtNameConstraints), true},
		{"not critical", c.IsCritical(ca.ExtSANs), false},
	} {
		got, want := must(json.Marshal(test.got)), must(json.Marshal(test.want))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %s, want %s", test.what, got, want)
		}
	}
	unknown := ca.Extension{OID: "1.2.3.5", Critical: true, Length: 2}
	if !slices.Contains(c.Extensions, unknown) {
		t.Errorf("extensions %v, want among them %v", c.Extensions, unknown)
	}
	// An API server takes only clients for users.
	key := ecKey(t)
	server := decodeOne(t, sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "x"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, nil, key.Public(), key).Raw)
	if server.Certificate.Kubernetes != nil {
		t.Errorf("server: %+v", server.Certificate.Kubernetes)
	}
}

func TestDecodeNamesItself(t *testing.T) {
	t.Parallel()
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: "same"}, SerialNumber: big.NewInt(1)}
	cert := sign(t, &x509.Certificate{Subject: parent.Subject}, parent, ecKey(t).Public(), ecKey(t))
	info := decodeOne(t, ca.EncodeCertificates(cert)).Certificate
	if info.SelfSigned || !strings.Contains(info.SelfSignedReason, "own key did not sign it") {
		t.Errorf("got %v, %q", info.SelfSigned, info.SelfSignedReason)
	}
}

func TestDecodeKeys(t *testing.T) {
	t.Parallel()
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	ec := ecKey(t)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	x25519 := must(ecdh.X25519().GenerateKey(rand.Reader))
	pkcs8 := func(key any) []byte { return must(x509.MarshalPKCS8PrivateKey(key)) }
	for _, test := range []struct {
		name, label, format, kind string
		der                       []byte
		public                    crypto.PublicKey
	}{
		{"rsa", "PRIVATE KEY", "PKCS#8", "rsa-2048", pkcs8(rsaKey), rsaKey.Public()},
		{"ec", "PRIVATE KEY", "PKCS#8", "ecdsa-p256", pkcs8(ec), ec.Public()},
		{"ed25519", "PRIVATE KEY", "PKCS#8", "ed25519", pkcs8(edKey), edKey.Public()},
		{"x25519", "PRIVATE KEY", "PKCS#8", "x25519", pkcs8(x25519), x25519.Public()},
		{"pkcs1", "RSA PRIVATE KEY", "PKCS#1", "rsa-2048", x509.MarshalPKCS1PrivateKey(rsaKey), rsaKey.Public()},
		{"sec1", "EC PRIVATE KEY", "SEC 1", "ecdsa-p256", must(x509.MarshalECPrivateKey(ec)), ec.Public()},
		{"public", "PUBLIC KEY", "SPKI", "rsa-2048", must(x509.MarshalPKIXPublicKey(rsaKey.Public())), rsaKey.Public()},
		{"public pkcs1", "RSA PUBLIC KEY", "PKCS#1", "rsa-2048", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey), rsaKey.Public()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			item := decodeOne(t, pemBlock(test.label, test.der))
			if item.Key == nil || item.Key.Format != test.format || item.Key.Kind != test.kind || item.Label != test.label {
				t.Fatalf("got %+v", item.Key)
			}
			if !item.Key.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(test.public) {
				t.Error("another public key")
			}
			fromDER := decodeOne(t, test.der)
			if fromDER.Key == nil || fromDER.Key.SHA256 != item.Key.SHA256 || fromDER.Kind != item.Kind {
				t.Errorf("DER: %+v", fromDER)
			}
			for _, secret := range [][]byte{must(ec.Bytes()), edKey.Seed(), x25519.Bytes(), rsaKey.D.Bytes(), rsaKey.Primes[0].Bytes()} {
				checkAbsent(t, must(json.Marshal(item)), secret)
			}
		})
	}
}

// checkAbsent checks that data does not hold secret in any usual encoding.
func checkAbsent(t *testing.T, data, secret []byte) {
	t.Helper()
	lower := bytes.ToLower(bytes.ReplaceAll(data, []byte(":"), nil))
	if bytes.Contains(data, secret) || bytes.Contains(lower, []byte(hex.EncodeToString(secret))) ||
		bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(secret)[:20])) ||
		bytes.Contains(data, []byte(new(big.Int).SetBytes(secret).String())) {
		t.Error("it shows a private key")
	}
}

func TestDecodeRequest(t *testing.T) {
	t.Parallel()
	key := ecKey(t)
	uri := must(url.Parse("spiffe://cluster.local/x"))
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "jane", Organization: []string{"dev"}},
		DNSNames: []string{"jane.example.com"}, URIs: []*url.URL{uri},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: []byte{3, 2, 7, 0x80}},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}},
		},
	}, key))
	item := decodeOne(t, pemBlock("CERTIFICATE REQUEST", der))
	r := item.Request
	if r == nil || r.Subject != "O=dev,CN=jane" || !r.SignatureValid || !slices.Equal(r.SANs.DNS, []string{"jane.example.com"}) ||
		!slices.Equal(r.KeyUsages, []string{"digital signature"}) || !r.BasicConstraints.CA || r.BasicConstraints.PathLength != nil {
		t.Fatalf("got %+v", r)
	}
	der[len(der)-1] ^= 1
	if r := decodeOne(t, der).Request; r == nil || r.SignatureValid || r.SignatureReason == "" {
		t.Errorf("a changed signature: %+v", r)
	}
	broken := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{0}}},
	}, key))
	if _, err := ca.Decode(pemBlock("CERTIFICATE REQUEST", broken), "file"); err == nil || !strings.Contains(err.Error(), "2.5.29.15 (key usage) is damaged") {
		t.Errorf("a broken extension: %v", err)
	}
}

func TestDecodeCRL(t *testing.T) {
	t.Parallel()
	key := ecKey(t)
	issuer := sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "crl-ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign,
	}, nil, key.Public(), key)
	der := must(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(255), ThisUpdate: now, NextUpdate: now.Add(ca.Day),
		RevokedCertificateEntries: []x509.RevocationListEntry{
			{SerialNumber: big.NewInt(17), RevocationTime: now.Add(-time.Hour), ReasonCode: 1},
			{SerialNumber: big.NewInt(18), RevocationTime: now.Add(-time.Hour)},
			{SerialNumber: big.NewInt(19), RevocationTime: now.Add(-time.Hour), ReasonCode: 7},
		},
	}, issuer, key))
	item := decodeOne(t, pemBlock("X509 CRL", der))
	c := item.CRL
	if c == nil || c.Issuer != "CN=crl-ca" || c.Version != 2 || c.Number != "FF" || c.Count != 3 ||
		!c.ThisUpdate.Equal(now) || !c.NextUpdate.Equal(now.Add(ca.Day)) {
		t.Fatalf("got %+v", c)
	}
	want := []ca.CRLEntry{
		{Serial: "11", RevokedAt: now.Add(-time.Hour), Reason: "keyCompromise"},
		{Serial: "12", RevokedAt: now.Add(-time.Hour)},
		{Serial: "13", RevokedAt: now.Add(-time.Hour), Reason: "reason 7"},
	}
	if !slices.Equal(c.Entries, want) {
		t.Errorf("entries %+v, want %+v", c.Entries, want)
	}
	if again := decodeOne(t, der); again.Kind != ca.ItemCRL {
		t.Errorf("DER: %+v", again)
	}
}

func TestDecodeManyBlocks(t *testing.T) {
	t.Parallel()
	cert := ca.EncodeCertificates(fullCertificate(t))
	key := must(ca.MarshalKey(ecKey(t)))
	data := slices.Concat([]byte("Certificate:\n    Data:\n"), cert, []byte("\nbetween\n"),
		pemBlock("EC PARAMETERS", []byte{6, 0}), key, bytes.ReplaceAll(cert, []byte("\n"), []byte("\r\n")))
	items, err := ca.Decode(data, "file")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []ca.ItemKind
	for i, item := range items {
		kinds = append(kinds, item.Kind)
		if item.Block != i+1 {
			t.Errorf("item %d says block %d", i, item.Block)
		}
	}
	want := []ca.ItemKind{ca.ItemCertificate, ca.ItemOther, ca.ItemPrivateKey, ca.ItemCertificate}
	if !slices.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
	if len(ca.Certificates(items)) != 2 || ca.PrivateKey(items) == nil || ca.PrivateKey(items[:2]) != nil {
		t.Error("certificates or key not found")
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	cert := ca.EncodeCertificates(fullCertificate(t))
	half := cert[:len(cert)/2]
	huge := must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 20000), E: 3}))
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":      {[]byte("hello\n"), "neither PEM nor a certificate"},
		"DER":          {[]byte{0x30, 3, 2, 1, 1}, "neither PEM nor a certificate"},
		"cut":          {slices.Concat(cert, half), `block 2 of "file" cannot be read: no valid PEM`},
		"cut first":    {slices.Concat(half, []byte("\n"), cert), `block 1 of "file" cannot be read`},
		"not a cert":   {pemBlock("CERTIFICATE", []byte{0x30, 0}), `block 1 (CERTIFICATE) of "file" cannot be read`},
		"not a key":    {pemBlock("PRIVATE KEY", []byte("0000secret")), "the private key is damaged or of an unknown kind"},
		"not a CRL":    {pemBlock("X509 CRL", []byte{0x30, 0}), "cannot be read"},
		"not a public": {pemBlock("PUBLIC KEY", []byte{0x30, 0}), "cannot be read"},
		"not a cipher": {pemBlock("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}), "cannot be read"},
		"big key":      {pemBlock("PRIVATE KEY", make([]byte, 20000)), "the private key is damaged"},
		"huge key":     {pemBlock("PUBLIC KEY", huge), "its RSA key of 20001 bits is larger than 16384"},
		"large":        {bytes.Repeat([]byte("0"), 1<<20+1), "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := ca.Decode(test.data, "file")
			if err == nil || items != nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if failure.HintOf(err) == "" || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, hint %q", err, failure.HintOf(err))
			}
		})
	}
}

// TestDecodeLikeOpenSSL compares with OpenSSL what both show.
func TestDecodeLikeOpenSSL(t *testing.T) {
	t.Parallel()
	for _, kind := range ca.KeyKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			path := ca.CertPath(newCA(t, kind))
			c := decodeOne(t, must(os.ReadFile(path))).Certificate
			field := func(args ...string) string {
				out := openssl(t, append([]string{"x509", "-in", path, "-noout"}, args...)...)
				_, value, _ := strings.Cut(strings.TrimSpace(out), "=")
				return value
			}
			if want := field("-fingerprint", "-sha256"); c.SHA256 != want {
				t.Errorf("SHA-256 %s, want %s", c.SHA256, want)
			}
			if want := field("-fingerprint", "-sha1"); c.SHA1 != want {
				t.Errorf("SHA-1 %s, want %s", c.SHA1, want)
			}
			if want := field("-serial"); c.Serial != want {
				t.Errorf("serial %s, want %s", c.Serial, want)
			}
			if !strings.Contains(openssl(t, "x509", "-in", path, "-noout", "-ext", "subjectKeyIdentifier"), c.SubjectKeyID) {
				t.Errorf("subject key ID %s is not OpenSSL's", c.SubjectKeyID)
			}
			pub := filepath.Join(t.TempDir(), "pub.der")
			openssl(t, "pkey", "-in", strings.TrimSuffix(path, ".crt")+".key", "-pubout", "-outform", "DER", "-out", pub)
			hash, _, _ := strings.Cut(openssl(t, "dgst", "-sha256", "-r", pub), " ")
			if c.PublicKey.SHA256 != "sha256:"+hash {
				t.Errorf("public key %s, want %s", c.PublicKey.SHA256, hash)
			}
		})
	}
}
