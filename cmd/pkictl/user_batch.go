package main

import "github.com/spf13/cobra"

func (a *app) userAddBatch(cmd *cobra.Command, f userAddFlags) error { return nil }
