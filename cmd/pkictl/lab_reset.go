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
	if f.dryRun {
		return a.print(result, func(out io.Writer) {
			p := a.labPage(out)
			p.line("Would begin lab %s anew (dry run: nothing was changed)", printable(chosen.ID))
			p.labReset(w)
		})
	}
	if !f.yes {
		if err := a.ask(cmd.Context(), func(out io.Writer) { a.labPage(out).labReset(w) }, "Begin lab "+chosen.ID+" anew?"); err != nil {
			return err
		}
	}
	a.stopsOthers()
	steps := a.newSteps()
	result.MovedTo, err = w.Reset(cmd.Context(), a.now(), steps.show)
	steps.clear()
	if err != nil {
		return a.labFailed(err)
	}
	return a.print(result, func(out io.Writer) {
		p := a.labPage(out)
		p.line("Lab %s begins anew in %s", printable(chosen.ID), printable(w.Dir))
		if result.MovedTo != "" {
			p.line("What was there is in %s", printable(result.MovedTo))
		}
	})
}

// labReset says what a reset does. A path is never broken.
func (p labPage) labReset(w *lab.Workspace) {
	p.line("What is in %s", printable(w.Dir))
	text := "is moved to before-reset beside it, and the files to begin with come back."
	if w.Lab.HasCluster() {
		text += " Its cluster is made anew, too."
	}
	p.text("", text+" Your best result stays.")
}
