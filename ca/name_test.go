package ca_test

import (
	"context"
	"encoding/asn1"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// long is a name of the greatest length, in characters, not octets.
var long = strings.Repeat("ä", 64)

func TestSubjectNames(t *testing.T) {
	t.Parallel()
	good := []string{
		"kube-admin", "system:node:worker-1", "system:serviceaccount:kube-system:default", "jane@example.com", "x", "Größe",
		"日本語", "a b", "it's", `"`, `\`, "a,b=c", "a+b", "#x", "a;b", "<x>", "CN", "CN=x", "a/b", "a/CNx=y", "*", "0", "-", ".", "..",
		"emoji 🔑", "e\u0301", // e with a combining accent
		strings.Repeat("x", 64), long,
	}
	for _, name := range good {
		req, err := ca.IssueOptions{CommonName: name, Groups: []string{name}}.Request()
		if err != nil || req.CommonName != name || !slices.Equal(req.Groups, []string{name}) {
			t.Errorf("%q: %v", name, err)
		}
	}
	bad := map[string]string{
		"": "empty", long + "x": "65 characters", strings.Repeat("x", 65): "65 characters", strings.Repeat("日", 1000): "1000 characters",
		" x": "white space", "x ": "white space", "x\n": "white space", "\u00a0x": "white space", "x\u2003": "white space", " ": "white space",
		"a\x00b": "cannot be printed", "\x00": "cannot be printed", "a\nb": "cannot be printed", "a\tb": "cannot be printed",
		"a\x1b[31mb": "cannot be printed", "a\x7fb": "cannot be printed", "a\u0085b": "cannot be printed", "a\rb": "cannot be printed",
		"a\u202eb": "cannot be printed", "a\u200bb": "cannot be printed", "a\u2066b": "cannot be printed", "\ufeffx": "cannot be printed",
		"a\u00a0b": "cannot be printed", "a\u2028b": "cannot be printed", "a\ue000b": "cannot be printed",
		"\xff": "UTF-8", "a\xc3": "UTF-8", "\xed\xa0\x80": "UTF-8",
		"/CN=x": "distinguished name", "/O=dev/CN=x": "distinguished name", "/x": "distinguished name", "x/O=system:masters": "distinguished name",
		"x/cn=y": "distinguished name", "x/emailAddress=y": "distinguished name", "/": "distinguished name",
	}
	for name, says := range bad {
		_, err := ca.IssueOptions{CommonName: name}.Request()
		wantUsage(t, name, err, says)
		if err != nil && !strings.HasPrefix(err.Error(), "common name ") {
			t.Errorf("%q: %v does not say what is wrong", name, err)
		}
		_, err = ca.IssueOptions{CommonName: "jane", Groups: []string{"dev", name}}.Request()
		wantUsage(t, name, err, says)
		if err != nil && !strings.HasPrefix(err.Error(), "group ") {
			t.Errorf("%q: %v does not say what is wrong", name, err)
		}
	}
	_, err := ca.IssueOptions{CommonName: "jane", Groups: []string{"a", "b", "a"}}.Request()
	wantUsage(t, "group twice", err, `group "a" is given twice`)
}

func TestAlternativeNames(t *testing.T) {
	t.Parallel()
	type names struct{ dns, ips, uris, emails []string }
	good := []struct {
		names
		want []string
	}{
		{names{}, []string{}},
		{names{dns: []string{"localhost", "kubernetes.default.svc", "*.apps.example.com", "A.Example.COM", "a-b.c9", "xn--bcher-kva.example"}},
			[]string{"localhost", "kubernetes.default.svc", "*.apps.example.com", "A.Example.COM", "a-b.c9", "xn--bcher-kva.example"}},
		{names{ips: []string{"10.0.0.1", "fd00::0001", "::ffff:10.0.0.2", "0.0.0.0", "::"}}, []string{"10.0.0.1", "fd00::1", "10.0.0.2", "0.0.0.0", "::"}},
		{names{uris: []string{"spiffe://cluster.local/ns/dev/sa/app", "urn:uuid:1", "https://user@example.com:443/a%20b?c#d"}},
			[]string{"spiffe://cluster.local/ns/dev/sa/app", "urn:uuid:1", "https://user@example.com:443/a%20b?c#d"}},
		{names{emails: []string{"jane@example.com", "a+b@x.example"}}, []string{"jane@example.com", "a+b@x.example"}},
		{names{dns: []string{strings.Repeat("a", 63) + ".example"}}, []string{strings.Repeat("a", 63) + ".example"}},
		{names{[]string{"b", "a"}, []string{"10.0.0.2", "10.0.0.1"}, []string{"u:x"}, []string{"j@x"}}, []string{"b", "a", "j@x", "10.0.0.2", "10.0.0.1", "u:x"}},
	}
	for _, test := range good {
		req, err := ca.IssueOptions{CommonName: "jane", DNS: test.dns, IPs: test.ips, URIs: test.uris, Emails: test.emails}.Request()
		if err != nil || !slices.Equal(req.SANs.Strings(), test.want) {
			t.Errorf("%+v: %q (%v)", test.names, req.SANs.Strings(), err)
		}
	}
	bad := map[string][]names{
		"not a DNS name": {
			{dns: []string{""}}, {dns: []string{"a..b"}}, {dns: []string{".a"}}, {dns: []string{"a."}}, {dns: []string{"-a"}}, {dns: []string{"a_b"}},
			{dns: []string{"localhost:6443"}}, {dns: []string{"https://a"}}, {dns: []string{"a b"}}, {dns: []string{"bücher.example"}},
			{dns: []string{"10.0.0.1"}}, {dns: []string{"fd00::1"}}, {dns: []string{strings.Repeat("a", 64) + ".example"}},
			{dns: []string{strings.Repeat("a.", 127) + "a"}}, {dns: []string{"a\x00.example"}}, {dns: []string{"a\n"}},
		},
		"wildcard": {
			{dns: []string{"*"}}, {dns: []string{"*."}}, {dns: []string{"*.com"}}, {dns: []string{"a.*.example.com"}}, {dns: []string{"*a.example.com"}},
			{dns: []string{"**.example.com"}}, {dns: []string{"*.*.example.com"}}, {dns: []string{"example.*"}}, {dns: []string{"*.a_b.com"}},
			{dns: []string{"*." + strings.Repeat("a", 64) + ".example"}},
			{dns: []string{"*." + strings.Repeat("a.", 126) + "a"}},
		},
		"not an IP address": {
			{ips: []string{""}}, {ips: []string{"10.0.0"}}, {ips: []string{"10.0.0.256"}}, {ips: []string{"10.0.0.1:6443"}}, {ips: []string{"10.0.0.0/24"}},
			{ips: []string{"fe80::1%eth0"}}, {ips: []string{"localhost"}}, {ips: []string{"010.0.0.1"}}, {ips: []string{"[::1]"}}, {ips: []string{"10.0.0.1\x00"}}, {ips: []string{"1"}},
		},
		"not an absolute URI": {
			{uris: []string{""}}, {uris: []string{"/a"}}, {uris: []string{"example.com"}}, {uris: []string{"https://"}}, {uris: []string{"https:///a"}},
			{uris: []string{"https://a b"}}, {uris: []string{"https://bücher.example"}}, {uris: []string{"spiffe://a/\n"}}, {uris: []string{"HTTPS://a"}}, {uris: []string{":x"}},
		},
		"not an e-mail address": {
			{emails: []string{""}}, {emails: []string{"jane"}}, {emails: []string{"jane@"}}, {emails: []string{"@x"}}, {emails: []string{"Jane <jane@x>"}},
			{emails: []string{"jäne@x"}}, {emails: []string{"a@b@c"}}, {emails: []string{"a b@x"}}, {emails: []string{"a@x\n"}},
		},
		"given twice": {
			{dns: []string{"a", "a"}}, {ips: []string{"10.0.0.1", "::ffff:10.0.0.1"}}, {ips: []string{"fd00::1", "FD00:0::1"}},
			{uris: []string{"u:x", "u:x"}}, {emails: []string{"j@x", "j@x"}},
		},
	}
	for says, list := range bad {
		for _, n := range list {
			_, err := ca.IssueOptions{CommonName: "jane", DNS: n.dns, IPs: n.ips, URIs: n.uris, Emails: n.emails}.Request()
			wantUsage(t, strings.Join(slices.Concat(n.dns, n.ips, n.uris, n.emails), " "), err, says)
		}
	}
}

// TestServerNames: what a server's common name says is an alternative name too.
func TestServerNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cn       string
		dns, ips []string
		want     []string // nil: an error
	}{
		{"kube-apiserver", nil, nil, []string{"kube-apiserver"}},
		{"Kube Apiserver", []string{"a.example"}, nil, []string{"a.example"}},
		{"10.0.0.1", nil, nil, []string{"10.0.0.1"}},
		{"::ffff:10.0.0.1", nil, []string{"10.0.0.1"}, []string{"10.0.0.1"}},
		{"fd00::1", nil, []string{"fd00::2"}, []string{"fd00::2", "fd00::1"}},
		{"a.example", []string{"b.example", "a.example"}, nil, []string{"b.example", "a.example"}},
		{"*.a.example", nil, nil, []string{"*.a.example"}},
		{"a.example", []string{"b.example"}, nil, []string{"b.example", "a.example"}},
		{"Kube Apiserver", nil, nil, nil},
		{"fe80::1%eth0", nil, nil, nil},
	}
	for _, test := range tests {
		for _, profile := range []string{ca.ProfileServer, ca.ProfilePeer} {
			req, err := ca.IssueOptions{CommonName: test.cn, Profile: profile, DNS: test.dns, IPs: test.ips}.Request()
			if test.want == nil {
				wantUsage(t, test.cn, err, "names no server")
			} else if err != nil || !slices.Equal(req.SANs.Strings(), test.want) {
				t.Errorf("%s: %q (%v), want %q", test.cn, req.SANs.Strings(), err, test.want)
			}
		}
		req, err := ca.IssueOptions{CommonName: test.cn, DNS: test.dns, IPs: test.ips}.Request()
		if err != nil || len(req.SANs.Strings()) != len(test.dns)+len(test.ips) {
			t.Errorf("client %s: %q (%v)", test.cn, req.SANs.Strings(), err)
		}
	}
}

func TestFormatName(t *testing.T) {
	t.Parallel()
	if got := ca.FormatName([]byte{0x30, 0}); got != "" {
		t.Errorf("an empty name: %q", got)
	}
	for _, der := range [][]byte{nil, {0x30}, {0x30, 0, 0}, {0x04, 0}, must(asn1.Marshal("text"))} {
		if got := ca.FormatName(der); got != "(not a name)" {
			t.Errorf("%x: %q", der, got)
		}
	}
}

// FuzzIssueNames: whatever names a certificate is asked for, there is a clean
// error of wrong usage, or a certificate that says exactly that.
func FuzzIssueNames(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "pki")
	must(ca.Init(context.Background(), ca.InitOptions{Dir: dir, Now: now}))
	authority := must(ca.Open(dir))
	f.Add("kube-admin", "system:masters", "dev", "a.example", "10.0.0.1", "spiffe://x/y", "j@x", byte(0))
	f.Add("fd00::1", "", "", "*.a.example", "", "", "", byte(1))
	f.Add("Größe", "日本語", "a,b=c+d", "xn--a.example", "::ffff:10.0.0.1", "urn:a:b", "\"a\"@x", byte(2))
	f.Add("a\x00b", "/CN=x", "\u202e", "a..b", "1", "http://a..b", "a@b@c", byte(3))
	f.Add(long, long, "*", "localhost", "::", "https://[::1]:6443/", "a+b@c.d", byte(2))
	f.Add("KUBERNETES-CA", "", "", "", "", "http://1.2.3.4", "", byte(0))
	f.Add("kube-apiserver", "", "", "", "", "https://a_b/c", "x@[127.0.0.1]", byte(1))
	f.Fuzz(func(t *testing.T, cn, group1, group2, dns, ip, uri, email string, profile byte) {
		o := ca.IssueOptions{
			CommonName: cn, Groups: given(group1, group2), DNS: given(dns), IPs: given(ip), URIs: given(uri), Emails: given(email),
			Profile: ca.ProfileNames()[int(profile)%len(ca.ProfileNames())], Key: string(ca.ECDSAP256),
		}
		req, err := o.Request()
		if err != nil {
			wantUsage(t, cn, err, "")
			return
		}
		prepared, err := authority.Prepare(req, now)
		if err != nil {
			wantUsage(t, cn, err, "")
			return
		}
		cert := prepared.Linted
		if cert.Subject.CommonName != cn || !slices.Equal(cert.Subject.Organization, given(group1, group2)) {
			t.Errorf("the subject is %q", cert.Subject)
		}
		if len(cert.Subject.Names) != 1+len(o.Groups) {
			t.Errorf("the subject has other attributes: %q", cert.Subject.Names)
		}
		checkNames(t, "DNS", cert.DNSNames, given(dns), cn)
		checkNames(t, "e-mail", cert.EmailAddresses, given(email), "")
		checkNames(t, "URI", texts(cert.URIs), given(uri), "")
		for _, address := range cert.IPAddresses {
			if !sameIP(address.String(), ip) && !sameIP(address.String(), cn) {
				t.Errorf("IP %s was not asked for", address)
			}
		}
		if ip != "" && len(cert.IPAddresses) == 0 {
			t.Errorf("IP %s is missing", ip)
		}
	})
}

// given leaves out what was not given.
func given(values ...string) []string {
	var list []string
	for _, value := range values {
		if value != "" {
			list = append(list, value)
		}
	}
	return list
}

func checkNames(t *testing.T, kind string, got, want []string, or string) {
	t.Helper()
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s %q is missing", kind, name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) && name != or {
			t.Errorf("%s %q was not asked for", kind, name)
		}
	}
}

func sameIP(a, b string) bool {
	ipA, errA := netip.ParseAddr(a)
	ipB, errB := netip.ParseAddr(b)
	return errA == nil && errB == nil && ipA.Unmap() == ipB.Unmap()
}

func texts(uris []*url.URL) []string {
	var list []string
	for _, uri := range uris {
		list = append(list, uri.String())
	}
	return list
}
