package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

type listFlags struct {
	ca.ListOptions
	expiring   string
	state      string
	prometheus string
	explain    bool
}

func (a *app) listCmd() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the certificates that the CA has issued",
		Long: `List the certificates that the CA in the PKI directory has issued, the first
to end first. With --expiring it lists those that end within that time, or have
ended within it and were not replaced, and exits with 3 if there are any; renew
--expiring takes the same.

The name is the common name, with the name of the files behind it where that is
another. State is valid, expired, revoked, or

  replaced    there is another certificate in its files now. It still
              authenticates until it ends: revoke it, or know who has it.
              --expiring does not count it.
  incomplete  a serial number that was taken by a command which was killed
              before it wrote the certificate.

With --prometheus it also writes a file for the textfile collector of
node_exporter, with the ends of the CA, the CAs above it, all certificates in
force, at most 10,000, and the revocation list. Other flags do not limit it.`,
		Example: `  pkictl list
  pkictl list --group system:masters
  pkictl list --cn kube-admin -o json
  pkictl list --state revoked
  pkictl list --expiring 30d
  pkictl list --expiring 7d --quiet --prometheus pkictl.prom`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.list(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.expiring, "expiring", "", "only those that end within this `TIME`, as in 30d, or have ended within it")
	flags.StringVar(&f.Group, "group", "", "only those of this `GROUP`")
	flags.StringVar(&f.CommonName, "cn", "", "only those with this common `NAME`")
	flags.StringVar(&f.state, "state", "", "only those in this `STATE`: "+strings.Join(states(), ", "))
	flags.StringVar(&f.prometheus, "prometheus", "", "also write metrics to this `FILE`, which ends in .prom")
	addExplain(cmd, &f.explain)
	complete(cmd, "state", states()...)
	return cmd
}

func states() []string {
	var names []string
	for _, state := range ca.States() {
		names = append(names, string(state))
	}
	return names
}

func (a *app) list(cmd *cobra.Command, f listFlags) error {
	o := f.ListOptions
	o.Dir, o.Now = a.dir, a.now()
	var err error
	if o.State, err = ca.ParseState(f.state); err != nil {
		return err
	}
	if f.expiring != "" {
		if o.Expiring, err = ca.ParseValidity(f.expiring); err != nil {
			return err
		}
		if o.State != "" && o.State != ca.StateValid && o.State != ca.StateReplaced {
			return failure.New(failure.Usage, "leave --state out, or use --state replaced",
				"--expiring lists what is in force, which %s is not", o.State)
		}
	}
	if f.explain {
		return a.explain(ca.ExplainList(o), nil)
	}
	if f.prometheus != "" {
		if err := ca.WriteMetrics(cmd.Context(), a.dir, f.prometheus, o.Now); err != nil {
			return err
		}
	}
	entries, err := ca.List(cmd.Context(), o)
	if err != nil {
		return err
	}
	if err := a.printList(entries); err != nil {
		return err
	}
	if o.Expiring > 0 && len(entries) > 0 {
		return errFound
	}
	return nil
}

type listResult struct {
	typeMeta
	Items []ca.Entry `json:"items"`
}

func (a *app) printList(entries []ca.Entry) error {
	if entries == nil {
		entries = []ca.Entry{} // [] in JSON
	}
	return a.print(listResult{kind("CertificateList"), entries}, func(w io.Writer) {
		if len(entries) == 0 {
			fmt.Fprintln(w, "No certificates.")
			return
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NAME\tGROUPS\tPROFILE\tSERIAL\tENDS IN\tSTATE")
		for _, e := range entries {
			endsIn := left(e.NotAfter.Sub(a.now()))
			if e.State == ca.StateIncomplete {
				endsIn = "-"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n",
				dash(printable(listName(e))), dash(printableAll(e.Groups)), dash(printable(e.Profile)), e.Serial, endsIn, e.State)
		}
		_ = t.Flush() // w is a buffer
	})
}

// listName is whom the certificate is for, and the name of its files where that
// is another.
func listName(e ca.Entry) string {
	if e.Name == e.CommonName || e.CommonName == "" {
		return e.Name
	}
	return e.CommonName + " (" + e.Name + ")"
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
