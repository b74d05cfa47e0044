package kubeconfig_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/kubeconfig"
)

// issued makes a CA and a client certificate of ten days in a new directory.
func issued(t *testing.T, now time.Time) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := ca.Init(t.Context(), ca.InitOptions{Dir: dir, Now: now}); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Issue(t.Context(), ca.IssueOptions{Dir: dir, CommonName: "jane", Validity: "10d", Now: now}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadPairTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dir := issued(t, now)
	cert, key := filepath.Join(dir, "jane.crt"), filepath.Join(dir, "jane.key")
	for _, test := range []struct {
		at   time.Duration
		says string
	}{
		{0, ""},
		{9 * ca.Day, ""},
		{11 * ca.Day, "expired on 2026-01-12 03:04:05 UTC"},
		{-ca.Day, "not yet valid"},
	} {
		_, err := kubeconfig.ReadPair(cert, key, now.Add(test.at))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("after %s: %v, want %q", test.at, err, test.says)
		}
	}
}

func TestCheckTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dir := issued(t, now)
	pair, err := kubeconfig.ReadPair(filepath.Join(dir, "jane.crt"), filepath.Join(dir, "jane.key"), now)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := kubeconfig.Entry{Server: "https://10.0.0.10", Cluster: "k", User: "jane", CAPEM: root, CertPEM: pair.CertPEM, KeyPEM: pair.KeyPEM}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "jane.conf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		at   time.Duration
		want []string
	}{
		{0, nil},
		{4 * ca.Day, []string{"the client certificate ends in 6d, on 2026-01-12 03:04:05 UTC"}},
		{10*ca.Day + time.Second, []string{"the client certificate expired on 2026-01-12 03:04:05 UTC"}},
		{-ca.Day, []string{`the CA of the cluster is not valid before 2026-01-02 02:59:05 UTC`, "the client certificate is not valid before 2026-01-02 02:59:05 UTC"}},
		{11 * ca.Year, []string{`the CA of the cluster expired on 2035-12-31 03:04:05 UTC`, "the client certificate expired on 2026-01-12 03:04:05 UTC"}},
	} {
		report, err := kubeconfig.Check(t.Context(), kubeconfig.CheckOptions{Files: []string{path}, Offline: true, Within: 7 * ca.Day, Now: now.Add(test.at), Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range report.Findings {
			got = append(got, f.Message)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("after %s: %q, want %q", test.at, got, test.want)
		}
		if report.OK != (test.want == nil) {
			t.Errorf("after %s: OK is %v", test.at, report.OK)
		}
	}
}

// TestCheckOlder has a certificate embedded, and a newer one of the same user
// in a file that another context names.
func TestCheckOlder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dir := issued(t, now)
	old, err := kubeconfig.ReadPair(filepath.Join(dir, "jane.crt"), filepath.Join(dir, "jane.key"), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Issue(t.Context(), ca.IssueOptions{Dir: dir, CommonName: "jane", Validity: "10d", Now: now.Add(time.Hour), Force: true}); err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	path := filepath.Join(filepath.Dir(dir), "both.conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: a
clusters: [{name: k, cluster: {server: https://10.0.0.10, certificate-authority: pki/ca.crt}}]
users:
- {name: embedded, user: {client-certificate-data: %s, client-key-data: %s}}
- {name: file, user: {client-certificate: pki/jane.crt, client-key: pki/jane.key}}
contexts:
- {name: a, context: {cluster: k, user: embedded}}
- {name: b, context: {cluster: k, user: file}}
`, encode(old.CertPEM), encode(old.KeyPEM)), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := kubeconfig.Check(t.Context(), kubeconfig.CheckOptions{Files: []string{path}, Offline: true, Within: ca.Day, Now: now.Add(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) != 1 || report.Findings[0].Check != "drift" || !slices.Equal(report.Findings[0].Contexts, []string{"a"}) {
		t.Errorf("%+v", report.Findings)
	}
}

// FuzzCheck has whatever looked at: no panic, no key in what is found, and what
// kubectl cannot read is said to be so.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("a: [\t"))
	f.Add([]byte("kind: Config\napiVersion: v1\nusers: [{name: a, user: {token: hidden-token}}, {name: a, user: {client-key-data: '!'}}]"))
	f.Add([]byte("kind: Config\napiVersion: v1\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {token: a.eyJleHAiOjF9.hidden-token}}]"))
	f.Add([]byte("kind: Config\napiVersion: v1\nusers: &a [*a]"))
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "k.conf")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := kubeconfig.Check(t.Context(), kubeconfig.CheckOptions{Files: []string{path}, Offline: true, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kubeconfig.Parse(data, "k.conf"); err != nil && report.OK {
			t.Errorf("%v, but nothing was found", err)
		}
		for _, finding := range report.Findings {
			if strings.Contains(finding.Message+finding.Hint, "hidden-token") {
				t.Errorf("the token is shown: %+v", finding)
			}
		}
	})
}

// TestCheckManyDown calls many servers at once, none of which is there: each
// is found, and the progress ends where it should.
func TestCheckManyDown(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Config\ncurrent-context: c-00\nusers: [{name: u, user: {token: a.eyJleHAiOjQwMDAwMDAwMDB9.b}}]\nclusters:\n")
	const servers, contexts = 12, 60
	var listeners []net.Listener
	for i := range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l) // open until all have another port
		fmt.Fprintf(&b, "- {name: k-%d, cluster: {server: \"https://%s\"}}\n", i, l.Addr())
	}
	for _, l := range listeners {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString("contexts:\n")
	for i := range contexts {
		fmt.Fprintf(&b, "- {name: c-%02d, context: {cluster: k-%d, user: u}}\n", i, i%servers)
	}
	path := filepath.Join(t.TempDir(), "many.conf")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var shown []string
	report, err := kubeconfig.Check(t.Context(), kubeconfig.CheckOptions{
		Files: []string{path}, Timeout: time.Minute, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Progress: func(done, total int) { shown = append(shown, fmt.Sprintf("%d of %d", done, total)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) != servers || len(report.Contexts) != contexts || len(shown) != servers || shown[servers-1] != "12 of 12" {
		t.Errorf("%d findings, %d contexts, progress %q", len(report.Findings), len(report.Contexts), shown)
	}
	for _, finding := range report.Findings {
		if finding.Check != "server" || len(finding.Contexts) != contexts/servers {
			t.Errorf("%+v", finding)
		}
	}
}
