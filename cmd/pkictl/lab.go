package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/lab"
)

func (a *app) labCmd() *cobra.Command {
	cmd := nounCmd("lab", "Practice labs: tasks as the CKA and CKS set them, graded by what you make",
		`Practise what the CKA and CKS exams ask for, in a directory on this machine.

"pkictl lab start ID" makes a directory with the files that a lab begins with, and
says what is to be done. You work there with openssl, kubectl, an editor or pkictl.
"pkictl lab check" looks at what you have made and says of each point what was
wanted and what is there. It parses, and asks the lab's own cluster; it runs
nothing of yours, changes nothing and sends nothing.

In the directory of a lab no command needs its ID. There are three hints for each,
which cost nothing in practice, and a solution. "pkictl lab exam" sets tasks of
all domains against the clock.`,
		a.labListCmd(), a.labStartCmd(), a.labShowCmd(), a.labCheckCmd(),
		a.labHintCmd(), a.labSolutionCmd(), a.labResetCmd(), a.labStopCmd(),
		a.labExamCmd(), a.labWebhookCmd(), a.labLintCmd(), a.labNodeCmd(),
	)
	// Not the root's: labs are apart from what somebody works on.
	cmd.PersistentFlags().StringVar(&a.labsDir, "dir", a.labDir(), "`DIRECTORY` that labs are prepared in, one below it for each")
	return cmd
}

// labFlags say which lab is meant, and what the machine has.
type labFlags struct {
	from   string
	assets string
}

func addLabFrom(cmd *cobra.Command, f *labFlags) {
	cmd.Flags().StringVar(&f.from, "from", "", "`DIRECTORY` of a lab of your own, or of several")
	// The only error is a flag that does not exist, which a test would show.
	_ = cmd.MarkFlagDirname("from")
}

func addLabAssets(cmd *cobra.Command, f *labFlags) {
	cmd.Flags().StringVar(&f.assets, "assets", "", "`DIRECTORY` with etcd and kube-apiserver, for labs with a cluster")
	_ = cmd.MarkFlagDirname("assets") // as above
}

// labOfOne makes a command one that takes a lab.
func (a *app) labOfOne(cmd *cobra.Command, f *labFlags) *cobra.Command {
	addLabFrom(cmd, f)
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.labIDs(f)
	}
	return cmd
}

// labIDs are for the shell's completion: no lab is read for it.
func (a *app) labIDs(f *labFlags) ([]string, cobra.ShellCompDirective) {
	source, err := labSource(f.from)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ids, err := source.IDs()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

func labSource(from string) (*lab.Source, error) {
	if from == "" {
		return lab.CatalogueSource(), nil
	}
	return lab.OpenSource(from)
}

func (a *app) labMachine(assets string) *lab.Machine {
	program, _ := os.Executable() // without it no lab's cluster is started, which is said then
	return lab.FindMachine(program, assets, a.env)
}

// labChosen is a lab, and where its workspace is or will be.
type labChosen struct {
	*lab.Lab
	root string // of all workspaces
	from string // as --from says
	here bool   // the current directory is in its workspace
}

// labChoose finds the lab that is meant: the one that is named, or that of the
// workspace that the current directory is in.
func (a *app) labChoose(cmd *cobra.Command, args []string, f labFlags) (*labChosen, error) {
	chosen := &labChosen{root: a.labsDir, from: f.from}
	id := ""
	if len(args) > 0 {
		id = args[0]
	}
	if at := findWorkspace(); at != nil && !cmd.Flags().Changed("dir") && f.from == "" && (id == "" || id == at.Lab) {
		chosen.root, chosen.from, chosen.here = at.Root, at.From, true
		id = at.Lab
	}
	source, err := labSource(chosen.from)
	if err != nil {
		return nil, err
	}
	if ids, err := source.IDs(); id == "" && f.from != "" && err == nil && len(ids) == 1 {
		id = ids[0]
	}
	if id == "" {
		return nil, failure.New(failure.Usage, "name one of those that this lists: pkictl lab list; or go to the directory of one", "no lab is named, and this is the directory of none")
	}
	if chosen.from == "" {
		chosen.Lab, err = lab.Named(id)
	} else {
		chosen.Lab, err = source.Lab(id)
	}
	return chosen, err
}

func findWorkspace() *lab.WorkspaceAt {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	return lab.FindWorkspace(dir)
}

// labOpen opens the workspace of a lab that was started.
func (a *app) labOpen(chosen *labChosen, assets string) (*lab.Workspace, error) {
	w, err := lab.OpenWorkspace(chosen.root, chosen.Lab, a.labMachine(assets))
	return w, a.labNotOpen(chosen, err)
}

// labNotOpen says with which command a lab is begun, or begun again.
func (a *app) labNotOpen(chosen *labChosen, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return failure.New(failure.Failed, "begin it with: "+a.labLine(chosen, "start"), "lab %q has not been started: there is no %q", chosen.ID, filepath.Join(chosen.root, chosen.ID))
	}
	return a.labStartsAgain(chosen, err)
}

// labFailed prints the last lines of the log of a lab's cluster, where that is what
// failed, and returns the error that came of it in one line.
func (a *app) labFailed(err error) error {
	var component *cluster.ComponentError
	if errors.Is(err, context.Canceled) || errors.As(err, &component) {
		return a.showLog(err)
	}
	return err
}

// labStartsAgain names the command where a hint says to start the lab again.
func (a *app) labStartsAgain(chosen *labChosen, err error) error {
	const again = "start the lab again"
	if hint := failure.HintOf(err); strings.HasPrefix(hint, again) {
		return failure.New(failure.KindOf(err), again+" with: "+a.labLine(chosen, "start"), "%v", err)
	}
	return err
}

// labLine is the command line of a verb for a lab, as short as it can be typed here.
func (a *app) labLine(chosen *labChosen, verb string) string {
	if chosen.here {
		return "pkictl lab " + verb
	}
	line := "pkictl lab " + verb + " " + chosen.ID
	if chosen.from != "" {
		line += " --from " + shell.Quote(chosen.from)
	}
	if chosen.root != a.labDir() {
		line += " --dir " + shell.Quote(chosen.root)
	}
	return line
}

func (chosen *labChosen) progress() *lab.ProgressStore { return lab.OpenProgress(chosen.root) }
