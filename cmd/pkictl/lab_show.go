package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

func (a *app) labShowCmd() *cobra.Command {
	var f labFlags
	cmd := a.labOfOne(&cobra.Command{
		Use:   "show [ID]",
		Short: "Say what a lab asks for, and how far you are with it",
		Long: `Say what a lab asks for, what is graded and with how many points, what it needs of
the machine, how far you are with it, and the hints that you have seen. It makes
and changes nothing. The solution is not in it.`,
		Example: `  pkictl lab show key-and-csr
  pkictl lab show cluster-ca -o yaml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.labShow(cmd, args, f) },
	}, &f)
	addLabAssets(cmd, &f)
	return cmd
}

// labShown is the result in JSON and YAML: the lab with the hints that were seen.
type labShown struct {
	typeMeta
	lab.Lab
	Points   int          `json:"points"`
	State    lab.State    `json:"state"`
	Progress lab.Progress `json:"progress"`
	Dir      string       `json:"dir,omitempty"` // of its workspace, if there is one
	Lacks    []labLack    `json:"lacks,omitempty"`
	AllHints int          `json:"hintsInAll"`
}

func (a *app) labShow(cmd *cobra.Command, args []string, f labFlags) error {
	chosen, err := a.labChoose(cmd, args, f)
	if err != nil {
		return err
	}
	l := chosen.Lab
	progress, err := chosen.progress().Get(l.ID)
	if err != nil {
		return err
	}
	shown := labShown{typeMeta: kind(kindOfLab), Lab: *l, Points: l.Points(), State: progress.State(), Progress: progress, AllHints: len(l.Hints)}
	shown.Hints = l.Hints[:min(progress.Hints, len(l.Hints))]
	if dir := filepath.Join(chosen.root, l.ID); isDirectory(dir) {
		shown.Dir = dir
	}
	machine := a.labMachine(f.assets)
	for _, need := range l.Needs {
		if err := machine.Lacks(need); err != nil {
			shown.Lacks = append(shown.Lacks, labLack{need, err.Error(), failure.HintOf(err)})
		}
	}
	return a.print(shown, func(w io.Writer) {
		p := a.labPage(w)
		p.head(l)
		p.tasks(l, "Task")
		p.labGraded(l)
		p.labHints(l.Hints[:len(shown.Hints)], 0, len(l.Hints))
		p.labState(&shown)
		next := "check"
		if shown.Dir == "" {
			next = "start"
		}
		p.line("Next: %s", printable(a.asCalled(a.labLine(chosen, next))))
	})
}

const kindOfLab = "Lab"

func isDirectory(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// labGraded lists what is graded.
func (p labPage) labGraded(l *lab.Lab) {
	p.line("")
	p.line("%s", p.paint(sgrStrong, "Graded"))
	for _, c := range l.Checks {
		p.fact("  ", fmt.Sprintf("%2d", c.Points), c.Name, "")
	}
}

// labHints writes hints from one on.
func (p labPage) labHints(hints []string, from, all int) {
	for i, hint := range hints {
		p.line("")
		p.line("%s", p.paint(sgrStrong, fmt.Sprintf("Hint %d of %d", from+i+1, all)))
		p.text("  ", hint)
	}
}

// labState says how far somebody is.
func (p labPage) labState(shown *labShown) {
	p.line("")
	state := fmt.Sprintf("%s %s", shown.State.Sign(), shown.State)
	if !shown.Progress.StartedAt.IsZero() {
		state += fmt.Sprintf("; best result %d of %s", shown.Progress.Points, count(shown.Points, "point"))
	}
	if n := shown.Progress.Hints; n > 0 {
		state += fmt.Sprintf("; %s seen", count(n, "hint"))
	}
	p.text("", state)
	if shown.Dir != "" {
		p.line("In %s", printable(shown.Dir))
	}
	if needs := strings.Join(shown.Needs, ", "); needs != "" {
		p.text("", "Needs "+needs+".")
	}
	for _, lack := range shown.Lacks {
		p.labLack(lack)
	}
}
