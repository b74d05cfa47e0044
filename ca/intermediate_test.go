package ca_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// below makes a CA in dir/name that the one in dir/parent signs.
func below(t *testing.T, dir, parent, name string, o ca.InitOptions) *ca.InitResult {
	t.Helper()
	o.Dir, o.Parent, o.Now = filepath.Join(dir, name), filepath.Join(dir, parent), now
	return must(ca.Init(context.Background(), o))
}

func newRoot(t *testing.T, o ca.InitOptions) string {
	t.Helper()
	dir := t.TempDir()
	o.Dir, o.Now = filepath.Join(dir, "root"), now
	must(ca.Init(context.Background(), o))
	return dir
}

func number(n int) *int { return &n }

// TestIntermediateKeys has OpenSSL and Go judge chains of three CAs with every
// kind of key at each place.
func TestIntermediateKeys(t *testing.T) {
	t.Parallel()
	kinds := ca.KeyKinds()
	for i, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			next, last := kinds[(i+1)%len(kinds)], kinds[(i+2)%len(kinds)]
			dir := newRoot(t, ca.InitOptions{Key: string(kind)})
			middle := below(t, dir, "root", "middle", ca.InitOptions{Key: string(next), PathLength: number(1), Organizations: []string{"Z", "A"}})
			low := below(t, dir, "middle", "low", ca.InitOptions{Key: string(last), CommonName: "Low CA"})
			leaf := issue(t, ca.IssueOptions{Dir: filepath.Join(dir, "low"), CommonName: "a.example.com", Profile: ca.ProfilePeer})
			for _, result := range []*ca.InitResult{middle, low} {
				if findings := zlintFindings(t, result.Certificate.Raw); findings != nil {
					t.Errorf("zlint: %v", findings)
				}
			}
			root := ca.CertPath(filepath.Join(dir, "root"))
			openssl(t, "verify", "-x509_strict", "-CAfile", root, "-untrusted", low.ChainPath, low.CertPath)
			for _, purpose := range []string{"sslclient", "sslserver"} {
				openssl(t, "verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, "-untrusted", leaf.CertPath, leaf.CertPath)
			}
			pair := must(tls.LoadX509KeyPair(leaf.CertPath, leaf.KeyPath))
			if len(pair.Certificate) != 3 {
				t.Errorf("%d certificates in the leaf's file, want it and the two CAs below the root", len(pair.Certificate))
			}
			roots, between := x509.NewCertPool(), x509.NewCertPool()
			roots.AddCert(must(ca.ReadCertificate(root)))
			for _, der := range pair.Certificate[1:] {
				between.AddCert(must(x509.ParseCertificate(der)))
			}
			if _, err := leaf.Certificate.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIntermediateFiles(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{CommonName: "Root"})
	middle := below(t, dir, "root", "middle", ca.InitOptions{PathLength: number(3)})
	low := below(t, dir, "middle", "low", ca.InitOptions{})
	root := must(ca.ReadCertificate(ca.CertPath(filepath.Join(dir, "root"))))
	for path, want := range map[string][]*x509.Certificate{
		middle.CertPath: {middle.Certificate}, middle.ChainPath: {middle.Certificate, root},
		low.CertPath: {low.Certificate}, low.ChainPath: {low.Certificate, middle.Certificate, root},
	} {
		if string(must(os.ReadFile(path))) != string(ca.EncodeCertificates(want...)) {
			t.Errorf("%s does not hold what it should", path)
		}
	}
	if _, err := tls.LoadX509KeyPair(low.CertPath, low.KeyPath); err != nil {
		t.Error(err)
	}
	if info := must(os.Stat(low.KeyPath)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	c := low.Certificate
	if c.MaxPathLen != 0 || !c.MaxPathLenZero || middle.Certificate.MaxPathLen != 3 || !bytes.Equal(c.AuthorityKeyId, middle.Certificate.SubjectKeyId) ||
		!c.NotAfter.Equal(now.Add(ca.DefaultIntermediateValidity)) {
		t.Errorf("path lengths %d and %d, AKI %x, end %v", c.MaxPathLen, middle.Certificate.MaxPathLen, c.AuthorityKeyId, c.NotAfter)
	}
	// The second of the default name has another one.
	if name := c.Subject.CommonName; name != ca.DefaultIntermediateCommonName+"-2" || middle.Certificate.Subject.CommonName != ca.DefaultIntermediateCommonName {
		t.Errorf("common name %q below %q", name, middle.Certificate.Subject.CommonName)
	}
	// Each is in its issuer's inventory, under the name of its directory, and in its own.
	for _, test := range []struct{ dir, name string }{{"middle", "low"}, {"low", "ca"}} {
		entries := list(t, ca.ListOptions{Dir: filepath.Join(dir, test.dir), Serial: c.SerialNumber, WithPEM: true})
		if len(entries) != 1 || entries[0].Name != test.name || entries[0].Profile != "ca" || entries[0].State != ca.StateValid ||
			entries[0].PEM != string(ca.EncodeCertificates(c)) {
			t.Errorf("inventory of %s: %+v", test.dir, entries)
		}
	}
}

// TestPathLengths asks for CAs below CAs that allow some, or none.
func TestPathLengths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		lengths    []*int // of the CAs above, the root first; nil: the default
		wanted     *int
		says, hint string // nothing: it is made
	}{
		{lengths: []*int{nil}},
		{lengths: []*int{nil}, wanted: number(200)},
		{lengths: []*int{number(1)}, wanted: number(0)},
		{lengths: []*int{number(3), number(1)}, wanted: number(0)},
		{lengths: []*int{nil, nil}, says: "its path length is 0", hint: "--path-length"},
		{lengths: []*int{number(0)}, says: "its path length is 0", hint: "--path-length"},
		{lengths: []*int{number(1)}, wanted: number(1), says: "path length 1 is more than", hint: "--path-length 0 at most"},
		{lengths: []*int{number(5), number(4)}, wanted: number(4), says: "path length 4 is more than", hint: "--path-length 3 at most"},
		{lengths: []*int{nil}, wanted: number(-1), says: "negative", hint: "0 for none"},
	}
	for n, test := range tests {
		dir := newRoot(t, ca.InitOptions{PathLength: test.lengths[0]})
		parent := "root"
		for _, length := range test.lengths[1:] {
			below(t, dir, parent, "middle", ca.InitOptions{PathLength: length})
			parent = "middle"
		}
		before := tree(t, dir)
		for _, dryRun := range []bool{true, false} {
			o := ca.InitOptions{Dir: filepath.Join(dir, "new"), Parent: filepath.Join(dir, parent), PathLength: test.wanted, Now: now, DryRun: dryRun}
			result, err := ca.Init(context.Background(), o)
			switch {
			case test.says == "" && err != nil:
				t.Errorf("%d: %v", n, err)
			case test.says == "":
				if !dryRun {
					openssl(t, "verify", "-x509_strict", "-CAfile", ca.CertPath(filepath.Join(dir, "root")), "-untrusted", result.ChainPath, result.CertPath)
				}
			default:
				wantUsage(t, test.says, err, test.says)
				if !strings.Contains(failure.HintOf(err), test.hint) {
					t.Errorf("%d: hint %q", n, failure.HintOf(err))
				}
			}
			if (dryRun || err != nil) && !equalTrees(before, tree(t, dir)) {
				t.Errorf("%d: files have changed", n)
			}
		}
	}
}

// TestIntermediatePeriod: never before or after the CA above.
func TestIntermediatePeriod(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{Validity: "100d"})
	root := must(ca.ReadCertificate(ca.CertPath(filepath.Join(dir, "root"))))
	cut := below(t, dir, "root", "cut", ca.InitOptions{})
	if !cut.Certificate.NotAfter.Equal(root.NotAfter) || !strings.Contains(strings.Join(cut.Warnings, " "), "ends with its CA") {
		t.Errorf("ends %v, warnings %q", cut.Certificate.NotAfter, cut.Warnings)
	}
	short := below(t, dir, "root", "short", ca.InitOptions{Validity: "10d"})
	if !short.Certificate.NotAfter.Equal(now.Add(10*ca.Day)) || len(short.Warnings) > 0 {
		t.Errorf("ends %v, warnings %q", short.Certificate.NotAfter, short.Warnings)
	}
	o := ca.InitOptions{Dir: filepath.Join(dir, "new"), Parent: filepath.Join(dir, "root"), Validity: "101d", Now: now}
	_, err := ca.Init(context.Background(), o)
	wantUsage(t, "asked for", err, "after its CA")
	o.Validity = ""
	for at, says := range map[time.Time]string{now.Add(101 * ca.Day): "expired on", now.Add(-time.Hour): "not valid before"} {
		o.Now = at
		if _, err := ca.Init(context.Background(), o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("at %v: %v", at, err)
		}
	}
	if _, err := os.Stat(o.Dir); err == nil {
		t.Error("something was made")
	}
}

// TestIntermediateRefused are parents and names that do not do.
func TestIntermediateRefused(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{CommonName: "Root", Organizations: []string{"Org"}, Key: "ecdsa-p384"})
	below(t, dir, "root", "middle", ca.InitOptions{CommonName: "Middle", PathLength: number(5)})
	at := func(name string) string { return filepath.Join(dir, name) }
	link := filepath.Join(t.TempDir(), "link")
	must(0, os.Symlink(at("root"), link))
	must(0, os.CopyFS(at("keyless"), os.DirFS(at("root"))))
	must(0, os.Remove(ca.KeyPath(at("keyless"))))
	before := tree(t, dir)
	for name, test := range map[string]struct {
		o    ca.InitOptions
		says string
		kind failure.Kind
	}{
		"same directory":                 {ca.InitOptions{Dir: at("root"), Parent: at("root")}, "is the directory of the CA that is to sign", failure.Usage},
		"same directory by another name": {ca.InitOptions{Dir: link, Parent: at("root")}, "is the directory of the CA that is to sign", failure.Usage},
		"same name":                      {ca.InitOptions{Parent: at("root"), CommonName: "Root", Organizations: []string{"Org"}}, "name of a CA above", failure.Usage},
		"name of the root":               {ca.InitOptions{Parent: at("middle"), CommonName: "Root", Organizations: []string{"Org"}}, "name of a CA above", failure.Usage},
		"bad name":                       {ca.InitOptions{Parent: at("root"), CommonName: "/CN=x"}, "distinguished name", failure.Usage},
		"no CA":                          {ca.InitOptions{Parent: at("none")}, "there is no CA in", failure.Failed},
		"no key":                         {ca.InitOptions{Parent: at("keyless")}, "has no key", failure.Failed},
		"there is a CA":                  {ca.InitOptions{Dir: at("middle"), Parent: at("root")}, "exists: there is a CA", failure.Failed},
		"with an import":                 {ca.InitOptions{Parent: at("root"), CertFile: "x", KeyFile: "y"}, "stays what it is", failure.Usage},
	} {
		test.o.Now = now
		if test.o.Dir == "" {
			test.o.Dir = at("new")
		}
		_, err := ca.Init(context.Background(), test.o)
		if err == nil || !strings.Contains(err.Error(), test.says) || failure.KindOf(err) != test.kind || failure.HintOf(err) == "" {
			t.Errorf("%s: %v (kind %d, hint %q)", name, err, failure.KindOf(err), failure.HintOf(err))
		}
		if !equalTrees(before, tree(t, dir)) {
			t.Fatalf("%s: files have changed", name)
		}
	}
}

// TestVerifyBelow verifies leaves of an intermediate from its own directory and
// from the root's.
func TestVerifyBelow(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{Validity: "10y"})
	below(t, dir, "root", "middle", ca.InitOptions{Validity: "2y"})
	at := func(name string) string { return filepath.Join(dir, name) }
	leaf := issue(t, ca.IssueOptions{Dir: at("middle"), CommonName: "jane", Validity: "1y"})
	pair := must(tls.LoadX509KeyPair(leaf.CertPath, leaf.KeyPath))
	var certs []*x509.Certificate
	for _, der := range pair.Certificate {
		certs = append(certs, must(x509.ParseCertificate(der)))
	}
	statuses := func(where string, when time.Time) map[string]ca.CheckStatus {
		v := must(ca.Verify(context.Background(), ca.VerifyOptions{Dir: at(where), Name: "jane", Certificates: certs, NoKey: "none", Now: when}))
		found := map[string]ca.CheckStatus{"": ca.CheckFailed}
		if v.OK {
			found[""] = ca.CheckOK
		}
		for _, check := range v.Checks {
			found[check.Name] = check.Status
		}
		return found
	}
	if got := statuses("middle", now); got[""] != ca.CheckOK || got["chain"] != ca.CheckOK || got["root"] != ca.CheckOK || got["inventory"] != ca.CheckOK {
		t.Errorf("in its CA's directory: %v", got)
	}
	got := statuses("root", now)
	if _, asked := got["root"]; asked || got[""] != ca.CheckOK || got["chain"] != ca.CheckOK || got["inventory"] != ca.CheckSkipped {
		t.Errorf("in the root's directory: %v", got)
	}
	// A chain file of another root.
	other := newRoot(t, ca.InitOptions{})
	stranger := must(ca.ReadCertificate(ca.CertPath(filepath.Join(other, "root"))))
	chain := ca.EncodeCertificates(must(ca.ReadCertificate(ca.CertPath(at("middle")))), stranger)
	must(0, os.WriteFile(ca.ChainPath(at("middle")), chain, 0o644))
	if got := statuses("middle", now); got[""] != ca.CheckFailed || got["chain"] != ca.CheckOK || got["root"] != ca.CheckFailed {
		t.Errorf("with another root: %v", got)
	}
}
