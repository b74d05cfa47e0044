package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/lab"
)

type labHintFlags struct {
	labFlags
	all bool
}

func (a *app) labHintCmd() *cobra.Command {
	var f labHintFlags
	cmd := a.labOfOne(&cobra.Command{
		Use:   "hint [ID]",
		Short: "Show the next hint of a lab",
		Long: `Show the next hint of a lab; each says more than the one before. When all were
seen it shows them again. Hints cost nothing, but are counted. In an exam there
are none.`,
		Example: `  pkictl lab hint key-and-csr
  pkictl lab hint key-and-csr --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := a.labChoose(cmd, args, f.labFlags)
			if err != nil {
				return err
			}
			return a.labHint(cmd.Context(), chosen, f.all)
		},
	}, &f.labFlags)
	cmd.Flags().BoolVar(&f.all, "all", false, "show all hints at once")
	return cmd
}

type labHint struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

type labHintsResult struct {
	typeMeta
	Lab   string    `json:"lab"`
	Hints []labHint `json:"hints"`
	All   int       `json:"hintsInAll"`
}

func (a *app) labHint(ctx context.Context, chosen *labChosen, all bool) error {
	if err := lab.RefuseInExam(chosen.root, chosen.ID, a.now()); err != nil {
		return err
	}
	hints := chosen.Hints
	from, to := 0, len(hints)
	// Two at once see two hints, not twice the same.
	_, err := chosen.progress().Update(ctx, chosen.ID, func(p *lab.Progress) error {
		if seen := min(p.Hints, len(hints)); !all && seen < len(hints) {
			from, to = seen, seen+1
		}
		p.ShowedHints(to)
		return nil
	})
	if err != nil {
		return err
	}
	result := labHintsResult{typeMeta: kind("LabHints"), Lab: chosen.ID, Hints: []labHint{}, All: len(hints)}
	for i, hint := range hints[from:to] {
		result.Hints = append(result.Hints, labHint{from + i + 1, hint})
	}
	return a.print(result, func(w io.Writer) {
		p := a.labPage(w)
		if len(hints) == 0 {
			p.line("This lab has no hints.")
			return
		}
		p.line("%s", p.paint(sgrStrong, printable(chosen.Title)))
		p.labHints(hints[from:to], from, len(hints))
		p.line("")
		next := "hint"
		if to == len(hints) {
			next = "solution"
		}
		p.line("Next: %s", printable(a.asCalled(a.labLine(chosen, next))))
	})
}
