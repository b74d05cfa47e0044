package kubeconfig_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/pkictl/pkictl/kubeconfig"
)

// oldCertificate is what is replaced, with its PEM form.
var oldCertificate = sync.OnceValues(func() (*x509.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
})

// Contents that a replacement brings; no file has them before.
var newCert, newKey = []byte("the new certificate"), []byte("the new key, which is longer")

// CERT and KEY stand for the base64 forms of what is replaced.
func filled(text string, certPEM, keyPEM []byte) string {
	return strings.NewReplacer("CERT", base64.StdEncoding.EncodeToString(certPEM),
		"KEY", base64.StdEncoding.EncodeToString(keyPEM)).Replace(text)
}

var replaceable = map[string]string{
	"plain": "apiVersion: v1\nkind: Config\nusers:\n- name: jane\n  user:\n    client-certificate-data: CERT\n    client-key-data: KEY\n",
	"comments, unknown fields and others": "# of jane's\napiVersion: v1\nkind: Config\nx-unknown: {a: [1, 2]}\nusers:\n- name: joe # not me\n  user: {token: t}\n" +
		"- name: jane\n  user:\n    client-key-data: KEY   # the key\n    client-certificate-data:   CERT\n    as-yet-unknown: 1\ncontexts: []\n",
	"double quotes":       "apiVersion: v1\nkind: Config\nusers: [{name: jane, user: {client-certificate-data: \"CERT\", client-key-data: \"KEY\"}}]\n",
	"single quotes":       "apiVersion: v1\nkind: Config\nusers:\n  - {user: {client-key-data: 'KEY', client-certificate-data: 'CERT'}, name: jane}\n",
	"JSON on one line":    `{"apiVersion":"v1","kind":"Config","users":[{"name":"jürgen 🔑","user":{"client-certificate-data":"CERT","client-key-data":"KEY"}}]}`,
	"CRLF":                "apiVersion: v1\r\nkind: Config\r\nusers:\r\n- name: jane\r\n  user:\r\n    client-certificate-data: CERT\r\n    client-key-data: KEY\r\n",
	"no end of line":      "apiVersion: v1\nkind: Config\nusers:\n- name: jane\n  user:\n    client-key-data: KEY\n    client-certificate-data: CERT",
	"several users":       "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user: {client-certificate-data: CERT, client-key-data: KEY}\n- name: b\n  user: {client-key-data: KEY, client-certificate-data: CERT}\n",
	"an anchor":           "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user: &u {client-certificate-data: CERT, client-key-data: KEY}\n- name: b\n  user: *u\n",
	"an anchor at a text": "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user: {client-certificate-data: &c CERT, client-key-data: &k KEY}\n- name: b\n  user: {client-certificate-data: *c, client-key-data: *k}\n",
	"byte order mark":     "\ufeffapiVersion: v1\nkind: Config\nusers:\n- name: jane\n  user:\n    client-certificate-data: CERT\n    client-key-data: KEY\n",
}

// TestReplace: nothing but the two values changes, to the byte.
func TestReplace(t *testing.T) {
	t.Parallel()
	old, oldPEM := oldCertificate()
	for name, text := range replaceable {
		before := filled(text, oldPEM, []byte("the old key"))
		got, err := kubeconfig.Replace([]byte(before), name, old, newCert, newKey)
		switch {
		case err != nil && strings.Contains(text, ": &c "):
			// An anchor stands before the text: refused, not spoiled.
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case string(got) != filled(text, newCert, newKey):
			t.Errorf("%s:\n%s\nbecame\n%s", name, before, got)
		}
		got, err = kubeconfig.Replace([]byte(before), name, old, newCert, nil)
		if err == nil && string(got) != filled(text, newCert, []byte("the old key")) {
			t.Errorf("%s, with the key it has:\n%s\nbecame\n%s", name, before, got)
		}
	}
}

// TestReplaceNot: what cannot be replaced is refused or left alone, and never
// passed over.
func TestReplaceNot(t *testing.T) {
	t.Parallel()
	old, oldPEM := oldCertificate()
	const head = "apiVersion: v1\nkind: Config\nusers:\n- name: jane\n  user:\n"
	folded := base64.StdEncoding.EncodeToString(oldPEM)
	folded = folded[:64] + "\n      " + folded[64:]
	for _, test := range []struct{ name, text, says string }{
		{"another certificate", head + "    client-certificate-data: aGVsbG8=\n    client-key-data: KEY\n", ""},
		{"no certificate", head + "    token: t\n", ""},
		{"a file", head + "    client-certificate: jane.crt\n    client-key: jane.key\n", ""},
		{"the key elsewhere", head + "    client-certificate-data: CERT\n    client-key: jane.key\n", "its key is elsewhere"},
		{"several lines", head + "    client-certificate-data: |\n      " + folded + "\n    client-key-data: KEY\n", "does not edit"},
		{"escaped", head + "    client-certificate-data: \"\\x4c" + filled("CERT", oldPEM, nil)[1:] + "\"\n    client-key-data: KEY\n", "does not edit"},
		{"merged", "apiVersion: v1\nkind: Config\nx: &x {client-certificate-data: CERT, client-key-data: KEY}\nusers:\n- name: jane\n  user: {<<: *x}\n", "does not edit"},
		{"no kubeconfig", "kind: Pod\napiVersion: v1\n", "not a kubeconfig"},
	} {
		got, err := kubeconfig.Replace([]byte(filled(test.text, oldPEM, []byte("k"))), "x.conf", old, newCert, newKey)
		switch {
		case got != nil:
			t.Errorf("%s: became\n%s", test.name, got)
		case test.says == "" && err != nil, test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
	}
}

// FuzzReplace: whatever the file is, the result is a kubeconfig in which nothing
// but the certificate and its key has changed.
func FuzzReplace(f *testing.F) {
	old, oldPEM := oldCertificate()
	for _, text := range replaceable {
		f.Add([]byte(text))
	}
	f.Add([]byte("users:\n- user: {client-certificate-data: CERT, client-key-data: CERT}\n  name: \u2028\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := []byte(filled(string(text), oldPEM, []byte("the old key")))
		got, err := kubeconfig.Replace(before, "x.conf", old, newCert, newKey)
		if err != nil || got == nil {
			if got != nil {
				t.Fatalf("%v, and\n%s", err, got)
			}
			return
		}
		config, err := kubeconfig.Parse(got, "x.conf")
		if err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
		want, err := kubeconfig.Parse(before, "x.conf")
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for name, user := range config.AuthInfos {
			was := want.AuthInfos[name]
			switch {
			case bytes.Equal(user.ClientCertificateData, newCert) && bytes.Equal(was.ClientCertificateData, oldPEM):
				found++
			case !bytes.Equal(user.ClientCertificateData, was.ClientCertificateData) || !bytes.Equal(user.ClientKeyData, was.ClientKeyData):
				t.Fatalf("%q changed:\n%s\nbecame\n%s", name, before, got)
			}
		}
		if found == 0 || len(config.AuthInfos) != len(want.AuthInfos) || len(config.Clusters) != len(want.Clusters) || len(config.Contexts) != len(want.Contexts) {
			t.Fatalf("%s\nbecame\n%s", before, got)
		}
		// Where the key stays, putting the old certificate back gives the old file.
		got, err = kubeconfig.Replace(before, "x.conf", old, newCert, nil)
		if err != nil {
			t.Fatal(err)
		}
		if back := strings.ReplaceAll(string(got), filled("CERT", newCert, nil), filled("CERT", oldPEM, nil)); back != string(before) {
			t.Fatalf("%q\nbecame\n%q", before, got)
		}
	})
}
