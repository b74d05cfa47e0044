package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

func (a *app) lintCmd() *cobra.Command {
	failOn := string(ca.SeverityWarn)
	explain := false
	cmd := &cobra.Command{
		Use:   "lint FILE|-|NAME...",
		Short: "Look for mistakes in certificates, requests, CRLs and kubeconfigs",
		Long: `Look for mistakes in certificates: those that zlint finds against the RFCs and
of its community, and those that matter to Kubernetes, as k8s_...: keys that
its parts do not load, servers without alternative names, clients without a
user name, nodes without their group and the reverse, certificates that
outlive the CA in the PKI directory.

Revocation lists go through zlint's checks for them, certificate requests
through what issue --csr asks of them. Of a kubeconfig, the certificates in it
and in the files that it names are looked at. A file may hold any number of
items, in PEM form, or one in DER form; private keys are passed over.

Exit codes: 0 nothing was found of the severity of --fail-on or worse, 3
something was, 1 a file could not be read (the others are still looked at).`,
		Example: `  pkictl init-ca
  pkictl issue --cn jane --group developers --kubeconfig jane.conf --server https://10.0.0.10:6443
  pkictl lint pki/ca.crt pki/jane.crt jane.conf
  pkictl issue --cn kube-admin --group system:masters
  pkictl lint kube-admin --fail-on error -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if explain {
				return a.explain(ca.ExplainLint(args), nil)
			}
			return a.lint(cmd.Context(), args, failOn)
		},
	}
	addExplain(cmd, &explain)
	cmd.Flags().StringVar(&failOn, "fail-on", failOn, "least `SEVERITY` that counts as found: "+strings.Join(ca.Severities(), ", "))
	complete(cmd, "fail-on", ca.Severities()...)
	return cmd
}

// lintReport is the result of lint.
type lintReport struct {
	typeMeta
	Sources  []lintedSource `json:"sources"`
	Findings []lintFinding  `json:"findings"`
}

// lintedSource is a file that was looked at, or could not be.
type lintedSource struct {
	Source string `json:"source"`
	Items  int    `json:"items"` // that were looked at
	Error  string `json:"error,omitempty"`
}

type lintFinding struct {
	Source string `json:"source"`
	ca.Finding
}

func (a *app) lint(ctx context.Context, args []string, failOn string) error {
	least, err := ca.ParseSeverity(failOn)
	if err != nil {
		return err
	}
	o := ca.LintOptions{Now: a.now()}
	if authority, err := ca.Open(a.dir); err == nil { // without one there is less to compare
		o.CA = authority
	}
	report := &lintReport{typeMeta: kind("LintReport"), Findings: []lintFinding{}}
	var unread []error
	for _, arg := range args {
		linted, err := a.lintSource(ctx, arg, o, report)
		if err != nil {
			unread = append(unread, err)
			linted.Error = err.Error()
		}
		report.Sources = append(report.Sources, linted)
	}
	if len(args) == 1 && unread != nil && report.Sources[0].Items == 0 {
		return unread[0]
	}
	if err := a.print(report, report.text); err != nil {
		return err
	}
	for _, err := range unread {
		a.printError(err)
	}
	if unread != nil {
		return failure.Wrap(errFound, failure.Failed, "", "not every file could be read") // each has been said
	}
	for _, finding := range report.Findings {
		if finding.Severity.AtLeast(least) {
			return errFound
		}
	}
	return nil
}

// lintSource looks at one argument. What it can read of it, it has looked at
// even if there is an error.
func (a *app) lintSource(ctx context.Context, arg string, o ca.LintOptions, report *lintReport) (lintedSource, error) {
	linted := lintedSource{Source: arg}
	src, err := a.load(ctx, arg)
	if err != nil {
		return linted, err
	}
	linted.Source = src.name
	parts := []lintPart{{src.name, src.items}}
	if src.config != nil {
		parts, err = a.kubeconfigParts(src)
	}
	for _, part := range parts {
		for _, item := range part.items {
			if item.Certificate != nil || item.CRL != nil || item.Request != nil {
				linted.Items++
			}
		}
		for _, finding := range ca.Lint(part.items, o) {
			report.Findings = append(report.Findings, lintFinding{part.name, finding})
		}
	}
	if err == nil && linted.Items == 0 {
		err = failure.New(failure.Failed, "see what is in it with: pkictl inspect", "%q holds no certificate, request or revocation list", src.name)
	}
	return linted, err
}

// lintPart is items with what results call the place they come from.
type lintPart struct {
	name  string
	items []ca.Item
}

// kubeconfigParts returns the certificates of clusters and users, and with them
// the error of those that cannot be read.
func (a *app) kubeconfigParts(src *source) ([]lintPart, error) {
	var parts []lintPart
	var errs []error
	view := newKubeconfigReader(src).view(a.now())
	add := func(what, name string, part *kubeconfig.Part) {
		if part == nil {
			return
		}
		errs = append(errs, part.Err)
		parts = append(parts, lintPart{fmt.Sprintf("%s: %s %s", cmp.Or(part.File, src.name), what, name), part.Items})
	}
	for _, cluster := range view.Clusters {
		add("CA of cluster", cluster.Name, cluster.CA)
	}
	for _, user := range view.Users {
		add("user", user.Name, user.Certificate)
	}
	return parts, errors.Join(errs...)
}

func (r *lintReport) text(w io.Writer) {
	if len(r.Findings) == 0 {
		items := 0
		for _, source := range r.Sources {
			items += source.Items
		}
		fmt.Fprintf(w, "Nothing found in %d of %d sources (%d items).\n", readable(r.Sources), len(r.Sources), items)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := ""
	for _, f := range r.Findings {
		head := f.Source
		if f.Block > 0 {
			head += fmt.Sprintf(", block %d", f.Block)
		}
		if head = printable(head + ": " + f.Subject); head != last {
			_ = t.Flush() // w is a buffer
			fmt.Fprintln(w, head)
			last = head
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", f.Severity, f.Lint, printable(f.Details))
	}
	_ = t.Flush()
}

func readable(sources []lintedSource) int {
	n := 0
	for _, source := range sources {
		if source.Error == "" {
			n++
		}
	}
	return n
}
