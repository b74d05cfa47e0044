package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// app is what the commands share: the world outside, and the common flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
	now      func() time.Time

	dir    string
	output string
	quiet  bool
}

// run executes a command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCmd()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errFound) {
		a.printError(err)
	}
	return int(failure.KindOf(err))
}

func (a *app) rootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "pkictl",
		Short: "PKI and credentials for Kubernetes clusters",
		Long: `pkictl makes certificate authorities, certificates and kubeconfigs for
Kubernetes clusters, and keeps a record of all of them.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check found something,
4 refused by policy.`,
		Example: `  pkictl init-ca
  pkictl issue --cn kube-admin --group system:masters`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return a.checkCommonFlags()
		},
	}
	dir := a.env("PKICTL_DIR")
	if dir == "" {
		dir = ca.DefaultDir
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", dir, "PKI directory; the environment variable PKICTL_DIR sets the default")
	flags.StringVarP(&a.output, "output", "o", "text", "form of the result: text, json or yaml")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	complete(root, "output", "text", "json", "yaml")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	root.AddCommand(
		a.initCACmd(), a.issueCmd(), a.listCmd(), a.inspectCmd(), a.verifyCmd(),
		a.versionCmd(), a.manCmd(),
	)
	for _, cmd := range root.Commands() {
		reportArgs(cmd)
	}
	return root
}

// reportArgs gives wrong arguments the exit code and hint of wrong usage.
func reportArgs(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError(cmd, err)
		}
		return nil
	}
}

func usageError(cmd *cobra.Command, err error) error {
	return failure.Wrap(err, failure.Usage, "see: "+cmd.CommandPath()+" --help", "wrong usage")
}

func (a *app) checkCommonFlags() error {
	switch a.output {
	case "text", "json", "yaml":
	default:
		return failure.New(failure.Usage, "choose one of text, json, yaml", "unknown output form %q", a.output)
	}
	if a.dir == "" {
		return failure.New(failure.Usage, "leave it out for ./"+ca.DefaultDir, "--dir is empty")
	}
	return nil
}

// errFound ends a check that found something; what it found has been printed
// as its result.
var errFound = failure.New(failure.Finding, "", "the check found something")

// printError writes the error and its hint, each on one line.
func (a *app) printError(err error) {
	fmt.Fprintf(a.err, "error: %s\n", oneLine(err.Error()))
	if hint := failure.HintOf(err); hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", oneLine(hint))
	}
}

func oneLine(s string) string {
	return printable(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}

// warn writes warnings to standard error.
func (a *app) warn(warnings ...string) {
	if a.quiet {
		return
	}
	for _, w := range warnings {
		fmt.Fprintf(a.err, "warning: %s\n", printable(w))
	}
}

// waiting says why nothing happens.
func (a *app) waiting() {
	if !a.quiet {
		fmt.Fprintf(a.err, "waiting for another pkictl that is changing %s ...\n", printable(a.dir))
	}
}
