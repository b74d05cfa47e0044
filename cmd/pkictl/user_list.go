package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
)

type userListFlags struct {
	csr.ListUsersOptions
	expiring   string
	connection *connection
	explain    bool
}

func (a *app) userListCmd() *cobra.Command {
	var f userListFlags
	cmd := &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the people who have access to a cluster",
		Long: `List the people who have a binding, or a certificate that is in force: their
groups, what they and their groups are bound to, and until when they can log in.

A cluster keeps no list of its certificates. What is known comes from the
certificates API, which forgets after an hour what it has issued; from the
bindings that pkictl has made, which remember the certificates of their users
("claimed by": whoever may write the binding could have written that); from
ConfigMap kube-system/pkictl-removed-users, where "pkictl user remove" notes what
still works; and from the inventory in the PKI directory, if its CA is the
cluster's. Names that begin with system: are parts of the cluster.

What may not be read is left out with a warning. Who may not list all bindings
sees those of a namespace: that of --namespace, or of the context.

With --expiring it lists those whose last certificate ends within that time, or
has ended within it, and exits with 3 if there are any.`,
		Example: `  pkictl user list
  pkictl user list -o json
  pkictl user list --expiring 10m --explain`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.userList(cmd, args, f) },
	}
	cmd.Flags().StringVar(&f.expiring, "expiring", "", "only those whose certificates end within this `TIME`, as in 7d, or have ended within it")
	cmd.Flags().StringVar(&f.Namespace, "namespace", "", "only the bindings in this `NAMESPACE` (default all, or those that may be listed)")
	f.connection = addConnection(cmd)
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) userList(cmd *cobra.Command, args []string, f userListFlags) error {
	f.Dir, f.Now = a.dir, a.now()
	if len(args) > 0 {
		f.Name = args[0]
		if err := csr.CheckKnownName(f.Name); err != nil {
			return err
		}
	}
	var err error
	if f.expiring != "" {
		if f.Expiring, err = ca.ParseValidity(f.expiring); err != nil {
			return err
		}
	}
	if f.explain {
		return a.explain(csr.ExplainUsers(f.ListUsersOptions, f.connection.kubectl()), nil)
	}
	client, err := a.connect(f.connection)
	if err != nil {
		return err
	}
	people, warnings, err := csr.ListUsers(cmd.Context(), client, f.ListUsersOptions)
	if err != nil {
		return err
	}
	a.warn(warnings...)
	if err := a.printPeople(people); err != nil {
		return err
	}
	if f.Expiring > 0 && len(people) > 0 {
		return errFound
	}
	return nil
}

type peopleResult struct {
	typeMeta
	Items []csr.Person `json:"items"`
}

func (a *app) printPeople(people []csr.Person) error {
	return a.print(peopleResult{kind("UserList"), people}, func(w io.Writer) {
		if len(people) == 0 {
			fmt.Fprintln(w, "Nobody.")
			return
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "USER\tGROUPS\tBOUND TO\tUNTIL\tKNOWN FROM")
		for _, p := range people {
			lines := max(len(p.Bindings), 1)
			for i := range lines {
				name, groups, until, from := "", "", "", ""
				if i == 0 {
					name, groups, until, from = printable(p.Name), dash(printableAll(p.Groups)), a.until(p), knownFrom(p)
				}
				bound := "-"
				if i < len(p.Bindings) {
					bound = printable(bindingLine(p.Bindings[i]))
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", name, groups, bound, until, from)
			}
		}
		_ = t.Flush() // w is a buffer
	})
}

func bindingLine(b csr.UserBinding) string {
	if b.Group != "" {
		return b.String() + " (group " + b.Group + ")"
	}
	return b.String()
}

// until says when the last known certificate ends.
func (a *app) until(p csr.Person) string {
	if p.Until == nil {
		return "not known"
	}
	until := p.Until.UTC().Format(time.DateTime) + " (" + left(p.Until.Sub(a.now())) + ")"
	if p.Removed != nil {
		return "removed, certificate works until " + until
	}
	return until
}

func knownFrom(p csr.Person) string {
	if len(p.Credentials) == 0 {
		return "-"
	}
	return printable(strings.Join(p.Credentials[0].KnownFrom, ", "))
}
