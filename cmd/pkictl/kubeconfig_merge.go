package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

type mergeFlags struct {
	kubeconfig.MergeOptions
	into    string
	explain bool
}

func (a *app) kubeconfigMergeCmd() *cobra.Command {
	var f mergeFlags
	cmd := &cobra.Command{
		Use:   "merge FILE...",
		Short: "Bring contexts of other files into your kubeconfig",
		Long: `Bring the contexts of kubeconfigs, with their clusters and users, into the one
that kubectl uses: that of --into, or else of KUBECONFIG, or ~/.kube/config.
Where KUBECONFIG lists several files, what is new goes where kubectl would put
it: to the first of them that exists.

All else in that file stays as it is, comments and unknown fields too. The
current context stays, unless there is none, or with --set-current. Relative
paths in FILE are changed to lead to the same files.

A name that is taken by something else is an error, and nothing is changed:
--rename gives the context another name, and its cluster or user too where
theirs are taken; --replace has the new one take the place of the old one.

What runs a command on your machine is refused without --allow-exec; a cluster
without TLS or its checks, or behind a proxy, without --allow-insecure; and a
user whose tokenFile has some file of yours sent, without --allow-token-file.

kubectl's own lock is taken, and the file is replaced in one step, with its
mode and owner.`,
		Example: `  pkictl issue --cn kay --group developers --kubeconfig kay.conf --server https://10.0.0.10:6443
  pkictl kubeconfig merge kay.conf --into my.conf
  pkictl kubeconfig merge kay.conf --into my.conf --context kay@kubernetes --rename kay@test
  pkictl kubeconfig merge kay.conf --into my.conf --replace --set-current --dry-run
  pkictl kubeconfig merge kay.conf --into my.conf --explain`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.mergeKubeconfigs(cmd, args, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.into, "into", "", "`FILE` to merge into (default as kubectl: $KUBECONFIG, or ~/.kube/config)")
	flags.StringArrayVar(&f.Contexts, "context", nil, "`NAME` of a context to bring over; may be given several times (default all)")
	flags.StringArrayVar(&f.Rename, "rename", nil, "new name of a context, `OLD=NEW`; NEW alone where one comes over")
	flags.BoolVar(&f.Replace, "replace", false, "replace entries of the same name")
	flags.BoolVar(&f.Embed, "embed", false, "embed the certificates and keys that FILE refers to")
	flags.BoolVar(&f.SetCurrent, "set-current", false, "make the current context of FILE, or the only one that comes over, the current one")
	flags.BoolVar(&f.AllowExec, "allow-exec", false, "allow users that run a command or an auth-provider")
	flags.BoolVar(&f.AllowInsecure, "allow-insecure", false, "allow clusters without TLS or its checks, or behind a proxy")
	flags.BoolVar(&f.AllowTokenFile, "allow-token-file", false, "allow users that send what is in a file")
	flags.BoolVar(&f.DryRun, "dry-run", false, "check everything, change nothing")
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) mergeKubeconfigs(cmd *cobra.Command, args []string, f mergeFlags) error {
	f.Sources, f.Into = args, a.kubeconfigPaths()
	if f.into != "" {
		f.Into = []string{f.into}
	}
	if len(f.Into) == 0 {
		return failure.New(failure.Usage, "name it with --into FILE", "there is no KUBECONFIG and no home directory: where to merge into is not known")
	}
	if f.explain {
		return a.explain(kubeconfig.ExplainMerge(cmd.Context(), f.MergeOptions))
	}
	f.Waiting = func(lock string) {
		if !a.quiet {
			fmt.Fprintf(a.err, "waiting for another program that has locked %s ...\n", printable(lock))
		}
	}
	f.Recovered = func(lock string) {
		a.warn(fmt.Sprintf("%s was left by a program that crashed, and is taken over", lock))
	}
	debug.SetGCPercent(400) // large trees, and a short life
	result, err := kubeconfig.Merge(cmd.Context(), f.MergeOptions)
	if err != nil {
		return err
	}
	a.warn(result.Warnings...)
	return a.printMerge(result, f.DryRun)
}

// mergeReport is the result in JSON and YAML.
type mergeReport struct {
	typeMeta
	DryRun         bool                     `json:"dryRun,omitempty"`
	Files          []string                 `json:"files"` // that were written
	Entries        []kubeconfig.MergedEntry `json:"entries"`
	CurrentContext string                   `json:"currentContext,omitempty"`
	CurrentChanged bool                     `json:"currentContextChanged,omitempty"`
}

func (a *app) printMerge(r *kubeconfig.MergeResult, dryRun bool) error {
	report := mergeReport{kind("KubeconfigMerge"), dryRun, r.Files, r.Entries, r.CurrentContext, r.CurrentChanged}
	if report.Files == nil {
		report.Files = []string{}
	}
	return a.print(report, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, e := range r.Entries {
			was := ""
			if e.Was != "" {
				was = " (was " + e.Was + ")"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", e.Action, e.Kind, printable(e.Name+was))
		}
		_ = t.Flush() // w is a buffer
		current := ""
		if r.CurrentChanged {
			current = ", now"
		}
		if r.CurrentContext != "" {
			fmt.Fprintf(w, "current context%s: %s\n", current, printable(r.CurrentContext))
		}
		switch {
		case len(r.Files) == 0:
			fmt.Fprintln(w, "nothing to change")
		case dryRun:
			fmt.Fprintf(w, "would change %s\n", printableAll(r.Files))
		default:
			fmt.Fprintf(w, "merged into %s\n", printableAll(r.Files))
		}
	})
}
