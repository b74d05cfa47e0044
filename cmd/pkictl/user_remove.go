package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
)

type userRemoveFlags struct {
	csr.RemoveOptions
	yes        bool
	dryRun     bool
	explain    bool
	connection *connection
}

func (a *app) userRemoveCmd() *cobra.Command {
	var f userRemoveFlags
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a person's access to a cluster back",
		Long: `Delete the bindings of a user, or take the user out of those that others are in,
delete the requests that pkictl has sent for the user and that are not issued
yet, and mark the certificates in the inventory as revoked if the CA in the PKI
directory has issued them.

The certificates themselves work until they end: an API server reads no
revocation list. It says until when each authenticates, which groups it has, and
what can still be reached through these, asked as that user (impersonation). It
notes them in ConfigMap kube-system/pkictl-removed-users, so that "pkictl user
list" shows them until they end. Before that it shows what would go, and asks.

Who may not list all bindings takes away those in one namespace: that of
--namespace, or of the context. With --namespace nothing else is taken away.

Exit code 4: something could not be taken away, since the API server refused.`,
		Example: `  pkictl user add udo --group developers --namespace default --role view
  pkictl user remove udo --dry-run
  pkictl user remove udo --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Name = args[0]
			return a.userRemove(cmd, f)
		},
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	cmd.Flags().StringVar(&f.Namespace, "namespace", "", "take away the bindings in this `NAMESPACE`, and nothing else")
	f.connection = addConnection(cmd)
	addDryRun(cmd, &f.dryRun)
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) userRemove(cmd *cobra.Command, f userRemoveFlags) error {
	if err := csr.CheckKnownName(f.Name); err != nil {
		return err
	}
	f.Dir, f.Now = a.dir, a.now()
	client, err := a.connect(f.connection)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	plan, err := csr.PlanRemoval(ctx, client, f.RemoveOptions)
	if err != nil {
		return err
	}
	if f.explain {
		return a.explain(plan.Explain(f.connection.kubectl()))
	}
	a.warn(plan.Warnings...)
	plan.Warnings = nil
	if f.dryRun {
		err = plan.WouldRemain(ctx)
	} else {
		err = a.removeUser(ctx, f, plan)
	}
	if err != nil {
		return err
	}
	a.warn(plan.Warnings...)
	if err := a.printRemoval(f, plan); err != nil || len(plan.Refused) == 0 {
		return err
	}
	return failure.New(failure.Refused, "have an administrator of the cluster run the same command", "%d of what user %q has could not be taken away", len(plan.Refused), f.Name)
}

// removeUser asks, and takes away.
func (a *app) removeUser(ctx context.Context, f userRemoveFlags, plan *csr.Removal) error {
	if !plan.Empty() {
		if !f.yes {
			if err := a.ask(ctx, func(w io.Writer) { printPlan(w, plan, true) }, "Remove "+printable(f.Name)+"?"); err != nil {
				return err
			}
		}
		steps := a.newSteps()
		steps.begin("taking access away")
		err := plan.Do(ctx, a.waiting, func(what string) { steps.done("%s", printable(what)) })
		steps.clear()
		if err != nil {
			a.warn(plan.Warnings...)
			return err
		}
	}
	if err := plan.Remains(ctx); err != nil {
		return failure.Wrap(err, failure.KindOf(err), failure.HintOf(err), "what could be taken from user %q is, but what is left could not be asked for", f.Name)
	}
	return nil
}

type removalResult struct {
	typeMeta
	*csr.Removal
	DryRun bool `json:"dryRun,omitempty"`
}

func (a *app) printRemoval(f userRemoveFlags, plan *csr.Removal) error {
	name := printable(f.Name)
	wasEmpty := len(plan.Bindings)+len(plan.Requests)+len(plan.Revoked)+len(plan.Refused) == 0
	return a.print(removalResult{kind("UserRemoval"), plan, f.dryRun}, func(w io.Writer) {
		switch {
		case wasEmpty:
			fmt.Fprintf(w, "%s has nothing that could be taken away\n", name)
		case f.dryRun:
			fmt.Fprintf(w, "Would remove %s (dry run: nothing was changed)\n", name)
		case len(plan.Refused) > 0:
			fmt.Fprintf(w, "Removed a part of what %s has; refused: %s\n", name, printableAll(plan.Refused))
		default:
			fmt.Fprintf(w, "Removed %s\n", name)
		}
		printPlan(w, plan, f.dryRun)
		a.printLeft(w, plan)
	})
}

// printPlan shows what goes, and before it is done what will be noted.
func printPlan(w io.Writer, plan *csr.Removal, before bool) {
	var rows []row
	for _, b := range plan.Bindings {
		what := b.Name + ": " + b.String()
		if b.Others > 0 {
			what += fmt.Sprintf(" (stays for %d others)", b.Others)
		}
		rows = append(rows, row{strings.ToLower(b.Kind), what})
	}
	for _, name := range plan.Requests {
		rows = append(rows, row{"request", name})
	}
	for _, serial := range plan.Revoked {
		rows = append(rows, row{"inventory", "serial " + serial + " marked as revoked"})
	}
	if before && !plan.Remembered {
		rows = append(rows, row{"to note", fmt.Sprintf("%s in force, in ConfigMap %s", count(len(plan.Credentials), "certificate"), csr.RemovedUsersObject)})
	}
	printRows(w, "  ", rows...)
}

// printLeft says what stays, honestly.
func (a *app) printLeft(w io.Writer, plan *csr.Removal) {
	if len(plan.Credentials) == 0 {
		fmt.Fprintln(w, "No certificate in force is known. One that was issued elsewhere, or whose record is gone, works until it ends.")
	}
	for _, c := range plan.Credentials {
		groups := "no groups"
		if len(c.Groups) > 0 {
			groups = "groups " + printableAll(c.Groups)
		}
		fmt.Fprintf(w, "Serial %s still authenticates until %s, with %s\n", c.Serial, ends(c.NotAfter, a.now()), groups)
	}
	for _, b := range plan.GroupBindings {
		fmt.Fprintf(w, "  * %s %s gives group %s the %s\n", printable(strings.ToLower(b.Kind)), printable(b.Name), printable(b.Group), printable(b.String()))
	}
	if plan.Access != nil {
		fmt.Fprintln(w, "What such a user may do:")
		printAccess(w, "  ", plan.Access)
	}
	if len(plan.Credentials) > 0 {
		fmt.Fprintln(w, "What would end it sooner:")
		for _, line := range advice(plan) {
			fmt.Fprintf(w, "  * %s\n", printable(line))
		}
	}
}

func advice(plan *csr.Removal) []string {
	var lines []string
	for _, group := range plan.Groups {
		if group == ca.GroupMasters {
			return []string{"nothing but a new CA for the cluster: system:masters passes every authorizer"}
		}
	}
	if len(plan.GroupBindings) > 0 {
		lines = append(lines, "delete the bindings of these groups, which takes them from all in the groups")
	}
	return append(lines,
		"deny the user by a webhook authorizer ahead of RBAC, by name or by credential ID "+plan.Credentials[0].ID,
		"rotate the cluster's CA, which ends all certificates")
}
