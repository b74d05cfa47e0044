package ca_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestPermitted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ dns, ip, hint string }{
		{dns: ".example.com", hint: "write example.com;"},
		{dns: "*.example.com", hint: "write example.com;"},
		{dns: "*", hint: "lower case"},
		{dns: ".", hint: "lower case"},
		{dns: "a b", hint: "lower case"},
		{dns: "Example.com", hint: "lower case"},
		{dns: "example.com.", hint: "lower case"},
		{dns: "example.com,example.org", hint: "lower case"},
		{dns: "https://example.com", hint: "--permit-ip"},
		{dns: "bücher.example", hint: "lower case"},
		{dns: "a..b", hint: "lower case"},
		{dns: strings.Repeat("x", 64) + ".com", hint: "lower case"},
		{dns: "10.0.0.1", hint: "--permit-ip"},
		{dns: "10.0.0.0/8", hint: "--permit-ip"},
		{dns: "fd00::1", hint: "--permit-ip"},
		{ip: "10.0.0.1", hint: "10.0.0.1/32"},
		{ip: "fd00::1", hint: "fd00::1/128"},
		{ip: "::ffff:10.0.0.1", hint: "10.0.0.1/32"},
		{ip: "::ffff:10.0.0.0/104", hint: "10.0.0.0/8"},
		{ip: "10.0.0.1/8", hint: "is 10.0.0.0/8"},
		{ip: "fd00::1/8", hint: "is fd00::/8"},
		{ip: "10.0.0.0/33", hint: "10.0.0.0/8"},
		{ip: "10.0.0.0/255.0.0.0", hint: "10.0.0.0/8"},
		{ip: "10.0.0/8", hint: "10.0.0.0/8"},
		{ip: "fe80::%eth0/64", hint: "10.0.0.0/8"},
		{ip: "*.example.com", hint: "10.0.0.0/8"},
		{ip: "a b", hint: "10.0.0.0/8"},
		{ip: "", hint: "10.0.0.0/8"},
	} {
		root := t.TempDir()
		o := ca.InitOptions{Dir: filepath.Join(root, "pki"), Now: now}
		value := test.dns + test.ip
		if o.PermitDNS = []string{test.dns}; test.dns == "" {
			o.PermitDNS = nil
		}
		if test.ip != "" || test.dns == "" {
			o.PermitIPs = []string{test.ip}
		}
		_, err := ca.Init(context.Background(), o)
		wantUsage(t, value, err, "that can be permitted")
		if !strings.Contains(failure.HintOf(err), test.hint) {
			t.Errorf("%q: hint %q, want %q", value, failure.HintOf(err), test.hint)
		}
		if len(must(os.ReadDir(root))) > 0 {
			t.Errorf("%q: something was made", value)
		}
	}
	for _, o := range []ca.InitOptions{{PermitDNS: []string{"a.example", "a.example"}}, {PermitIPs: []string{"10.0.0.0/8", "10.0.0.0/8"}}} {
		o.Dir, o.Now = filepath.Join(t.TempDir(), "pki"), now
		_, err := ca.Init(context.Background(), o)
		wantUsage(t, "twice", err, "given twice")
	}
}

// TestConstrained issues inside and outside of limits, of the CA itself or of
// one above it. OpenSSL signs the same names without asking, and its verifier
// must say what pkictl said.
func TestConstrained(t *testing.T) {
	t.Parallel()
	limits := ca.InitOptions{
		PermitDNS: []string{"example.com", "svc"}, PermitIPs: []string{"10.0.0.0/8", "fd00::/16", "192.0.2.7/32"},
	}
	places := map[string]func(t *testing.T) (dir, name string){
		"root": func(t *testing.T) (string, string) { return newRoot(t, limits), "root" },
		"intermediate": func(t *testing.T) (string, string) {
			dir := newRoot(t, ca.InitOptions{})
			below(t, dir, "root", "middle", limits)
			return dir, "middle"
		},
		"CA above": func(t *testing.T) (string, string) {
			dir := newRoot(t, ca.InitOptions{})
			o := limits
			o.PathLength = number(1)
			below(t, dir, "root", "middle", o)
			below(t, dir, "middle", "low", ca.InitOptions{CommonName: "Low"})
			return dir, "low"
		},
		"narrower": func(t *testing.T) (string, string) {
			dir := newRoot(t, limits)
			below(t, dir, "root", "middle", ca.InitOptions{PermitDNS: []string{"example.com", "a.svc"}, PermitIPs: []string{"10.0.0.0/8", "fd00:1::/32", "192.0.2.7/32"}})
			return dir, "middle"
		},
	}
	tests := []struct {
		cn, dns, ip string
		refused     string // the name, if it is outside
	}{
		{dns: "example.com"}, {dns: "a.example.com"}, {dns: "*.a.example.com"}, {dns: "A.EXAMPLE.COM"}, {dns: "a.svc"},
		{ip: "10.1.2.3"}, {ip: "192.0.2.7"}, {ip: "fd00:1::1"},
		{dns: "example.org", refused: `DNS name "example.org"`}, {dns: "com", refused: `DNS name "com"`}, {dns: "xexample.com", refused: `DNS name "xexample.com"`},
		{dns: "example.com.evil.org", refused: `DNS name "example.com.evil.org"`}, {dns: "*.com.org", refused: `DNS name "*.com.org"`},
		{ip: "11.0.0.1", refused: `IP address "11.0.0.1"`}, {ip: "192.0.2.8", refused: `IP address "192.0.2.8"`}, {ip: "fe00::1", refused: `IP address "fe00::1"`},
		{cn: "www.example.org", refused: `DNS name "www.example.org"`}, // of a server: also an alternative name
	}
	for where, make := range places {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			dir, name := make(t)
			for _, test := range tests {
				o := ca.IssueOptions{Dir: filepath.Join(dir, name), CommonName: "a server", Profile: ca.ProfileServer, Out: filepath.Join(dir, "leaf"), Now: now, Force: true}
				if test.cn != "" {
					o.CommonName = test.cn
				}
				if test.dns != "" {
					o.DNS = []string{test.dns}
				}
				if test.ip != "" {
					o.IPs = []string{test.ip}
				}
				what := test.cn + test.dns + test.ip
				before := tree(t, dir)
				_, err := ca.Issue(context.Background(), o)
				if test.refused != "" {
					if failure.KindOf(err) != failure.Refused || err == nil || !strings.Contains(err.Error(), "may not certify "+test.refused) || !strings.Contains(err.Error(), "permitted are DNS:example.com") {
						t.Errorf("%s: %v", what, err)
					}
					if !equalTrees(before, tree(t, dir)) {
						t.Errorf("%s: files have changed", what)
					}
				} else if err != nil {
					t.Errorf("%s: %v", what, err)
				} else {
					openssl(t, "verify", "-x509_strict", "-CAfile", ca.CertPath(filepath.Join(dir, "root")), "-untrusted", o.Out+".crt", o.Out+".crt")
				}
				if verified := opensslVerifies(t, dir, name, test.cn+test.dns, test.ip); verified != (test.refused == "") {
					t.Errorf("%s: OpenSSL verifies its own leaf: %v", what, verified)
				}
			}
		})
	}
}

// opensslVerifies has OpenSSL sign a leaf without looking at any limits, and
// says whether it then verifies it.
func opensslVerifies(t *testing.T, dir, name, dns, ip string) bool {
	t.Helper()
	san := "IP:" + ip
	if dns != "" {
		san = "DNS:" + dns
	}
	work, authority := t.TempDir(), filepath.Join(dir, name)
	leaf := filepath.Join(work, "leaf.crt")
	request := filepath.Join(work, "leaf.csr")
	openssl(t, "req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", filepath.Join(work, "leaf.key"), "-subj", "/CN=a server", "-addext", "subjectAltName="+san, "-out", request)
	openssl(t, "x509", "-req", "-in", request, "-copy_extensions", "copyall", "-CA", ca.CertPath(authority), "-CAkey", ca.KeyPath(authority), "-days", "5", "-out", leaf)
	args := []string{"verify", "-CAfile", ca.CertPath(filepath.Join(dir, "root"))}
	if _, err := os.Stat(ca.ChainPath(authority)); err == nil {
		args = append(args, "-untrusted", ca.ChainPath(authority))
	}
	out, err := exec.Command("openssl", append(args, leaf)...).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "permitted subtree violation") && !strings.Contains(string(out), "excluded subtree violation") {
		t.Fatalf("%v\n%s", err, out)
	}
	return err == nil
}

// TestConstraintsOfOthers honours what pkictl does not write itself.
func TestConstraintsOfOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		constraints, says string
		issue             ca.IssueOptions
	}{
		"excluded domain":   {"critical,excluded;DNS:bad.example", `may not certify DNS name "a.bad.example": excluded are DNS:bad.example`, ca.IssueOptions{DNS: []string{"a.bad.example"}}},
		"excluded network":  {"excluded;IP:10.0.0.0/255.0.0.0", `may not certify IP address "10.0.0.1": excluded are IP:10.0.0.0/8`, ca.IssueOptions{IPs: []string{"10.0.0.1"}}},
		"leading dot":       {"critical,permitted;DNS:.example.com", `may not certify DNS name "example.com"`, ca.IssueOptions{DNS: []string{"example.com"}}},
		"permitted address": {"critical,permitted;email:example.com", `may not certify email address "jane@example.org"`, ca.IssueOptions{Emails: []string{"jane@example.org"}}},
		"permitted URI":     {"critical,permitted;URI:example.com", `may not certify URI "https://example.org/x"`, ca.IssueOptions{URIs: []string{"https://example.org/x"}}},
		"directory names":   {"critical,permitted;dirName:dir", "let nothing be issued", ca.IssueOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			must(0, os.WriteFile(filepath.Join(dir, "cnf"), []byte("[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\nbasicConstraints=critical,CA:TRUE\n"+
				"keyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nnameConstraints="+test.constraints+"\n[dir]\nO=Example\n"), 0o600))
			openssl(t, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Foreign", "-days", "30", "-config", filepath.Join(dir, "cnf"),
				"-keyout", ca.KeyPath(dir), "-out", ca.CertPath(dir))
			o := test.issue
			o.Dir, o.CommonName, o.Now = dir, "jane", now.Add(ca.Day)
			before := tree(t, dir)
			_, err := ca.Issue(context.Background(), o)
			if failure.KindOf(err) != failure.Refused || err == nil || !strings.Contains(err.Error(), test.says) || failure.HintOf(err) == "" {
				t.Errorf("%v (hint %q)", err, failure.HintOf(err))
			}
			if !equalTrees(before, tree(t, dir)) {
				t.Error("files have changed")
			}
			if name != "directory names" {
				issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane", Now: o.Now}) // without a name that is limited
			}
		})
	}
}

// TestConstraintsWarn: what the limits leave open is said.
func TestConstraintsWarn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		dns, ips []string
		says     string
	}{
		{[]string{"example.com"}, nil, "every IP address"}, {nil, []string{"10.0.0.0/8"}, "every DNS name"}, {[]string{"example.com"}, []string{"10.0.0.0/8"}, ""},
	} {
		dir := filepath.Join(t.TempDir(), "pki")
		result := must(ca.Init(context.Background(), ca.InitOptions{Dir: dir, PermitDNS: test.dns, PermitIPs: test.ips, Now: now}))
		if said := strings.Join(result.Warnings, "\n"); !strings.Contains(said, test.says) || (test.says == "" && said != "") {
			t.Errorf("%v %v: %q", test.dns, test.ips, said)
		}
		text := openssl(t, "x509", "-in", result.CertPath, "-noout", "-ext", "nameConstraints")
		if !strings.Contains(text, "Name Constraints: critical") {
			t.Error(text)
		}
	}
	// OpenSSL holds a common name with a dot against limits of DNS names.
	dir := newRoot(t, ca.InitOptions{PermitDNS: []string{"example.com"}})
	for cn, says := range map[string]string{"jane.doe": `common name "jane.doe" for a DNS name`, "jane": "", "jane.example.com": "", "system:x.y": "", "Jane.Doe": `"Jane.Doe"`} {
		result := issue(t, ca.IssueOptions{Dir: filepath.Join(dir, "root"), CommonName: cn})
		if said := strings.Join(result.Warnings, "\n"); !strings.Contains(said, says) || (says == "" && said != "") {
			t.Errorf("%s: %q", cn, said)
		}
		err := exec.Command("openssl", "verify", "-CAfile", ca.CertPath(filepath.Join(dir, "root")), result.CertPath).Run()
		if (err == nil) != (says == "") {
			t.Errorf("%s: OpenSSL says %v", cn, err)
		}
	}
}

// TestConstraintsBelow: a CA may not be given names that the one above has not.
func TestConstraintsBelow(t *testing.T) {
	t.Parallel()
	dir := newRoot(t, ca.InitOptions{PermitDNS: []string{"example.com"}, PermitIPs: []string{"10.0.0.0/8"}})
	before := tree(t, dir)
	for _, o := range []ca.InitOptions{
		{PermitDNS: []string{"example.org"}}, {PermitDNS: []string{"a.example.com", "com"}}, {PermitIPs: []string{"10.0.0.0/7"}}, {PermitIPs: []string{"0.0.0.0/0"}}, {PermitIPs: []string{"fd00::/8"}},
	} {
		o.Dir, o.Parent, o.Now = filepath.Join(dir, "new"), filepath.Join(dir, "root"), now
		_, err := ca.Init(context.Background(), o)
		if failure.KindOf(err) != failure.Refused || err == nil || !strings.Contains(err.Error(), "may not certify") {
			t.Errorf("%v %v: %v", o.PermitDNS, o.PermitIPs, err)
		}
		if !equalTrees(before, tree(t, dir)) {
			t.Error("files have changed")
		}
	}
	below(t, dir, "root", "new", ca.InitOptions{PermitDNS: []string{"a.example.com"}, PermitIPs: []string{"10.128.0.0/9"}})
}
