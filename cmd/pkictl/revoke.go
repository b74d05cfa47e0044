package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

type revokeFlags struct {
	ca.RevokeOptions
	explain bool
	yes     bool
}

func (a *app) revokeCmd() *cobra.Command {
	var f revokeFlags
	cmd := &cobra.Command{
		Use:   "revoke NAME|SERIAL",
		Short: "Revoke a certificate",
		Long: `Mark a certificate in the inventory as revoked, so that the next revocation list
that "pkictl crl" makes has it. It is named by its serial number in hexadecimal,
its common name, the name of its files, or the path of its .crt. Where that
leaves more than one in force, nothing is revoked.

An API server reads no revocation list: a client certificate works until it
ends. What helps instead is said before the question. etcd, nginx, HAProxy and
OpenVPN do read lists.

Reasons are those of RFC 5280, also written like key-compromise.`,
		Example: `  pkictl init-ca
  pkictl issue --cn jane --group developers
  pkictl revoke jane --reason superseded --dry-run
  pkictl revoke jane --reason superseded --yes
  pkictl crl`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Name = args[0]
			return a.revoke(cmd, f)
		},
		ValidArgsFunction: a.completeNames,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Reason, "reason", "", "`REASON`: "+strings.Join(ca.RevocationReasons(), ", ")+` (default "unspecified")`)
	flags.StringVar(&f.AKI, "aki", "", "authority key `IDENTIFIER` of its issuer, where two have the same serial")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "reason", ca.RevocationReasons()...)
	return cmd
}

// completeNames offers the names of certificates in force.
func (a *app) completeNames(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := ca.Names(cmd.Context(), a.dir, typed, a.now(), 100)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) revoke(cmd *cobra.Command, f revokeFlags) error {
	f.Dir, f.Now, f.Waiting = a.dir, a.now(), a.waiting
	if f.Name == "" {
		return failure.New(failure.Usage, "give it a name or serial, as in: pkictl revoke jane", "the name is empty")
	}
	if f.explain {
		return a.explain(ca.ExplainRevoke(cmd.Context(), f.RevokeOptions))
	}
	asked := false
	if !f.yes && !f.DryRun {
		f.Confirm = func(r ca.Revocation) error {
			asked = true
			return a.ask(cmd.Context(), func(w io.Writer) { a.printRevocation(w, r) }, "Revoke "+printable(r.CommonName)+"?")
		}
	}
	r, err := ca.Revoke(cmd.Context(), f.RevokeOptions)
	if err != nil {
		return err
	}
	return a.printRevoked(f, r, asked)
}

type revocationResult struct {
	typeMeta
	*ca.Revocation
	DryRun bool `json:"dryRun,omitempty"`
}

func (a *app) printRevoked(f revokeFlags, r *ca.Revocation, asked bool) error {
	name := printable(r.CommonName)
	return a.print(revocationResult{kind("Revocation"), r, f.DryRun}, func(w io.Writer) {
		switch {
		case r.Already:
			fmt.Fprintf(w, "%s was revoked before; nothing was changed\n", name)
		case f.DryRun:
			fmt.Fprintf(w, "Would revoke %s (dry run: nothing was written)\n", name)
		default:
			fmt.Fprintf(w, "Revoked %s\n", name)
		}
		if !asked { // otherwise it was shown with the question
			a.printRevocation(w, *r)
		}
		if !r.Already && !f.DryRun {
			fmt.Fprintln(w, "Next: pkictl crl")
		}
	})
}

func (a *app) printRevocation(w io.Writer, r ca.Revocation) {
	issued, end := utc(r.IssuedAt), ends(r.NotAfter, a.now())
	if r.IssuedAt.IsZero() { // in rows that another tool wrote
		issued = ""
	}
	if r.Certificate == nil { // nobody knows
		end = ""
	}
	rows := []row{
		{"subject", r.Subject},
		{"serial", r.Serial},
		{"profile", r.Profile},
		{"names", strings.Join(r.SANs, ", ")},
		{"issued", issued},
		{"ends", end},
		{"files", strings.Join(r.Files, ", ")},
		{"reason", r.Reason},
	}
	if r.RevokedAt != nil {
		rows = append(rows, row{"revoked", utc(*r.RevokedAt)})
	}
	printRows(w, "  ", rows...)
	for _, serial := range r.Replaced {
		fmt.Fprintf(w, "  * serial %s, which it has replaced, still authenticates: revoke that, too\n", serial)
	}
	for _, line := range r.Advice {
		fmt.Fprintf(w, "  * %s\n", printable(line))
	}
}
