package audit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Mended is a policy with what Fix makes of it.
type Mended struct {
	Name          string
	Before, After []byte
	Fixed         []Finding // what Fix has mended
	Found         []Finding // in Before
	Left          []Finding // in After
}

// Mend has Fix mend a policy, and Lint look at it before and after; nothing is
// written.
func Mend(name string, data []byte) (*Mended, error) {
	m := &Mended{Name: name, Before: data}
	var err error
	if m.After, m.Fixed, err = Fix(name, data); err != nil {
		return nil, err
	}
	if m.Found, err = Lint(name, data); err != nil {
		return nil, err
	}
	m.Left = m.Found
	if m.Changes() {
		m.Left, err = Lint(name, m.After)
	}
	return m, err
}

// Changes says whether something was mended.
func (m *Mended) Changes() bool { return !bytes.Equal(m.Before, m.After) }

// Diff returns what was mended as a unified diff, "" where nothing was.
func (m *Mended) Diff() string {
	return udiff.Unified(m.Name, m.Name, string(m.Before), string(m.After))
}

// Write replaces the policy in its file, which keeps its mode and owner. A file
// that says something else by now stays as it is.
func (m *Mended) Write() error {
	switch now, err := store.Read(m.Name, store.MaxYAML); {
	case err != nil:
		return err
	case !bytes.Equal(now, m.Before):
		return failure.New(failure.Refused, "run the command again, to see what is to be mended now", "%q was changed in the meantime", m.Name)
	}
	return store.ReplaceFile(store.File{Path: m.Name, Data: m.After, Mode: 0o644, Keep: true})
}

// FindingLines writes findings as compilers do, for editors to find their place:
// one in a line, with a hint below. The lines need not be printable.
func FindingLines(name string, findings []Finding) []string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, fmt.Sprintf("%s:%d:%d: %s: %s [%s]", name, f.Line, f.Column, f.Severity, f.Message, f.ID))
		if f.Mend != "" {
			lines = append(lines, "  hint: "+f.Mend)
		}
	}
	return lines
}

// Summary counts findings in words, after so many were mended. With offer it says
// how many Fix would mend.
func Summary(findings []Finding, mended int, offer bool) string {
	var parts []string
	if mended > 0 {
		parts = append(parts, fmt.Sprintf("%d mended", mended))
	}
	fixable := 0
	for _, s := range []Severity{SeverityError, SeverityFinding, SeverityNote} {
		n := 0
		for _, f := range findings {
			if f.Severity != s {
				continue
			}
			n++
			if f.Fixable {
				fixable++
			}
		}
		switch {
		case n == 1:
			parts = append(parts, "1 "+string(s))
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	if len(findings) == 0 {
		parts = append(parts, "nothing found")
	}
	if fixable > 0 && offer {
		parts = append(parts, fmt.Sprintf("--fix mends %d", fixable))
	}
	return strings.Join(parts, ", ")
}
