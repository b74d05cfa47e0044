package lab_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pkictl/pkictl/lab"
)

const readme = "../examples/labs/README.md"

var update = flag.Bool("update", false, "write the table of the kinds of checks into "+readme)

// TestLabsREADME: the lab that it shows is one, and its table has all kinds of checks
// with all their parameters.
func TestLabsREADME(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	const begin, end = "-update -->\n", "<!-- /kinds -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("it has no place for the kinds")
	}
	want := before + begin + kindsTable(t) + end + after
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if text != want {
		t.Error("its table of kinds is not that of the sources; run go test ./lab -run TestLabsREADME -update")
	}
	checkShownLab(t, text)
}

// checkShownLab has the lab that is shown linted, and its trials run.
func checkShownLab(t *testing.T, text string) {
	t.Helper()
	files := fstest.MapFS{}
	for _, block := range regexp.MustCompile("(?ms)^```[a-z]+ service-key/(\\S+)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		files[block[1]] = &fstest.MapFile{Data: []byte(block[2])}
	}
	l, findings := lab.Lint(files, "service-key", "service-key")
	if l == nil || len(findings) > 0 {
		t.Fatalf("%d files: %+v", len(files), findings)
	}
	findings, err := l.SelfTest(t.Context(), lab.TrialOptions{Path: scriptPath(t), Now: time.Now})
	if err != nil || len(findings) > 0 {
		t.Errorf("%+v %v", findings, err)
	}
	for _, verb := range []string{"lint service-key", "start service-key --from .", "check"} {
		if !strings.Contains(text, "pkictl lab "+verb) {
			t.Errorf("it does not say pkictl lab %s", verb)
		}
	}
}

// kindsTable has a row for each kind: what it looks at, and the names of its
// parameters, as the comment of its reader has them.
func kindsTable(t *testing.T) string {
	t.Helper()
	comments, readers := readersOfKinds(t)
	var b strings.Builder
	b.WriteString("| kind | looks at | parameters |\n|---|---|---|\n")
	kinds := lab.CheckKinds()
	if !slices.Equal(kinds, slices.Compact(slices.Sorted(slices.Values(kinds)))) {
		t.Errorf("kinds are not by name, each once: %q", kinds)
	}
	for _, kind := range kinds {
		comment := comments[readers[kind]]
		what, names := parametersOf(comment)
		if what == "" || len(names) == 0 {
			t.Errorf("the comment of %s, which reads kind %s, says %q and has the parameters %v", readers[kind], kind, what, names)
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", kind, what, strings.Join(names, "` `"))
	}
	return b.String()
}

// readersOfKinds returns the comments of all functions of the package, and the name
// of that which reads each kind.
func readersOfKinds(t *testing.T) (comments, readers map[string]string) {
	t.Helper()
	comments, readers = map[string]string{}, map[string]string{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				comments[f.Name.Name] = f.Doc.Text()
			}
		}
	}
	data, err := os.ReadFile("kinds.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`\{"(\w+)", (\w+)\}`).FindAllStringSubmatch(string(data), -1) {
		readers[line[1]] = line[2]
	}
	return comments, readers
}

// parametersOf reads from a comment what the check is of, and the first list of
// parameters: lines that begin with a tab, those of its tables further in.
func parametersOf(comment string) (what string, names []string) {
	head, rest, _ := strings.Cut(comment, "\n\n")
	head = strings.Join(strings.Fields(head), " ")
	if _, of, ok := strings.Cut(head, "the parameters of a check "); ok {
		what = strings.TrimPrefix(of, "of ")
	}
	what, _, _ = strings.Cut(strings.TrimSuffix(strings.TrimSuffix(what, "."), ":"), ". ")
	what, _, _ = strings.Cut(what, ": ")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "\t") {
			break
		}
		line = line[1:]
		if line == "" || line[0] == ' ' || line[0] == '\t' || line[0] == '\n' {
			continue // it goes on, or is of a table
		}
		words, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		for name := range strings.SplitSeq(words, ", ") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return what, names
}
