package ca_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"github.com/pkictl/pkictl/ca"
)

var now = time.Now().UTC().Truncate(time.Second)

// newCA makes a CA in a directory of the test's own.
func newCA(t *testing.T, key ca.KeyKind) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, Key: string(key), Now: now}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func issue(t *testing.T, o ca.IssueOptions) *ca.IssueResult {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	result, err := ca.Issue(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestEveryProfileAndKey has OpenSSL, zlint and Go judge every combination of
// CA key, profile and key.
func TestEveryProfileAndKey(t *testing.T) {
	t.Parallel()
	for _, caKey := range ca.KeyKinds() {
		t.Run("ca-"+string(caKey), func(t *testing.T) {
			t.Parallel()
			dir := newCA(t, caKey)
			root, err := ca.ReadCertificate(ca.CertPath(dir))
			if err != nil {
				t.Fatal(err)
			}
			if err := zlintFindings(t, root.Raw); err != nil {
				t.Errorf("CA: zlint: %v", err)
			}
			openssl(t, "verify", "-x509_strict", "-check_ss_sig", "-CAfile", ca.CertPath(dir), ca.CertPath(dir))
			for _, profile := range ca.ProfileNames() {
				for _, key := range ca.KeyKinds() {
					checkCombination(t, dir, root, profile, key)
				}
			}
		})
	}
}

func checkCombination(t *testing.T, dir string, root *x509.Certificate, profile string, key ca.KeyKind) {
	t.Helper()
	name := profile + "-" + string(key)
	result := issue(t, ca.IssueOptions{
		Dir: dir, CommonName: name + ".example.com", Groups: []string{"zeta", "alpha"}, Profile: profile, Key: string(key),
		DNS: []string{"*.apps.example.com"}, IPs: []string{"10.0.0.1", "fd00::1"},
		URIs: []string{"spiffe://cluster.local/ns/dev/sa/app"}, Emails: []string{"jane@example.com"},
	})
	cert := result.Certificate
	if findings := zlintFindings(t, cert.Raw); findings != nil {
		t.Errorf("%s: zlint: %v", name, findings)
	}
	purposes := map[string][]string{
		ca.ProfileClient: {"sslclient"}, ca.ProfileServer: {"sslserver"}, ca.ProfilePeer: {"sslclient", "sslserver"},
	}
	for _, purpose := range purposes[profile] {
		openssl(t, "verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca.CertPath(dir), result.CertPath)
	}
	text := openssl(t, "x509", "-in", result.CertPath, "-noout", "-subject", "-nameopt", "RFC2253")
	if want := "subject=CN=" + name + ".example.com,O=alpha,O=zeta"; strings.TrimSpace(text) != want {
		t.Errorf("%s: OpenSSL reads %q, want %q (RFC 2253: last first)", name, text, want)
	}
	if _, err := tls.LoadX509KeyPair(result.CertPath, result.KeyPath); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	wantUsage := x509.KeyUsageDigitalSignature
	if strings.HasPrefix(string(key), "rsa") && profile != ca.ProfileClient {
		wantUsage |= x509.KeyUsageKeyEncipherment
	}
	if cert.KeyUsage != wantUsage {
		t.Errorf("%s: key usage %b, want %b", name, cert.KeyUsage, wantUsage)
	}
	if ca.KeyName(cert.PublicKey) != string(key) {
		t.Errorf("%s: key is %s", name, ca.KeyName(cert.PublicKey))
	}
	isServer := profile != ca.ProfileClient
	if got := cert.VerifyHostname(name+".example.com") == nil; got != isServer {
		t.Errorf("%s: common name is an alternative name: %v, want %v", name, got, isServer)
	}
}

// zlintFindings runs the RFC and community sources of zlint, on its own terms.
func zlintFindings(t *testing.T, der []byte) []string {
	t.Helper()
	cert, err := zx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{
		lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6960, lint.RFC6962, lint.RFC8813, lint.Community,
	}})
	if err != nil {
		t.Fatal(err)
	}
	results := zlint.LintCertificateEx(cert, registry).Results
	if len(results) < 50 {
		t.Fatalf("zlint ran %d lints only", len(results))
	}
	var findings []string
	for name, result := range results {
		if result.Status >= lint.Warn {
			findings = append(findings, name+" "+result.Details)
		}
	}
	return findings
}

func TestPeriod(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, Validity: "100d", Now: now}); err != nil {
		t.Fatal(err)
	}
	root, err := ca.ReadCertificate(ca.CertPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Add(-ca.Backdate); !root.NotBefore.Equal(want) {
		t.Errorf("CA begins %v, want %v", root.NotBefore, want)
	}
	tests := []struct {
		name, validity   string
		at, begins, ends time.Time
		warning          bool
	}{
		{"default", "", now.Add(ca.Day), now.Add(ca.Day - ca.Backdate), now.Add(91 * ca.Day), false},
		{"hours", "8h", now.Add(ca.Day), now.Add(ca.Day - ca.Backdate), now.Add(ca.Day + 8*time.Hour), false},
		{"not before the CA", "8h", now.Add(-time.Minute), root.NotBefore, now.Add(-time.Minute + 8*time.Hour), false},
		{"default ends with the CA", "", now.Add(50 * ca.Day), now.Add(50*ca.Day - ca.Backdate), root.NotAfter, true},
		{"as long as the CA", "100d", now, now.Add(-ca.Backdate), root.NotAfter, false},
	}
	for _, test := range tests {
		result := issue(t, ca.IssueOptions{Dir: dir, CommonName: test.name, Validity: test.validity, Now: test.at})
		if cert := result.Certificate; !cert.NotBefore.Equal(test.begins) || !cert.NotAfter.Equal(test.ends) {
			t.Errorf("%s: %v to %v, want %v to %v", test.name, cert.NotBefore, cert.NotAfter, test.begins, test.ends)
		}
		if got := len(result.Warnings) > 0; got != test.warning {
			t.Errorf("%s: warnings %q", test.name, result.Warnings)
		}
	}
}

// TestExplain runs the recipes of --explain and compares their certificates
// with pkictl's own.
func TestExplain(t *testing.T) {
	t.Parallel()
	for _, key := range []ca.KeyKind{ca.ECDSAP256, ca.ECDSAP384, ca.RSA2048, ca.Ed25519} {
		t.Run(string(key), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// Characters that a shell or OpenSSL might take for their own.
			o := ca.InitOptions{
				Dir: filepath.Join(dir, "ours"), CommonName: "It's + $HOME \"CA\"",
				Organizations: []string{"Größe", "A/B"}, Key: string(key), Validity: "400d", Now: now,
			}
			if _, err := ca.Init(context.Background(), o); err != nil {
				t.Fatal(err)
			}
			o.Dir = filepath.Join(dir, "theirs")
			runRecipe(t)(ca.ExplainInit(o))
			compareCertificates(t, filepath.Join(dir, "ours", "ca.crt"), filepath.Join(dir, "theirs", "ca.crt"))

			for _, profile := range ca.ProfileNames() {
				leaf := ca.IssueOptions{
					Dir: filepath.Join(dir, "ours"), CommonName: profile + ".example.com", Groups: []string{"system:masters", "a,b=c"},
					Profile: profile, Key: string(key), Validity: "8h", Now: now.Add(time.Hour),
					DNS: []string{"b.example.com", "*.a.example.com"}, IPs: []string{"10.96.0.1", "fd00::1"},
					URIs: []string{"spiffe://cluster.local/y"}, Emails: []string{"jane@example.com"},
				}
				ours := issue(t, leaf)
				leaf.Dir = filepath.Join(dir, "theirs")
				runRecipe(t)(ca.ExplainIssue(leaf))
				compareCertificates(t, ours.CertPath, filepath.Join(leaf.Dir, profile+".example.com.crt"))
			}
		})
	}
}

// TestExplainBelow does the same for intermediate CAs, limits, and what they
// issue.
func TestExplainBelow(t *testing.T) {
	t.Parallel()
	for _, key := range []ca.KeyKind{ca.ECDSAP256, ca.ECDSAP384, ca.RSA2048, ca.Ed25519} {
		t.Run(string(key), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := func(whose, name string) string { return filepath.Join(dir, whose, "it's "+name) }
			for _, o := range []ca.InitOptions{
				{Dir: "root", Key: string(key), PathLength: number(3), PermitDNS: []string{"example.com", "svc"}, PermitIPs: []string{"10.0.0.0/8", "fd00::/16", "0.0.0.0/0"}},
				{Dir: "middle", Parent: "root", PathLength: number(1), PermitDNS: []string{"a.example.com"}, PermitIPs: []string{"10.1.0.0/16"}, Validity: "100d"},
				{Dir: "low", Parent: "middle", Key: string(key), Organizations: []string{"A/B"}, CommonName: "It's + $HOME"},
				{Dir: "side", Parent: "root"},
			} {
				o.Now = now
				theirs := o
				o.Dir, theirs.Dir = at("ours", o.Dir), at("theirs", o.Dir)
				if o.Parent != "" {
					o.Parent, theirs.Parent = at("ours", o.Parent), at("theirs", o.Parent)
				}
				if _, err := ca.Init(context.Background(), o); err != nil {
					t.Fatal(err)
				}
				runRecipe(t)(ca.ExplainInit(theirs))
				compareCertificates(t, ca.CertPath(o.Dir), ca.CertPath(theirs.Dir))
				compareChains(t, ca.ChainPath(o.Dir), ca.ChainPath(theirs.Dir))
			}
			for _, name := range []string{"root", "middle", "low", "side"} {
				leaf := ca.IssueOptions{Dir: at("ours", name), CommonName: "x.a.example.com", Profile: ca.ProfileServer, Now: now}
				ours := issue(t, leaf)
				leaf.Dir = at("theirs", name)
				runRecipe(t)(ca.ExplainIssue(leaf))
				compareChains(t, ours.CertPath, leaf.Prefix()+".crt")
				openssl(t, "verify", "-x509_strict", "-CAfile", ca.CertPath(at("theirs", "root")), "-untrusted", leaf.Prefix()+".crt", leaf.Prefix()+".crt")
			}
		})
	}
}

// compareChains compares the subjects in two files, or that there is neither.
func compareChains(t *testing.T, ourPath, theirPath string) {
	t.Helper()
	subjects := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			return "none"
		}
		var names []string
		for _, cert := range ca.Certificates(must(ca.Decode(data, path))) {
			names = append(names, ca.FormatName(cert.RawSubject))
		}
		return strings.Join(names, " < ")
	}
	if ours, theirs := subjects(ourPath), subjects(theirPath); ours != theirs {
		t.Errorf("%s holds %s\n%s holds %s", ourPath, ours, theirPath, theirs)
	}
}

// TestExplainImport: the recipe puts the same files in the same places.
func TestExplainImport(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{})
	low := below(t, dir, "root", "low", ca.InitOptions{})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, o := range []ca.InitOptions{
		{Dir: at("files"), CertFile: low.ChainPath, KeyFile: low.KeyPath},
		{Dir: at("directory"), ImportDir: at("root")},
	} {
		o.Now = now
		theirs := o
		theirs.Dir += " of openssl"
		must(ca.Init(context.Background(), o))
		runRecipe(t)(ca.ExplainInit(theirs))
		for _, path := range []func(string) string{ca.CertPath, ca.KeyPath, ca.ChainPath} {
			ours, ourErr := os.ReadFile(path(o.Dir))
			others, theirErr := os.ReadFile(path(theirs.Dir))
			if (ourErr == nil) != (theirErr == nil) || string(ours) != string(others) {
				t.Errorf("%s and %s differ (%v, %v)", path(o.Dir), path(theirs.Dir), ourErr, theirErr)
			}
		}
		if info := must(os.Stat(ca.KeyPath(theirs.Dir))); info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
	}
}

func runRecipe(t *testing.T) func(string, error) {
	return func(recipe string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-eu")
		cmd.Stdin = strings.NewReader(recipe)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, recipe)
		}
	}
}

// compareCertificates compares what two certificates say, key, serial and
// signature aside.
func compareCertificates(t *testing.T, ourPath, theirPath string) {
	t.Helper()
	ours, err := ca.ReadCertificate(ourPath)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ca.ReadCertificate(theirPath)
	if err != nil {
		t.Fatal(err)
	}
	describe := func(c *x509.Certificate) string {
		return strings.Join([]string{
			"subject " + ca.FormatName(c.RawSubject), "issuer " + ca.FormatName(c.RawIssuer),
			c.NotBefore.String(), c.NotAfter.String(), ca.KeyName(c.PublicKey), c.SignatureAlgorithm.String(),
			strings.Join(ca.SANsOf(c).Strings(), " "), extensions(c),
		}, "\n")
	}
	if a, b := describe(ours), describe(theirs); a != b {
		t.Errorf("pkictl's certificate says:\n%s\nthe recipe's:\n%s", a, b)
	}
	keyPath := strings.TrimSuffix(theirPath, ".crt") + ".key"
	if info, err := os.Stat(keyPath); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the recipe's key has mode %v (%v), want 0600", info.Mode(), err)
	}
}

// extensions lists the extensions whose contents do not depend on the key,
// sorted by OID and with their values.
func extensions(c *x509.Certificate) string {
	values := map[string]string{}
	for _, e := range c.Extensions {
		oid := e.Id.String()
		if oid == "2.5.29.14" || oid == "2.5.29.35" { // key identifiers
			e.Value = []byte{byte(len(e.Value))}
		}
		values[oid] = string(e.Value)
		if e.Critical {
			values[oid] += " critical"
		}
	}
	var b strings.Builder
	for _, oid := range []string{"2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.35", "2.5.29.37"} {
		b.WriteString(oid + " " + values[oid] + "\n")
		delete(values, oid)
	}
	for oid := range values {
		b.WriteString("unexpected " + oid)
	}
	return b.String()
}
