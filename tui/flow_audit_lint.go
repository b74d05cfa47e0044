package tui

import (
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/store"
)

func (f *flowAudit) fileStep() step {
	return step{
		title:  "File",
		intro:  "What would be mended is shown first. All else in the file stays as it is, comments too.",
		hidden: func() bool { return !f.isLint() },
		fields: []field{{title: "File", text: &f.file, required: true, help: "The audit policy, as in: /etc/kubernetes/audit-policy.yaml"}},
	}
}

func (f *flowAudit) reviewLint() (*review, error) {
	f.mended = nil
	file := asOperand(f.file)
	data, err := store.Read(file, store.MaxYAML)
	if err != nil {
		return nil, err
	}
	m, err := audit.Mend(file, data)
	if err != nil {
		return nil, err
	}
	r := &review{
		rows:     []row{{"found", audit.Summary(m.Found, 0, false)}, {"mended", strconv.Itoa(len(m.Fixed))}},
		preview:  strings.Join(append(audit.FindingLines(file, m.Found), ""), "\n"),
		question: "Write the mended policy?",
	}
	switch {
	case m.Changes():
		f.mended = m
		r.writes = []fileToBe{{path: file, what: "the mended policy; its mode and owner stay", replaces: true}}
		r.preview += "\n" + m.Diff()
	case len(m.Found) == 0:
		r.nothing = "Nothing was found in the policy."
	default:
		r.nothing = "Nothing of this can be mended for certain: it is for you to decide."
	}
	return r, nil
}

// runLint writes what was shown.
func (f *flowAudit) runLint(j *job) (*outcome, error) {
	m := f.mended
	if m == nil {
		if _, err := f.reviewLint(); err != nil {
			return nil, err
		}
		if m = f.mended; m == nil {
			return &outcome{headline: "Nothing was mended"}, nil
		}
	}
	j.begin("Writing " + m.Name)
	if err := m.Write(); err != nil {
		return nil, err
	}
	f.mended = nil
	j.done("Wrote " + m.Name)
	out := &outcome{
		headline: "Mended " + m.Name,
		rows:     []row{{"mended", strconv.Itoa(len(m.Fixed))}, {"left", audit.Summary(m.Left, 0, false)}},
		text:     strings.Join(audit.FindingLines(m.Name, m.Left), "\n"),
		next: []nextStep{
			f.toAPIServer(m.Name),
			{why: "See what it does with many requests", args: []string{f.Program, "audit", "explain", asOperand(m.Name), "--table"}},
		},
	}
	if audit.Fails(m.Left) {
		out.warnings = []string{"what is left needs a decision of yours; see below"}
	}
	return out, nil
}
