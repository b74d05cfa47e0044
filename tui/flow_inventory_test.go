package tui

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

// inventoryTimes are those in recipes.
var inventoryTimes = regexp.MustCompile(`\d{14}Z`)

// inventoryPKI makes a PKI directory with certificates of several kinds, an hour
// old: jane, who has a kubeconfig and was renewed once, and the server web.
func inventoryPKI(t *testing.T, o ca.InitOptions) (root string) {
	t.Helper()
	root = t.TempDir()
	o.Dir = filepath.Join(root, "pki")
	at := anHourAgo()
	makeCA(t, at, o)
	jane := ca.IssueOptions{Dir: o.Dir, CommonName: "jane", Groups: []string{"developers"}, Now: at, Force: true, Passphrase: withPassphrase}
	entry := kubeconfig.Entry{Server: "https://10.0.0.10:6443", Cluster: "kubernetes", User: "jane"}
	if err := entry.IssueTo(filepath.Join(o.Dir, "jane.conf"), &jane); err != nil {
		t.Fatal(err)
	}
	web := ca.IssueOptions{
		Dir: o.Dir, CommonName: "web.example.com", Profile: ca.ProfileServer, Key: string(ca.RSA2048), Validity: "30d",
		Out: filepath.Join(o.Dir, "web"), Now: at, Passphrase: withPassphrase,
	}
	for _, each := range []ca.IssueOptions{jane, jane, web} {
		if _, err := ca.Issue(t.Context(), each); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// copied prepares a directory as a copy of another one: serials are the same.
func copied(from string) func(t *testing.T, root string, at time.Time) {
	return func(t *testing.T, root string, _ time.Time) {
		t.Helper()
		if out, err := exec.Command("cp", "-a", filepath.Join(from, "pki"), root).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
}

// idOf returns the certificate in a file.
func idOf(t *testing.T, path string) inventoryID {
	t.Helper()
	cert, err := ca.ReadCertificate(path)
	if err != nil {
		t.Fatal(err)
	}
	item, err := ca.DescribeCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	return inventoryID{item.Certificate.Serial, item.Certificate.AuthorityKeyID}
}

// loaded returns a flow whose steps have been loaded.
func loaded(t *testing.T, f flow) flow {
	t.Helper()
	for _, s := range f.steps() {
		if err := s.load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// TestFlowExportSame: the wizard exports as the command does.
func TestFlowExportSame(t *testing.T) {
	t.Parallel()
	pki := inventoryPKI(t, ca.InitOptions{})
	jane, web := idOf(t, filepath.Join(pki, "pki", "jane.crt")), idOf(t, filepath.Join(pki, "pki", "web.crt"))
	with := func(id inventoryID, fill func(f *flowExport, root string)) func(w *world, root string) flow {
		return func(w *world, root string) flow {
			f := newFlowExport(w, id)
			fill(f, root)
			return loaded(t, f)
		}
	}
	password := []string{variableExportPassword + "=" + testPassword}
	for _, c := range []sameCase{
		{name: "p12", env: password, asks: []string{"new " + ca.ExportName}, flow: with(jane, func(*flowExport, string) {})},
		{name: "pem", flow: with(web, func(f *flowExport, root string) {
			f.form, f.file = string(ca.ExportPEM), filepath.Join(root, "web bundle.pem")
		})},
		{name: "tls secret", flow: with(web, func(f *flowExport, _ string) {
			f.form, f.secretName, f.secretNamespace = string(ca.ExportTLSSecret), "web-tls", "shop"
		})},
		{
			name: "replaced", flow: with(web, func(f *flowExport, root string) {
				f.form, f.file, f.force = string(ca.ExportOpaqueSecret), filepath.Join(root, "pki", "web.secret.yaml"), true
			}),
			prepare: func(t *testing.T, root string, at time.Time) {
				copied(pki)(t, root, at)
				f := with(jane, func(f *flowExport, _ string) {
					f.form, f.file = string(ca.ExportPEM), filepath.Join(root, "pki", "web.secret.yaml")
				})(flowWorld(filepath.Join(root, "pki"), time.Now, nil), root)
				if _, err := f.run(t.Context(), (&jobLog{}).newJob()); err != nil {
					t.Fatal(err)
				}
			},
		},
	} {
		if c.prepare == nil {
			c.prepare = copied(pki)
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

// TestFlowRevokeSame: the wizard revokes as the command does.
func TestFlowRevokeSame(t *testing.T) {
	t.Parallel()
	pki := inventoryPKI(t, ca.InitOptions{})
	for reason, file := range map[string]string{"unspecified": "jane.crt", "keyCompromise": "web.crt"} {
		id := idOf(t, filepath.Join(pki, "pki", file))
		c := sameCase{prepare: copied(pki), flow: func(w *world, _ string) flow {
			f := newFlowRevoke(w, id)
			f.reason = reason
			return loaded(t, f)
		}}
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

// TestFlowRevokeSays: what an API server does not do is said before yes.
func TestFlowRevokeSays(t *testing.T) {
	t.Parallel()
	pki := inventoryPKI(t, ca.InitOptions{})
	dir := filepath.Join(pki, "pki")
	f := loaded(t, newFlowRevoke(flowWorld(dir, time.Now, nil), idOf(t, filepath.Join(dir, "jane.crt"))))
	r, err := f.review(t.Context(), (&jobLog{}).newJob())
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(r.warnings, "\n")
	for _, part := range []string{"which it has replaced, still authenticates", "An API server reads no revocation list", "delete the RoleBindings"} {
		if !strings.Contains(all, part) {
			t.Errorf("no %q in\n%s", part, all)
		}
	}
	if title := f.title(); title != "Revoke jane" {
		t.Errorf("title %q", title)
	}
	if _, err := f.run(t.Context(), (&jobLog{}).newJob()); err != nil {
		t.Fatal(err)
	}
	if r, err = f.review(t.Context(), (&jobLog{}).newJob()); err != nil || r.nothing == "" {
		t.Errorf("revoked twice: %v", err)
	}
	for _, other := range []flow{newFlowRenew(flowWorld(dir, time.Now, nil), f.(*flowRevoke).id), newFlowExport(flowWorld(dir, time.Now, nil), f.(*flowRevoke).id)} {
		if _, err := other.review(t.Context(), (&jobLog{}).newJob()); err == nil || !strings.Contains(err.Error(), "is revoked") {
			t.Errorf("%s: %v", other.title(), err)
		}
	}
}

// TestFlowRenewSame: the wizard renews as the command does.
func TestFlowRenewSame(t *testing.T) {
	t.Parallel()
	plain, encrypted := inventoryPKI(t, ca.InitOptions{}), inventoryPKI(t, ca.InitOptions{NewPassphrase: withPassphrase})
	for _, c := range []struct {
		name, pki, file string
		fill            func(f *flowRenew)
		asks            int
		written         []string
	}{
		{"defaults", plain, "jane.crt", func(*flowRenew) {}, 0, []string{"jane.key", "jane.crt", "jane.conf"}},
		{"time and key", plain, "web.crt", func(f *flowRenew) { f.validity, f.keyKind = "8h", string(ca.ECDSAP384) }, 0, []string{"web.key", "web.crt"}},
		{"the same key", plain, "jane.crt", func(f *flowRenew) { f.reuseKey, f.keyKind = true, "ed25519" }, 0, []string{"jane.crt", "jane.conf"}}, // the kind is hidden then
		{"encrypted CA", encrypted, "web.crt", func(*flowRenew) {}, 1, []string{"web.key", "web.crt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := t.TempDir(), t.TempDir()
			copied(c.pki)(t, a, time.Time{})
			copied(c.pki)(t, b, time.Time{})
			now := time.Now().UTC().Truncate(time.Second)
			newFlow := func(root string) flow {
				f := newFlowRenew(flowWorld(filepath.Join(root, "pki"), func() time.Time { return now }, nil), idOf(t, filepath.Join(root, "pki", c.file)))
				c.fill(f)
				return loaded(t, f)
			}
			command := newFlow(b).command()
			args := append([]string{variablePassphrase + "=" + testPassword}, command...)
			explained := runCLI(t, b, append(slices.Clone(args), "--explain")...)
			cli := runCLI(t, b, args...)
			if cli.code != 0 || explained.code != 0 {
				t.Fatalf("%q: %s %s", command, cli.stderr, explained.stderr)
			}
			now = newestIn(t, b, now)
			f, log := newFlow(a), &jobLog{}
			recipe, err := f.explain(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			same := func(s, root string) string {
				return strings.ReplaceAll(inventoryTimes.ReplaceAllString(s, "TIME"), root, "ROOT")
			}
			if want := strings.ReplaceAll(explained.stdout, " -passin env:"+variablePassphrase, ""); same(recipe, a) != same(want, b) {
				t.Errorf("explains\n%s\nand the command\n%s", recipe, want)
			}
			before := describeTree(t, a)
			r, err := f.review(t.Context(), log.newJob())
			if err != nil {
				t.Fatal(err)
			}
			if now := describeTree(t, a); len(now) != len(before) || len(log.asked) != 0 {
				t.Errorf("the review wrote %d files, asked for %q", len(now)-len(before), log.asked)
			}
			var named []string
			for _, file := range r.writes {
				named = append(named, filepath.Base(file.path))
			}
			if !slices.Equal(named, c.written) {
				t.Errorf("says it writes %q", named)
			}
			out, err := f.run(t.Context(), log.newJob())
			if err != nil {
				t.Fatal(err)
			}
			compareWarnings(t, out.warnings, cli.warnings(), a, b)
			compareTrees(t, a, b)
			if len(log.asked) != c.asks || len(out.next) < 2 || !strings.HasPrefix(out.headline, "Renewed ") {
				t.Errorf("asked for %q, %d next, %q", log.asked, len(out.next), out.headline)
			}
		})
	}
}

// TestFlowsOfMissing: what is not there is said, with what to do.
func TestFlowsOfMissing(t *testing.T) {
	t.Parallel()
	pki := inventoryPKI(t, ca.InitOptions{})
	w := flowWorld(filepath.Join(pki, "pki"), time.Now, nil)
	id := inventoryID{serial: "0102"}
	for _, f := range []flow{newFlowRenew(w, id), newFlowRevoke(w, id), newFlowExport(w, id)} {
		_, err := f.review(t.Context(), (&jobLog{}).newJob())
		if err == nil || failure.HintOf(err) == "" || f.steps()[0].load(t.Context()) == nil {
			t.Errorf("%s: %v, hint %q", f.title(), err, failure.HintOf(err))
		}
		checkFits(t, newForm(w, f))
	}
}
