package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  pkictl version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			result := struct {
				typeMeta
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{kind("Version"), version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return a.print(result, func(w io.Writer) {
				fmt.Fprintf(w, "pkictl %s (%s, %s)\n", result.Version, result.Go, result.Platform)
			})
		},
	}
}
