package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
)

func (a *app) listCmd() *cobra.Command {
	var o ca.ListOptions
	var expiring string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the certificates that the CA has issued",
		Long: `List the certificates that the CA in the PKI directory has issued, the first
to end first. With --expiring it lists those that end within that time, and
exits with 3 if there are any.

The name is the common name, with the name of the files behind it where that is
another. State is valid, expired, revoked, or incomplete: a serial number that was
taken by a command which was killed before it wrote the certificate.`,
		Example: `  pkictl list
  pkictl list --group system:masters
  pkictl list --cn kube-admin -o json
  pkictl list --expiring 30d`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Dir, o.Now = a.dir, a.now()
			if cmd.Flags().Changed("expiring") {
				var err error
				if o.Expiring, err = ca.ParseValidity(expiring); err != nil {
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
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&expiring, "expiring", "", "only those that end within this `TIME`, as in 30d")
	flags.StringVar(&o.Group, "group", "", "only those of this `GROUP`")
	flags.StringVar(&o.CommonName, "cn", "", "only those with this common `NAME`")
	return cmd
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
