package main

import (
	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
)

func (a *app) clusterCmd() *cobra.Command {
	cmd := nounCmd("cluster", "The PKI of a whole control plane, and a control plane that runs on it",
		`Make the certificates, keys and kubeconfigs of a cluster's control plane,
check and renew them, and run a control plane on them.

A cluster directory is what /etc/kubernetes is on a node: kubeconfigs, and the
PKI below it in pki.`,
		a.clusterInitCmd(), a.clusterFinishCmd(), a.clusterLayoutCmd(),
		a.clusterBundleCmd(), a.clusterRestoreCmd(),
		a.clusterUpCmd(), a.clusterDownCmd(), a.clusterStatusCmd(), a.clusterKeepCmd(),
	)
	// Not the root's: a cluster directory holds a PKI directory.
	cmd.PersistentFlags().StringVar(&a.clusterDir, "dir", cluster.DefaultDir, "cluster `DIRECTORY`, like /etc/kubernetes on a node")
	return cmd
}
