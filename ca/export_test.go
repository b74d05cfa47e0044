package ca_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// newIntermediate makes a CA below a root with openssl, as people do by hand.
func newIntermediate(t *testing.T) (dir string) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "pki")
	ok(t, os.Mkdir(dir, 0o700))
	in := func(name string) string { return filepath.Join(top, name) }
	ok(t, os.WriteFile(in("ext"), []byte("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"), 0o600))
	openssl(t, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=root", "-days", "999",
		"-keyout", in("root.key"), "-out", in("root.crt"), "-addext", "keyUsage=critical,keyCertSign,cRLSign")
	openssl(t, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=below",
		"-keyout", filepath.Join(dir, "ca.key"), "-out", in("csr"))
	openssl(t, "x509", "-req", "-in", in("csr"), "-CA", in("root.crt"), "-CAkey", in("root.key"), "-days", "900",
		"-extfile", in("ext"), "-out", ca.CertPath(dir))
	chain := slices.Concat(must(os.ReadFile(ca.CertPath(dir))), must(os.ReadFile(in("root.crt"))))
	ok(t, os.WriteFile(ca.ChainPath(dir), chain, 0o644))
	return dir
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withKubectl puts kubectl in the PATH of a shell script.
func withKubectl(script string, err error) (string, error) {
	tools, absErr := filepath.Abs("../tools/bin")
	if absErr != nil {
		return "", absErr
	}
	return "PATH='" + tools + "':$PATH\n" + script, err
}

// TestExport has OpenSSL and kubectl read every form, below a root and below an
// intermediate CA, and compares each with what its recipe makes.
func TestExport(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"root": newCA(t, ca.ECDSAP256), "intermediate": newIntermediate(t)} {
		for _, kind := range []ca.KeyKind{ca.ECDSAP256, ca.RSA2048, ca.Ed25519} {
			for _, form := range ca.ExportForms() {
				t.Run(name+" "+string(form)+" "+string(kind), func(t *testing.T) {
					t.Parallel()
					cn := string(form) + "." + string(kind)
					export := ca.Export{
						Form: form, Password: []byte(`It's 1 "$PASS"`), Name: "jane", Namespace: "team-a",
						Kubeconfig: []byte("apiVersion: v1\nkind: Config\n"),
					}
					path := filepath.Join(t.TempDir(), "export")
					var made ca.Credential
					issue(t, ca.IssueOptions{
						Dir: dir, CommonName: cn, Key: string(kind), Now: time.Now().Add(time.Minute), AlsoPaths: []string{path},
						Also: func(c ca.Credential) ([]store.File, error) {
							data, err := export.Encode(c)
							made = c
							return []store.File{{Path: path, Data: data, Mode: 0o600}}, err
						},
					})
					switch form {
					case ca.ExportPKCS12:
						checkPKCS12(t, path, export, made)
					case ca.ExportPEM:
						if got := must(os.ReadFile(path)); !bytes.Equal(got, slices.Concat(made.KeyPEM, made.CertPEM)) {
							t.Errorf("the bundle is\n%s", got)
						}
					default:
						checkSecret(t, path, export, made)
					}
					compareWithRecipe(t, path, dir, cn, export)
				})
			}
		}
	}
}

func passwordFile(t *testing.T, password []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	ok(t, os.WriteFile(path, append(slices.Clone(password), '\n'), 0o600))
	return path
}

func checkPKCS12(t *testing.T, path string, export ca.Export, made ca.Credential) {
	t.Helper()
	password := passwordFile(t, export.Password)
	out := []byte(openssl(t, "pkcs12", "-in", path, "-passin", "file:"+password, "-nodes"))
	var certs []*x509.Certificate
	var key []byte
	for block, rest := pem.Decode(out); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certs = append(certs, must(x509.ParseCertificate(block.Bytes)))
		} else {
			key = block.Bytes
		}
	}
	if block, _ := pem.Decode(made.KeyPEM); !bytes.Equal(key, block.Bytes) {
		t.Error("OpenSSL reads another key")
	}
	bundle := ca.Certificates(must(ca.Decode(made.CAPEM, "bundle")))
	if len(certs) != 1+len(bundle) || !certs[0].Equal(made.Certificate) || !slices.EqualFunc(certs[1:], bundle, (*x509.Certificate).Equal) {
		t.Errorf("OpenSSL reads %d certificates", len(certs))
	}
	// The strong forms, where OpenSSL's -legacy is not needed.
	info := pkcs12Info(t, path, password)
	for _, want := range []string{
		"MAC: sha256, Iteration 300000", "Encrypted data: PBES2, PBKDF2, AES-256-CBC, Iteration 300000, PRF hmacWithSHA256",
		"Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 300000, PRF hmacWithSHA256",
	} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in\n%s", want, info)
		}
	}
}

func pkcs12Info(t *testing.T, path, password string) string {
	t.Helper()
	info := openssl(t, "pkcs12", "-in", path, "-passin", "file:"+password, "-info", "-noout")
	return strings.ReplaceAll(info, "salt length: 8", "salt length: 16") // OpenSSL 3.0's MAC has the shorter
}

// manifest is what the tests read of a Secret.
type manifest struct {
	APIVersion, Kind, Type string
	Metadata               struct {
		Name, Namespace     string
		Labels, Annotations map[string]string
	}
	Data map[string][]byte
}

func readManifest(t *testing.T, data []byte) manifest {
	t.Helper()
	var m manifest
	ok(t, yaml.UnmarshalStrict(data, &m))
	return m
}

// checkSecret reads a manifest as kubectl does, which knows the type Secret.
func checkSecret(t *testing.T, path string, export ca.Export, made ca.Credential) {
	t.Helper()
	out, err := exec.Command("../tools/bin/kubectl", "label", "--local", "-f", path, "seen=yes", "-o", "yaml").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := readManifest(t, out)
	wantType, wantKeys := "kubernetes.io/tls", 3
	if export.Form == ca.ExportOpaqueSecret {
		wantType, wantKeys = "Opaque", 4
		if !bytes.Equal(m.Data["kubeconfig"], export.Kubeconfig) {
			t.Errorf("kubeconfig is %q", m.Data["kubeconfig"])
		}
	}
	if m.Type != wantType || len(m.Data) != wantKeys || m.Metadata.Name != "jane" || m.Metadata.Namespace != "team-a" {
		t.Errorf("kubectl reads\n%s", out)
	}
	if !bytes.Equal(m.Data["tls.crt"], made.CertPEM) || !bytes.Equal(m.Data["tls.key"], made.KeyPEM) || !bytes.Equal(m.Data["ca.crt"], made.CAPEM) {
		t.Errorf("other data:\n%s", out)
	}
	if m.Metadata.Labels["app.kubernetes.io/managed-by"] != "pkictl" || m.Metadata.Labels["seen"] != "yes" ||
		m.Metadata.Annotations["pkictl.dev/serial"] != ca.FormatSerial(made.Certificate.SerialNumber) ||
		m.Metadata.Annotations["pkictl.dev/not-after"] != made.Certificate.NotAfter.Format("2006-01-02T15:04:05Z") {
		t.Errorf("labels and annotations: %+v", m.Metadata)
	}
}

// compareWithRecipe runs the recipe on the same key and certificate.
func compareWithRecipe(t *testing.T, path, dir, cn string, export ca.Export) {
	t.Helper()
	theirs := filepath.Join(t.TempDir(), "it's theirs")
	password := passwordFile(t, export.Password)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	ok(t, os.WriteFile(kubeconfig, export.Kubeconfig, 0o600))
	runRecipe(t)(withKubectl(export.Explain(ca.ExportPaths{
		Dir: dir, Prefix: filepath.Join(dir, cn), File: theirs, Password: "file:" + password, Kubeconfig: kubeconfig,
	}), nil))
	if info := must(os.Stat(theirs)); info.Mode().Perm() != 0o600 {
		t.Errorf("the recipe's file has mode %v", info.Mode())
	}
	a, b := must(os.ReadFile(path)), must(os.ReadFile(theirs))
	switch export.Form {
	case ca.ExportPEM:
		if !bytes.Equal(a, b) {
			t.Errorf("the recipe makes\n%s", b)
		}
	case ca.ExportPKCS12:
		ask := func(string) ([]byte, error) { return export.Password, nil }
		ours, recipes := must(ca.DecodePKCS12(a, "ours", ask)), must(ca.DecodePKCS12(b, "theirs", ask))
		if !slices.EqualFunc(ca.Certificates(ours), ca.Certificates(recipes), (*x509.Certificate).Equal) ||
			ca.PrivateKey(ours).SHA256 != ca.PrivateKey(recipes).SHA256 {
			t.Error("the recipe's file holds something else")
		}
		if ours, recipes := pkcs12Info(t, path, password), pkcs12Info(t, theirs, password); ours != recipes {
			t.Errorf("ours is\n%s\nthe recipe's\n%s", ours, recipes)
		}
	default:
		ours, recipes := readManifest(t, a), readManifest(t, b)
		if ours.Type != recipes.Type || ours.Metadata.Name != recipes.Metadata.Name || ours.Metadata.Namespace != recipes.Metadata.Namespace {
			t.Errorf("the recipe makes\n%s", b)
		}
		for key, data := range ours.Data {
			if !bytes.Equal(data, recipes.Data[key]) {
				t.Errorf("the recipe has another %s", key)
			}
		}
		if len(ours.Data) != len(recipes.Data) {
			t.Errorf("the recipe has %d keys in data, not %d", len(recipes.Data), len(ours.Data))
		}
	}
}

// TestExportErrors: what cannot be written is said before anything is.
func TestExportErrors(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	var made ca.Credential
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane", Also: func(c ca.Credential) ([]store.File, error) {
		made = c
		return nil, nil
	}})
	keyless := made
	keyless.KeyPEM = nil
	for name, test := range map[string]struct {
		export     ca.Export
		credential ca.Credential
		says       string
	}{
		"no password":         {ca.Export{Form: ca.ExportPKCS12}, made, "is empty"},
		"password of umlauts": {ca.Export{Form: ca.ExportPKCS12, Password: []byte("öffne")}, made, "has a character"},
		"password not UTF-8":  {ca.Export{Form: ca.ExportPKCS12, Password: []byte("a\xff")}, made, "has a character"},
		"line feed in it":     {ca.Export{Form: ca.ExportPKCS12, Password: []byte("a\n")}, made, "has a character"},
		"no name":             {ca.Export{Form: ca.ExportTLSSecret}, made, "no name"},
		"bad name":            {ca.Export{Form: ca.ExportTLSSecret, Name: "Jane"}, made, `"Jane"`},
		"bad namespace":       {ca.Export{Form: ca.ExportOpaqueSecret, Name: "jane", Namespace: "a.b"}, made, `"a.b"`},
		"no key":              {ca.Export{Form: ca.ExportPEM}, keyless, "no private key"},
		"no form":             {ca.Export{Form: "der"}, made, `"der"`},
	} {
		data, err := test.export.Encode(test.credential)
		wantUsage(t, name, err, test.says)
		if data != nil {
			t.Errorf("%s: %d bytes", name, len(data))
		}
		if err := test.export.Validate(); name != "no key" && name != "no form" && err == nil {
			t.Errorf("%s: Validate takes it", name)
		}
	}
}

func TestSecretName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"jane": "jane", "Jane.Doe": "jane.doe", "system_kube-scheduler": "system-kube-scheduler", "_.jane": "jane",
		"a..b-": "a.b", "web.example.com": "web.example.com", "jane@x": "jane-x", "Ü": "", "--": "", "x_": "x", "": "",
	} {
		got := ca.SecretName(name)
		if got != want {
			t.Errorf("%q gives %q, want %q", name, got, want)
		}
		if err := (ca.Export{Form: ca.ExportTLSSecret, Name: got}).Validate(); (err == nil) != (want != "") {
			t.Errorf("%q gives %q: %v", name, got, err)
		}
	}
}

// TestExportIsOneStep: where the export cannot be written, nothing is.
func TestExportIsOneStep(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	before := tree(t, dir)
	_, err := ca.Issue(context.Background(), ca.IssueOptions{
		Dir: dir, CommonName: "jane", Now: now,
		Also: func(c ca.Credential) ([]store.File, error) {
			data, err := ca.Export{Form: ca.ExportPEM}.Encode(c)
			return []store.File{{Path: filepath.Join(dir, "none", "jane.pem"), Data: data, Mode: 0o600}}, err
		},
	})
	if err == nil || !equalTrees(before, tree(t, dir)) {
		t.Errorf("%v; the directory changed", err)
	}
}
