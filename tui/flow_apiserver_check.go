package tui

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
)

func (f *flowAPIServer) checkStep() step {
	return step{
		title:  "Manifests",
		intro:  "Held against the CIS Kubernetes Benchmark 1.12. What is certain is mended if you say yes, the rest is not.",
		hidden: func() bool { return !f.does(apiCheck) },
		fields: []field{
			{title: "Manifests", text: &f.checkPath, fallback: func() string { return apiManifests },
				help: "The directory of manifests of a control plane, or the manifest of kube-apiserver alone."},
			{key: "backup-dir", title: "Backups", text: &f.backups, check: typedCheck(nil),
				help: "A directory. Empty: pkictl-backups beside manifests, never in it: the kubelet runs every file there."},
			f.configDirField(nil),
		},
	}
}

// checked is what is looked at.
func (f *flowAPIServer) checked() string { return asOperand(cmp.Or(f.checkPath, apiManifests)) }

func (f *flowAPIServer) checkCommand() []string {
	args := []string{"apiserver", "check"}
	if f.checked() != apiManifests {
		args = append(args, f.checked())
	}
	args = append(args, "--fix")
	args = appendFlag(args, "--config-dir", cmp.Or(f.configDir, apiserver.DefaultDir), apiserver.DefaultDir)
	args = appendFlag(args, "--backup-dir", f.backups, "")
	return append(args, f.waitArgs()...)
}

func (f *flowAPIServer) check() (*apiserver.CheckReport, *apiserver.Fixes, error) {
	report, err := apiserver.CheckManifests(apiserver.CheckOptions{Path: f.checked()})
	if err != nil {
		return nil, nil, err
	}
	fixes, err := report.Fixes(nil)
	return report, fixes, err
}

func (f *flowAPIServer) reviewCheck() (*review, error) {
	report, fixes, err := f.check()
	if err != nil {
		return nil, err
	}
	r := &review{question: "Mend it?"}
	if len(fixes.Patched) > 0 {
		o := fixes.Patch(report, cmp.Or(f.configDir, apiserver.DefaultDir), apiserver.DefaultAuditLog)
		o.Backups, o.Now = f.backups, f.Now()
		p, err := apiserver.NewPatch(o)
		if p == nil || err != nil && p.Found == nil {
			return nil, err
		}
		r = f.patchReview(p)
		r.question = "Mend it?"
		f.patch = p
	}
	f.fixes = fixes
	r.rows = append(checkRows(report), r.rows...)
	r.preview += "\n" + strings.Join(checkLines(report), "\n")
	switch {
	case r.nothing != "":
		f.patch, f.fixes = nil, nil
	case len(fixes.Patched)+len(fixes.Files) == 0 && report.OK:
		r.nothing = "Nothing failed."
	case len(fixes.Patched)+len(fixes.Files) == 0:
		r.nothing = "What failed is not mended for certain: see what mends it, and what to think of first."
	case len(fixes.Files) > 0:
		r.rows = append(r.rows, row{"rights", strings.Join(fixes.FileCommands(), "; ")})
	}
	return r, nil
}

// checkRows counts.
func checkRows(report *apiserver.CheckReport) []row {
	n := report.Counts
	return []row{{"checks", fmt.Sprintf("%d passed, %d failed, %d warnings, %d unknown",
		n[apiserver.StatusPass], n[apiserver.StatusFail], n[apiserver.StatusWarn], n[apiserver.StatusUnknown])}}
}

// checkWidth is that of what checks found, which fits on the smallest terminal.
const checkWidth = minWidth - 4

// checkLines are the checks that did not pass, each with what mends it.
func checkLines(report *apiserver.CheckReport) []string {
	var list []string
	add := func(indent, what string) {
		for _, line := range lines(ansi.Wrap(text(what), checkWidth-len(indent), "")) {
			list = append(list, indent+line)
		}
	}
	for _, c := range report.Results {
		if c.Status == apiserver.StatusPass {
			continue
		}
		add("", fmt.Sprintf("%s %s %s: %s", c.Status, c.ID, c.Title, c.Found))
		if c.Fix != nil {
			add("    ", "mend: "+cmp.Or(c.Fix.Command, c.Fix.Hint))
			if c.Fix.Think != "" {
				add("    ", "think first: "+c.Fix.Think)
			}
		}
	}
	return list
}

// runCheck mends what was shown, and checks again.
func (f *flowAPIServer) runCheck(ctx context.Context, j *job) (*outcome, error) {
	if f.fixes == nil {
		r, err := f.reviewCheck()
		if err != nil {
			return nil, err
		}
		if r.nothing != "" {
			return &outcome{headline: r.nothing, rows: r.rows, text: r.preview}, nil
		}
	}
	p, fixes := f.patch, f.fixes
	f.patch, f.fixes = nil, nil
	out := &outcome{}
	if p != nil && p.Changes() {
		written, result, err := f.write(ctx, j, p)
		if err != nil {
			return logTail(result), err
		}
		out = f.patched(p, written, result)
	}
	if err := fixes.MendFiles(); err != nil {
		return nil, err
	}
	after, err := apiserver.CheckManifests(apiserver.CheckOptions{Path: f.checked()})
	if err != nil {
		return nil, err
	}
	mended := fixes.Mended(after)
	out.headline = fmt.Sprintf("Mended %d of %d checks that failed", len(mended), len(mended)+after.Counts[apiserver.StatusFail])
	out.rows = append([]row{{"mended", strings.Join(mended, ", ")}}, append(checkRows(after), out.rows...)...)
	out.text = strings.Join(checkLines(after), "\n")
	if after.Unread != nil {
		return out, failure.New(failure.Failed, "run it as who may, as in: sudo pkictl apiserver check", "%v", after.Unread[0])
	}
	if !after.OK {
		out.warnings = append(out.warnings, "what is left needs thought first: see below")
	}
	return out, nil
}
