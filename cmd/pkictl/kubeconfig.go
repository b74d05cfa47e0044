package main

import "github.com/spf13/cobra"

func (a *app) kubeconfigCmd() *cobra.Command {
	return nounCmd("kubeconfig", "Write, merge and check kubeconfigs",
		`Write, merge and check the files that kubectl reads.`,
		a.kubeconfigCreateCmd(),
		a.kubeconfigCheckCmd(),
		a.kubeconfigMergeCmd(),
	)
}
