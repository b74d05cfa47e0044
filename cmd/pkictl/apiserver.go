package main

import "github.com/spf13/cobra"

func (a *app) apiserverCmd() *cobra.Command {
	return nounCmd("apiserver", "Flags of kube-apiserver, and the static pod that runs it",
		`Make flags of kube-apiserver with the files and mounts that they need, change
the static pod that runs it so that it comes back, and check it by the CIS
Kubernetes Benchmark.`,
		a.apiserverFlagsCmd(),
		a.apiserverPatchCmd(),
		a.apiserverCheckCmd(),
	)
}
