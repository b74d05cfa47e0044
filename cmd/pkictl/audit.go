package main

import "github.com/spf13/cobra"

func (a *app) auditCmd() *cobra.Command {
	return nounCmd("audit", "Audit policies of the API server",
		`Make and check audit policies, say what a policy does with a request, and what
it would have kept of a log. The decisions are those of the API server's own code.`,
		a.auditGenerateCmd(),
		a.auditReplayCmd(),
		a.auditLintCmd(),
		a.auditExplainCmd(),
	)
}
