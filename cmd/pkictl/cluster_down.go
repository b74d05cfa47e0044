package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
)

type clusterDownFlags struct {
	cluster.DownOptions
	yes bool
}

func (a *app) clusterDownCmd() *cobra.Command {
	var f clusterDownFlags
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End the control plane that cluster up has started",
		Long: `End what "pkictl cluster up" has started in a cluster directory, in order, and
nothing else. etcd's data stays, and the next up continues with it, unless
--delete-data is given. Where nothing runs it does nothing.`,
		Example: `  pkictl cluster down
  pkictl cluster down --delete-data --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.clusterDown(cmd, f) },
	}
	cmd.Flags().BoolVar(&f.DeleteData, "delete-data", false, "then remove etcd's data, after a question")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&f.DryRun, "dry-run", false, "say what would end and be removed, and do neither")
	return cmd
}

type clusterDownResult struct {
	typeMeta
	*cluster.DownResult
	DryRun bool `json:"dryRun,omitempty"`
}

func (a *app) clusterDown(cmd *cobra.Command, f clusterDownFlags) error {
	ctx := cmd.Context()
	f.Dir = a.clusterDir
	a.stopsOthers()
	if f.DeleteData && !f.yes && !f.DryRun {
		first := f.DownOptions
		first.DryRun = true
		would, err := cluster.Down(ctx, first)
		if err != nil {
			return err
		}
		if would.DataDeleted != "" {
			err := a.ask(ctx, func(w io.Writer) { a.writeDown(w, would, true) }, "Remove "+printable(would.DataDeleted)+"?")
			if err != nil {
				return err
			}
		}
	}
	steps := a.newSteps()
	f.Progress = steps.show
	result, err := cluster.Down(ctx, f.DownOptions)
	steps.clear()
	if err != nil {
		return err
	}
	return a.print(clusterDownResult{kind("ClusterDown"), result, f.DryRun}, func(w io.Writer) { a.writeDown(w, result, f.DryRun) })
}

func (a *app) writeDown(w io.Writer, r *cluster.DownResult, dryRun bool) {
	ended, removed := "Ended", "Removed"
	if dryRun {
		ended, removed = "Would end", "Would remove"
	}
	if len(r.Ended) == 0 {
		fmt.Fprintf(w, "Nothing runs of %s\n", printable(a.clusterDir))
	} else {
		fmt.Fprintf(w, "%s %s of %s\n", ended, strings.Join(r.Ended, ", "), printable(a.clusterDir))
	}
	if r.DataDeleted != "" {
		fmt.Fprintf(w, "%s %s\n", removed, printable(r.DataDeleted))
	}
}
