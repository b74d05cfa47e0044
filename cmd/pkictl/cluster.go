package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/shell"
)

// inClusterDir names the cluster directory in the command lines of a text, where
// it is another than they would take. They stand behind a colon; elsewhere a
// command is spoken of.
func (a *app) inClusterDir(text string) string {
	if a.clusterDir == cluster.DefaultDir {
		return text
	}
	commands := regexp.MustCompile(`: (sudo )?pkictl cluster [a-z]+\b( --dir| --help)?`)
	return commands.ReplaceAllStringFunc(text, func(command string) string {
		if strings.HasSuffix(command, " --dir") || strings.HasSuffix(command, " --help") {
			return command
		}
		return command + " --dir " + shell.Quote(a.clusterDir)
	})
}

func (a *app) clusterCmd() *cobra.Command {
	cmd := nounCmd("cluster", "The PKI of a whole control plane, and a control plane that runs on it",
		`Make the certificates, keys and kubeconfigs of a cluster's control plane,
check and renew them, and run a control plane on them.

A cluster directory is what /etc/kubernetes is on a node: kubeconfigs, and the
PKI below it in pki.`,
		a.clusterInitCmd(), a.clusterFinishCmd(), a.clusterLayoutCmd(),
		a.clusterCheckCmd(), a.clusterRenewCmd(),
		a.clusterBundleCmd(), a.clusterRestoreCmd(),
		a.clusterUpCmd(), a.clusterDownCmd(), a.clusterStatusCmd(), a.clusterKeepCmd(),
	)
	// Not the root's: a cluster directory holds a PKI directory.
	cmd.PersistentFlags().StringVar(&a.clusterDir, "dir", cluster.DefaultDir, "cluster `DIRECTORY`, like /etc/kubernetes on a node")
	return cmd
}
