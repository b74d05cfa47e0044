package tui

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// hostileTexts are what fields have to bear.
func hostileTexts() []string {
	return []string{
		"\x1b[2J\x1b]52;c;YQ==\a", "a\nb", "\u202egnp.exe", "\u200b\u200b", strings.Repeat("x", 10_000), strings.Repeat("漢", 3000), "\xff\xfe",
		"'; rm -rf / #", "$(id)", "-rf", "--force", "a,b", `"`, `"a"`, "=", "a=b=c", "..", "/", "//", "/a/../b", "{}", "- level: None", "*", "%s%n", "a b", "at None",
	}
}

// apiTree describes all below a directory: modes and contents, without times of
// backups and keys, which differ from run to run.
func apiTree(t *testing.T, root string) map[string]string {
	t.Helper()
	times, keys := regexp.MustCompile(`\d{8}T\d{6}Z(\.\d{4})?`), regexp.MustCompile(`secret: [A-Za-z0-9+/=]{44}`)
	texts := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += "\n" + keys.ReplaceAllString(strings.ReplaceAll(string(data), root, "ROOT"), "secret: KEY")
		}
		name := times.ReplaceAllString(strings.TrimPrefix(path, root), "TIME")
		texts[name] = append(texts[name], text) // of backups there may be several
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]string{}
	for name, list := range texts {
		slices.Sort(list)
		tree[name] = strings.Join(list, "\n---\n")
	}
	return tree
}

func compareAPITrees(t *testing.T, a, b string) {
	t.Helper()
	inA, inB := apiTree(t, a), apiTree(t, b)
	for path, text := range inA {
		if other, there := inB[path]; !there || text != other {
			t.Errorf("%s is\n%s\nand\n%s", path, text, other)
		}
	}
	for path := range inB {
		if _, there := inA[path]; !there {
			t.Errorf("%s is there once only", path)
		}
	}
}

func apiTestWorld() *world {
	return flowWorld(".", func() time.Time { return time.Now().Truncate(time.Second) }, nil)
}

// doFlow reviews and runs a flow, as the engine does.
func doFlow(t *testing.T, f flow) (*review, *outcome, error) {
	t.Helper()
	var log jobLog
	r, err := f.review(context.Background(), log.newJob())
	if err != nil || r.nothing != "" {
		return r, nil, err
	}
	o, err := f.run(context.Background(), log.newJob())
	return r, o, err
}

// checkSteps asks each step and field of a flow for all that the engine asks for.
func checkSteps(t *testing.T, f flow) {
	t.Helper()
	if f.title() == "" {
		t.Error("no title")
	}
	for _, s := range f.steps() {
		if s.hidden != nil && s.hidden() {
			continue
		}
		if s.title == "" || s.intro == "" || len(s.fields) == 0 {
			t.Errorf("%s: %+v", f.title(), s)
		}
		for _, field := range s.fields {
			if field.hidden != nil && field.hidden() {
				continue
			}
			if field.choice != nil && !slices.ContainsFunc(field.options(), func(o option) bool { return o.value == *field.choice }) {
				t.Errorf("%s: %q is none of the options", field.title, *field.choice)
			}
			if field.fallback != nil && field.check != nil {
				if err := field.check(field.fallback()); err != nil {
					t.Errorf("%s: its default: %v", field.title, err)
				}
			}
			if field.suggestions != nil && len(field.suggestions()) == 0 {
				t.Errorf("%s suggests nothing", field.title)
			}
		}
	}
}

// fillHostile puts a text into each line and list of a flow in turn, and hands it
// on as it is then. What was there comes back.
func fillHostile(f flow, text string, visit func(title string)) {
	for _, s := range f.steps() {
		if s.hidden != nil && s.hidden() {
			continue
		}
		for _, field := range s.fields {
			switch {
			case field.text != nil:
				old := *field.text
				*field.text = strings.TrimSpace(text)
				visit(field.title)
				*field.text = old
			case field.list != nil:
				old := *field.list
				*field.list = splitList(text)
				visit(field.title)
				*field.list = old
			}
		}
	}
}

// checkHostile has every field look at a text, as while it is typed.
func checkHostile(f flow, text string) {
	for _, s := range f.steps() {
		for _, field := range s.fields {
			if field.check != nil {
				_ = field.check(text)
			}
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, failure.HintOf(err))
	}
}
