package main

import (
	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/lab"
)

// labNodeCmd is what "lab start" starts in the background for a lab with static pods.
func (a *app) labNodeCmd() *cobra.Command {
	return &cobra.Command{
		Use: "node", Hidden: true, Args: noArgs,
		Short: "Run the node of a lab",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.stopsOthers()
			return lab.RunNode(cmd.Context(), a.in)
		},
	}
}
