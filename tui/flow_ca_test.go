package tui

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func anHourAgo() time.Time { return time.Now().UTC().Truncate(time.Second).Add(-time.Hour) }

func makeCA(t *testing.T, at time.Time, o ca.InitOptions) {
	t.Helper()
	o.Now = at
	if _, err := ca.Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func withPassphrase(string) ([]byte, error) { return []byte(testPassword), nil }

// flowCACases are answers of all kinds.
func flowCACases() []sameCase {
	set := func(fill func(f *flowCA, root string)) func(w *world, root string) flow {
		return func(w *world, root string) flow {
			f := newFlowCA(w)
			fill(f, root)
			return f
		}
	}
	hasParent := func(o ca.InitOptions) func(t *testing.T, root string, at time.Time) {
		return func(t *testing.T, root string, at time.Time) {
			o.Dir = filepath.Join(root, "pki")
			makeCA(t, at, o)
		}
	}
	passphrase := []string{variablePassphrase + "=" + testPassword}
	return []sameCase{
		{name: "defaults", flow: set(func(*flowCA, string) {})},
		{name: "names", flow: set(func(f *flowCA, root string) {
			f.commonName, f.organizations, f.validity = "Exämple CA", []string{"Example", "Ops"}, "3650d"
			f.dir = filepath.Join(root, "other")
		})},
		{name: "keys", flow: set(func(f *flowCA, _ string) { f.keyKind, f.pathLength = string(ca.RSA2048), "0" })},
		{name: "ed25519", flow: set(func(f *flowCA, _ string) { f.keyKind, f.permitDNS = string(ca.Ed25519), []string{"example.com"} })},
		{name: "limits", flow: set(func(f *flowCA, _ string) {
			f.pathLength, f.permitDNS, f.permitIP = "007", []string{"example.com", "cluster.local"}, []string{"10.0.0.0/8", "fd00::/8"}
		})},
		{
			name: "encrypted", env: passphrase, asks: []string{`new the new key "ROOT/pki/ca.key"`},
			flow: set(func(f *flowCA, _ string) { f.encrypt, f.Environ = true, nil; f.given.Store(false) }),
		},
		{
			name: "passphrase given", env: passphrase, given: map[string]string{nameCAKey: testPassword},
			asks: []string{`new the new key "ROOT/pki/ca.key"`, `new the new key "ROOT/pki/ca.key"`}, // the engine answers
			flow: set(func(f *flowCA, _ string) { _ = f.loadGiven(context.Background()) }),
		},
		{
			name: "intermediate", prepare: hasParent(ca.InitOptions{}),
			flow: set(func(f *flowCA, _ string) { f.what = flowCAIntermediate }),
		},
		{
			name: "intermediate that ends with its root", prepare: hasParent(ca.InitOptions{Validity: "30d", PathLength: new(int(3))}),
			flow: set(func(f *flowCA, root string) {
				f.what, f.parent, f.dir, f.pathLength = flowCAIntermediate, filepath.Join(root, "pki"), filepath.Join(root, "team"), "1"
				f.commonName, f.permitDNS, f.permitIP = "Team A", []string{"a.example.com"}, []string{"10.1.0.0/16"}
			}),
		},
		{
			name: "encrypted parent", prepare: hasParent(ca.InitOptions{NewPassphrase: withPassphrase}), env: passphrase,
			asks: []string{`old key "ROOT/pki/ca.key"`, `new the new key "ROOT/pki-intermediate/ca.key"`},
			flow: set(func(f *flowCA, _ string) { f.what, f.encrypt, f.Environ = flowCAIntermediate, true, nil }),
		},
		{
			name: "import of a directory",
			prepare: func(t *testing.T, root string, at time.Time) {
				old := filepath.Join(root, "old")
				makeCA(t, at, ca.InitOptions{Dir: old})
				for _, name := range []string{"jane", "joe"} {
					if _, err := ca.Issue(t.Context(), ca.IssueOptions{Dir: old, CommonName: name, Now: at}); err != nil {
						t.Fatal(err)
					}
				}
			},
			flow: set(func(f *flowCA, root string) { f.what, f.from = flowCAImportDir, filepath.Join(root, "old") }),
		},
		{
			name:    "import where it is",
			prepare: hasParent(ca.InitOptions{}),
			flow:    set(func(f *flowCA, root string) { f.what, f.from = flowCAImportDir, filepath.Join(root, "pki") }),
		},
		{
			name: "import of two files, encrypted",
			prepare: func(t *testing.T, root string, at time.Time) {
				makeCA(t, at, ca.InitOptions{Dir: filepath.Join(root, "old"), NewPassphrase: withPassphrase})
			},
			env: passphrase, asks: []string{`old key "ROOT/old/ca.key"`, `old key "ROOT/old/ca.key"`},
			flow: set(func(f *flowCA, root string) {
				f.what, f.encrypt, f.Environ = flowCAImportFiles, true, nil
				f.cert, f.key = filepath.Join(root, "old", "ca.crt"), filepath.Join(root, "old", "ca.key")
			}),
		},
	}
}

// TestFlowCASame holds the wizard's CAs against those of init-ca.
func TestFlowCASame(t *testing.T) {
	t.Parallel()
	for _, c := range flowCACases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

// TestFlowCARefuses: a review fails as the command does, with its hint.
func TestFlowCARefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare ca.InitOptions
		fill    func(f *flowCA, root string)
	}{
		{"there is a CA", ca.InitOptions{}, func(*flowCA, string) {}},
		{"it may have none below", ca.InitOptions{PathLength: new(int)}, func(f *flowCA, _ string) { f.what = flowCAIntermediate }},
		{"no CA above", ca.InitOptions{}, func(f *flowCA, root string) { f.what, f.parent = flowCAIntermediate, filepath.Join(root, "none") }},
		{"longer than its parent", ca.InitOptions{}, func(f *flowCA, _ string) { f.what, f.validity = flowCAIntermediate, "20y" }},
		{"more names than its parent", ca.InitOptions{PermitDNS: []string{"example.com"}}, func(f *flowCA, _ string) {
			f.what, f.permitDNS = flowCAIntermediate, []string{"example.org"}
		}},
		{"nothing to import", ca.InitOptions{}, func(f *flowCA, root string) { f.what, f.from = flowCAImportDir, root+"/none" }},
		{"a name twice", ca.InitOptions{}, func(f *flowCA, root string) {
			f.dir, f.permitDNS = filepath.Join(root, "x"), []string{"example.com", "example.com"}
		}},
		{"the name of its parent", ca.InitOptions{}, func(f *flowCA, _ string) { f.what, f.commonName = flowCAIntermediate, ca.DefaultCommonName }},
		{"no key", ca.InitOptions{}, func(f *flowCA, root string) {
			f.what, f.cert, f.key, f.dir = flowCAImportFiles, filepath.Join(root, "pki/ca.crt"), filepath.Join(root, "none"), filepath.Join(root, "x")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			c.prepare.Dir = filepath.Join(root, "pki")
			makeCA(t, anHourAgo(), c.prepare)
			f := newFlowCA(flowWorld(c.prepare.Dir, time.Now, nil))
			c.fill(f, root)
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

// checkSameError compares an error with what a command has said.
func checkSameError(t *testing.T, err error, cli cliResult) {
	t.Helper()
	if err == nil {
		t.Fatalf("it is not refused, and by the command: %s", cli.stderr)
	}
	want := "error: " + err.Error() + "\nhint: " + failure.HintOf(err) + "\n"
	if cli.code != int(failure.KindOf(err)) || cli.stderr != want {
		t.Errorf("%q, and the command with %d %q", want, cli.code, cli.stderr)
	}
}

// TestFlowCAFields: what is wrong is said while it is typed.
func TestFlowCAFields(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "pki")
	f := newFlowCA(flowWorld(dir, time.Now, nil))
	if err := f.checkDir(); err != nil {
		t.Error(err)
	}
	makeCA(t, anHourAgo(), ca.InitOptions{Dir: dir})
	if err := f.checkDir(); err == nil || !strings.Contains(err.Error(), "there is a CA in") {
		t.Errorf("a CA is not seen: %v", err)
	}
	for key, values := range map[string][2]string{ // good and bad
		"cn": {"Example", "a\x1b"}, "org": {"Ops", strings.Repeat("x", 65)}, "validity": {"10y", "10"}, "path-length": {"0", "-1"},
		"permit-dns": {"example.com", "*.example.com"}, "permit-ip": {"10.0.0.0/8", "10.0.0.1"}, "dir": {filepath.Join(root, "x"), dir},
		"parent": {dir, filepath.Join(root, "x")}, "import": {root, filepath.Join(root, "x")}, "cert": {"ca.crt", "--x"},
	} {
		check := fieldOf(t, f, key).check
		if err := check(values[0]); err != nil {
			t.Errorf("--%s %q: %v", key, values[0], err)
		}
		if err := check(values[1]); err == nil || failure.HintOf(err) == "" {
			t.Errorf("--%s %q: %v, with hint %q", key, values[1], err, failure.HintOf(err))
		}
	}
	for _, each := range []struct{ parent, want string }{{"", dir + "-intermediate"}, {".", "intermediate"}, {"/", "intermediate"}, {"../", "intermediate"}, {"a/b/", "a/b-intermediate"}} {
		f.what, f.parent = flowCAIntermediate, each.parent
		if got := f.pkiDir(); got != each.want {
			t.Errorf("below %q: %q, and not %q", each.parent, got, each.want)
		}
	}
}

// fieldOf returns the first field of a flow with that key.
func fieldOf(t *testing.T, f flow, key string) *field {
	t.Helper()
	for _, s := range f.steps() {
		for i := range s.fields {
			if s.fields[i].key == key {
				return &s.fields[i]
			}
		}
	}
	t.Fatalf("there is no field %q", key)
	return nil
}
