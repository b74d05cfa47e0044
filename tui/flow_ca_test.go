package tui

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// sameCase is a set of answers that the wizard and the command line are given.
type sameCase struct {
	name string
	// prepare fills the directory that both begin with, an hour before.
	prepare func(t *testing.T, root string, at time.Time)
	// flow returns the flow with its answers; paths begin with root.
	flow func(w *world, root string) flow
	// env is the environment of the command, in which ROOT is its directory, and
	// given what the wizard gets of it.
	env   []string
	given map[string]string
	// asks is what is asked for, in this order, before the review and after.
	asks []string
}

// check runs the flow in one directory and its command in another, by the same
// clock, and compares all that comes out.
func (c sameCase) check(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	if c.prepare != nil {
		at := anHourAgo()
		c.prepare(t, a, at)
		c.prepare(t, b, at)
	}
	now := time.Now().UTC().Truncate(time.Second)
	clock := func() time.Time { return now }
	newFlow := func(root string) flow {
		given := map[string]string{}
		for name, value := range c.given {
			given[strings.ReplaceAll(name, "ROOT", root)] = value
		}
		w := flowWorld(filepath.Join(root, "pki"), clock, given)
		w.Environ = asRoot(c.env, root)
		return c.flow(w, root)
	}
	command := newFlow(b).command()
	args := append(asRoot(c.env, b), command...)
	explained := runCLI(t, b, append(args, "--explain")...)
	dry := runCLI(t, b, append(args, "--dry-run")...)
	before := describeTree(t, a)
	cli := runCLI(t, b, args...)
	if cli.code != 0 || dry.code != 0 || explained.code != 0 {
		t.Fatalf("%q fails: %d %s; %d %s; %d %s", command, cli.code, cli.stderr, dry.code, dry.stderr, explained.code, explained.stderr)
	}
	now = newestIn(t, b, now)

	f, log := newFlow(a), &jobLog{}
	j := log.newJob()
	recipe, err := f.explain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	times := regexp.MustCompile(`\d{14}Z|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	passphrases := regexp.MustCompile(` -pass(in|out) env:\w+`) // where the wizard is not told, openssl asks
	plain := func(s, root string) string {
		return times.ReplaceAllString(strings.ReplaceAll(s, root, "ROOT"), "TIME")
	}
	if got, want := passphrases.ReplaceAllString(plain(recipe, a), ""), passphrases.ReplaceAllString(plain(explained.stdout, b), ""); got != want {
		t.Errorf("explains\n%s\nand the command\n%s", got, want)
	}
	r, err := f.review(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	compareRows(t, "review", r.rows, dry.rows(), func(s string) string { return plain(plain(s, a), b) })
	compareWarnings(t, r.warnings, dry.warnings(), a, b)
	if now := describeTree(t, a); len(now) != len(before) {
		t.Errorf("the review wrote files: %d, were %d", len(now), len(before))
	}
	out, err := f.run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	compareRows(t, "result", out.rows, cli.rows(), func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, a, "ROOT"), b, "ROOT") })
	compareWarnings(t, out.warnings, cli.warnings(), a, b)
	if first, _, _ := strings.Cut(cli.stdout, "\n"); first != out.headline {
		t.Errorf("says %q, and the command %q", out.headline, first)
	}
	compareTrees(t, a, b)
	checkWrites(t, r, before, a)
	if !slices.Equal(log.asked, asRoot(c.asks, a)) {
		t.Errorf("asked for %q, and not %q", log.asked, c.asks)
	}
	if len(out.next) == 0 || len(log.begun) < 2 {
		t.Errorf("%d next steps, %d steps told", len(out.next), len(log.begun))
	}
	for _, next := range out.next {
		if len(next.args) > 0 && slices.Contains([]string{"verify", "list", "inspect"}, next.args[1]) {
			if did := runCLI(t, a, append(asRoot(c.env, a), next.args[1:]...)...); did.code != 0 {
				t.Errorf("%q fails: %s", next.args, did.stderr)
			}
		}
	}
}

func asRoot(list []string, root string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.ReplaceAll(s, "ROOT", root))
	}
	return out
}

// newestIn returns when the last certificate below a directory was issued, which
// is the command's time.
func newestIn(t *testing.T, root string, begun time.Time) time.Time {
	t.Helper()
	newest := begun
	dirs, err := filepath.Glob(filepath.Join(root, "*", "inventory.db"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("there is no inventory: %v", err)
	}
	for _, path := range dirs {
		entries, err := ca.List(t.Context(), ca.ListOptions{Dir: filepath.Dir(path), Now: begun})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IssuedAt.After(newest) {
				newest = e.IssuedAt
			}
			if e.RevokedAt != nil && e.RevokedAt.After(newest) {
				newest = *e.RevokedAt
			}
		}
	}
	return newest
}

// compareRows compares rows, but for what differs with every certificate; the
// wizard may have more, of which the command says nothing.
func compareRows(t *testing.T, what string, got, want []row, plain func(string) string) {
	t.Helper()
	say := func(r row) string {
		if r.label == "serial" || r.label == "SHA-256" {
			r.value = "differs"
		}
		return r.label + ": " + plain(r.value)
	}
	var lines, wanted []string
	for _, r := range got {
		if !strings.HasPrefix(r.label, "this ") && r.label != "passphrase" && r.label != "recorded in" {
			lines = append(lines, say(r))
		}
	}
	for _, r := range want {
		wanted = append(wanted, say(r))
	}
	if !slices.Equal(lines, wanted) {
		t.Errorf("%s:\n%s\nand the command says\n%s", what, strings.Join(lines, "\n"), strings.Join(wanted, "\n"))
	}
}

func compareWarnings(t *testing.T, got, want []string, a, b string) {
	t.Helper()
	if strings.ReplaceAll(strings.Join(got, "\n"), a, "") != strings.ReplaceAll(strings.Join(want, "\n"), b, "") {
		t.Errorf("warns of %q, and the command of %q", got, want)
	}
}

// checkWrites checks that the files that a review has named are those that
// were written, with their modes.
func checkWrites(t *testing.T, r *review, before map[string]string, root string) {
	t.Helper()
	named := map[string]bool{}
	for _, file := range r.writes {
		name, _ := filepath.Rel(root, file.path)
		named[name] = true
		info, err := os.Stat(file.path)
		if err != nil || uint32(info.Mode().Perm()) != file.mode {
			t.Errorf("%s of mode %o was announced: %v", file.path, file.mode, err)
		}
		if _, was := before[name]; was != file.replaces {
			t.Errorf("%s: replaces is %v", file.path, file.replaces)
		}
	}
	for name, is := range describeTree(t, root) {
		hidden := strings.Contains("/"+name, "/.") || strings.HasPrefix(filepath.Base(name), "inventory.db-") || filepath.Base(name) == "inventory.db" && before[name] != ""
		if before[name] != is && !named[name] && !strings.HasPrefix(is, "d") && !hidden {
			t.Errorf("%s was written, and not announced", name)
		}
	}
}

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
