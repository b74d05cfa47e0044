package main

import (
	"fmt"
	"io"
	"strings"
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
		return err
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
		p.line("%s", printable(a.asCalled(a.labCheckNext(chosen, result, progress))))
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
func (a *app) labCheckNext(chosen *labChosen, result *lab.Result, progress lab.Progress) string {
	switch {
	case !result.Passed() && progress.Hints < len(chosen.Hints):
		return "Next: mend it, and check again. If you do not know how: " + a.labLine(chosen, "hint")
	case !result.Passed():
		return "Next: mend it, and check again. If you do not know how: " + a.labLine(chosen, "solution")
	case chosen.from != "":
		return "Next: " + a.labLine(chosen, "solution")
	}
	next := "compare with: " + a.labLine(chosen, "solution")
	if l := a.labAfter(chosen); l != nil {
		next += "; or go on with: pkictl lab start " + l.ID
		if chosen.root != a.labDir() {
			next = strings.TrimSuffix(next, l.ID) + l.ID + " --dir " + chosen.root
		}
	}
	return "Next: " + next
}

// labAfter is the lab to go on with. What keeps it from being found is no reason to
// say anything.
func (a *app) labAfter(chosen *labChosen) *lab.Lab {
	labs, err := lab.Catalogue()
	if err != nil {
		return nil
	}
	progress, err := chosen.progress().All()
	if err != nil {
		return nil
	}
	return lab.Next(labs, chosen.Lab, progress, a.labMachine(""))
}

// maxWatchStep bounds what counts as time spent between two looks: a machine that
// slept did not work on the lab.
const maxWatchStep = 5 * time.Second
