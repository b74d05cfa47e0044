package lab

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// goodLab is a lab.yaml; a line of it may be replaced.
const goodLab = `apiVersion: pkictl.dev/v1
kind: Lab
number: 7
title: A test
domain: cluster-setup
minutes: 5
needs: [cluster]
scenario: Something is to be done.
tasks: [Do it., And that.]
hints: [First., Second., Third.]
checks:
- {id: one, name: a.crt is right, kind: certificate, points: 2, task: 1, with: {file: a.crt, ca: true}}
- {id: two, name: a.key is there, kind: key, points: 3, task: 2, with: {file: a.key}}
mutants:
- {id: bad, mistake: it is wrong, loses: [two]}
`

func TestParse(t *testing.T) {
	t.Parallel()
	l, err := parse([]byte(goodLab), fstest.MapFS{}, "test", "lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if l.ID != "test" || l.Number != 7 || l.Points() != 5 || len(l.graders) != 2 || l.Checks[1].Task != 2 || l.Mutants[0].Loses[0] != "two" {
		t.Errorf("%+v", l)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	// A lab with another line in place of the one that begins so.
	with := func(begin, line string) string {
		lines := strings.Split(goodLab, "\n")
		for i := range lines {
			if strings.HasPrefix(lines[i], begin) {
				lines[i] = line
				return strings.Join(lines, "\n")
			}
		}
		t.Fatalf("no line begins with %q", begin)
		return ""
	}
	check := func(with string) string {
		return strings.Replace(goodLab, "with: {file: a.crt, ca: true}", "with: "+with, 1)
	}
	for _, test := range []struct{ name, yaml, want, hint string }{
		{"empty", "", "is empty", ""},
		{"not YAML", "a: b: c", "not valid YAML", ""},
		{"list", "[a]", "not a mapping", ""},
		{"two documents", goodLab + "---\n", "a second document", "one document"},
		{"alias", with("hints:", "hints: [&a x, *a]"), "alias", ""},
		{"other version", with("apiVersion:", "apiVersion: pkictl.dev/v2"), `line 1, column 13: "pkictl.dev/v2" is not`, "pkictl.dev/v1"},
		{"other kind", with("kind:", "kind: Exam"), "line 2", "write Lab"},
		{"unknown field", with("title:", "tittle: A test"), `no field "title"`, "title"},
		{"unknown and known", with("needs:", "need: [cluster]"), `line 7, column 1: unknown field "need"`, "did you mean needs?"},
		{"twice", with("needs:", "title: B"), `line 7, column 1: field "title" of the lab is given twice`, "line 4"},
		{"no value", with("needs:", "needs:"), "line 7", ""},
		{"title of two lines", with("title:", `title: "a\nb"`), "line 4", "one line"},
		{"blank scenario", with("scenario:", `scenario: " "`), "line 8", ""},
		{"unknown domain", with("domain:", "domain: cluster-setups"), "line 5", "did you mean cluster-setup?"},
		{"no minutes", with("minutes:", "minutes: 0"), "line 6", "from 1 to 120"},
		{"minutes as text", with("minutes:", "minutes: '5'"), "line 6", ""},
		{"unknown need", with("needs:", "needs: [clusters]"), "line 7", "did you mean cluster?"},
		{"tasks as text", with("tasks:", "tasks: Do it."), "line 9", "list"},
		{"no checks", with("checks:", "checks: []\nx:"), `"x"`, ""},
		{"empty checks", goodLab[:strings.Index(goodLab, "checks:")] + "checks: []\n", "at least one", ""},
		{"too many checks", goodLab[:strings.Index(goodLab, "checks:")] + "checks: [" + strings.Repeat("{},", 101) + "]", "more than 100", ""},
		{"task that there is not", strings.Replace(goodLab, "task: 2", "task: 3", 1), "line 13", "from 0 to 2"},
		{"no points", strings.Replace(goodLab, "points: 3", "points: 0", 1), "line 13", "from 1"},
		{"kind that there is not", strings.Replace(goodLab, "kind: key", "kind: keys", 1), `line 13`, "did you mean key?"},
		{"no with", strings.Replace(goodLab, ", with: {file: a.key}", "", 1), "line 13", "with"},
		{"same id", strings.Replace(goodLab, "id: two", "id: one", 1), `line 13`, ""},
		{"id with a slash", strings.Replace(goodLab, "id: two", "id: ../two", 1), "line 13", "small letters"},
		{"mutant of no check", with("- {id: bad", "- {id: bad, mistake: it is wrong, loses: [tow]}"), "line 15", "known: one, two"},
		{"mutant outside", with("- {id: bad", "- {id: ../bad, mistake: it is wrong, loses: [two]}"), "line 15", ""},

		{"asks for nothing", check("{file: a.crt}"), "line 12", "ask for something"},
		{"an e-mail as alternative name", check(`{file: a.crt, sans: ["email:jane@example.com"]}`), "line 12", "DNS:"},
		{"no address", check(`{file: a.crt, sans: ["IP:app"]}`), "line 12", "IP:10.0.0.1"},
		{"no alternative names", check(`{file: a.crt, sans: []}`), "line 12", "at least one"},
		{"no file", check("{ca: true}"), `no field "file"`, ""},
		{"file outside", check("{file: ../a.crt, ca: true}"), "line 12", "below the workspace"},
		{"absolute file", check("{file: /etc/passwd, ca: true}"), "line 12", "below the workspace"},
		{"pkictl's own file", check("{file: .pkictl-lab.json, ca: true}"), "line 12", "below the workspace"},
		{"unknown parameter", check("{file: a.crt, CA: true}"), "line 12", "did you mean ca?"},
		{"unknown usage", check("{file: a.crt, keyUsage: [certsign]}"), "line 12", "did you mean cert sign?"},
		{"no usage", check("{file: a.crt, keyUsage: []}"), "line 12", "at least one"},
		{"unknown attribute", check("{file: a.crt, subject: {OO: a}}"), "line 12", "known: C, ST"},
		{"no attribute", check("{file: a.crt, subject: {}}"), "line 12", ""},
		{"subject as text", check("{file: a.crt, subject: CN=a}"), "line 12", ""},
		{"attribute without values", check("{file: a.crt, subject: {O: []}}"), "line 12", ""},
		{"lifetime without end", check("{file: a.crt, lifetime: {min: 1d}}"), "line 12", "min: 3650d"},
		{"lifetime of no unit", check("{file: a.crt, lifetime: {min: 1, max: 2d}}"), "line 12", ""},
		{"usable by nobody", check("{file: a.crt, usable: peer}"), "line 12", "client or server"},
		{"valid: false", check("{file: a.crt, valid: false}"), "line 12", ""},
		{"not self-signed", check("{file: a.crt, selfSigned: false}"), "line 12", ""},
		{"unknown algorithm", strings.Replace(goodLab, "{file: a.key}", "{file: a.key, algorithm: dsa}", 1), "line 13", "known: rsa"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse([]byte(test.yaml), fstest.MapFS{}, "test", "lab.yaml")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(failure.HintOf(err), test.hint) {
				t.Fatalf("%v\nhint: %s\nwant %q and %q", err, failure.HintOf(err), test.want, test.hint)
			}
			if failure.KindOf(err) != failure.Usage {
				t.Errorf("of kind %d", failure.KindOf(err))
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	files := func(change func(fstest.MapFS)) fstest.MapFS {
		f := fstest.MapFS{
			"lab.yaml":            {Data: []byte(goodLab)},
			"solution/tools.sh":   {Data: []byte("#!/bin/sh -eu\ntrue\n\n")},
			"mutants/bad.sh":      {Data: []byte("false\n")},
			"start/pki/ca.key":    {Data: []byte("-----BEGIN PRIVATE KEY-----\n")},
			"start/pki/notes.txt": {Data: []byte("notes")},
		}
		change(f)
		return f
	}
	l, err := Read(files(func(fstest.MapFS) {}), "test", "labs/test")
	if err != nil {
		t.Fatal(err)
	}
	if l.Solution.Tools != "true\n" || l.Mutants[0].Script != "false\n" || l.Solution.Pkictl != "" {
		t.Errorf("%+v", l)
	}
	given, err := l.givenFiles()
	if err != nil || len(given) != 2 || given[0].name != "pki/ca.key" || given[0].mode() != 0o600 || given[1].mode() != 0o644 {
		t.Errorf("%v %v", given, err)
	}
	for _, test := range []struct {
		name, id, want string
		change         func(fstest.MapFS)
	}{
		{"no lab.yaml", "test", `"labs/test/lab.yaml"`, func(f fstest.MapFS) { delete(f, "lab.yaml") }},
		{"huge", "test", "larger than 4 MiB", func(f fstest.MapFS) { f["lab.yaml"].Data = make([]byte, 5<<20) }},
		{"a name to escape by", "../test", "no name for a lab", func(fstest.MapFS) {}},
		{"no script of a mutant", "test", `"labs/test/mutants/bad.sh"`, func(f fstest.MapFS) { delete(f, "mutants/bad.sh") }},
		{"a pipe", "test", "is no plain file", func(f fstest.MapFS) { f["lab.yaml"].Mode = fs.ModeNamedPipe }},
		{"a device to start with", "test", "cannot begin with", func(f fstest.MapFS) { f["start/zero"] = &fstest.MapFile{Mode: fs.ModeDevice} }},
		{"pkictl's own file", "test", "cannot begin with", func(f fstest.MapFS) { f["start/"+markFile] = &fstest.MapFile{} }},
		{"too much", "test", "too large together", func(f fstest.MapFS) {
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				f["start/"+name] = &fstest.MapFile{Data: make([]byte, 4<<20)}
			}
		}},
		{"a CA that the lab does not give", "test", "start/pki/ca.crt", func(f fstest.MapFS) {
			f["lab.yaml"].Data = []byte(strings.Replace(goodLab, "ca: true", "issuer: pki/ca.crt", 1))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(files(test.change), test.id, "labs/test")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	_, err := Named("cluster-cs")
	if err == nil || !strings.Contains(failure.HintOf(err), "did you mean cluster-ca?") {
		t.Errorf("%v", err)
	}
	labs, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range labs {
		if l.Number != i+1 {
			t.Errorf("%s is number %d, and comes %d.", l.ID, l.Number, i+1)
		}
		if _, ok := DomainNamed(l.Domain); !ok {
			t.Errorf("%s is of no domain", l.ID)
		}
	}
	sum := map[string]int{}
	for _, d := range Domains() {
		sum[d.Exam] += d.Weight
	}
	if sum[ExamCKS] != 100 || sum[ExamCKA] != 100 {
		t.Errorf("weights %v", sum)
	}
}

// FuzzLab: whatever a lab.yaml says, it is an error or a lab that can be graded, and
// nobody gets points for nothing.
func FuzzLab(f *testing.F) {
	f.Add([]byte(goodLab))
	labs, err := Catalogue()
	if err != nil {
		f.Fatal(err)
	}
	for _, l := range labs {
		data, err := fs.ReadFile(l.given, labFile)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	root, err := os.OpenRoot(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { root.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parse(data, fstest.MapFS{}, "test", "lab.yaml")
		if err != nil {
			var known *failure.Error
			if !errors.As(err, &known) {
				t.Errorf("%T %v", err, err)
			}
			return
		}
		l.given = fstest.MapFS{}
		result, err := l.grade(t.Context(), &work{learner: newLearner(root), lab: l, now: time.Now()})
		if err != nil || result.Points != 0 || result.Total != l.Points() || result.Total == 0 {
			t.Errorf("%+v %v", result, err)
		}
	})
}
