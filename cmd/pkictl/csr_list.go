package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/csr"
)

func (a *app) csrListCmd() *cobra.Command {
	var o csr.ListOptions
	var state string
	var explain bool
	var conn *connection
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the certificate signing requests of a cluster",
		Long: `List the certificate signing requests of a cluster, the oldest first: who sent
them, for which subject and signer, the lifetime that was asked for beside the
one of the certificate, and the state:

  pending    nobody has decided
  approved   and not signed yet
  issued     signed
  denied     for good
  failed     the signer does not sign it, as for wrong usages

The cluster deletes them an hour after they were issued, denied or failed, and
after a day while nobody decides.`,
		Example: `  pkictl csr list
  pkictl csr list --state pending
  pkictl csr list --mine --signer kubernetes.io/kube-apiserver-client -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.State, err = csr.ParseState(state); err != nil {
				return err
			}
			if explain {
				return a.explain(csr.ExplainList(o, conn.kubectl()), nil)
			}
			return a.csrList(cmd, conn, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&state, "state", "", "only those in this `STATE`: "+words(csrStates()))
	flags.StringVar(&o.Signer, "signer", "", "only those for the signer with this `NAME`")
	flags.BoolVar(&o.Mine, "mine", false, "only those that pkictl has submitted")
	addKubectlRecipe(cmd, &explain)
	conn = addConnection(cmd)
	complete(cmd, "state", csrStates()...)
	complete(cmd, "signer", csr.SignerNames()...)
	return cmd
}

func csrStates() []string {
	var names []string
	for _, state := range csr.States() {
		names = append(names, string(state))
	}
	return names
}

func (a *app) csrList(cmd *cobra.Command, conn *connection, o csr.ListOptions) error {
	client, err := a.connect(conn)
	if err != nil {
		return err
	}
	bar := a.newProgress(0)
	o.Progress = bar.show
	objects, err := csr.List(cmd.Context(), client, o)
	bar.clear()
	if err != nil {
		return err
	}
	result := csrListResult{typeMeta: kind("CertificateSigningRequestList"), Items: make([]csrResult, len(objects))}
	for i := range objects {
		result.Items[i] = csrResult{Summary: csr.Summarize(&objects[i])}
	}
	return a.print(result, func(w io.Writer) { a.printCSRList(w, result.Items) })
}

func (a *app) printCSRList(w io.Writer, items []csrResult) {
	if len(items) == 0 {
		fmt.Fprintln(w, "No certificate signing requests.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tREQUESTOR\tSUBJECT\tSIGNER\tAGE\tASKED\tALLOWED\tSTATE")
	for _, r := range items {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(r.Name), dash(printable(r.Requestor)), dash(printable(r.Subject)),
			printable(r.Signer), left(max(0, a.now().Sub(r.Created))), dash(r.AskedLifetime()), dash(r.AllowedLifetime()), r.State)
	}
	_ = t.Flush() // w is a buffer
}
