package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
	"github.com/pkictl/pkictl/tui"
)

type labSolutionFlags struct {
	labFlags
	yes bool
}

func (a *app) labSolutionCmd() *cobra.Command {
	var f labSolutionFlags
	cmd := a.labOfOne(&cobra.Command{
		Use:   "solution [ID]",
		Short: "Show how a lab is done, with the usual tools and with pkictl",
		Long: `Show the commands that do a lab: with openssl, kubectl and an editor, and with
pkictl where that is of use. They are for the lab's directory; nothing is run.

A lab whose solution was seen before it passed counts as given up until it
passes. That is asked for; --yes answers.`,
		Example: `  pkictl lab solution key-and-csr --yes
  pkictl lab solution key-and-csr`,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := a.labChoose(cmd, args, f.labFlags)
			if err != nil {
				return err
			}
			return a.labSolution(cmd.Context(), chosen, f.yes)
		},
	}, &f.labFlags)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	return cmd
}

type labSolutionResult struct {
	typeMeta
	Lab string `json:"lab"`
	lab.Solution
}

func (a *app) labSolution(ctx context.Context, chosen *labChosen, yes bool) error {
	if err := lab.RefuseInExam(chosen.root, chosen.ID, a.now()); err != nil {
		return err
	}
	if chosen.Solution.Tools == "" && chosen.Solution.Pkictl == "" {
		return failure.New(failure.Failed, "ask whoever wrote it", "lab %q has no solution", chosen.ID)
	}
	store := chosen.progress()
	progress, err := store.Get(chosen.ID)
	if err != nil {
		return err
	}
	if progress.PassedAt.IsZero() && !progress.GaveUp {
		if err := a.askToGiveUp(ctx, chosen, yes); err != nil {
			return err
		}
		_, err := store.Update(ctx, chosen.ID, func(p *lab.Progress) error {
			p.ShowedSolution()
			return nil
		})
		if err != nil {
			return err
		}
	}
	result := labSolutionResult{kind("LabSolution"), chosen.ID, chosen.Solution}
	return a.print(result, func(w io.Writer) {
		p := a.labPage(w)
		p.labWay("With the usual tools", result.Tools)
		if result.Tools != "" && result.Pkictl != "" {
			p.line("")
		}
		p.labWay("With pkictl", result.Pkictl)
	})
}

func (a *app) askToGiveUp(ctx context.Context, chosen *labChosen, yes bool) error {
	question := "Give up and show the solution?"
	switch {
	case yes:
		return nil
	case !isTerminal(a.in):
		return failure.New(failure.Refused, "add --yes", "there is no terminal to ask on: %s", question)
	}
	return a.ask(ctx, func(w io.Writer) {
		a.labPage(w).text("", "Lab "+chosen.ID+" has not passed yet. With its solution seen it counts as given up until it passes.")
	}, question)
}

func (p labPage) labWay(title, script string) {
	if script == "" {
		return
	}
	p.line("%s", p.paint(sgrStrong, "# "+title))
	for _, line := range tui.WrapScript(script, p.scriptWidth()) {
		p.line("%s", line)
	}
}

// scriptWidth is how long lines of scripts may be: where they go to a file, or to
// another program, none is broken.
func (p labPage) scriptWidth() int {
	if p.height == 0 {
		return 1 << 16
	}
	return p.width
}
