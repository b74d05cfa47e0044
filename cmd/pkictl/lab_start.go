package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/lab"
)

func (a *app) labStartCmd() *cobra.Command {
	var f labFlags
	cmd := a.labOfOne(&cobra.Command{
		Use:   "start [ID]",
		Short: "Make the directory of a lab, and say what is to be done",
		Long: `Make the directory of a lab below --dir, with the files that it begins with, and
say what is to be done. A lab with a cluster has one of its own started: etcd and
kube-apiserver, on this machine, for this lab alone.

What is there already is resumed as it is. "pkictl lab reset" begins anew.`,
		Example: `  pkictl lab start key-and-csr
  pkictl lab start cluster-ca --dir labs`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.labStart(cmd, args, f) },
	}, &f)
	addLabAssets(cmd, &f)
	return cmd
}

// labStarted is the result in JSON and YAML.
type labStarted struct {
	typeMeta
	Lab      string   `json:"lab"`
	Title    string   `json:"title"`
	Dir      string   `json:"dir"`
	Resumed  bool     `json:"resumed"`
	Files    []string `json:"files,omitempty"` // to begin with
	Scenario string   `json:"scenario"`
	Tasks    []string `json:"tasks"`
	Minutes  int      `json:"minutes"`
	Points   int      `json:"points"`
}

func (a *app) labStart(cmd *cobra.Command, args []string, f labFlags) error {
	chosen, err := a.labChoose(cmd, args, f)
	if err != nil {
		return err
	}
	a.stopsOthers() // what was started for a cluster
	steps := a.newSteps()
	defer steps.clear()
	w, err := lab.Start(cmd.Context(), lab.StartOptions{
		Lab: chosen.Lab, Root: chosen.root, Now: a.now(), Machine: a.labMachine(f.assets), Progress: steps.show,
	})
	steps.clear()
	if err != nil {
		return a.labFailed(err)
	}
	_, err = chosen.progress().Update(cmd.Context(), chosen.ID, func(p *lab.Progress) error {
		p.Started(w)
		return nil
	})
	if err != nil {
		return err
	}
	files, err := w.Lab.GivenNames()
	if err != nil {
		return err
	}
	l := w.Lab
	result := labStarted{kind("LabWorkspace"), l.ID, l.Title, w.Dir, w.Resumed, files, l.Scenario, l.Tasks, l.Minutes, l.Points()}
	return a.print(result, func(out io.Writer) {
		p := a.labPage(out)
		p.head(l)
		p.tasks(l, "Task")
		p.line("")
		if w.Resumed {
			p.text("", "It was begun at "+w.StartedAt.Local().Format("2006-01-02 15:04")+", and goes on as you left it.")
		} else if len(files) > 0 {
			p.text("", "You begin with: "+strings.Join(files, ", "))
		}
		if chosen.here && !a.needsEnter(w) {
			p.line("Next: pkictl lab check")
			return
		}
		p.line("Next: %s", printable(w.Lab.Enter(w.Dir)))
		p.line("Then: %s", a.asCalled("pkictl lab check, and if need be: pkictl lab hint"))
	})
}

// needsEnter says whether kubectl would reach another cluster than the lab's from its
// directory: in a shell that is new since a reboot, say.
func (a *app) needsEnter(w *lab.Workspace) bool {
	config := w.Kubeconfig()
	return config != "" && a.env("KUBECONFIG") != config
}
