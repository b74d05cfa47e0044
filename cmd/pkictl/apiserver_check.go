package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

type apiserverCheckFlags struct {
	apiserver.CheckOptions
	list, all, live, explain bool

	connection *connection
	fix        checkFixFlags
}

func (a *app) apiserverCheckCmd() *cobra.Command {
	var f apiserverCheckFlags
	cmd := &cobra.Command{
		Use:   "check [MANIFEST|DIR|--live]",
		Short: "Hold the flags of kube-apiserver against the CIS Kubernetes Benchmark",
		Long: `Hold the manifest of kube-apiserver, or all manifests of a control plane in a
directory, against the CIS Kubernetes Benchmark, version 1.12, as kube-bench
numbers it: sections 1.2 and 3.2, and where the manifests are there 1.1.1 to
1.1.8, 1.3, 1.4 and 2. Files that flags name are read through the volumes by
which the component sees them: audit policy, encryption, authentication and
authorization. --live asks a running API server for the pods of its control
plane, and tries what it takes: anonymous requests, profiling, weak ciphers.

What a flag is by default counts as kube-apiserver of that version has it. What
cannot be told from here is unknown, not passed. What not every cluster needs is
a warning. Each check that did not pass says what mends it.

Modes and owners of certificates, keys and kubeconfigs (1.1.13 to 1.1.21) are
looked at by: pkictl cluster check

--fix mends what failed and is certain, by pkictl apiserver patch, and modes and
owners of manifests. What needs thought first, as it can lock somebody out or has
to be the same on all nodes, is mended only where its ID is given: --fix=1.2.5.
With --wait the old manifest is put back where kube-apiserver does not come back.

Exit codes: 0 nothing failed, 3 something did, 1 a file could not be read.`,
		Example: `  pkictl apiserver check --list
  pkictl apiserver check --list --only 3.2 -o yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.list {
				return a.listAPIServerChecks(f)
			}
			f.Path = defaultManifests
			if len(args) > 0 {
				f.Path = args[0]
			}
			if err := checkLiveFlags(cmd, f, args); err != nil {
				return err
			}
			if err := f.fix.check(cmd); err != nil {
				return err
			}
			if f.explain {
				return a.explain(apiserver.ExplainCheck(f.CheckOptions))
			}
			if f.fix.isWanted() {
				return a.apiserverFix(cmd, f)
			}
			return a.apiserverCheck(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.Only, "only", nil, "`IDS` of the checks to make, or of sections, like 1.2.16,3.2")
	flags.StringSliceVar(&f.Skip, "skip", nil, "`IDS` of checks to leave out")
	flags.StringVar(&f.Owner, "owner", "", "`USER[:GROUP]` whom manifests have to belong to (default root:root for root, for others who owns the directory)")
	flags.BoolVar(&f.all, "all", false, "show what passed, too")
	flags.BoolVar(&f.list, "list", false, "list all checks")
	flags.BoolVar(&f.live, "live", false, "ask a running API server, and see what it takes")
	f.connection = addConnection(cmd)
	addCheckFix(cmd, &f.fix)
	addExplain(cmd, &f.explain)
	return cmd
}

// checkLiveFlags refuses what makes no sense together.
func checkLiveFlags(cmd *cobra.Command, f apiserverCheckFlags, args []string) error {
	if f.live {
		switch {
		case f.explain:
			return failure.New(failure.Usage, "leave one of them out", "--explain shows how manifests are looked at, and --live looks at none")
		case len(args) > 0:
			return failure.New(failure.Usage, "leave one of them out", "the manifest %q is given, and --live, which asks an API server", args[0])
		case f.fix.isWanted():
			return failure.New(failure.Usage, "run it on each node of the control plane, without --live", "--fix changes a manifest, and --live looks at none")
		}
		return nil
	}
	for _, name := range []string{"kubeconfig", "context", "request-timeout"} {
		if cmd.Flags().Changed(name) {
			return failure.New(failure.Usage, "add --live", "--%s is given, but without --live nobody is asked", name)
		}
	}
	return nil
}

// defaultManifests is where kubeadm has the kubelet look for static pods.
const defaultManifests = "/etc/kubernetes/manifests"

func (a *app) apiserverCheck(cmd *cobra.Command, f apiserverCheckFlags) error {
	report, err := a.apiserverReport(cmd, f)
	if err != nil {
		return err
	}
	return a.reportAPIServerCheck(report, f)
}

func (a *app) apiserverReport(cmd *cobra.Command, f apiserverCheckFlags) (*apiserver.CheckReport, error) {
	if !f.live {
		return apiserver.CheckManifests(f.CheckOptions)
	}
	client, err := a.connect(f.connection)
	if err != nil {
		return nil, err
	}
	steps := a.newSteps()
	defer steps.clear()
	steps.begin("asking %s", printable(kubeclient.ShowURL(client.Server())))
	return apiserver.CheckLive(cmd.Context(), client, f.CheckOptions)
}

func (a *app) reportAPIServerCheck(report *apiserver.CheckReport, f apiserverCheckFlags) error {
	result := struct {
		typeMeta
		*apiserver.CheckReport
	}{kind("APIServerCheck"), report}
	if err := a.print(result, func(w io.Writer) { a.printAPIServerCheck(w, report, f) }); err != nil {
		return err
	}
	switch {
	case report.Unread != nil:
		return failure.New(failure.Failed, "run it as who may, as in: sudo pkictl apiserver check", "%v%s", report.Unread[0], andMore(len(report.Unread)-1))
	case !report.OK:
		return errFound
	}
	return nil
}

func andMore(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more", n)
}

func (a *app) printAPIServerCheck(w io.Writer, report *apiserver.CheckReport, f apiserverCheckFlags) {
	for _, c := range report.Checked {
		fmt.Fprintf(w, "%s\n", printable(strings.Join(strings.Fields(c.Component+" "+c.Version+" "+onNode(c.Node)), " ")+at(c.File)))
	}
	if report.Server != "" {
		fmt.Fprintf(w, "%s\n", printable(report.Server))
	}
	a.printChecks(w, report, f.all)
	printDrift(w, report.Drift)
	printFixes(w, report)
	for _, note := range report.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", printable(note))
	}
	n := report.Counts
	if report.Fixed != nil {
		fmt.Fprintf(w, "\nMended: %s\n", strings.Join(report.Fixed, ", "))
	}
	fmt.Fprintf(w, "\n%s: %d passed, %d failed, %s, %d unknown.\n", count(len(report.Results), "check"),
		n[apiserver.StatusPass], n[apiserver.StatusFail], count(n[apiserver.StatusWarn], "warning"), n[apiserver.StatusUnknown])
}

func at(file string) string {
	if file == "" {
		return ""
	}
	return " in " + file
}

func onNode(node string) string {
	if node == "" {
		return ""
	}
	return "on " + node
}

// printChecks prints a table for each section.
func (a *app) printChecks(w io.Writer, report *apiserver.CheckReport, all bool) {
	section := ""
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range report.Results {
		if r.Status == apiserver.StatusPass && r.Note == "" && !all {
			continue
		}
		if id, title := r.Section(); id != section {
			_ = t.Flush() // w is a buffer
			fmt.Fprintf(w, "\n%s %s\n", id, title)
			section = id
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Status, r.ID, r.Title, printable(foundAt(report, r)))
		if r.Note != "" {
			fmt.Fprintf(t, "\t\t\tnote: %s\n", printable(r.Note))
		}
	}
	_ = t.Flush() // w is a buffer
}

// printDrift prints the flags that are not the same on all nodes.
func printDrift(w io.Writer, list []apiserver.Drift) {
	if list == nil {
		return
	}
	fmt.Fprintf(w, "\nNot the same on all nodes\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range list {
		for i, node := range slices.Sorted(maps.Keys(d.Values)) {
			flag := ""
			if i == 0 {
				flag = "--" + d.Flag
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", printable(flag), printable(node), printable(cmp.Or(d.Values[node], "not set")))
		}
	}
	_ = t.Flush() // w is a buffer
}

// foundAt says what was found, and where, if that is not the only manifest.
func foundAt(report *apiserver.CheckReport, r apiserver.CheckResult) string {
	text := r.Found
	switch {
	case r.Node != "" && len(report.Checked) > 1:
		text += " (" + r.Node + ")"
	case r.Line > 0 && len(report.Checked) == 1 && r.File == report.Checked[0].File:
		text += fmt.Sprintf(" (line %d)", r.Line)
	case r.Line > 0:
		text += fmt.Sprintf(" (%s, line %d)", r.File, r.Line)
	}
	return text
}

// printFixes prints what mends what did not pass, once for those that one thing
// mends.
func printFixes(w io.Writer, report *apiserver.CheckReport) {
	type mending struct {
		ids []string
		fix *apiserver.Fix
	}
	var list []*mending
	seen := map[string]*mending{}
	for _, r := range report.Results {
		if r.Fix == nil {
			continue
		}
		key := r.Fix.Command + "\n" + r.Fix.Hint
		if seen[key] == nil {
			seen[key] = &mending{fix: r.Fix}
			list = append(list, seen[key])
		}
		seen[key].ids = append(seen[key].ids, r.ID)
	}
	for i, m := range list {
		if i == 0 {
			fmt.Fprintf(w, "\nWhat mends it\n")
		}
		fmt.Fprintf(w, "%s\n  %s\n", strings.Join(m.ids, ", "), printable(cmp.Or(m.fix.Command, m.fix.Hint)))
		if m.fix.Think != "" {
			fmt.Fprintf(w, "  think first: %s\n", printable(m.fix.Think))
		}
	}
}

// listAPIServerChecks prints the table of checks.
func (a *app) listAPIServerChecks(f apiserverCheckFlags) error {
	checks, err := apiserver.SelectChecks(f.CheckOptions)
	if err != nil {
		return err
	}
	result := struct {
		typeMeta
		Checks []apiserver.Check `json:"checks"`
	}{kind("APIServerChecks"), checks}
	return a.print(result, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tCOMPONENT\tCHECK\tWANTED")
		for _, c := range checks {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.ID, c.Component, c.Title, c.Wanted)
		}
		_ = t.Flush() // w is a buffer
	})
}
