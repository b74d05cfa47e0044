package main

import (
	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
)

func (a *app) csrDenyCmd() *cobra.Command {
	f := decideFlags{}
	cmd := &cobra.Command{
		Use:   "deny NAME... --reason TEXT",
		Short: "Deny requests",
		Long: `Deny certificate signing requests, for good: nobody can approve them afterwards.
Whoever asked may ask again. The reason is kept in the object, for them to read.

What is denied is what was shown: a request that was deleted and made anew under
the same name in between is left alone.`,
		Example: `  pkictl csr new clara --group developers
  pkictl csr submit clara.csr --name clara
  pkictl csr deny clara --reason "no such person" --yes`,
	}
	conn := addConnection(cmd)
	f.add(cmd, "`TEXT` that says why; needed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.message == "" && !f.explain {
			return failure.New(failure.Usage, `say why with --reason, as in --reason "no such person"`, "a denial needs a reason")
		}
		f.names = args
		return a.decide(cmd, conn, f)
	}
	return cmd
}
