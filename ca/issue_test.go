package ca_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// tree reads all files below a directory, without those that the store keeps
// for itself.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(0, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if name == ".staging" {
			return fs.SkipDir
		}
		if entry.IsDir() || strings.HasPrefix(name, "inventory.db") {
			return nil
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	}))
	return files
}

func list(t *testing.T, o ca.ListOptions) []ca.Entry {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	return must(ca.List(context.Background(), o))
}

func TestIssue(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	result := issue(t, ca.IssueOptions{
		Dir: dir, CommonName: "jane", Groups: []string{"z", "a"}, DNS: []string{"x.example"}, Validity: "8h",
	})
	if result.CertPath != filepath.Join(dir, "jane.crt") || result.KeyPath != filepath.Join(dir, "jane.key") || result.Profile != ca.ProfileClient {
		t.Errorf("%+v", result)
	}
	onDisk := must(ca.ReadCertificate(result.CertPath))
	if !onDisk.Equal(result.Certificate) {
		t.Error("another certificate is on the disk")
	}
	if _, err := tls.LoadX509KeyPair(result.CertPath, result.KeyPath); err != nil {
		t.Error(err)
	}
	entries := list(t, ca.ListOptions{Dir: dir, CommonName: "jane", WithPEM: true})
	if len(entries) != 1 {
		t.Fatalf("%d rows", len(entries))
	}
	got := entries[0]
	if got.Name != "jane" || !slices.Equal(got.Groups, []string{"z", "a"}) || got.Profile != ca.ProfileClient || got.Key != "ecdsa-p256" ||
		!slices.Equal(got.SANs, []string{"x.example"}) || got.Serial != ca.FormatSerial(onDisk.SerialNumber) || !got.NotBefore.Equal(onDisk.NotBefore) ||
		!got.NotAfter.Equal(onDisk.NotAfter) || !got.IssuedAt.Equal(now) || got.State != ca.StateValid || got.PEM != string(ca.EncodeCertificates(onDisk)) {
		t.Errorf("row %+v", got)
	}
}

// TestSerials: RFC 5280 (4.1.2.2) wants positive numbers of at most 20 octets;
// that they are random shows in their bits.
func TestSerials(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	authority := must(ca.Open(dir))
	req := must(ca.IssueOptions{CommonName: "jane"}.Request())
	seen := map[string]bool{}
	anded, ored := new(big.Int).Lsh(big.NewInt(1), 159), new(big.Int)
	anded.Sub(anded, big.NewInt(1))
	for range 200 {
		serial := must(authority.Prepare(req, now)).Linted.SerialNumber
		if serial.Sign() <= 0 || serial.BitLen() > 159 || seen[serial.String()] {
			t.Fatalf("serial %v", serial)
		}
		seen[serial.String()] = true
		anded.And(anded, serial)
		ored.Or(ored, serial)
	}
	if ones := strings.Count(ored.Text(2), "1"); anded.Sign() != 0 || ones != 159 {
		t.Errorf("%d of 159 bits are random", ones-strings.Count(anded.Text(2), "1"))
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"kube-admin": "kube-admin", "system:node:worker-1": "system_node_worker-1", "a/b": "a_b", `a\b`: "a_b", "..": "_.", ".": "_", ".ssh": "_ssh",
		"-x": "_x", "a b": "a_b", `a*?"<>|b`: "a______b", "../../etc/x": "_._.._etc_x", "Größe": "Größe", "*.a.example": "_.a.example", "jane@x": "jane@x",
	}
	for cn, want := range tests {
		if got := (ca.IssueOptions{Dir: "pki", CommonName: cn}).Prefix(); got != filepath.Join("pki", want) {
			t.Errorf("%q: %q, want %q", cn, got, want)
		}
	}
	if got := (ca.IssueOptions{Dir: "pki", CommonName: "x", Out: "else/where"}).Prefix(); got != "else/where" {
		t.Errorf("--out: %q", got)
	}
}

func TestIssueElsewhere(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	out := filepath.Join(t.TempDir(), "server")
	result := issue(t, ca.IssueOptions{Dir: dir, CommonName: "a.example", Profile: ca.ProfileServer, Out: out})
	if result.KeyPath != out+".key" || result.CertPath != out+".crt" {
		t.Errorf("%+v", result)
	}
	if entry := list(t, ca.ListOptions{Dir: dir, CommonName: "a.example"}); len(entry) != 1 || entry[0].Name != "server" {
		t.Errorf("%+v", entry)
	}
}

func TestForce(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	first := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	before := tree(t, dir)
	_, err := ca.Issue(context.Background(), ca.IssueOptions{Dir: dir, CommonName: "jane", Now: now})
	if err == nil || !strings.Contains(err.Error(), "exists") || !strings.Contains(failure.HintOf(err), "--force") {
		t.Errorf("without force: %v, hint %q", err, failure.HintOf(err))
	}
	if after := tree(t, dir); !equalTrees(before, after) {
		t.Error("files have changed")
	}
	// Half a pair is replaced, too.
	must(0, os.Remove(first.KeyPath))
	second := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane", Force: true, Groups: []string{"dev"}})
	if _, err := tls.LoadX509KeyPair(second.CertPath, second.KeyPath); err != nil {
		t.Error(err)
	}
	if !must(ca.ReadCertificate(first.CertPath)).Equal(second.Certificate) {
		t.Error("the certificate was not replaced")
	}
	if rows := list(t, ca.ListOptions{Dir: dir, CommonName: "jane"}); len(rows) != 2 {
		t.Errorf("%d rows: what was issued once stays known", len(rows))
	}
}

func equalTrees(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for path, data := range a {
		if b[path] != data {
			return false
		}
	}
	return true
}

// TestForceSparesTheCA has every way to write the CA's own names.
func TestForceSparesTheCA(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	link := dir + "-link"
	must(0, os.Symlink(dir, link))
	hard := filepath.Join(t.TempDir(), "hard")
	must(0, os.Link(ca.KeyPath(dir), hard+".key"))
	before := tree(t, dir)
	for _, o := range []ca.IssueOptions{
		{CommonName: "ca"},
		{CommonName: "x", Out: filepath.Join(dir, "ca")},
		{CommonName: "x", Out: dir + "/../pki/ca"},
		{CommonName: "x", Out: filepath.Join(link, "ca")},
		{CommonName: "x", Out: hard},
		{CommonName: "x", AlsoPaths: []string{ca.KeyPath(dir)}},
		{CommonName: "x", AlsoPaths: []string{filepath.Join(link, "ca.crt")}},
	} {
		o.Dir, o.Force, o.Now = dir, true, now
		_, err := ca.Issue(context.Background(), o)
		wantUsage(t, o.CommonName+" "+o.Out+strings.Join(o.AlsoPaths, " "), err, "would replace the CA's own")
	}
	if !equalTrees(before, tree(t, dir)) {
		t.Error("files have changed")
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "pki")
	result := must(ca.Init(context.Background(), ca.InitOptions{Dir: dir, DryRun: true, Now: now}))
	if result.Certificate == nil || len(must(os.ReadDir(root))) > 0 {
		t.Error("init: no certificate, or files")
	}
	must(ca.Init(context.Background(), ca.InitOptions{Dir: dir, Now: now}))
	before, rows := tree(t, dir), list(t, ca.ListOptions{Dir: dir})
	issued := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane", DryRun: true})
	if issued.Certificate.Subject.CommonName != "jane" {
		t.Errorf("%+v", issued)
	}
	authority := must(ca.ReadCertificate(ca.CertPath(dir)))
	if issued.Certificate.CheckSignatureFrom(authority) == nil {
		t.Error("the CA's key was used")
	}
	if !equalTrees(before, tree(t, dir)) || len(list(t, ca.ListOptions{Dir: dir})) != len(rows) {
		t.Error("something was written")
	}
	_, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, DryRun: true, Now: now})
	if err == nil || !strings.Contains(err.Error(), "there is a CA") {
		t.Errorf("a second CA: %v", err)
	}
}

// TestIssueFails lets it fail after the serial was recorded: the row goes, as
// the certificate never left the process.
func TestIssueFails(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	broken := errors.New("broken")
	before, rows := tree(t, dir), list(t, ca.ListOptions{Dir: dir})
	for name, change := range map[string]func(o *ca.IssueOptions){
		"the other files": func(o *ca.IssueOptions) {
			o.Also = func(c ca.Credential) ([]store.File, error) {
				if c.Certificate == nil || !bytes.Contains(c.KeyPEM, []byte("PRIVATE KEY")) || len(c.CAPEM) == 0 {
					t.Errorf("%+v", c)
				}
				return nil, broken
			}
		},
		"their place": func(o *ca.IssueOptions) {
			o.Also = func(ca.Credential) ([]store.File, error) {
				return []store.File{{Path: filepath.Join(dir, "none", "x"), Mode: 0o600}}, nil
			}
		},
		"one place for two": func(o *ca.IssueOptions) {
			o.Also = func(ca.Credential) ([]store.File, error) {
				return []store.File{{Path: filepath.Join(dir, "jane.key"), Mode: 0o600}}, nil
			}
		},
		"place of the pair": func(o *ca.IssueOptions) { o.Out = filepath.Join(dir, "none", "jane") },
	} {
		o := ca.IssueOptions{Dir: dir, CommonName: "jane", Now: now}
		change(&o)
		if _, err := ca.Issue(context.Background(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !equalTrees(before, tree(t, dir)) {
			t.Errorf("%s: files have changed", name)
		}
		if after := list(t, ca.ListOptions{Dir: dir}); len(after) != len(rows) {
			t.Errorf("%s: %d rows, want %d", name, len(after), len(rows))
		}
	}
}

// TestIssueFromBadCA has CAs that cannot sign.
func TestIssueFromBadCA(t *testing.T) {
	t.Parallel()
	other := newCA(t, ca.ECDSAP256)
	leafFiles := issue(t, ca.IssueOptions{Dir: other, CommonName: "jane"})
	copyFile := func(from, to string) { must(0, os.WriteFile(to, must(os.ReadFile(from)), 0o600)) }
	tests := []struct {
		name, says, hint string
		at               time.Time
		spoil            func(dir string)
	}{
		{"none", "there is no CA", "init-ca", now, func(dir string) { must(0, os.Remove(ca.CertPath(dir))) }},
		{"no key", "has no key", "restore", now, func(dir string) { must(0, os.Remove(ca.KeyPath(dir))) }},
		{"another key", "does not belong to", "restore the pair", now, func(dir string) { copyFile(ca.KeyPath(other), ca.KeyPath(dir)) }},
		{"another certificate", "does not belong to", "restore the pair", now, func(dir string) { copyFile(ca.CertPath(other), ca.CertPath(dir)) }},
		{"a leaf", "not the certificate of a CA", "--dir", now, func(dir string) {
			copyFile(leafFiles.CertPath, ca.CertPath(dir))
			copyFile(leafFiles.KeyPath, ca.KeyPath(dir))
		}},
		{"empty certificate", "holds no certificate", "BEGIN CERTIFICATE", now, func(dir string) { must(0, os.WriteFile(ca.CertPath(dir), nil, 0o600)) }},
		{"damaged certificate", "damaged", "backup", now, func(dir string) {
			must(0, os.WriteFile(ca.CertPath(dir), pemBlock("CERTIFICATE", []byte("noise")), 0o600))
		}},
		{"large certificate", "larger than 1 MiB", "check", now, func(dir string) { must(0, os.Truncate(ca.CertPath(dir), 2<<20)) }},
		{"empty key", "holds no private key", "BEGIN PRIVATE KEY", now, func(dir string) { must(0, os.WriteFile(ca.KeyPath(dir), nil, 0o600)) }},
		{"expired", "expired on", "new CA", now.Add(11 * ca.Year), func(string) {}},
		{"not yet valid", "not valid before", "clock", now.Add(-time.Hour), func(string) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := newCA(t, ca.ECDSAP256)
			test.spoil(dir)
			before := tree(t, dir)
			for _, dryRun := range []bool{false, true} {
				_, err := ca.Issue(context.Background(), ca.IssueOptions{Dir: dir, CommonName: "jane", Now: test.at, DryRun: dryRun})
				if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) {
					t.Errorf("error %v, hint %q; want %q, %q", err, failure.HintOf(err), test.says, test.hint)
				}
				if failure.KindOf(err) != failure.Failed {
					t.Errorf("kind %d", failure.KindOf(err))
				}
			}
			if !equalTrees(before, tree(t, dir)) {
				t.Error("files have changed")
			}
		})
	}
}

// TestIssueBeyondCA asks for more time than the CA has; the hint says how much
// there is, and that much is then given.
func TestIssueBeyondCA(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	must(ca.Init(context.Background(), ca.InitOptions{Dir: dir, Validity: "10d", Now: now}))
	end := must(ca.ReadCertificate(ca.CertPath(dir))).NotAfter
	for _, left := range []time.Duration{10 * ca.Day, 36 * time.Hour, 90 * time.Minute, 59 * time.Minute, time.Minute, time.Second} {
		o := ca.IssueOptions{Dir: dir, CommonName: "jane", Validity: "11d", Now: end.Add(-left), Force: true}
		_, err := ca.Issue(context.Background(), o)
		wantUsage(t, left.String(), err, "after its CA")
		most := regexp.MustCompile(`at most (\w+)`).FindStringSubmatch(failure.HintOf(err))
		if most == nil {
			t.Fatalf("%v: hint %q", left, failure.HintOf(err))
		}
		o.Validity = most[1]
		given := issue(t, o).Certificate.NotAfter
		if given.After(end) || end.Sub(given) > left/2 {
			t.Errorf("%v: the hint %q gives an end %v before the CA's", left, failure.HintOf(err), end.Sub(given))
		}
	}
}

// TestCAsOwnName: a certificate of the CA's own name would look self-signed.
func TestCAsOwnName(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	_, err := ca.Issue(context.Background(), ca.IssueOptions{Dir: dir, CommonName: ca.DefaultCommonName, Now: now})
	wantUsage(t, ca.DefaultCommonName, err, "name of the CA itself")
	issue(t, ca.IssueOptions{Dir: dir, CommonName: ca.DefaultCommonName, Groups: []string{"dev"}})
}

// TestForeignCA issues from a CA that something else made: without inventory,
// lock or key identifiers of ours.
func TestForeignCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openssl(t, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kubernetes", "-days", "30",
		"-addext", "keyUsage=critical,keyCertSign", "-keyout", ca.KeyPath(dir), "-out", ca.CertPath(dir))
	at := now.Add(time.Minute) // OpenSSL does not backdate
	if rows := list(t, ca.ListOptions{Dir: dir}); len(rows) != 0 {
		t.Errorf("%d rows", len(rows))
	}
	if left := tree(t, dir); len(left) != 2 {
		t.Errorf("list made files: %d", len(left))
	}
	// A failure takes back what it made there.
	_, err := ca.Issue(context.Background(), ca.IssueOptions{Dir: dir, CommonName: "jane", Out: filepath.Join(dir, "none", "jane"), Now: at})
	if err == nil || len(must(os.ReadDir(dir))) != 2 {
		t.Errorf("%v, and %d files", err, len(must(os.ReadDir(dir))))
	}
	result := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane", Now: at})
	openssl(t, "verify", "-x509_strict", "-CAfile", ca.CertPath(dir), result.CertPath)
	if rows := list(t, ca.ListOptions{Dir: dir, Now: at}); len(rows) != 1 || rows[0].State != ca.StateValid {
		t.Errorf("%+v", rows)
	}
}

// TestInit checks names and lengths; those of issue stand in name_test.go.
func TestInit(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ca.InitOptions{
		"65 characters":      {CommonName: long + "x"},
		"distinguished name": {CommonName: "/CN=x"},
		"cannot be printed":  {CommonName: "a\x00b"},
		"white space":        {Organizations: []string{"dev "}},
		"unknown key kind":   {Key: "rsa-1024"},
		"zero":               {Validity: "0d"},
		"negative":           {Validity: "-1y"},
		"too long":           {Validity: "1000y"},
	} {
		root := t.TempDir()
		o.Dir, o.Now = filepath.Join(root, "a", "pki"), now
		_, err := ca.Init(context.Background(), o)
		wantUsage(t, name, err, name)
		if len(must(os.ReadDir(root))) > 0 {
			t.Errorf("%s: something was made", name)
		}
	}
	dir := filepath.Join(t.TempDir(), "pki")
	result := must(ca.Init(context.Background(), ca.InitOptions{Dir: dir, CommonName: "My CA", Organizations: []string{"B", "A"}, Validity: "30d", Now: now}))
	if got := ca.FormatName(result.Certificate.RawSubject); got != "O=B,O=A,CN=My CA" {
		t.Errorf("subject %s", got)
	}
	if result.Certificate.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || !result.Certificate.NotAfter.Equal(now.Add(30*ca.Day)) {
		t.Errorf("usage %b, end %v", result.Certificate.KeyUsage, result.Certificate.NotAfter)
	}
	before := tree(t, dir)
	_, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, Now: now})
	if err == nil || !strings.Contains(err.Error(), "there is a CA") {
		t.Errorf("a second CA: %v", err)
	}
	if !equalTrees(before, tree(t, dir)) {
		t.Error("files have changed")
	}
	must(0, os.Remove(ca.KeyPath(dir))) // a certificate alone is still a CA
	if _, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, Now: now}); err == nil {
		t.Error("a CA whose key is elsewhere was overwritten")
	}
}
