package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

// checkTimeout is shorter than that of other commands: one answer is enough.
const checkTimeout = 10 * time.Second

func (a *app) kubeconfigCheckCmd() *cobra.Command {
	var o kubeconfig.CheckOptions
	within := ""
	cmd := &cobra.Command{
		Use:   "check [FILE]...",
		Short: "Look for what does not work, or will not soon, in kubeconfigs",
		Long: `Look at every context of kubeconfigs: each FILE by itself, or without one those
that kubectl reads ($KUBECONFIG, or ~/.kube/config), together as it reads them.

  file         mode and owner, YAML, names that stand twice, entries that
               nothing names, a context without its cluster or user
  credential   certificate and key there and of one pair, for clients, valid,
               and so for longer than --within; the end of tokens; what kubectl
               does not take any more; exec plugins installed
  server       https, verified, reachable, its certificate by the CA of the
               kubeconfig, for its name, and valid for longer than --within
  login        who the API server says it is
  drift        the CA that the cluster hands out, where the credential may read
               it; an embedded certificate that is older than that in a file;
               with a CA in the PKI directory, certificates that it has revoked
               or replaced

No exec plugin is run, no token or key is shown, and nothing is sent to a server
that is not verified. Each server is dialled once, many at a time; then it is
asked once for each credential. With --offline none is called.

Exit codes: 0 nothing was found but notes, 3 something was, 1 a file could not
be read (the others are still looked at).`,
		Example: `  pkictl kubeconfig check
  pkictl issue --cn kim --kubeconfig kim.conf --server https://10.0.0.10:6443
  pkictl kubeconfig check kim.conf --offline
  pkictl kubeconfig check kim.conf --offline --within 30d -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Files = args
			return a.kubeconfigCheck(cmd, o, within)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.Contexts, "context", nil, "look at the context of this `NAME` alone; may be given several times")
	flags.BoolVar(&o.Offline, "offline", false, "call no server")
	flags.StringVar(&within, "within", "", "`TIME` within which an end counts as found (default 7d, or the last third of a shorter life)")
	flags.DurationVar(&o.Timeout, "request-timeout", checkTimeout, "`TIME` that one connection or request may take")
	return cmd
}

func (a *app) kubeconfigCheck(cmd *cobra.Command, o kubeconfig.CheckOptions, within string) error {
	var err error
	if within != "" {
		if o.Within, err = ca.ParseValidity(within); err != nil {
			return err
		}
	}
	if o.Timeout <= 0 {
		return failure.New(failure.Usage, "write it like 30s", "--request-timeout %s is not a time to wait", o.Timeout)
	}
	o.Now, o.Agent = a.now(), "pkictl/"+version
	switch {
	case cmd.Flags().Changed("dir"):
		o.Dir = a.dir
	case !noCA(a.dir): // nobody named it, so it need not be in order
		o.Dir, o.Warn = a.dir, func(warning string) { a.warn(warning) }
	}
	if len(o.Files) == 0 {
		o.Paths = a.kubeconfigPaths()
	}
	bar := a.newProgress(0)
	o.Progress = func(done, total int) {
		bar.total = total
		bar.show(done)
	}
	report, err := kubeconfig.Check(cmd.Context(), o)
	bar.clear()
	if err != nil {
		return err
	}
	return a.reportCheck(report, o)
}

// reportCheck prints what was found, and says how the command ends.
func (a *app) reportCheck(report *kubeconfig.CheckReport, o kubeconfig.CheckOptions) error {
	switch {
	case len(report.Files) == 0:
		return failure.New(failure.Failed, "name one, or set KUBECONFIG", "there is no kubeconfig: %s", strings.Join(quoteAll(o.Paths), ", "))
	case len(report.Files) == 1 && report.Unread != nil:
		return report.Unread[0]
	}
	result := checkResult{kind("KubeconfigCheck"), report}
	if err := a.print(result, func(w io.Writer) { a.printCheck(w, report, o) }); err != nil {
		return err
	}
	for _, err := range report.Unread {
		a.printError(err)
	}
	if report.Unread != nil {
		return failure.Wrap(errFound, failure.Failed, "", "not every file could be read") // each has been said
	}
	if !report.OK {
		return errFound
	}
	return nil
}

type checkResult struct {
	typeMeta
	*kubeconfig.CheckReport
}

func quoteAll(list []string) []string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return quoted
}

func (a *app) printCheck(w io.Writer, report *kubeconfig.CheckReport, o kubeconfig.CheckOptions) {
	several := len(report.Files) > 1
	if len(report.Contexts) > 0 {
		a.printContexts(w, report.Contexts, several)
	}
	failed := 0
	if len(report.Findings) > 0 {
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "CONTEXT\tCHECK\tFINDING")
		for _, f := range report.Findings {
			finding := f.Message
			if f.Level == kubeconfig.LevelFail {
				failed++
			} else {
				finding = "note: " + finding
			}
			where := concerned(f.Contexts)
			if several {
				where = strings.TrimSuffix(f.File+": "+where, ": -")
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", printable(where), f.Check, printable(finding))
			if f.Hint != "" { // below it: both are long
				fmt.Fprintf(t, "\t\thint: %s\n", printable(a.asCalled(f.Hint)))
			}
		}
		_ = t.Flush() // w is a buffer
	}
	fmt.Fprintln(w)
	called := ""
	if o.Offline {
		called = " No server was called."
	}
	fmt.Fprintf(w, "%s in %s.%s\n", count(failed, "finding"), count(len(report.Contexts), "context"), called)
}

// concerned names the first of many contexts.
func concerned(contexts []string) string {
	switch len(contexts) {
	case 0:
		return "-"
	case 1:
		return contexts[0]
	}
	return fmt.Sprintf("%s (and %d more)", contexts[0], len(contexts)-1)
}

func (a *app) printContexts(w io.Writer, contexts []kubeconfig.CheckedContext, several bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTEXT\tSERVER\tCREDENTIAL\tENDS IN\tTHE SERVER SAYS\tRESULT")
	for _, c := range contexts {
		name, ends, result := c.Name, "-", "ok"
		if several {
			name = c.File + ": " + name
		}
		if c.Ends != nil {
			ends = left(c.Ends.Sub(a.now()))
		}
		if !c.OK {
			result = "FAIL"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(name), dash(printable(c.Server)), dash(printable(shortKinds(c.Credentials))), ends, dash(printable(identity(c.Identity))), result)
	}
	_ = t.Flush() // w is a buffer
}

// shortKinds leaves out the key that every certificate has.
func shortKinds(kinds []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return kind == "client key" }), ", ")
}

// identity shows who somebody is, without the group that all are in.
func identity(id *kubeconfig.Identity) string {
	if id == nil {
		return ""
	}
	groups := slices.DeleteFunc(slices.Clone(id.Groups), func(group string) bool { return group == "system:authenticated" })
	if len(groups) == 0 {
		return id.User
	}
	return id.User + " (" + strings.Join(groups, ", ") + ")"
}
