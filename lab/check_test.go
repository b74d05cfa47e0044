package lab

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var testNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// pki is what the checks of these tests look at.
type pki struct {
	t      *testing.T
	caKey  *ecdsa.PrivateKey
	caCert *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newPKI(t *testing.T) *pki {
	p := &pki{t: t, caKey: newKey(t), key: newKey(t)}
	template := p.template(func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "KUBERNETES-CA"}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		c.ExtKeyUsage = nil
	})
	p.caCert = p.parse(p.sign(template, template, p.caKey.Public(), p.caKey))
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// template is that of a good client certificate, but for what change does.
func (p *pki) template(change func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane", Organization: []string{"b", "a"}},
		NotBefore: testNow.Add(-time.Hour), NotAfter: testNow.Add(-time.Hour + 10*24*time.Hour - time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	change(c)
	return c
}

func (p *pki) sign(template, parent *x509.Certificate, pub, key any) []byte {
	p.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		p.t.Fatal(err)
	}
	return der
}

func (p *pki) parse(der []byte) *x509.Certificate {
	p.t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return cert
}

// leaf is a certificate that the CA has signed.
func (p *pki) leaf(change func(*x509.Certificate)) []byte {
	return block("CERTIFICATE", p.sign(p.template(change), p.caCert, p.key.Public(), p.caKey))
}

func (p *pki) private(key crypto.Signer) []byte {
	p.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

func (p *pki) request(change func(der []byte)) []byte {
	p.t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jane"}}, p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	change(der)
	return block("CERTIFICATE REQUEST", der)
}

func block(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// gradeOne grades one check of files.
func gradeOne(t *testing.T, kind, with string, files map[string][]byte, ca *x509.Certificate) CheckResult {
	t.Helper()
	yaml := strings.Replace(goodLab, "kind: certificate, points: 2, task: 1, with: {file: a.crt, ca: true}",
		"kind: "+kind+", points: 2, task: 1, with: "+with, 1)
	l, err := Read(fstest.MapFS{
		"lab.yaml": {Data: []byte(yaml)}, "mutants/bad.sh": {}, "start/pki/ca.crt": {Data: block("CERTIFICATE", ca.Raw)},
	}, "test", "test")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for name, data := range files {
		texts[name] = string(data)
	}
	return gradeIn(t, l, texts)[0]
}

func TestChecks(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	good := p.leaf(func(*x509.Certificate) {})
	twin := newPKI(t) // another CA of the same name
	other := p.private(newKey(t))
	spki, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := block("PUBLIC KEY", spki)
	years := func(n int) []byte {
		return p.leaf(func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(n, 0, 0) })
	}
	early := p.leaf(func(c *x509.Certificate) { c.NotBefore = testNow.Add(time.Minute) })
	late := p.leaf(func(c *x509.Certificate) { c.NotAfter = testNow.Add(-time.Minute) })
	edge := p.leaf(func(c *x509.Certificate) { c.NotAfter = testNow })
	opensslDays := p.leaf(func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(10 * 24 * time.Hour) })
	tooManyDays := p.leaf(func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(10*24*time.Hour + time.Second) })
	named := p.leaf(func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"App.example.com", "10.0.0.2"}, []net.IP{net.IPv4(10, 0, 0, 1), net.IPv6loopback}
	})
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	twoNames := p.leaf(func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 3}, Value: "jane"}, {Type: []int{2, 5, 4, 3}, Value: "root"}}
	})
	noUsage := p.leaf(func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	both := p.leaf(func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	})
	lastByte := func(der []byte) { der[len(der)-1] ^= 1 }
	badRequest := p.request(lastByte)
	forged := bytes.Clone(p.parse(decode(good)).Raw)
	lastByte(forged)

	for _, test := range []struct {
		name, kind, with string
		a, k             []byte // the files a and k
		found            string // empty: it passes
	}{
		{"attribute of one value", "certificate", `{file: a, subject: {CN: jane}}`, good, nil, ""},
		{"values in any order", "certificate", `{file: a, subject: {O: [a, b]}}`, good, nil, ""},
		{"a value too few", "certificate", `{file: a, subject: {O: a}}`, good, nil, "CN=jane"},
		{"a value too many", "certificate", `{file: a, subject: {O: [a, b, c]}}`, good, nil, "CN=jane"},
		{"other case", "certificate", `{file: a, subject: {CN: Jane}}`, good, nil, "CN=jane"},
		{"two common names", "certificate", `{file: a, subject: {CN: root}}`, twoNames, nil, "CN=root"},
		{"the first counts", "certificate", `{file: a, subject: {CN: jane}}`, bytes.Join([][]byte{good, twoNames}, nil), nil, ""},

		{"alternative names among others", "certificate", `{file: a, sans: ["DNS:app.example.com", "IP:10.0.0.1", "IP:0:0:0:0:0:0:0:1"]}`, named, nil, ""},
		{"an alternative name too few", "certificate", `{file: a, sans: ["DNS:app", "IP:10.0.0.1"]}`, named, nil, "DNS:app.example.com"},
		{"an address as a name", "certificate", `{file: a, sans: ["IP:10.0.0.2"]}`, named, nil, "DNS:10.0.0.2"},
		{"the common name is no alternative name", "certificate", `{file: a, sans: ["DNS:jane"]}`, good, nil, "alternative names none"},

		{"text before", "certificate", `{file: a, valid: true}`, append([]byte("Certificate:\n"), good...), nil, ""},
		{"Windows line ends", "certificate", `{file: a, valid: true}`, bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), nil, ""},
		{"DER", "certificate", `{file: a, valid: true}`, decode(good), nil, "is DER, not PEM"},
		{"of the future", "certificate", `{file: a, valid: true}`, early, nil, "valid from 2026-06-01T12:01:00Z"},
		{"of the past", "certificate", `{file: a, valid: true}`, late, nil, "to 2026-06-01T11:59:00Z"},
		{"on the edge", "certificate", `{file: a, valid: true}`, edge, nil, ""},
		{"as long as can be", "certificate", `{file: a, lifetime: {min: 1d, max: 10d}}`, good, nil, ""},
		{"as short as can be", "certificate", `{file: a, lifetime: {min: 10d, max: 11d}}`, good, nil, ""},
		{"too long", "certificate", `{file: a, lifetime: {min: 1d, max: 9d}}`, good, nil, "valid for 10 days"},
		{"too short", "certificate", `{file: a, lifetime: {min: 11d, max: 90d}}`, good, nil, "valid for 10 days"},
		{"a second more, as of openssl -days", "certificate", `{file: a, lifetime: {min: 1h, max: 10d}}`, opensslDays, nil, ""},
		{"two seconds more", "certificate", `{file: a, lifetime: {min: 1h, max: 10d}}`, tooManyDays, nil, "valid for 10 days"},
		{"ten years with leap days", "certificate", `{file: a, lifetime: {min: 3650d, max: 3660d}}`, years(10), nil, ""},

		{"no CA", "certificate", `{file: a, ca: true}`, good, nil, "no basic constraints"},
		{"no CA is wanted", "certificate", `{file: a, ca: false}`, good, nil, ""},
		{"a CA is not wanted", "certificate", `{file: a, ca: false}`, block("CERTIFICATE", p.caCert.Raw), nil, "CA:TRUE"},
		{"usages among others", "certificate", `{file: a, keyUsage: [crl sign]}`, block("CERTIFICATE", p.caCert.Raw), nil, ""},
		{"usage that is not there", "certificate", `{file: a, keyUsage: [crl sign]}`, good, nil, "key usage digital signature"},
		{"extended usage", "certificate", `{file: a, extKeyUsage: [client auth]}`, good, nil, ""},
		{"one too many", "certificate", `{file: a, extKeyUsage: [client auth]}`, both, nil, "client auth, server auth"},
		{"none", "certificate", `{file: a, extKeyUsage: [client auth]}`, noUsage, nil, "extended key usage none"},
		{"all of several", "certificate", `{file: a, valid: true, ca: true, subject: {CN: root}}`, late, nil, "basic constraints"},

		{"self-signed", "certificate", `{file: a, selfSigned: true}`, block("CERTIFICATE", p.caCert.Raw), nil, ""},
		{"not self-signed", "certificate", `{file: a, selfSigned: true}`, good, nil, "issued by CN=KUBERNETES-CA"},
		{"signed by the CA", "certificate", `{file: a, issuer: pki/ca.crt}`, good, nil, ""},
		{"signed by its twin", "certificate", `{file: a, issuer: pki/ca.crt}`, twin.leaf(func(*x509.Certificate) {}), nil, "by another key"},
		{"a forged signature", "certificate", `{file: a, issuer: pki/ca.crt}`, block("CERTIFICATE", forged), nil, "by another key"},
		{"the CA in the learner's place", "certificate", `{file: a, issuer: pki/ca.crt}`, block("CERTIFICATE", twin.caCert.Raw), nil, "by another key"},
		{"usable", "certificate", `{file: a, usable: client, issuer: pki/ca.crt}`, good, nil, ""},
		{"usable for all", "certificate", `{file: a, usable: client, issuer: pki/ca.crt}`, noUsage, nil, ""},
		{"usable by others", "certificate", `{file: a, usable: server, issuer: pki/ca.crt}`, good, nil, "incompatible key usage"},
		{"usable no more", "certificate", `{file: a, usable: client, issuer: pki/ca.crt}`, late, nil, "expired"},
		{"usable elsewhere", "certificate", `{file: a, usable: client, issuer: pki/ca.crt}`, twin.leaf(func(*x509.Certificate) {}), nil, "unknown authority"},

		{"its key", "certificate", `{file: a, key: k}`, good, p.private(p.key), ""},
		{"another key", "certificate", `{file: a, key: k}`, good, other, "that of another key"},
		{"no key", "certificate", `{file: a, key: k}`, good, nil, "no file k"},
		{"a public key is no key", "certificate", `{file: a, key: k}`, good, public, "no private key, but a public key"},

		{"a request", "csr", `{file: a, subject: {CN: jane}, key: k}`, p.request(func([]byte) {}), p.private(p.key), ""},
		{"of another key", "csr", `{file: a, key: k}`, p.request(func([]byte) {}), other, "that of another key"},
		{"signed by nobody", "csr", `{file: a, key: k}`, badRequest, p.private(p.key), "does not fit its key"},
		{"a certificate is no request", "csr", `{file: a, key: k}`, good, p.private(p.key), "but a certificate"},

		{"a key", "key", `{file: k, algorithm: [rsa, ecdsa], minBits: 4096}`, nil, p.private(p.key), ""},
		{"a curve that TLS 1.3 does not know", "key", `{file: k, algorithm: [rsa, ecdsa], minBits: 2048}`, nil, p.private(small), "224 bits"},
		{"of another algorithm", "key", `{file: k, algorithm: rsa}`, nil, p.private(p.key), "ecdsa-p256"},
		{"its public key", "key", `{file: a, public: true, key: k}`, public, p.private(p.key), ""},
		{"another's public key", "key", `{file: a, public: true, key: k}`, public, other, "another key"},
		{"a private key where a public one should be", "key", `{file: k, public: true}`, nil, other, "but a private key"},
		{"a key of nonsense", "key", `{file: k}`, nil, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), "cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{}
			for name, data := range map[string][]byte{"a": test.a, "k": test.k} {
				if data != nil {
					files[name] = data
				}
			}
			result := gradeOne(t, test.kind, test.with, files, p.caCert)
			if result.Passed != (test.found == "") || !strings.Contains(result.Found, test.found) || result.Wanted == "" || result.Found == "" {
				t.Errorf("passed %v\nwanted %q\nfound %q, want %q", result.Passed, result.Wanted, result.Found, test.found)
			}
			if strings.Contains(result.Found+result.Wanted, "BEGIN") {
				t.Errorf("it shows the file: %q %q", result.Wanted, result.Found)
			}
		})
	}
}

func decode(text []byte) []byte {
	b, _ := pem.Decode(text)
	return b.Bytes
}

// FuzzGrade: whatever stands in a learner's files, grading comes to an end with words.
func FuzzGrade(f *testing.F) {
	labs, err := Catalogue()
	if err != nil {
		f.Fatal(err)
	}
	labs = slices.DeleteFunc(labs, func(l *Lab) bool { return len(l.Needs) > 0 })
	empty, err := os.OpenRoot(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	names := map[string][]string{} // of the files that a lab's checks look at
	for _, l := range labs {
		given, err := l.givenFiles()
		if err != nil {
			f.Fatal(err)
		}
		for _, g := range given {
			f.Add(g.data, given[0].data)
		}
		learner := newLearner(empty)
		if _, err := l.grade(f.Context(), &work{learner: learner, lab: l, now: testNow}); err != nil {
			f.Fatal(err)
		}
		names[l.ID] = slices.Sorted(maps.Keys(learner.read))
	}
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n"), []byte("0"))
	f.Fuzz(func(t *testing.T, data, other []byte) {
		for _, l := range labs {
			learner := newLearner(empty)
			for i, name := range names[l.ID] {
				learner.read[name] = fileRead{data: [][]byte{data, other}[i%2]}
			}
			result, err := l.grade(t.Context(), &work{learner: learner, lab: l, now: testNow})
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range result.Checks {
				if check.Wanted == "" || check.Found == "" || strings.Contains(check.Found, "\n") {
					t.Errorf("%s: %q %q", check.ID, check.Wanted, check.Found)
				}
			}
		}
	})
}
