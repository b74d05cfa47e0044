package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/lab"
	"github.com/pkictl/pkictl/tui"
)

type wizardFlags struct {
	connection *connection
	clusterDir string
	labDir     string
	accessible bool
}

func (a *app) wizardCmd() *cobra.Command {
	var f wizardFlags
	cmd := &cobra.Command{
		Use:   "wizard",
		Short: "Do all of this in steps on the screen",
		Long: `Show on a screen what is there, and ask in steps for what the flags of the other
commands say: for a CA, a credential, a user of a cluster, the PKI of a control
plane, an audit policy, the API server. Certificates that were issued are in a
table, to find, renew, revoke and export; practice labs teach the same by hand.

Before anything is written or sent, it shows what that would be, the one command
that does the same, and how openssl or kubectl would do it, and asks. F1 lists
the keys of every screen.

Ctrl-C leaves it from everywhere; what is under way is ended in order before. The
terminal has at least 60 columns and 16 lines. NO_COLOR is followed. Where the
screen is read to you, or the terminal takes lines alone, --accessible asks the
same in plain lines.`,
		Example: `  pkictl wizard --help
  echo q | pkictl wizard --accessible
  echo q | pkictl wizard --accessible --dir other --cluster-dir kubernetes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.wizard(cmd, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.accessible, "accessible", false, "ask in plain lines, for screen readers")
	flags.StringVar(&f.clusterDir, "cluster-dir", cluster.DefaultDir, "cluster `DIRECTORY`: that of a control plane's PKI")
	flags.StringVar(&f.labDir, "lab-dir", a.labDir(), "`DIRECTORY` that practice labs are prepared in")
	f.connection = addConnection(cmd)
	a.addPassphrase(cmd)
	return cmd
}

// labDir is where labs are prepared: apart from what somebody works on.
func (a *app) labDir() string {
	return filepath.Join(cmp.Or(a.env("HOME"), a.env("USERPROFILE")), "pkictl-labs")
}

func (a *app) wizard(cmd *cobra.Command, f wizardFlags) error {
	o := a.wizardOptions(f)
	switch {
	case f.connection.timeout <= 0:
		_, err := a.connect(f.connection)
		return err
	case f.accessible:
		a.stopsOthers()
		return tui.RunPlain(cmd.Context(), o)
	case !isTerminal(a.in) || !isTerminal(a.out):
		return failure.New(failure.Usage, "see the commands that need none: pkictl --help; or ask in plain lines: pkictl wizard --accessible",
			"the wizard needs a terminal")
	case tui.IsDumb(o.Environ):
		return failure.New(failure.Usage, "ask in plain lines: pkictl wizard --accessible", "the terminal takes lines alone (TERM=%s)", a.env("TERM"))
	}
	if a.passphraseFile != "" && isReadableByOthers(a.passphraseFile) {
		a.warn(fmt.Sprintf("passphrase file %q is readable by others; make it private with: chmod 600", a.passphraseFile))
	}
	// Bubble Tea would write all that is typed to the file TEA_TRACE, passphrases
	// included, and what has panicked to one in the current directory.
	for _, name := range []string{"TEA_TRACE", "TEA_DEBUG"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	// What is under way when it is told to end takes as long as it takes; the
	// terminal is given back before.
	a.stopsOthers()
	return tui.Run(cmd.Context(), o)
}

func (a *app) wizardOptions(f wizardFlags) tui.Options {
	program, _ := os.Executable() // without it no lab's cluster is started, which is said then
	quiet := *a                   // a warning would stand across the screen
	quiet.quiet = true
	return tui.Options{
		In: a.in, Out: a.out, Environ: os.Environ(),
		Program: cmp.Or(a.display, "pkictl"), Version: version,
		Dir: a.dir, ClusterDir: f.clusterDir, LabDir: f.labDir,
		Machine:    lab.FindMachine(program, "", a.env),
		Kubeconfig: f.connection.file, Context: f.connection.context, PassphraseFile: a.passphraseFile,
		Now: func() time.Time { return time.Now().Truncate(time.Second) },
		Connect: func(file, context string) (*kubeclient.Client, error) {
			c := connection{file: file, context: context, timeout: f.connection.timeout}
			if file == "" {
				c.file, c.context = f.connection.file, cmp.Or(context, f.connection.context)
			}
			return a.connect(&c)
		},
		Kubeconfigs:   a.kubeconfigPaths(),
		AskPassphrase: a.askPassphrase,
		GivenPassphrase: func(name string) ([]byte, error) {
			if name == ca.ExportName {
				return quiet.givenPassphrase("", exportEnv)
			}
			return quiet.givenPassphrase(a.passphraseFile, envVariable)
		},
	}
}
