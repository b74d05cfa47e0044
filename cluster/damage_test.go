package cluster

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// damage spoils a cluster directory.
type damage func(t *testing.T, dir string)

// forged replaces the certificate of an entry with one that its CA, or another,
// has signed, with a change.
func forged(name string, change func(*x509.Certificate)) damage {
	return func(t *testing.T, dir string) { forge(t, dir, name, dir, nil, change) }
}

func forgedBy(name string, change func(*x509.Certificate)) damage {
	return func(t *testing.T, dir string) {
		other := t.TempDir()
		testInit(t, initOptions(other))
		forge(t, dir, name, other, nil, change)
	}
}

func forgedFor(name string, makeKey func() (crypto.Signer, error)) damage {
	return func(t *testing.T, dir string) {
		key, err := makeKey()
		if err != nil {
			t.Fatal(err)
		}
		forge(t, dir, name, dir, key, func(*x509.Certificate) {})
	}
}

func forge(t *testing.T, dir, name, caDir string, key crypto.Signer, change func(*x509.Certificate)) {
	t.Helper()
	entry := entryOf(t, name)
	old := Find(dir, entry).Certificate
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: old.Subject, DNSNames: old.DNSNames, IPAddresses: old.IPAddresses,
		NotBefore: old.NotBefore, NotAfter: old.NotAfter, KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage,
		BasicConstraintsValid: true, IsCA: old.IsCA,
	}
	template.Subject.Names, template.Subject.ExtraNames = nil, nil
	change(template)
	var err error
	if key == nil {
		if key, err = ca.GenerateKey(ca.ECDSAP256); err != nil {
			t.Fatal(err)
		}
	}
	issuer, signer := template, key
	if entry.CA != "" {
		authority := entryOf(t, entry.CA)
		issuer, signer = Find(caDir, authority).Certificate, readTestKey(t, authority.KeyPath(caDir))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := ca.MarshalKey(key)
	if err != nil {
		t.Fatal(err)
	}
	credential := ca.Credential{Certificate: cert, CertPEM: ca.EncodeCertificates(cert), KeyPEM: keyPEM}
	if entry.Kind == KindCA {
		testWrite(t, entry.KeyPath(dir), keyPEM)
		testWrite(t, entry.CertPath(dir), credential.CertPEM)
		return
	}
	nodes, err := initOptions(dir).Settings.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	trusted := &authority{certs: []*x509.Certificate{Find(dir, entryOf(t, NameCA)).Certificate}}
	files, err := entry.files(&nodePlan{node: nodes[0], dir: dir}, trusted, credential)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		testWrite(t, f.Path, f.Data)
	}
}

func readTestKey(t *testing.T, path string) crypto.Signer {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ca.ParseKey(data, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// edited changes the contents of a file.
func edited(path string, edit func(string) string) damage {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, filepath.FromSlash(path))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := edit(string(data))
		if text == string(data) {
			t.Fatal("nothing was edited")
		}
		testWrite(t, path, []byte(text))
	}
}

func replaced(path, old, with string) damage {
	return edited(path, func(s string) string { return strings.ReplaceAll(s, old, with) })
}

func halved(path string) damage { return edited(path, func(s string) string { return s[:len(s)/2] }) }

func emptied(path string) damage {
	return edited(path, func(string) string { return "" })
}

func overwritten(path string) damage {
	return edited(path, func(string) string { return "\x00\xff\x1b[31m\x01" + strings.Repeat("\xfe", 100) })
}

func removed(paths ...string) damage {
	return func(t *testing.T, dir string) {
		for _, path := range paths {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func copiedFrom(from, to string) damage {
	return func(t *testing.T, dir string) {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(from)))
		if err != nil {
			t.Fatal(err)
		}
		testWrite(t, filepath.Join(dir, filepath.FromSlash(to)), data)
	}
}

// other takes a file of another cluster.
func other(paths ...string) damage {
	return func(t *testing.T, dir string) {
		elsewhere := t.TempDir()
		testInit(t, initOptions(elsewhere))
		for _, path := range paths {
			data, err := os.ReadFile(filepath.Join(elsewhere, filepath.FromSlash(path)))
			if err != nil {
				t.Fatal(err)
			}
			testWrite(t, filepath.Join(dir, filepath.FromSlash(path)), data)
		}
	}
}

func newEd25519() (crypto.Signer, error) { return ca.GenerateKey(ca.Ed25519) }

func newRSA1024() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 1024) }

func writtenKey(path string, makeKey func() (crypto.Signer, error)) damage {
	return func(t *testing.T, dir string) {
		key, err := makeKey()
		if err != nil {
			t.Fatal(err)
		}
		data, err := ca.MarshalKey(key)
		if err != nil {
			t.Fatal(err)
		}
		testWrite(t, filepath.Join(dir, filepath.FromSlash(path)), data)
	}
}

// all does several damages.
func all(damages ...damage) damage {
	return func(t *testing.T, dir string) {
		for _, d := range damages {
			d(t, dir)
		}
	}
}

var wrongName = func(c *x509.Certificate) { c.Subject.CommonName = "mallory" }

var wrongGroup = func(c *x509.Certificate) { c.Subject.Organization = []string{"system:masters", "x"} }

var noUsage = func(c *x509.Certificate) { c.ExtKeyUsage = nil }

var anyUsage = func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageAny) }

var swappedUsage = func(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
}

var lostNames = func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = c.DNSNames[1:], c.IPAddresses[:1] }

var expired = func(c *x509.Certificate) { c.NotAfter = initNow.Add(-time.Minute) }

var early = func(c *x509.Certificate) { c.NotBefore = initNow.Add(time.Minute) }

var isCA = func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

var noCA = func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }

var unchanged = func(*x509.Certificate) {}

func without(config, key string) string {
	var kept []string
	for line := range strings.Lines(config) {
		if !strings.Contains(line, key) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// swapKey puts another key into a kubeconfig.
func swapKey(config string) string {
	key, _ := ca.GenerateKey(ca.ECDSAP256)
	keyPEM, _ := ca.MarshalKey(key)
	var lines []string
	for line := range strings.Lines(config) {
		if before, _, is := strings.Cut(line, "client-key-data: "); is {
			line = before + "client-key-data: " + base64Of(keyPEM) + "\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// der returns what is in the first PEM block.
func der(text string) string {
	block, _ := pem.Decode([]byte(text))
	return string(block.Bytes)
}
