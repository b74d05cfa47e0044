package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/lab"
)

type labResetFlags struct {
	labFlags
	yes, dryRun bool
}

func (a *app) labResetCmd() *cobra.Command {
	var f labResetFlags
	cmd := a.labOfOne(&cobra.Command{
		Use:   "reset [ID]",
		Short: "Begin a lab anew",
		Long: `Begin a lab anew, in the same directory. What is in it is not deleted but moved
to before-reset beside the labs, and the files to begin with come back; a lab with
a cluster gets a new one. The best result stays.`,
		Example: `  pkictl lab start key-and-csr
  pkictl lab reset key-and-csr --dry-run
  pkictl lab reset key-and-csr --yes`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.labReset(cmd, args, f) },
	}, &f.labFlags)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	addDryRun(cmd, &f.dryRun)
	addLabAssets(cmd, &f.labFlags)
	return cmd
}

type labResetResult struct {
	typeMeta
	Lab     string `json:"lab"`
	Dir     string `json:"dir"`
	MovedTo string `json:"movedTo,omitempty"`
	DryRun  bool   `json:"dryRun,omitempty"`
}

func (a *app) labReset(cmd *cobra.Command, args []string, f labResetFlags) error {
	chosen, err := a.labChoose(cmd, args, f.labFlags)
	if err != nil {
		return err
	}
	w, err := a.labOpen(chosen, f.assets)
	if err != nil {
		return err
	}
	result := labResetResult{typeMeta: kind("LabReset"), Lab: chosen.ID, Dir: w.Dir, DryRun: f.dryRun}
	what := labResetText(w)
	if f.dryRun {
		return a.print(result, func(out io.Writer) {
			a.labPage(out).text("", "Would begin lab "+chosen.ID+" anew (dry run: nothing was changed). "+what)
		})
	}
	if !f.yes {
		if err := a.ask(cmd.Context(), func(out io.Writer) { a.labPage(out).text("", what) }, "Begin lab "+chosen.ID+" anew?"); err != nil {
			return err
		}
	}
	a.stopsOthers()
	if result.MovedTo, err = w.Reset(cmd.Context(), a.now()); err != nil {
		return err
	}
	return a.print(result, func(out io.Writer) {
		p := a.labPage(out)
		p.text("", "Lab "+chosen.ID+" begins anew in "+w.Dir+".")
		if result.MovedTo != "" {
			p.text("", "What was there is in "+result.MovedTo+".")
		}
	})
}

func labResetText(w *lab.Workspace) string {
	text := "What is in " + w.Dir + " is moved to before-reset beside it, and the files to begin with come back."
	for _, need := range w.Lab.Needs {
		if need == lab.NeedsCluster {
			text += " Its cluster is made anew, too."
		}
	}
	return text + " Your best result stays."
}
