package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/lab"
)

type labCheckFlags struct {
	labFlags
	watch bool
}

func (a *app) labCheckCmd() *cobra.Command {
	var f labCheckFlags
	cmd := a.labOfOne(&cobra.Command{
		Use:   "check [ID]",
		Short: "Grade a lab: say of each point what was wanted and what is there",
		Long: `Grade what is in the directory of a lab: for each check, whether it holds, its
points, what was wanted and what is there. The best result is kept.

It reads files of the lab's directory and, where the lab has a cluster, asks that
one. It runs nothing of what it finds, follows no link out of the directory,
changes nothing and sends nothing: a lab from a stranger (--from) is as safe to
check.

With --watch it grades again whenever something has changed, until the lab has
passed or Ctrl-C ends it.

Exit codes: 0 passed, 3 not passed yet.`,
		Example: `  pkictl lab start cluster-ca
  cd ~/pkictl-labs/cluster-ca && pkictl init-ca && pkictl lab check
  pkictl lab check cluster-ca -o json`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.labCheck(cmd, args, f) },
	}, &f.labFlags)
	cmd.Flags().BoolVar(&f.watch, "watch", false, "grade again whenever something changes, until it has passed")
	addLabAssets(cmd, &f.labFlags)
	return cmd
}

// labChecked is the result in JSON and YAML.
type labChecked struct {
	typeMeta
	*lab.Result
	Passed bool   `json:"passed"`
	Dir    string `json:"dir"`
}

func (a *app) labCheck(cmd *cobra.Command, args []string, f labCheckFlags) error {
	chosen, err := a.labChoose(cmd, args, f.labFlags)
	if err != nil {
		return err
	}
	if err := lab.RefuseInExam(chosen.root, chosen.ID, a.now()); err != nil {
		return err
	}
	w, err := a.labOpen(chosen, f.assets)
	if err != nil {
		return err
	}
	if f.watch {
		return a.labWatch(cmd.Context(), chosen, w)
	}
	result, progress, err := chosen.progress().Grade(cmd.Context(), w, a.now())
	if err != nil {
		return a.labStartsAgain(chosen, err)
	}
	if err := a.printLabChecked(chosen, w, result, progress); err != nil {
		return err
	}
	if !result.Passed() {
		return errFound
	}
	return nil
}

func (a *app) printLabChecked(chosen *labChosen, w *lab.Workspace, result *lab.Result, progress lab.Progress) error {
	return a.print(labChecked{kind("LabResult"), result, result.Passed(), w.Dir}, func(out io.Writer) {
		p := a.labPage(out)
		p.labChecked(w.Lab, result)
		for _, line := range a.labCheckNext(chosen, result, progress) {
			p.line("%s", printable(a.asCalled(line)))
		}
	})
}

// labChecked writes a result.
func (p labPage) labChecked(l *lab.Lab, result *lab.Result) {
	p.line("%s %s", p.paint(sgrStrong, printable(l.Title)), p.paint(sgrFaint, "("+l.ID+")"))
	p.line("")
	p.checks(result.Checks, "  ")
	p.line("")
	verdict, sgr := "not passed yet", sgrWarn
	if result.Passed() {
		verdict, sgr = "passed", sgrGood
	}
	p.line("%s", p.paint(sgr, fmt.Sprintf("%d of %s: %s", result.Points, count(result.Total, "point"), verdict)))
}

// labCheckNext says what to do after a result.
func (a *app) labCheckNext(chosen *labChosen, result *lab.Result, progress lab.Progress) []string {
	switch {
	case !result.Passed() && progress.Hints < len(chosen.Hints):
		return []string{"Next: mend it and check again, or see: " + a.labLine(chosen, "hint")}
	case !result.Passed():
		return []string{"Next: mend it and check again, or see: " + a.labLine(chosen, "solution")}
	}
	compare := "compare with: " + a.labLine(chosen, "solution")
	next := a.labAfter(chosen)
	if next == nil {
		return []string{"Next: " + compare}
	}
	return []string{"Next: " + a.labLine(next, "start"), "Or " + compare}
}

// labAfter is the lab to go on with, nil if there is none. What keeps it from being
// found is no reason to say anything.
func (a *app) labAfter(chosen *labChosen) *labChosen {
	if chosen.from != "" {
		return nil
	}
	labs, err := lab.Catalogue()
	if err != nil {
		return nil
	}
	progress, err := chosen.progress().All()
	if err != nil {
		return nil
	}
	next := lab.Next(labs, chosen.Lab, progress, a.labMachine(""))
	if next == nil {
		return nil
	}
	return &labChosen{Lab: next, root: chosen.root}
}

// maxWatchStep bounds what counts as time spent between two looks: a machine that
// slept did not work on the lab.
const maxWatchStep = 5 * time.Second
