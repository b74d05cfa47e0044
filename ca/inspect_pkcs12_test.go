package ca_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

func password(text string) ca.Passphrase {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

// pkcs12Of has OpenSSL write a PKCS#12 file of a pair.
func pkcs12Of(t *testing.T, prefix string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p12")
	openssl(t, append([]string{"pkcs12", "-export", "-in", prefix + ".crt", "-out", path}, args...)...)
	return must(os.ReadFile(path))
}

// TestDecodePKCS12 reads what OpenSSL writes: new and old ciphers, MACs and
// passwords, and certificates in any order.
func TestDecodePKCS12(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	for _, kind := range ca.KeyKinds() {
		if kind != ca.RSA3072 && kind != ca.RSA4096 {
			issue(t, ca.IssueOptions{Dir: dir, CommonName: string(kind), Key: string(kind)})
		}
	}
	for name, test := range map[string]struct {
		kind ca.KeyKind
		args []string
		ask  ca.Passphrase
	}{
		"P-256":          {ca.ECDSAP256, []string{"-passout", "pass:secret words"}, password("secret words")},
		"P-384":          {ca.ECDSAP384, []string{"-passout", "pass:x"}, password("x")},
		"RSA":            {ca.RSA2048, []string{"-passout", "pass:x", "-name", "a friendly name"}, password("x")},
		"Ed25519":        {ca.Ed25519, []string{"-passout", "pass:x"}, password("x")},
		"umlauts":        {ca.ECDSAP256, []string{"-passout", "pass:öffne"}, password("öffne")},
		"legacy":         {ca.ECDSAP256, []string{"-passout", "pass:x", "-legacy"}, password("x")},
		"3DES":           {ca.ECDSAP256, []string{"-passout", "pass:x", "-descert", "-macalg", "sha1"}, password("x")},
		"SHA-512":        {ca.ECDSAP256, []string{"-passout", "pass:x", "-macalg", "sha512"}, password("x")},
		"empty password": {ca.ECDSAP256, []string{"-passout", "pass:"}, nil},
		"no password":    {ca.ECDSAP256, []string{"-passout", "pass:", "-nomac", "-keypbe", "NONE", "-certpbe", "NONE"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := filepath.Join(dir, string(test.kind))
			data := pkcs12Of(t, prefix, append(test.args, "-inkey", prefix+".key", "-certfile", ca.CertPath(dir))...)
			if !ca.IsPKCS12(data) {
				t.Error("IsPKCS12 says no")
			}
			items, err := ca.DecodePKCS12(data, "file", test.ask)
			ok(t, err)
			certs := ca.Certificates(items)
			want := []*x509.Certificate{must(ca.ReadCertificate(prefix + ".crt")), must(ca.ReadCertificate(ca.CertPath(dir)))}
			if !slices.EqualFunc(certs, want, (*x509.Certificate).Equal) {
				t.Errorf("%d certificates, or others", len(certs))
			}
			key := ca.PrivateKey(items)
			if key == nil || key.Kind != string(test.kind) || key.Format != "PKCS#12" || key.SHA256 != items[0].Certificate.PublicKey.SHA256 {
				t.Errorf("key %+v", key)
			}
			checkAbsent(t, must(json.Marshal(items)), privateBytes(t, prefix+".key"))
		})
	}
}

// privateBytes returns bytes of a private key that must not be shown.
func privateBytes(t *testing.T, path string) []byte {
	t.Helper()
	der := must(x509.MarshalPKCS8PrivateKey(must(ca.ReadKey(path, nil))))
	start := 36
	if len(der) == 48 { // Ed25519: RFC 8410, section 7
		start = 16
	}
	return der[start : start+32]
}

// TestDecodePKCS12Order: other programs put the key's certificate last.
func TestDecodePKCS12Order(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	jane := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	root := must(ca.ReadCertificate(ca.CertPath(dir)))
	data := must(pkcs12.Modern2023.Encode(must(ca.ReadKey(jane.KeyPath, nil)), root, []*x509.Certificate{jane.Certificate}, "x"))
	certs := ca.Certificates(must(ca.DecodePKCS12(data, "file", password("x"))))
	if len(certs) != 2 || !certs[0].Equal(jane.Certificate) || !certs[1].Equal(root) {
		t.Error("jane's certificate is not the first")
	}
	trust := must(pkcs12.Modern2023.EncodeTrustStore([]*x509.Certificate{root}, "x"))
	items := must(ca.DecodePKCS12(trust, "file", password("x")))
	if certs := ca.Certificates(items); len(items) != 1 || len(certs) != 1 || !certs[0].Equal(root) {
		t.Errorf("a trust store gives %d items", len(items))
	}
}

func TestDecodePKCS12Errors(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	jane := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	prefix := strings.TrimSuffix(jane.CertPath, ".crt")
	good := pkcs12Of(t, prefix, "-inkey", jane.KeyPath, "-passout", "pass:secret words")
	broken := errors.New("the ask failed")
	for name, test := range map[string]struct {
		data       []byte
		ask        ca.Passphrase
		says, hint string
	}{
		"no password":       {good, nil, "needs a password", "--passphrase-file"},
		"wrong password":    {good, password("other words"), "password is not that of", "password"},
		"ask fails":         {good, func(string) ([]byte, error) { return nil, broken }, broken.Error(), ""},
		"emoji":             {good, password("🔑"), "password is not that of", "password"},
		"truncated":         {good[:len(good)-1], nil, "truncated", "copy"},
		"first half":        {good[:len(good)/2], nil, "truncated", "copy"},
		"one byte more":     {append(slices.Clone(good), 0), nil, "truncated", "copy"},
		"BER":               {indefinite(good), nil, "indefinite lengths", "openssl pkcs12"},
		"too large":         {append(slices.Clone(good), make([]byte, 1<<20)...), nil, "larger than 1 MiB", "file you mean"},
		"no key":            {pkcs12Of(t, prefix, "-nokeys", "-passout", "pass:x"), password("x"), "no private key", "openssl pkcs12"},
		"MAC iterations":    {iterated(good, 1), nil, "more than 2000000 times", "trust"},
		"cipher iterations": {iterated(good, 0), nil, "more than 2000000 times", "trust"},
		"cut short":         {[]byte{0x30, 0x03, 0x02, 0x01, 0x03}, nil, "damaged", "openssl pkcs12"},
		"nothing":           {nil, nil, "damaged", "openssl pkcs12"},
	} {
		items, err := ca.DecodePKCS12(test.data, "file", test.ask)
		switch {
		case err == nil || items != nil:
			t.Errorf("%s: %d items", name, len(items))
		case !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint):
			t.Errorf("%s: %v\nhint: %s", name, err, failure.HintOf(err))
		case strings.Contains(err.Error()+failure.HintOf(err), "words"):
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

// indefinite gives the outermost value an indefinite length (X.690, 8.1.3.6).
func indefinite(der []byte) []byte {
	var value asn1.RawValue
	must(asn1.Unmarshal(der, &value))
	return slices.Concat([]byte{0x30, 0x80}, value.Bytes, []byte{0, 0})
}

// iterated replaces the iteration count 2048 of the cipher or the MAC in a file
// that OpenSSL wrote by one so large that it would take minutes.
func iterated(der []byte, which int) []byte {
	from, to := []byte{2, 2, 0x08, 0x00}, []byte{2, 2, 0x7f, 0xff}
	at := bytes.Index(der, from)
	if which == 1 {
		at = bytes.LastIndex(der, from)
	}
	out := slices.Clone(der)
	copy(out[at:], to)
	return lengthen(out, at)
}

// lengthen replaces the two octets of an INTEGER at a place by four, and adds to
// the lengths of all that it stands in.
func lengthen(der []byte, at int) []byte {
	if der[0]&0x20 == 0 && der[0] != asn1.TagOctetString {
		return []byte{2, 4, 0x7f, 0xff, 0xff, 0xff}
	}
	var content []byte
	var value asn1.RawValue
	must(asn1.Unmarshal(der, &value))
	offset := len(value.FullBytes) - len(value.Bytes)
	for rest := value.Bytes; len(rest) > 0; {
		var child asn1.RawValue
		next := must(asn1.Unmarshal(rest, &child))
		if size := len(child.FullBytes); at >= offset && at < offset+size {
			content = append(content, lengthen(child.FullBytes, at-offset)...)
		} else {
			content = append(content, child.FullBytes...)
		}
		offset += len(child.FullBytes)
		rest = next
	}
	return must(asn1.Marshal(asn1.RawValue{Class: value.Class, Tag: value.Tag, IsCompound: value.IsCompound, Bytes: content}))
}

// TestIsPKCS12 tells PKCS#12 from all else that begins with a SEQUENCE.
func TestIsPKCS12(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{nil, {0x30}, {0x30, 0x80}, {0x30, 0x84, 1}, {0x30, 0xff}, []byte("-----BEGIN "), {0x30, 3, 2, 1, 3}} {
		if ca.IsPKCS12(data) {
			t.Errorf("%x", data)
		}
	}
	key := ecKey(t)
	for _, der := range [][]byte{fullCertificate(t).Raw, must(x509.MarshalPKCS8PrivateKey(key)), must(x509.MarshalECPrivateKey(key)),
		must(x509.MarshalPKIXPublicKey(key.Public()))} {
		if ca.IsPKCS12(der) {
			t.Errorf("%x", der)
		}
	}
}

// FuzzDecodePKCS12: whatever the bytes and the password, items or an error; no
// iteration count is as high as to be felt.
func FuzzDecodePKCS12(f *testing.F) {
	key := must(ca.GenerateKey(ca.ECDSAP256))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(ca.Day)}
	cert := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))))
	for _, encoder := range []*pkcs12.Encoder{pkcs12.Modern2023, pkcs12.Modern2026, pkcs12.LegacyDES, pkcs12.LegacyRC2} {
		data := must(encoder.WithIterations(1).Encode(key, cert, []*x509.Certificate{cert}, "x"))
		f.Add(data, "x")
		f.Add(indefinite(data), "")
		f.Add(data[:len(data)/2], "x")
		f.Add(must(encoder.WithIterations(1).EncodeTrustStore([]*x509.Certificate{cert}, "x")), "x")
	}
	f.Add(must(pkcs12.Passwordless.Encode(key, cert, nil, "")), "")
	f.Add([]byte{0x30, 0x84}, "")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		items, err := ca.DecodePKCS12(data, "file", password(text))
		if (err == nil) == (len(items) == 0) {
			t.Fatalf("%d items and error %v", len(items), err)
		}
		if err != nil && failure.HintOf(err) == "" {
			t.Errorf("no hint: %v", err)
		}
		if err == nil && len(data) > store.MaxPEM {
			t.Error("larger than the limit")
		}
		if _, err := json.Marshal(items); err != nil {
			t.Error(err)
		}
	})
}
