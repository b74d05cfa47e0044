package main

import "github.com/spf13/cobra"

func (a *app) csrCmd() *cobra.Command {
	return nounCmd("csr", "Certificate signing requests of a cluster",
		`Make certificate requests, send them to a cluster's certificates API, look at
what they would allow, and approve, deny, sign or wait for them.`,
	)
}
