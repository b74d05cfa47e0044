package lab_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pkictl/pkictl/lab"
)

// keysLab is a lab that holds all that labs promise; a test changes a part of it.
func keysLab() fstest.MapFS {
	files := map[string]string{
		"lab.yaml": `apiVersion: pkictl.dev/v1
kind: Lab
title: Two keys
domain: cluster-setup
minutes: 4
scenario: Two keys are missing.
tasks: [Make an Ed25519 key in a.key., Make another in b.key.]
hints: [With openssl., With openssl genpkey., openssl genpkey -algorithm ed25519]
checks:
- {id: a, name: a.key is a key, kind: key, points: 2, task: 1, with: {file: a.key, algorithm: ed25519}}
- {id: b, name: b.key is a key, kind: key, points: 3, task: 2, with: {file: b.key, algorithm: ed25519}}
mutants:
- {id: no-a, mistake: a.key is not there, loses: [a]}
- {id: no-b, mistake: b.key is not there, loses: [b]}
- {id: other-name, mistake: the name is another, loses: [b]}
`,
		"solution/tools.sh":     "#!/bin/sh -eu\nopenssl genpkey -algorithm ed25519 -out a.key\nopenssl genpkey -algorithm ed25519 -out b.key\n",
		"solution/second.sh":    "for name in a b; do openssl genpkey -algorithm ed25519 > $name.key; done\n",
		"mutants/no-a.sh":       "rm a.key\n",
		"mutants/no-b.sh":       "rm b.key\n",
		"mutants/other-name.sh": "mv b.key b.pem\n",
		"README.md":             "What it is about.\n",
	}
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// replaced replaces what must be in the lab.yaml.
func replaced(t *testing.T, files fstest.MapFS, old, with string) {
	t.Helper()
	text := string(files["lab.yaml"].Data)
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %q", old)
	}
	files["lab.yaml"].Data = []byte(strings.Replace(text, old, with, 1))
}

func TestLint(t *testing.T) {
	t.Parallel()
	if l, findings := lab.Lint(keysLab(), "two-keys", "two-keys"); l == nil || len(findings) > 0 {
		t.Fatalf("%+v", findings)
	}
	yaml := func(old, with string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, f fstest.MapFS) { t.Helper(); replaced(t, f, old, with) }
	}
	file := func(name, text string) func(*testing.T, fstest.MapFS) {
		return func(_ *testing.T, f fstest.MapFS) { f[name] = &fstest.MapFile{Data: []byte(text)} }
	}
	remove := func(name string) func(*testing.T, fstest.MapFS) {
		return func(_ *testing.T, f fstest.MapFS) { delete(f, name) }
	}
	for _, test := range []struct {
		name        string
		change      func(*testing.T, fstest.MapFS)
		level       lab.LintLevel
		where, want string
	}{
		{"unreadable", yaml("minutes: 4", "minutes: four"), lab.LintError, "lab.yaml", "line 5"},
		{"two hints", yaml("With openssl., ", ""), lab.LintError, "lab.yaml", "2 hints"},
		{"few mutants", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replaced(t, f, "- {id: other-name, mistake: the name is another, loses: [b]}\n", "")
			delete(f, "mutants/other-name.sh")
		}, lab.LintError, "lab.yaml", "2 mutants"},
		{"task without a check", yaml("task: 2", "task: 1"), lab.LintError, "lab.yaml", "task 2 has no check"},
		{"check without a mutant", yaml("not there, loses: [a]", "not there, loses: [b]"), lab.LintWarning, "lab.yaml", "no mutant loses check a"},
		{"no solution", remove("solution/tools.sh"), lab.LintError, "solution/tools.sh", "no solution"},
		{"no second solution", remove("solution/second.sh"), lab.LintError, "solution/second.sh", "no second solution"},
		{"long exam", yaml("minutes: 4", "minutes: 90"), lab.LintWarning, "lab.yaml", "90 minutes"},
		{"many points", yaml("points: 2", "points: 20"), lab.LintWarning, "lab.yaml", "20 points"},
		{"long title", yaml("Two keys", strings.Repeat("key ", 20)), lab.LintWarning, "lab.yaml", "the title has 79"},
		{"long scenario", yaml("Two keys are", strings.Repeat("key ", 400)), lab.LintWarning, "lab.yaml", "the scenario"},
		{"long word", yaml("Two keys are", strings.Repeat("k", 80)), lab.LintWarning, "lab.yaml", "a word of more than 76"},
		{"escape in a task", yaml("Make an Ed25519 key in a.key.", `"\e[2J"`), lab.LintError, "lab.yaml", `'\x1b'`},
		{"override in a hint", yaml("With openssl genpkey.", `"\u202egenpkey"`), lab.LintError, "lab.yaml", `'\u202e'`},
		{"escape in a solution", file("solution/tools.sh", "echo \x1b[2J\n"), lab.LintError, "solution/tools.sh", "terminal"},
		{"long line of a solution", file("solution/pkictl.sh", "true "+strings.Repeat("x", 130)+"\n"), lab.LintWarning, "solution/pkictl.sh", "120"},
		{"unused table", file("hidden/requests.json", "[]"), lab.LintError, "hidden/requests.json", "nothing reads"},
		{"script of no mutant", file("mutants/no-c.sh", "true"), lab.LintError, "mutants/no-c.sh", "nothing reads"},
		{"solution of another name", file("solution/third.sh", "true"), lab.LintError, "solution/third.sh", "nothing reads"},
		{"pipe", func(_ *testing.T, f fstest.MapFS) { f["lab.yaml"].Mode = fs.ModeNamedPipe }, lab.LintError, "lab.yaml", "no plain file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := keysLab()
			test.change(t, files)
			_, findings := lab.Lint(files, "two-keys", "two-keys")
			if len(findings) != 1 {
				t.Fatalf("%+v", findings)
			}
			if f := findings[0]; f.Level != test.level || f.Where != test.where || !strings.Contains(f.Text, test.want) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestLintTogether(t *testing.T) {
	t.Parallel()
	numbered := func(id, number string) *lab.Lab {
		files := keysLab()
		replaced(t, files, "title:", number+"title:")
		l, findings := lab.Lint(files, id, id)
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		return l
	}
	one, two, none := numbered("one", "number: 7\n"), numbered("two", "number: 7\n"), numbered("none", "")
	if findings := lab.LintTogether([]*lab.Lab{one, none, none}); len(findings) > 0 {
		t.Error(findings)
	}
	findings := lab.LintTogether([]*lab.Lab{one, two})
	if len(findings) != 1 || findings[0].Lab != "two" || !strings.Contains(findings[0].Text, "that of lab one") {
		t.Error(findings)
	}
}
