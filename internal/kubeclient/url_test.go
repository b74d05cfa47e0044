package kubeclient_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

func TestShowURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    "",
		"https://10.0.0.10:6443":              "https://10.0.0.10:6443",
		"https://[::1]:6443/k8s/clusters/c-1": "https://[::1]:6443/k8s/clusters/c-1",
		"https://bob:hidden@a:1/p?token=hidden#hidden": "https://a:1/p",
		"https://hidden@a":           "https://a",
		"socks9://bob:hidden@prox:1": "socks9://prox:1",
		"10.0.0.10:6443":             "10.0.0.10:6443",
		"localhost:8080":             "localhost:8080",
		"bob:hidden@prox:1":          "(not a URL)",
		"bob:hidden":                 "(not a URL)",
		"https://bob:hidden@a:b":     "(not a URL)",
		"//bob:hidden@":              "(not a URL)",
		"https://a\x1b[31m/hidden":   "(not a URL)",
		"https:/bob:hidden@a":        "(not a URL)",
		"hidden":                     "(not a URL)",
	} {
		if got := kubeclient.ShowURL(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// FuzzShowURL: what is shown of a URL is none of the user in it.
func FuzzShowURL(f *testing.F) {
	f.Add("bob", "hidden", "https://", "a:1/p")
	f.Add("", "hid den", "", "a")
	f.Fuzz(func(t *testing.T, name, password, scheme, rest string) {
		const secret = "s3cr3t-part"
		text := scheme + url.UserPassword(name, password+secret).String() + "@" + rest
		if strings.ContainsAny(scheme, "/?#@") && scheme != "https://" || strings.Contains(rest, secret) {
			return // it is a path then
		}
		if shown := kubeclient.ShowURL(text); strings.Contains(shown, secret) {
			t.Errorf("%q is shown as %q", text, shown)
		}
	})
}

// TestErrorsHideUsers: no error says who logs in at a server or proxy.
func TestErrorsHideUsers(t *testing.T) {
	t.Parallel()
	const nobody = "127.0.0.1:1"
	for _, server := range []string{
		"https://secret-token:secret-token@" + nobody, "https://secret-token@" + nobody, "https://" + nobody + "/?secret-token",
		"https://secret-token:secret-token@" + nobody + "\n    proxy-url: http://secret-token:secret-token@" + nobody,
		"https://secret-token:secret-token@h\n    proxy-url: socks5://secret-token:secret-token@" + nobody,
	} {
		server, proxy, _ := strings.Cut(server, "\n")
		c, err := kubeclient.Connect(kubeclient.Options{File: write(t, strings.Replace(fmt.Sprintf(config, server, ""), "cluster: {", "cluster: {"+flow(proxy), 1)), Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		checkError(t, whoami(t.Context(), c), "the API server https://", failure.Failed)
	}
	for _, server := range []string{"https://secret-token:secret-token@a:b", "secret-token@a/path"} {
		_, err := kubeclient.Connect(kubeclient.Options{File: write(t, fmt.Sprintf(config, server, ""))})
		checkError(t, err, `the server of cluster "c" of the kubeconfig is not a URL`, failure.Failed)
	}
}

// flow is a field in the flow style of YAML.
func flow(field string) string {
	if field = strings.TrimSpace(field); field == "" {
		return ""
	}
	name, value, _ := strings.Cut(field, ": ")
	return fmt.Sprintf("%s: %q, ", name, value)
}

// TestIdentity: whatever says which cluster is reached, or how, tells it apart.
func TestIdentity(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	identity := func(contents, fields string) string {
		t.Helper()
		if err := os.WriteFile(ca, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		target, err := kubeclient.Locate(kubeclient.Options{File: write(t, strings.Replace(fmt.Sprintf(config, "https://a", ""), "cluster: {", fmt.Sprintf("cluster: {certificate-authority: %q, %s", ca, fields), 1))})
		if err != nil {
			t.Fatal(err)
		}
		return target.Identity()
	}
	first := identity("one", "")
	seen := map[string]string{}
	for _, fields := range []string{"tls-server-name: b, ", "proxy-url: 'http://b', ", ""} {
		for _, contents := range []string{"one", "two"} {
			id := identity(contents, fields)
			if known, again := seen[id]; again {
				t.Errorf("%q is taken for %q", fields+contents, known)
			}
			seen[id] = fields + contents
		}
	}
	if identity("one", "") != first {
		t.Error("the same cluster is told apart")
	}
}
