package ca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// kubernetesFindings are the names and severities of the k8s_ lints.
func kubernetesFindings(findings []ca.Finding) []string {
	var names []string
	for _, f := range findings {
		if strings.HasPrefix(f.Lint, "k8s_") {
			names = append(names, string(f.Severity)+" "+strings.TrimPrefix(f.Lint, "k8s_"))
		}
	}
	return names
}

func organizations(groups ...string) pkix.Name {
	name := pkix.Name{}
	for _, group := range groups {
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: group})
	}
	return name
}

// TestLintKubernetes has one certificate for each rule, and one that keeps all.
func TestLintKubernetes(t *testing.T) {
	t.Parallel()
	authority := must(ca.Open(newCA(t, ca.ECDSAP256)))
	caKey := must(ca.ReadKey(ca.KeyPath(authority.Dir), nil))
	p256 := must(ca.GenerateKey(ca.ECDSAP256)).Public()
	client, server := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	user := func(name string, groups ...string) func(c *x509.Certificate) crypto.PublicKey {
		return func(c *x509.Certificate) crypto.PublicKey {
			c.Subject, c.ExtKeyUsage = organizations(groups...), client
			c.Subject.CommonName = name
			return nil
		}
	}
	tests := []struct {
		name   string
		change func(c *x509.Certificate) crypto.PublicKey // nil: P-256
		want   []string
	}{
		{"a user", user("jane", "dev", "ops"), nil},
		{"a node", user("system:node:w1", "system:nodes"), nil},
		{"a server", func(c *x509.Certificate) crypto.PublicKey {
			c.ExtKeyUsage, c.IPAddresses = server, []net.IP{{10, 0, 0, 1}}
			return nil
		}, nil},
		{"a peer without a user", func(c *x509.Certificate) crypto.PublicKey {
			c.Subject, c.ExtKeyUsage, c.DNSNames = pkix.Name{}, append(slices.Clone(server), client...), []string{"etcd"}
			return nil
		}, nil},
		{"no name", user("", "dev"), []string{"error user_name"}},
		{"a node without its group", user("system:node:w1", "dev"), []string{"error node"}},
		{"the group without a node", user("w1", "system:nodes"), []string{"error node"}},
		{"a node without a name", user("system:node:", "system:nodes"), []string{"error node"}},
		{"an administrator", user("root", "system:masters"), []string{"warn masters"}},
		{"a group twice", user("jane", "dev", "dev"), []string{"warn groups"}},
		{"an empty group", user("jane", ""), []string{"warn groups"}},
		{"no usage", func(c *x509.Certificate) crypto.PublicKey { c.ExtKeyUsage = nil; return nil }, []string{"warn extended_key_usage"}},
		{"another usage", func(c *x509.Certificate) crypto.PublicKey {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
			return nil
		}, []string{"warn extended_key_usage"}},
		{"a server by common name", func(c *x509.Certificate) crypto.PublicKey { c.ExtKeyUsage = server; return nil }, []string{"error server_names"}},
		{"no signature", func(c *x509.Certificate) crypto.PublicKey { c.KeyUsage = x509.KeyUsageKeyAgreement; return nil }, []string{"error key_usage"}},
		{"Ed25519", func(*x509.Certificate) crypto.PublicKey { return must(ca.GenerateKey(ca.Ed25519)).Public() }, []string{"warn key_kind"}},
		{"RSA with 1024 bits", func(*x509.Certificate) crypto.PublicKey { return must(rsa.GenerateKey(rand.Reader, 1024)).Public() }, []string{"error key_kind"}},
		{"P-224", func(*x509.Certificate) crypto.PublicKey {
			return must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)).Public()
		}, []string{"error key_kind"}},
		{"expired", func(c *x509.Certificate) crypto.PublicKey { c.NotAfter = now.Add(-time.Second); return nil }, []string{"info validity"}},
		{"not yet valid", func(c *x509.Certificate) crypto.PublicKey { c.NotBefore = now.Add(time.Hour); return nil }, []string{"info validity"}},
		{"beyond its CA", func(c *x509.Certificate) crypto.PublicKey { c.NotAfter = now.Add(20 * ca.Year); return nil }, []string{"warn outlives_ca"}},
		{"a CA that cannot sign", func(c *x509.Certificate) crypto.PublicKey {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCRLSign
			return nil
		}, []string{"error ca_key_usage"}},
	}
	for _, test := range tests {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ca.Day),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: client, BasicConstraintsValid: true,
		}
		key := test.change(template)
		if key == nil {
			key = p256
		}
		der := must(x509.CreateCertificate(rand.Reader, template, authority.Certificate, key, caKey))
		findings := ca.Lint(must(ca.Decode(der, "x")), ca.LintOptions{Now: now, CA: authority})
		if got := kubernetesFindings(findings); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		for _, f := range findings {
			if f.Details == "" || f.Kind != ca.ItemCertificate || f.Citation == "" {
				t.Errorf("%s: %+v", test.name, f)
			}
		}
	}
}

// TestLintOurs: zlint and the rules for Kubernetes find nothing in what pkictl
// makes, but the warnings that issuing gives, too.
func TestLintOurs(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP384)
	authority := must(ca.Open(dir))
	for _, profile := range ca.ProfileNames() {
		for _, key := range []ca.KeyKind{ca.ECDSAP256, ca.RSA2048, ca.Ed25519} {
			result := issue(t, ca.IssueOptions{Dir: dir, CommonName: profile + "." + string(key) + ".example.com", Profile: profile, Key: string(key)})
			items := must(ca.Decode(ca.EncodeCertificates(result.Certificate, authority.Certificate), "x"))
			findings := ca.Lint(items, ca.LintOptions{Now: now, CA: authority})
			if wanted := len(result.Warnings); len(findings) != wanted {
				t.Errorf("%s with %s: %+v, but %d warnings", profile, key, findings, wanted)
			}
		}
	}
}

// TestLintOrder: the worst comes first, and each names its block.
func TestLintOrder(t *testing.T) {
	t.Parallel()
	request := newRequest(t, "/O=system:masters/OU=x", "-addext", "basicConstraints=CA:TRUE")
	items := must(ca.Decode(slices.Concat(request, request), "x"))
	var got []string
	for _, f := range ca.Lint(items, ca.LintOptions{Now: now}) {
		got = append(got, strings.Join([]string{string(rune('0' + f.Block)), string(f.Severity), f.Lint}, " "))
	}
	one := []string{"error request_refused", "error k8s_user_name", "warn request_common_name", "warn k8s_masters", "info request_ignored"}
	var want []string
	for _, block := range []string{"1 ", "2 "} {
		for _, finding := range one {
			want = append(want, block+finding)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	_, err := ca.ParseSeverity("warning")
	wantUsage(t, "a severity", err, `unknown severity "warning"`)
	if !ca.SeverityError.AtLeast(ca.SeverityWarn) || !ca.SeverityWarn.AtLeast(ca.SeverityWarn) || ca.SeverityInfo.AtLeast(ca.SeverityWarn) {
		t.Error("the order of severities")
	}
}

// FuzzLint: whatever was decoded, the lints end, and each finding says what it
// is about.
func FuzzLint(f *testing.F) {
	for _, seed := range decodeSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := ca.Decode(data, "file")
		if err != nil {
			return
		}
		for _, finding := range ca.Lint(items, ca.LintOptions{Now: now}) {
			if finding.Lint == "" || finding.Details == "" || !slices.Contains(ca.Severities(), string(finding.Severity)) {
				t.Errorf("%+v", finding)
			}
		}
	})
}
