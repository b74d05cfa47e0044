package ca_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// foreignCA describes a CA that another program made.
type foreignCA struct {
	key      crypto.Signer
	template x509.Certificate
	alone    bool // not signed by itself
}

// write makes the CA's files as dir/ca.pem and dir/ca-key.pem.
func (f foreignCA) write(t *testing.T, dir string) {
	t.Helper()
	signer, parent := f.key, &f.template
	if f.alone {
		signer = must(ca.GenerateKey(ca.ECDSAP256))
		parent = &x509.Certificate{Subject: pkix.Name{CommonName: "Above"}, SubjectKeyId: []byte{9}, PublicKey: signer.Public()}
	}
	der := must(x509.CreateCertificate(rand.Reader, &f.template, parent, f.key.Public(), signer))
	must(0, os.WriteFile(filepath.Join(dir, "ca.pem"), pemBlock("CERTIFICATE", der), 0o644))
	must(0, os.WriteFile(filepath.Join(dir, "ca-key.pem"), must(ca.MarshalKey(f.key)), 0o600))
}

func newForeignCA() foreignCA {
	return foreignCA{key: must(ca.GenerateKey(ca.ECDSAP256)), template: x509.Certificate{
		Subject: pkix.Name{CommonName: "Foreign"}, SerialNumber: big.NewInt(7), SubjectKeyId: []byte{1, 2, 3},
		NotBefore: now.Add(-ca.Day), NotAfter: now.Add(100 * ca.Day), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
}

// TestImportWeak imports CAs with something wrong: what cannot work is refused,
// what works is imported with a warning.
func TestImportWeak(t *testing.T) {
	t.Parallel()
	smallKey := func(bits int) crypto.Signer {
		// crypto/rsa makes none, but reads them.
		path := filepath.Join(t.TempDir(), "key")
		openssl(t, "genrsa", "-out", path, fmt.Sprint(bits))
		return must(ca.ReadKey(path, nil))
	}
	tests := map[string]struct {
		spoil        func(f *foreignCA)
		refused      string
		warned       string
		worksWithout bool // no warning either
	}{
		"nothing wrong": {spoil: func(*foreignCA) {}, worksWithout: true},
		"leaf": {refused: "is not the certificate of a CA", spoil: func(f *foreignCA) {
			f.template.IsCA, f.template.KeyUsage = false, x509.KeyUsageDigitalSignature
		}},
		"may not sign": {refused: "is not the certificate of a CA", spoil: func(f *foreignCA) { f.template.KeyUsage = x509.KeyUsageCRLSign }},
		"no basic constraints": {refused: "is not the certificate of a CA", spoil: func(f *foreignCA) {
			f.template.IsCA, f.template.BasicConstraintsValid = false, false
		}},
		"expired":       {refused: "expired on", spoil: func(f *foreignCA) { f.template.NotAfter = now.Add(-time.Hour) }},
		"not yet valid": {refused: "not valid before", spoil: func(f *foreignCA) { f.template.NotBefore = now.Add(time.Hour) }},
		"unknown critical extension": {refused: "critical extension 1.2.3.4", spoil: func(f *foreignCA) {
			f.template.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}},
		"RSA 1024":     {warned: "1024 bits", spoil: func(f *foreignCA) { f.key = smallKey(1024) }},
		"no key usage": {warned: "no key usage", spoil: func(f *foreignCA) { f.template.KeyUsage = 0 }},
		"serial 0":     {warned: "serial number is 0", spoil: func(f *foreignCA) { f.template.SerialNumber = big.NewInt(0) }},
		"no CA above":  {warned: "signed by CN=Above", spoil: func(f *foreignCA) { f.alone = true }},
		"Ed25519":      {warned: "Ed25519", spoil: func(f *foreignCA) { f.key = must(ca.GenerateKey(ca.Ed25519)) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForeignCA()
			test.spoil(&f)
			from, dir := t.TempDir(), filepath.Join(t.TempDir(), "pki")
			f.write(t, from)
			o := ca.InitOptions{Dir: dir, CertFile: filepath.Join(from, "ca.pem"), KeyFile: filepath.Join(from, "ca-key.pem"), Now: now}
			result, err := ca.Init(context.Background(), o)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) || failure.HintOf(err) == "" || failure.KindOf(err) != failure.Failed {
					t.Errorf("%v (hint %q)", err, failure.HintOf(err))
				}
				if _, err := os.Stat(dir); err == nil {
					t.Error("something was made")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(result.Warnings, "\n"); !strings.Contains(said, test.warned) || test.worksWithout != (said == "") {
				t.Errorf("warnings %q", said)
			}
			leaf := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane", Validity: "1d"})
			if err := leaf.Certificate.CheckSignatureFrom(result.Certificate); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestImportOpenSSL has OpenSSL make CAs that nobody makes today.
func TestImportOpenSSL(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args            []string
		refused, warned string
	}{
		"version 1":      {args: []string{"-config", "/dev/stdin"}, refused: "is not the certificate of a CA"},
		"no SKI":         {args: []string{"-addext", "subjectKeyIdentifier=none", "-addext", "authorityKeyIdentifier=none"}, refused: "no subject key identifier"},
		"SHA-1":          {args: []string{"-sha1", "-addext", "keyUsage=critical,keyCertSign"}, warned: "signed with SHA-1"},
		"key usage only": {args: []string{"-addext", "keyUsage=keyCertSign"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
			args := append([]string{"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Foreign", "-days", "30", "-keyout", key, "-out", cert}, test.args...)
			if name == "version 1" {
				config := filepath.Join(dir, "cnf")
				must(0, os.WriteFile(config, []byte("[req]\ndistinguished_name=dn\n[dn]\n"), 0o600))
				args[len(args)-1] = config
			}
			openssl(t, args...)
			at := time.Now().UTC() // OpenSSL does not backdate
			o := ca.InitOptions{Dir: filepath.Join(dir, "pki"), CertFile: cert, KeyFile: key, Now: at}
			result, err := ca.Init(context.Background(), o)
			switch {
			case test.refused != "":
				if err == nil || !strings.Contains(err.Error(), test.refused) || failure.HintOf(err) == "" {
					t.Errorf("%v", err)
				}
			case err != nil:
				t.Error(err)
			default:
				if !strings.Contains(strings.Join(result.Warnings, "\n"), test.warned) {
					t.Errorf("warnings %q", result.Warnings)
				}
				leaf := issue(t, ca.IssueOptions{Dir: o.Dir, CommonName: "jane", Now: at})
				openssl(t, "verify", "-x509_strict", "-CAfile", result.CertPath, leaf.CertPath)
			}
		})
	}
}

// TestImportFiles imports keys in every form, and an intermediate CA with those
// above it in one file, in the wrong order and with a stranger.
func TestImportFiles(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{Key: "rsa-2048"})
	below(t, dir, "root", "middle", ca.InitOptions{PathLength: number(1)})
	low := below(t, dir, "middle", "low", ca.InitOptions{CommonName: "Low"})
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	read := func(name string) *x509.Certificate { return must(ca.ReadCertificate(ca.CertPath(at(name)))) }
	stranger := must(ca.ReadCertificate(ca.CertPath(newCA(t, ca.ECDSAP256))))
	must(0, os.WriteFile(at("all.pem"), append([]byte("some text\n"), ca.EncodeCertificates(low.Certificate, read("root"), stranger, read("middle"))...), 0o600))
	openssl(t, "pkey", "-traditional", "-in", ca.KeyPath(at("root")), "-out", at("pkcs1.key"))
	openssl(t, "pkey", "-traditional", "-in", ca.KeyPath(at("low")), "-out", at("sec1.key"))

	imported := must(ca.Init(context.Background(), ca.InitOptions{Dir: at("new"), CertFile: at("all.pem"), KeyFile: at("sec1.key"), Now: now}))
	if imported.Imported == nil || imported.Imported.InPlace || imported.ChainPath != ca.ChainPath(at("new")) || len(imported.Warnings) > 0 {
		t.Errorf("%+v, %q", imported, imported.Warnings)
	}
	for _, name := range []string{"ca.crt", "ca-chain.crt", "ca.key"} {
		if string(must(os.ReadFile(at("new", name)))) != string(must(os.ReadFile(at("low", name)))) {
			t.Errorf("%s differs", name)
		}
	}
	leaf := issue(t, ca.IssueOptions{Dir: at("new"), CommonName: "jane"})
	openssl(t, "verify", "-x509_strict", "-CAfile", ca.CertPath(at("root")), "-untrusted", leaf.CertPath, leaf.CertPath)
	if entries := list(t, ca.ListOptions{Dir: at("new")}); len(entries) != 2 || entries[1].Name != "ca" || entries[1].State != ca.StateValid {
		t.Errorf("%+v", entries)
	}

	root := must(ca.Init(context.Background(), ca.InitOptions{Dir: at("root2"), CertFile: ca.CertPath(at("root")), KeyFile: at("pkcs1.key"), Now: now}))
	if _, err := tls.LoadX509KeyPair(root.CertPath, root.KeyPath); err != nil || root.ChainPath != "" {
		t.Errorf("%v, chain %q", err, root.ChainPath)
	}
	if data := must(os.ReadFile(root.KeyPath)); !strings.HasPrefix(string(data), "-----BEGIN PRIVATE KEY-----") {
		t.Error("the key is not PKCS#8")
	}
}

// TestImportInPlace adopts a directory: no file of it changes.
func TestImportInPlace(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{})
	root := filepath.Join(dir, "root")
	jane := issue(t, ca.IssueOptions{Dir: root, CommonName: "jane", Groups: []string{"dev"}})
	must(0, os.MkdirAll(filepath.Join(root, "sub"), 0o700))
	issue(t, ca.IssueOptions{Dir: root, CommonName: "web.example.com", Profile: ca.ProfileServer, Out: filepath.Join(root, "sub", "web")})
	peer := issue(t, ca.IssueOptions{Dir: root, CommonName: "peer.example.com", Profile: ca.ProfilePeer})
	must(0, os.Remove(peer.KeyPath))
	for _, name := range []string{".lock", ".staging", "inventory.db", "inventory.db-journal"} {
		must(0, os.RemoveAll(filepath.Join(root, name)))
	}
	must(0, os.WriteFile(filepath.Join(root, "bundle.pem"), ca.EncodeCertificates(jane.Certificate, jane.Certificate), 0o600))
	must(0, os.WriteFile(filepath.Join(root, "damaged.pem"), pemBlock("CERTIFICATE", []byte("noise")), 0o600))
	must(0, os.WriteFile(filepath.Join(root, "large.pem"), append(pemBlock("CERTIFICATE", jane.Certificate.Raw), make([]byte, 2<<20)...), 0o600))
	must(0, os.Symlink(".", filepath.Join(dir, "root", "sub", "loop")))
	before := must(os.ReadFile(jane.CertPath))

	o := ca.InitOptions{Dir: root, ImportDir: filepath.Join(dir, ".", "root"), Now: now}
	o.DryRun = true
	dry := must(ca.Init(context.Background(), o))
	if _, err := os.Stat(filepath.Join(root, "inventory.db")); err == nil || dry.Imported.Recorded != 3 {
		t.Errorf("a dry run recorded something: %+v", dry.Imported)
	}
	o.DryRun = false
	result := must(ca.Init(context.Background(), o))
	passed := []ca.PassedOver{{Reason: "damaged", Count: 1}, {Reason: "in a file larger than 1 MiB", Count: 1}}
	if i := result.Imported; !i.InPlace || i.From != "kubeadm" || i.Recorded != 3 || i.Known != 0 || i.Revoked != 0 || !slices.Equal(i.PassedOver, passed) {
		t.Errorf("%+v", result.Imported)
	}
	if string(must(os.ReadFile(jane.CertPath))) != string(before) {
		t.Error("a file has changed")
	}
	again := must(ca.Init(context.Background(), o))
	if again.Imported.Recorded != 0 || again.Imported.Known != 3 {
		t.Errorf("again: %+v", again.Imported)
	}
	want := map[string]string{"jane": "client jane", "web": "server sub/web", "peer.example.com": "peer ", "ca": "ca ca"}
	inv := must(store.OpenInventory(root))
	defer inv.Close()
	rows := must(inv.List(context.Background(), store.Filter{}))
	if len(rows) != len(want) {
		t.Errorf("%d rows", len(rows))
	}
	for _, entry := range list(t, ca.ListOptions{Dir: root, WithPEM: true}) {
		if entry.State != ca.StateValid || !strings.HasPrefix(want[entry.Name], entry.Profile+" ") || entry.PEM == "" {
			t.Errorf("%+v", entry)
		}
	}
	for _, row := range rows {
		found := false
		for name, what := range want {
			_, out, _ := strings.Cut(what, " ")
			found = found || strings.Contains(string(row.MetadataJSON), fmt.Sprintf(`"name":%q`, name)) && strings.Contains(string(row.MetadataJSON), `"out"`) == (out != "") && strings.Contains(string(row.MetadataJSON), out)
		}
		if !found {
			t.Errorf("metadata %s", row.MetadataJSON)
		}
	}
	issue(t, ca.IssueOptions{Dir: root, CommonName: "new"})
}

// TestImportLayouts are directories that hold no CA, or that one cannot choose
// from.
func TestImportLayouts(t *testing.T) {
	t.Parallel()
	foreign := t.TempDir()
	newForeignCA().write(t, foreign)
	cert, key := must(os.ReadFile(filepath.Join(foreign, "ca.pem"))), must(os.ReadFile(filepath.Join(foreign, "ca-key.pem")))
	for name, test := range map[string]struct {
		files      map[string][]byte
		says, from string
		kind       failure.Kind
	}{
		"empty":          {says: "there is no CA in", kind: failure.Failed},
		"no key":         {files: map[string][]byte{"ca.crt": cert}, says: "has no key where", kind: failure.Failed},
		"two CAs":        {files: map[string][]byte{"ca.crt": cert, "ca.key": key, "ca.pem": cert, "ca-key.pem": key}, says: "there are two CAs", kind: failure.Usage},
		"cfssl":          {files: map[string][]byte{"ca.pem": cert, "ca-key.pem": key}, from: "cfssl"},
		"kubeadm":        {files: map[string][]byte{"ca.crt": cert, "ca.key": key}, from: "kubeadm"},
		"above kubeadm":  {files: map[string][]byte{"pki/ca.crt": cert, "pki/ca.key": key}, from: "kubeadm"},
		"easy-rsa":       {files: map[string][]byte{"ca.crt": cert, "private/ca.key": key, "index.txt": nil}, from: "easy-rsa"},
		"above easy-rsa": {files: map[string][]byte{"pki/ca.crt": cert, "pki/private/ca.key": key}, from: "easy-rsa"},
		"openssl ca":     {files: map[string][]byte{"demoCA/cacert.pem": cert, "demoCA/private/cakey.pem": key}, from: "openssl ca"},
		"damaged index":  {files: map[string][]byte{"cacert.pem": cert, "private/cakey.pem": key, "index.txt": []byte("V\n")}, says: "line 1 of", kind: failure.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, dir := t.TempDir(), filepath.Join(t.TempDir(), "pki")
			for path, data := range test.files {
				must(0, os.MkdirAll(filepath.Join(from, filepath.Dir(path)), 0o700))
				must(0, os.WriteFile(filepath.Join(from, path), data, 0o600))
			}
			before := tree(t, from)
			result, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, ImportDir: from, Now: now})
			switch {
			case test.says != "":
				if err == nil || !strings.Contains(err.Error(), test.says) || failure.KindOf(err) != test.kind || failure.HintOf(err) == "" {
					t.Errorf("%v (hint %q)", err, failure.HintOf(err))
				}
				if _, err := os.Stat(dir); err == nil {
					t.Error("something was made")
				}
			case err != nil:
				t.Error(err)
			case result.Imported.From != test.from:
				t.Errorf("taken for a directory of %q", result.Imported.From)
			}
			if !equalTrees(before, tree(t, from)) {
				t.Error("the old directory has changed")
			}
		})
	}
}
