package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestManifestStarts holds CheckFlags against a real kube-apiserver, which says what it
// does not take before it says its version and begins.
func TestManifestStarts(t *testing.T) {
	t.Parallel()
	const plugins = "--enable-admission-plugins="
	for _, test := range []struct {
		words []string
		found string // in the error of both
	}{
		{nil, ""},
		{[]string{plugins + "NodeRestriction,AlwaysPullImages"}, ""},
		{[]string{plugins + "NodeRestriction", plugins + "AlwaysPullImages", "--disable-admission-plugins=DefaultStorageClass"}, ""},
		{[]string{plugins + "NamespaceExists,NamespaceAutoProvision"}, ""},
		{[]string{plugins + "PodSecurityPolicy"}, "PodSecurityPolicy"},
		{[]string{plugins + "NodeRestriction,"}, `""`},
		{[]string{plugins + "NodeRestriction, AlwaysPullImages"}, "AlwaysPullImages"},
		{[]string{plugins + "NodeRestriction", "--disable-admission-plugins=NodeRestriction"}, "NodeRestriction"},
		{[]string{"--admission-control=NamespaceLifecycle", plugins + "NodeRestriction"}, "admission-control"},
		{[]string{"--audit-log-maxage=ten"}, "audit-log-maxage"},
		{[]string{"--audit-log-maxage=10", "--audit-log-maxage=5"}, ""},
		{[]string{"--no-such-flag"}, "no-such-flag"},
		{[]string{"stray"}, "stray"},
	} {
		t.Run(strings.Join(test.words, " "), func(t *testing.T) {
			t.Parallel()
			m, err := ParseManifest("a.yaml", []byte(startsManifest(test.words)))
			if err != nil {
				t.Fatal(err)
			}
			err = m.CheckFlags(NewestKnown())
			if (err == nil) != (test.found == "") || err != nil && !strings.Contains(err.Error(), test.found) {
				t.Errorf("%v, want %q", err, test.found)
			}
			out, starts := serverSays(t, test.words)
			if starts != (test.found == "") || !starts && !strings.Contains(out, strings.Trim(test.found, `"`)) {
				t.Errorf("the server starts: %v\n%s", starts, out)
			}
		})
	}
}

func startsManifest(words []string) string {
	text := "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver}\nspec:\n  containers:\n  - name: kube-apiserver\n    command:\n    - kube-apiserver\n"
	for _, word := range words {
		text += "    - '" + word + "'\n"
	}
	return text
}

// serverSays runs kube-apiserver until it ends, or has taken its flags: it says its
// version then (cmd/kube-apiserver/app: Run).
func serverSays(t *testing.T, words []string) (out string, starts bool) {
	t.Helper()
	const begins = "] Version: v"
	dir := t.TempDir()
	key := filepath.Join(dir, "sa.key")
	if out, err := exec.Command("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	server := exec.CommandContext(t.Context(), "../tools/bin/kube-apiserver", append([]string{
		"--etcd-servers=http://127.0.0.1:1", "--cert-dir=" + dir, "--service-cluster-ip-range=10.0.0.0/24", "--bind-address=127.0.0.1",
		"--service-account-issuer=https://issuer", "--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
	}, words...)...)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	defer func() { _ = server.Process.Kill(); <-ended }()
	for {
		data, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), begins) {
			return string(data), true
		}
		select {
		case <-ended:
			data, err := os.ReadFile(log.Name()) // what came last
			if err != nil {
				t.Fatal(err)
			}
			return string(data), strings.Contains(string(data), begins)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
