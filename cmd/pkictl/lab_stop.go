package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/lab"
)

func (a *app) labStopCmd() *cobra.Command {
	var f labFlags
	return a.labOfOne(&cobra.Command{
		Use:   "stop [ID]",
		Short: "End the cluster of a lab, and keep the work",
		Long: `End the cluster of a lab. Your files stay, and what is in the cluster too: "pkictl
lab start" goes on with both. For a lab without a cluster there is nothing to end.`,
		Example: `  pkictl lab start key-and-csr
  pkictl lab stop key-and-csr`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.labStop(cmd, args, f) },
	}, &f)
}

type labStopResult struct {
	typeMeta
	Lab string `json:"lab"`
	Dir string `json:"dir"`
}

func (a *app) labStop(cmd *cobra.Command, args []string, f labFlags) error {
	chosen, err := a.labChoose(cmd, args, f)
	if err != nil {
		return err
	}
	a.stopsOthers()
	dir, err := lab.StopLab(cmd.Context(), chosen.root, chosen.Lab)
	if err != nil {
		return a.labNotOpen(chosen, err)
	}
	return a.print(labStopResult{kind("LabStop"), chosen.ID, dir}, func(out io.Writer) {
		p := a.labPage(out)
		if !chosen.HasCluster() {
			p.line("Nothing runs for lab %s.", printable(chosen.ID))
			return
		}
		p.line("The cluster of lab %s is ended. The work is kept in %s", printable(chosen.ID), printable(dir))
		p.line("Next: %s", printable(a.asCalled(a.labLine(chosen, "start"))))
	})
}
