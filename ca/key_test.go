package ca_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestParseKeyKind(t *testing.T) {
	t.Parallel()
	for _, kind := range ca.KeyKinds() {
		if got, err := ca.ParseKeyKind(string(kind)); err != nil || got != kind {
			t.Errorf("%s: %s (%v)", kind, got, err)
		}
	}
	if got, err := ca.ParseKeyKind(""); err != nil || got != ca.ECDSAP256 {
		t.Errorf("default: %s (%v)", got, err)
	}
	for _, name := range []string{"rsa", "rsa-1024", "rsa-512", "RSA-2048", "ecdsa", "ecdsa-p521", "p256", "ed448", "dsa", " ed25519", "unknown", "\x00"} {
		_, err := ca.ParseKeyKind(name)
		wantUsage(t, name, err, "unknown key kind")
		if !strings.Contains(failure.HintOf(err), "ecdsa-p256") {
			t.Errorf("%q: the hint does not list the kinds: %q", name, failure.HintOf(err))
		}
		if _, err := ca.GenerateKey(ca.KeyKind(name)); err == nil {
			t.Errorf("%q: a key was made", name)
		}
	}
}

func equal(a, b crypto.Signer) bool {
	return a.(interface{ Equal(crypto.PrivateKey) bool }).Equal(b)
}

// TestKeyForms reads each kind of key in every form that there is, and whatever
// the label says.
func TestKeyForms(t *testing.T) {
	t.Parallel()
	for _, kind := range ca.KeyKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			key := must(ca.GenerateKey(kind))
			if name := ca.KeyName(key.Public()); name != string(kind) {
				t.Errorf("name is %s", name)
			}
			pkcs8 := must(ca.MarshalKey(key))
			forms := map[string][]byte{"PKCS#8": pkcs8}
			block, _ := pem.Decode(pkcs8)
			forms["PKCS#8 with a wrong label"] = pemBlock("EC PRIVATE KEY", block.Bytes)
			switch key := key.(type) {
			case *ecdsa.PrivateKey:
				sec1 := must(x509.MarshalECPrivateKey(key))
				forms["SEC 1"] = pemBlock("EC PRIVATE KEY", sec1)
				forms["SEC 1 after its parameters"] = append(pemBlock("EC PARAMETERS", []byte{6, 0}), forms["SEC 1"]...)
				forms["SEC 1 with a wrong label"] = pemBlock("PRIVATE KEY", sec1)
			case *rsa.PrivateKey:
				forms["PKCS#1"] = pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
			}
			forms["after a certificate"] = append(pemBlock("CERTIFICATE", []byte{0x30, 0}), pkcs8...)
			forms["in a text with Windows line ends"] = []byte("Bag Attributes\r\n" + strings.ReplaceAll(string(pkcs8), "\n", "\r\n"))
			for form, data := range forms {
				got, err := ca.ParseKey(data, "x.key", nil)
				if err != nil || !equal(got, key) {
					t.Errorf("%s: another key (%v)", form, err)
				}
			}
			path := filepath.Join(t.TempDir(), "x.key")
			must(0, os.WriteFile(path, pkcs8, 0o600))
			if got, err := ca.ReadKey(path, nil); err != nil || !equal(got, key) {
				t.Errorf("file: another key (%v)", err)
			}
			openssl(t, "pkey", "-in", path, "-noout", "-check")
		})
	}
}

func TestKeyErrors(t *testing.T) {
	t.Parallel()
	key := must(ca.GenerateKey(ca.ECDSAP256))
	good := must(ca.MarshalKey(key))
	block, _ := pem.Decode(good)
	x25519 := must(x509.MarshalPKCS8PrivateKey(must(ecdh.X25519().GenerateKey(rand.Reader))))
	tests := []struct {
		name string
		data []byte
		says string
	}{
		{"empty", nil, "holds no private key"},
		{"DER", block.Bytes, "holds no private key"},
		{"certificate", pemBlock("CERTIFICATE", block.Bytes), "holds no private key"},
		{"public key", pemBlock("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public()))), "holds no private key"},
		{"cut off", good[:len(good)-20], "is cut off"},
		{"cut off inside", pemBlock("PRIVATE KEY", block.Bytes[:50]), "damaged"},
		{"noise", pemBlock("PRIVATE KEY", []byte("noise")), "damaged"},
		{"OpenSSH", pemBlock("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")), "damaged or of an unknown kind"},
		{"a key that cannot sign", pemBlock("PRIVATE KEY", x25519), "unknown kind"},
		{"too large", pemBlock("PRIVATE KEY", make([]byte, 20<<10)), "damaged"},
		{"encrypted PKCS#8 that is none", pemBlock("ENCRYPTED PRIVATE KEY", block.Bytes), "damaged"},
	}
	for _, test := range tests {
		got, err := ca.ParseKey(test.data, "pki/x.key", nil)
		if got != nil || err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
			continue
		}
		if !strings.Contains(err.Error(), `"pki/x.key"`) || failure.HintOf(err) == "" || failure.KindOf(err) != failure.Failed {
			t.Errorf("%s: %v, hint %q, kind %d", test.name, err, failure.HintOf(err), failure.KindOf(err))
		}
		if leaks(err, block.Bytes) {
			t.Errorf("%s: the error holds key material: %v", test.name, err)
		}
	}
}

// leaks says whether an error shows some of the secret.
func leaks(err error, secret []byte) bool {
	text := err.Error() + failure.HintOf(err)
	for i := 0; i+6 <= len(secret); i++ {
		if strings.Contains(text, string(secret[i:i+6])) || strings.Contains(text, hex.EncodeToString(secret[i:i+6])) {
			return true
		}
	}
	return false
}

// TestKeyName names keys that pkictl does not make.
func TestKeyName(t *testing.T) {
	t.Parallel()
	p521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	for want, pub := range map[string]crypto.PublicKey{"ecdsa-p521": p521.Public(), "rsa-1024": small.Public(), "unknown": "text"} {
		if got := ca.KeyName(pub); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// FuzzParseKey: whatever is taken for a key can be written and is the same key
// when it is read again; whatever is not gives one error without its contents.
// The seeds that are encrypted have few iterations, to be fast.
func FuzzParseKey(f *testing.F) {
	for _, kind := range []ca.KeyKind{ca.ECDSAP256, ca.ECDSAP384, ca.RSA2048, ca.Ed25519} {
		key := must(ca.GenerateKey(kind))
		pkcs8 := must(ca.MarshalKey(key))
		f.Add(pkcs8)
		switch key := key.(type) {
		case *ecdsa.PrivateKey:
			f.Add(pemBlock("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key))))
		case *rsa.PrivateKey:
			f.Add(pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))
		}
		f.Add(bytes.ReplaceAll(pkcs8, []byte("M"), []byte("N")))
	}
	for _, seed := range encryptedSeeds(f) {
		f.Add(seed)
	}
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\n\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ca.ParseKey(data, "x.key", says(passphrase))
		if err != nil {
			if key != nil || failure.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v and hint %q", err, failure.HintOf(err))
			}
			if strings.Contains(string(data), "PKCS#11") {
				return // a reference holds no secret, and its errors name what is wrong in it
			}
			if block, _ := pem.Decode(data); block != nil && len(block.Bytes) > 6 && leaks(err, block.Bytes) {
				t.Fatalf("the error shows what is in the file: %v", err)
			}
			return
		}
		written, err := ca.MarshalKey(key)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		again, err := ca.ParseKey(written, "x.key", nil)
		if err != nil || !equal(again, key) {
			t.Fatalf("another key: %v", err)
		}
		if ca.KeyName(key.Public()) == "unknown" {
			t.Fatalf("a key of type %T has no name", key)
		}
	})
}
