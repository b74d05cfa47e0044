package tui

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
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
