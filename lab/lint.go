package lab

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/pkictl/pkictl/internal/failure"
)

// LintLevel says how bad a finding is.
type LintLevel string

// The levels of findings.
const (
	// LintError is for a lab that does not hold what labs promise.
	LintError LintLevel = "error"
	// LintWarning is for what learners would stumble over.
	LintWarning LintLevel = "warning"
)

// LintFinding is something that is wrong with a lab.
type LintFinding struct {
	Lab   string    `json:"lab"`
	Level LintLevel `json:"level"`
	Where string    `json:"where"` // a file in the lab's directory, or a trial
	// Text is of one line. It may come from a lab's or a learner's files.
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// LintFails says whether there is more than warnings.
func LintFails(findings []LintFinding) bool {
	return slices.ContainsFunc(findings, func(f LintFinding) bool { return f.Level == LintError })
}

// What a lab has at least, and at most; an exam's tasks are as long.
const (
	wantHints     = 3
	leastMutants  = 3
	leastMinutes  = 2
	mostMinutes   = 30
	mostPoints    = 10 // of one check
	longestTitle  = 60
	longestName   = 100 // of a check, and a mutant's mistake
	longestText   = 1200
	longestWord   = 76 // it fits no terminal that is narrower
	longestScript = 120
)

// Lint looks for what is wrong with a lab without running any of it. Files are those
// of its directory, which errors call dir. A lab that cannot be read is a finding, and
// then there is no lab.
func Lint(files fs.FS, id, dir string) (*Lab, []LintFinding) {
	seen := &openedFS{FS: files, opened: map[string]bool{}}
	l, err := Read(seen, id, dir)
	if err != nil {
		return nil, []LintFinding{{Lab: id, Level: LintError, Where: labFile, Text: oneLine(err.Error()), Hint: failure.HintOf(err)}}
	}
	l.given = files
	lint := &linter{lab: l}
	lint.parts()
	lint.checks()
	lint.texts()
	lint.scripts()
	lint.unused(files, seen)
	return l, lint.findings
}

// Lint is Lint for a lab that was read.
func (l *Lab) Lint() []LintFinding {
	_, findings := Lint(l.given, l.ID, l.ID)
	return findings
}

// linter collects what is wrong with a lab.
type linter struct {
	lab      *Lab
	findings []LintFinding
}

func (t *linter) add(level LintLevel, where, hint, format string, args ...any) {
	t.findings = append(t.findings, LintFinding{t.lab.ID, level, where, oneLine(fmt.Sprintf(format, args...)), hint})
}

// parts looks for those that a lab may be read without.
func (t *linter) parts() {
	l := t.lab
	if len(l.Hints) != wantHints {
		t.add(LintError, labFile, "each says more than the one before, and the last nearly all", "there are %d hints, not %d", len(l.Hints), wantHints)
	}
	if len(l.Mutants) < leastMutants {
		t.add(LintError, labFile, "name typical mistakes, each with a script below mutants and the checks that it loses",
			"there are %d mutants, not at least %d", len(l.Mutants), leastMutants)
	}
	if l.Solution.Tools == "" {
		t.add(LintError, "solution/tools.sh", "write the commands that do it without pkictl", "there is no solution")
	}
	if l.Solution.Second == "" {
		t.add(LintError, "solution/second.sh", "do it in another way that is right too", "there is no second solution to prove that checks ask for nothing else")
	}
	if l.Minutes < leastMinutes || l.Minutes > mostMinutes {
		t.add(LintWarning, labFile, "an exam gives from 4 to 12 for a task", "%d minutes are not from %d to %d", l.Minutes, leastMinutes, mostMinutes)
	}
}

// checks looks whether each task is graded, and each check proven.
func (t *linter) checks() {
	l := t.lab
	for i := range l.Tasks {
		if !slices.ContainsFunc(l.Checks, func(c Check) bool { return c.Task == i+1 }) {
			t.add(LintError, labFile, "give it a check, or make it part of another task", "task %d has no check", i+1)
		}
	}
	for _, c := range l.Checks {
		if c.Points > mostPoints {
			t.add(LintWarning, labFile, "split it, for it is all or nothing", "check %s is worth %d points", c.ID, c.Points)
		}
		if !slices.ContainsFunc(l.Mutants, func(m Mutant) bool { return slices.Contains(m.Loses, c.ID) }) {
			t.add(LintWarning, labFile, "add a mistake that it finds", "no mutant loses check %s: nothing proves that it can fail", c.ID)
		}
	}
	for _, m := range l.Mutants {
		if len(m.Loses) == 0 {
			t.add(LintError, labFile, "name the checks that find the mistake", "mutant %s loses nothing", m.ID)
		}
	}
}

// texts looks at what learners read.
func (t *linter) texts() {
	l := t.lab
	t.text("the title", l.Title, longestTitle)
	t.text("the scenario", l.Scenario, longestText)
	for i, task := range l.Tasks {
		t.text(fmt.Sprintf("task %d", i+1), task, longestText)
	}
	for i, hint := range l.Hints {
		t.text(fmt.Sprintf("hint %d", i+1), hint, longestText)
	}
	for _, c := range l.Checks {
		t.text("the name of check "+c.ID, c.Name, longestName)
	}
	for _, m := range l.Mutants {
		t.text("the mistake of mutant "+m.ID, m.Mistake, longestName)
	}
}

func (t *linter) text(what, text string, longest int) {
	if n := utf8.RuneCountInString(text); n > longest {
		t.add(LintWarning, labFile, "", "%s has %d characters; %d are enough", what, n, longest)
	}
	for word := range strings.FieldsSeq(text) {
		if utf8.RuneCountInString(word) > longestWord {
			t.add(LintWarning, labFile, "put it into a file below start", "%s has a word of more than %d characters, which terminals cannot break", what, longestWord)
			break
		}
	}
	if i := strings.IndexFunc(text, isUnprintable); i >= 0 {
		t.add(LintError, labFile, "write what can be seen", "%s has the character %+q, which a terminal would act on", what, []rune(text[i:])[0])
	}
}

func isUnprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// scripts looks at those that learners are shown.
func (t *linter) scripts() {
	for _, s := range []script{{"solution/tools.sh", t.lab.Solution.Tools}, {"solution/pkictl.sh", t.lab.Solution.Pkictl}} {
		for line := range strings.Lines(s.text) {
			line = strings.TrimRight(line, "\n")
			if utf8.RuneCountInString(line) > longestScript {
				t.add(LintWarning, s.file, `break it with \ at its end`, "a line has more than %d characters: %.40s…", longestScript, line)
			}
			if i := strings.IndexFunc(strings.ReplaceAll(line, "\t", " "), isUnprintable); i >= 0 {
				t.add(LintError, s.file, "write it as an escape of printf", "a line has a character which a terminal would act on: %+.60q", line)
			}
		}
	}
}

// unused looks for files that nothing reads: a script whose mutant is spelled
// otherwise, a table that no check asks for.
func (t *linter) unused(files fs.FS, seen *openedFS) {
	left := maxGivenFiles * 2
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if left--; left < 0 {
			return fs.SkipAll
		}
		switch {
		case err != nil:
			return err
		case entry.IsDir() || seen.opened[name] || strings.EqualFold(path.Base(name), "README.md"):
			return nil
		}
		t.add(LintError, name, "name it in "+labFile+", or remove it", "nothing reads this file")
		return nil
	})
	if err != nil {
		t.add(LintError, ".", "", "cannot be read: %v", err)
	}
}

// LintTogether looks for what is wrong with labs that are listed together. Those that
// could not be read are nil.
func LintTogether(labs []*Lab) []LintFinding {
	var findings []LintFinding
	numbers := map[int]string{}
	for _, l := range slices.DeleteFunc(slices.Clone(labs), func(l *Lab) bool { return l == nil }) {
		if other, twice := numbers[l.Number]; twice && l.Number != 0 {
			findings = append(findings, LintFinding{l.ID, LintError, labFile, fmt.Sprintf("number %d is that of lab %s", l.Number, other), "give it another"})
		}
		numbers[l.Number] = cmp.Or(numbers[l.Number], l.ID)
	}
	return findings
}

// openedFS notes which files are read.
type openedFS struct {
	fs.FS
	mu     sync.Mutex
	opened map[string]bool
}

// Open implements fs.FS.
func (f *openedFS) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		f.mu.Lock()
		f.opened[name] = true
		f.mu.Unlock()
	}
	return file, err
}

// Stat implements fs.StatFS: to look at a file is not to read it, and a pipe must not
// be opened.
func (f *openedFS) Stat(name string) (fs.FileInfo, error) { return fs.Stat(f.FS, name) }
