package main

import (
	"cmp"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/tui"
)

func (a *app) wizardCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "wizard",
		Short: "Do all of this in steps on the screen",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.wizard(cmd) },
	}
}

func (a *app) wizard(cmd *cobra.Command) error {
	if !isTerminal(a.in) || !isTerminal(a.out) {
		return failure.New(failure.Usage, "see: pkictl --help", "the wizard needs a terminal")
	}
	return tui.Run(cmd.Context(), tui.Options{
		In: a.in, Out: a.out, Environ: os.Environ(),
		Program: cmp.Or(a.display, "pkictl"), Version: version,
		Dir: a.dir, ClusterDir: cluster.DefaultDir, LabDir: filepath.Join(a.env("HOME"), "pkictl-labs"),
		Now: func() time.Time { return time.Now().Truncate(time.Second) },
		Connect: func(file, context string) (*kubeclient.Client, error) {
			return a.connect(&connection{file: file, context: context, timeout: kubeclient.DefaultTimeout})
		},
		Kubeconfigs: a.kubeconfigPaths(),
		GivenPassphrase: func(name string) ([]byte, error) {
			if name == ca.ExportName {
				return a.givenPassphrase("", exportEnv)
			}
			return a.givenPassphrase(a.passphraseFile, envVariable)
		},
		AskPassphrase: a.askPassphrase,
	})
}
