package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

type auditLintFlags struct {
	fix, dryRun bool
}

func (a *app) auditLintCmd() *cobra.Command {
	var f auditLintFlags
	cmd := &cobra.Command{
		Use:   "lint FILE",
		Short: "Look for mistakes in an audit policy",
		Long: `Look for mistakes in an audit policy: all of them, each with its line and column,
and with what to do about it.

  error    kube-apiserver would not start with it
  finding  it starts, and does something else than the policy says, or leaves out
           what one would expect in it: fields that it passes over, groups,
           resources and verbs that no request has, rules to which no request
           comes and the rules before them that are why, rules that log what is
           in Secrets, ConfigMaps or tokens with a request that shows it,
           subresources and verbs that were forgotten, requests that no rule
           decides, stages whose omission loses events
  note     what it costs, and style

FILE - is standard input. --fix mends what is certain and leaves all else in the
file as it is, comments too; it shows what it changes, and then what is left.
With --dry-run it shows only. Where the policy comes from standard input, the
mended one goes to standard output, and what is left to standard error.

Exit codes: 0 nothing but notes, 3 errors or findings, 2 the file is not YAML,
1 it cannot be read or written.`,
		Example: `  printf '%s\n' 'apiVersion: audit.k8s.io/v1' 'kind: Policy' 'rules:' '- level: Metadata' '  omitStages: RequestReceived' > audit.yaml
  pkictl audit lint audit.yaml --fix
  pkictl audit lint audit.yaml
  pkictl audit lint - -o json < audit.yaml`,
		Args: oneFile("an audit policy, or - for standard input"),
		RunE: func(_ *cobra.Command, args []string) error { return a.auditLint(args[0], f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.fix, "fix", false, "mend what is certain, in place")
	flags.BoolVar(&f.dryRun, "dry-run", false, "with --fix: show what it would change, and change nothing")
	return cmd
}

// auditLint is the result in JSON and YAML.
type auditLint struct {
	typeMeta
	File     string          `json:"file"`
	DryRun   bool            `json:"dryRun,omitempty"`
	Fixed    []audit.Finding `json:"fixed,omitempty"` // what --fix has mended
	Diff     string          `json:"diff,omitempty"`
	Findings []audit.Finding `json:"findings"` // what there is, or is left
}

func (a *app) auditLint(file string, f auditLintFlags) error {
	if f.dryRun && !f.fix {
		return failure.New(failure.Usage, "add --fix", "--dry-run says what --fix would do")
	}
	name, data, err := a.readPolicyFile(file)
	if err != nil {
		return err
	}
	if len(data) < 1<<19 {
		debug.SetGCPercent(1600) // large trees, and a short life
	}
	report := auditLint{typeMeta: kind("AuditLint"), File: name, DryRun: f.dryRun}
	var mended *audit.Mended
	if f.fix {
		if mended, err = audit.Mend(name, data); err != nil {
			return err
		}
		report.Fixed, report.Diff, report.Findings = mended.Fixed, mended.Diff(), mended.Left
		if f.dryRun {
			report.Findings = mended.Found
		}
	} else if report.Findings, err = audit.Lint(name, data); err != nil {
		return err
	}
	if report.Findings == nil {
		report.Findings = []audit.Finding{}
	}
	if f.fix {
		err = a.writeFixed(file, mended, &report)
	} else {
		err = a.print(report, func(w io.Writer) { report.text(w, false) })
	}
	if err == nil && audit.Fails(report.Findings) {
		return errFound
	}
	return err
}

// readPolicyFile returns what is in a file, or with - on standard input, and what
// to call it.
func (a *app) readPolicyFile(file string) (string, []byte, error) {
	if file != "-" {
		data, err := store.Read(file, store.MaxYAML)
		return file, data, err
	}
	const name = "standard input"
	if isTerminal(a.in) {
		return name, nil, failure.New(failure.Usage, "name a file, or send it with < or |", "a policy is not typed")
	}
	data, err := store.ReadAll(a.in, name, store.MaxYAML)
	return name, data, err
}

// writeFixed writes the mended policy where it came from, and says what is mended.
func (a *app) writeFixed(file string, mended *audit.Mended, report *auditLint) error {
	switch {
	case report.DryRun:
		return a.print(report, func(w io.Writer) { a.writeDiff(w, report.Diff) })
	case file == "-":
		if _, err := a.out.Write(mended.After); err != nil {
			return err
		}
		if !a.quiet {
			report.text(a.err, true)
		}
		return nil
	case report.Diff != "":
		if err := mended.Write(); err != nil {
			return err
		}
	}
	return a.print(report, func(w io.Writer) {
		a.writeDiff(w, report.Diff)
		report.text(w, true)
	})
}

// text writes the findings as compilers do, for editors to find their place.
func (r *auditLint) text(w io.Writer, fix bool) {
	for _, line := range audit.FindingLines(r.File, r.Findings) {
		fmt.Fprintln(w, printable(line))
	}
	fmt.Fprintf(w, "%s: %s\n", printable(r.File), audit.Summary(r.Findings, len(r.Fixed), !fix))
}
