package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

func flowCredentialWith(fill func(f *flowCredential, root string)) func(w *world, root string) flow {
	return func(w *world, root string) flow {
		f := newFlowCredential(w)
		f.commonName = "jane"
		fill(f, root)
		return f
	}
}

func hasCA(o ca.InitOptions) func(t *testing.T, root string, at time.Time) {
	return func(t *testing.T, root string, at time.Time) {
		o.Dir = filepath.Join(root, "pki")
		makeCA(t, at, o)
	}
}

// flowCredentialCases are answers of all kinds.
func flowCredentialCases() []sameCase {
	exportPassword := []string{variableExportPassword + "=" + testPassword}
	withKubeconfig := func(f *flowCredential, root string) {
		f.withKubeconfig, f.server = true, "https://10.0.0.10:6443"
		f.kubeconfig = filepath.Join(root, "jane.conf")
	}
	return []sameCase{
		{name: "defaults", flow: flowCredentialWith(func(*flowCredential, string) {})},
		{name: "groups and time", flow: flowCredentialWith(func(f *flowCredential, _ string) {
			f.groups, f.validity = []string{"developers", "oncall"}, "8h"
		})},
		{name: "administrator", flow: flowCredentialWith(func(f *flowCredential, _ string) { f.groups = []string{ca.GroupMasters} })},
		{name: "node", flow: flowCredentialWith(func(f *flowCredential, _ string) {
			f.commonName, f.groups = "system:node:w1", []string{"system:nodes"}
		})},
		{name: "server", flow: flowCredentialWith(func(f *flowCredential, _ string) {
			f.profile, f.commonName = ca.ProfileServer, "web.example.com"
		})},
		{name: "server with names", flow: flowCredentialWith(func(f *flowCredential, root string) {
			f.profile, f.commonName, f.keyKind = ca.ProfileServer, "kube-apiserver", string(ca.RSA2048)
			f.dns, f.ips = []string{"kubernetes.default.svc", "*.apps.example.com"}, []string{"10.96.0.1", "::1"}
			f.out, f.withKubeconfig, f.server = filepath.Join(root, "pki", "api"), true, "not asked for" // hidden, so it counts for nothing
		})},
		{name: "peer", flow: flowCredentialWith(func(f *flowCredential, _ string) {
			f.profile, f.commonName, f.keyKind, f.dns = ca.ProfilePeer, "10.0.0.1", string(ca.Ed25519), []string{"etcd.local"}
		})},
		{name: "kubeconfig", flow: flowCredentialWith(withKubeconfig)},
		{name: "kubeconfig with names", flow: flowCredentialWith(func(f *flowCredential, root string) {
			withKubeconfig(f, root)
			f.commonName, f.cluster, f.namespace = "o'hara x", "prod \U0001f9ea", "shop"
		})},
		{
			name: "p12", env: exportPassword, asks: []string{"new " + ca.ExportName},
			flow: flowCredentialWith(func(f *flowCredential, _ string) { f.form = string(ca.ExportPKCS12) }),
		},
		{
			name: "p12 with a given password", env: exportPassword, given: map[string]string{ca.ExportName: testPassword},
			asks: []string{"new " + ca.ExportName, "new " + ca.ExportName},
			flow: flowCredentialWith(func(f *flowCredential, root string) {
				f.form, f.export = string(ca.ExportPKCS12), filepath.Join(root, "jane.p12")
			}),
		},
		{name: "pem", flow: flowCredentialWith(func(f *flowCredential, _ string) { f.form = string(ca.ExportPEM) })},
		{name: "tls secret", flow: flowCredentialWith(func(f *flowCredential, _ string) {
			f.profile, f.commonName, f.form = ca.ProfileServer, "web.example.com", string(ca.ExportTLSSecret)
			f.secretName, f.secretNamespace = "web-tls", "shop"
		})},
		{name: "opaque secret with a kubeconfig", flow: flowCredentialWith(func(f *flowCredential, root string) {
			withKubeconfig(f, root)
			f.form, f.namespace, f.export = string(ca.ExportOpaqueSecret), "shop", filepath.Join(root, "jane.yaml")
		})},
		{
			name: "the CA ends first", prepare: hasCA(ca.InitOptions{Validity: "10d"}),
			flow: flowCredentialWith(func(*flowCredential, string) {}),
		},
		{
			name: "encrypted CA", prepare: hasCA(ca.InitOptions{NewPassphrase: withPassphrase}), env: []string{variablePassphrase + "=" + testPassword},
			asks: []string{`old key "ROOT/pki/ca.key"`},
			flow: flowCredentialWith(func(*flowCredential, string) {}),
		},
		{
			name: "encrypted CA with a given passphrase", prepare: hasCA(ca.InitOptions{NewPassphrase: withPassphrase}), env: []string{variablePassphrase + "=" + testPassword},
			given: map[string]string{`key "ROOT/pki/ca.key"`: testPassword},
			asks:  []string{`old key "ROOT/pki/ca.key"`, `old key "ROOT/pki/ca.key"`}, // the engine answers
			flow:  flowCredentialWith(func(*flowCredential, string) {}),
		},
		{
			name: "from an intermediate CA, the directory by the environment", env: []string{variableDir + "=ROOT/team"},
			prepare: func(t *testing.T, root string, at time.Time) {
				hasCA(ca.InitOptions{})(t, root, at)
				makeCA(t, at, ca.InitOptions{Dir: filepath.Join(root, "team"), Parent: filepath.Join(root, "pki"), PermitDNS: []string{"example.com"}})
			},
			flow: flowCredentialWith(func(f *flowCredential, root string) {
				withKubeconfig(f, root)
				f.dir, f.commonName, f.form = filepath.Join(root, "team"), "jane.example.org", string(ca.ExportPEM)
			}),
		},
		{
			name: "replaced",
			prepare: func(t *testing.T, root string, at time.Time) {
				hasCA(ca.InitOptions{})(t, root, at)
				f := flowCredentialWith(withKubeconfig)(flowWorld(filepath.Join(root, "pki"), func() time.Time { return at }, nil), root)
				if _, err := f.run(t.Context(), (&jobLog{}).newJob()); err != nil {
					t.Fatal(err)
				}
			},
			flow: flowCredentialWith(func(f *flowCredential, root string) {
				withKubeconfig(f, root)
				f.force = true
			}),
		},
	}
}

// TestFlowCredentialSame holds the wizard's credentials against those of issue.
func TestFlowCredentialSame(t *testing.T) {
	t.Parallel()
	for _, c := range flowCredentialCases() {
		if c.prepare == nil {
			c.prepare = hasCA(ca.InitOptions{})
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

// TestFlowCredentialRefuses: a review fails as the command does, with its hint.
func TestFlowCredentialRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fill func(f *flowCredential, root string)
	}{
		{"a file is there", func(f *flowCredential, root string) { f.out = filepath.Join(root, "there") }},
		{"it would replace the CA", func(f *flowCredential, root string) { f.out = filepath.Join(root, "pki", "ca") }},
		{"no directory for it", func(f *flowCredential, root string) { f.out = filepath.Join(root, "none", "jane") }},
		{"longer than the CA", func(f *flowCredential, _ string) { f.validity = "20y" }},
		{"a server without a name", func(f *flowCredential, _ string) { f.profile, f.commonName = ca.ProfileServer, "kube_apiserver" }},
		{"a group twice", func(f *flowCredential, _ string) { f.groups = []string{"a", "a"} }},
		{"the name of the CA", func(f *flowCredential, _ string) { f.commonName = ca.DefaultCommonName }},
		{"a bad name", func(f *flowCredential, _ string) { f.commonName = "/CN=jane" }},
		{"a bad time", func(f *flowCredential, _ string) { f.validity = "90 days" }},
		{"two things in one file", func(f *flowCredential, root string) {
			f.form, f.export = string(ca.ExportPEM), filepath.Join(root, "pki", "jane.key")
		}},
		{"a bad server", func(f *flowCredential, _ string) { f.withKubeconfig, f.server = true, "http://10.0.0.1" }},
		{"a Secret that cannot be called so", func(f *flowCredential, _ string) { f.form, f.secretName = string(ca.ExportTLSSecret), "Web" }},
		{"a Secret without a name", func(f *flowCredential, _ string) { f.form, f.commonName = string(ca.ExportTLSSecret), "日本" }},
		{"a kubeconfig of others", func(f *flowCredential, root string) {
			f.withKubeconfig, f.server, f.force = true, "https://10.0.0.1", true
			f.kubeconfig = filepath.Join(root, "others.conf")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			hasCA(ca.InitOptions{})(t, root, anHourAgo())
			for name, data := range map[string]string{
				"there.crt":   "mine\n",
				"others.conf": "apiVersion: v1\nkind: Config\nusers: [{name: a, user: {}}, {name: b, user: {}}]\n",
			} {
				if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := flowCredentialWith(c.fill)(flowWorld(filepath.Join(root, "pki"), time.Now, nil), root)
			before := describeTree(t, root)
			_, err := f.review(t.Context(), (&jobLog{}).newJob())
			checkSameError(t, err, runCLI(t, root, f.command()...))
			if _, err := f.run(t.Context(), (&jobLog{}).newJob()); err == nil {
				t.Error("it is done in spite of that")
			}
			if after := describeTree(t, root); len(after) != len(before) {
				t.Errorf("there are %d files, and were %d", len(after), len(before))
			}
		})
	}
}

// TestFlowCredentialNoCA: the first step says that nothing can be issued, and a
// review fails as the command does.
func TestFlowCredentialNoCA(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	f := newFlowCredential(flowWorld(filepath.Join(root, "pki"), time.Now, nil))
	if err := f.steps()[0].load(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no CA in") {
		t.Errorf("the first step says: %v", err)
	}
	f.commonName = "jane"
	_, err := f.review(t.Context(), (&jobLog{}).newJob())
	checkSameError(t, err, runCLI(t, root, f.command()...))
}

// TestFlowCredentialForce: replacing is offered where there is something to
// replace, and looked for again when the step is entered.
func TestFlowCredentialForce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	hasCA(ca.InitOptions{})(t, root, anHourAgo())
	f := newFlowCredential(flowWorld(filepath.Join(root, "pki"), time.Now, nil))
	f.commonName, f.force = "jane", true
	force := fieldOf(t, f, "force")
	if !force.hidden() || strings.Contains(strings.Join(f.command(), " "), "--force") {
		t.Error("replacing nothing is offered")
	}
	if _, err := f.run(t.Context(), (&jobLog{}).newJob()); err != nil {
		t.Fatal(err)
	}
	if !force.hidden() {
		t.Error("the disk is looked at for each picture")
	}
	if err := f.loadTargets(t.Context()); err != nil || force.hidden() || !strings.Contains(strings.Join(f.command(), " "), "--force") {
		t.Errorf("replacing is not offered: %v", err)
	}
	if f.out = filepath.Join(root, "other"); !force.hidden() {
		t.Error("replacing is offered for other files")
	}
}

// TestFlowCredentialMeanings: what Kubernetes keeps for itself is said in the
// review.
func TestFlowCredentialMeanings(t *testing.T) {
	t.Parallel()
	f := newFlowCredential(flowWorld("pki", time.Now, nil))
	if f.commonName, f.groups = "jane", []string{"developers"}; len(f.meanings()) != 0 {
		t.Error(f.meanings())
	}
	f.commonName, f.groups = "system:node:w1", []string{"system:nodes", "x", ca.GroupMasters}
	if rows := f.meanings(); len(rows) != 3 || !strings.Contains(rows[0].value, "kubelet of node w1") || !strings.Contains(rows[2].value, "every authorizer") {
		t.Error(rows)
	}
}
