package main

import "github.com/spf13/cobra"

func (a *app) userCmd() *cobra.Command {
	return nounCmd("user", "People's access to a cluster",
		`Give people access to a cluster, see who has it, renew it and take it back.`,
		a.userAddCmd(), a.userListCmd(), a.userRenewCmd(), a.userRemoveCmd(),
	)
}
