package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// app is what the commands share: the world outside, and the common flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
	now      func() time.Time
	// display is what the program is called where that is not pkictl.
	display string
	// commandLine finds the command lines in texts that are to say so.
	commandLine *regexp.Regexp

	dir        string
	clusterDir string // of the commands below cluster
	labsDir    string // of the commands below lab
	output     string
	quiet      bool
	// hasOut says that the command has a flag --out.
	hasOut bool
	// stopsOthers says that the command, told to end, first ends what it runs,
	// however long that takes.
	stopsOthers func()
	// passphraseFile is the value of --passphrase-file.
	passphraseFile string
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
		// As far as a slip of the finger goes.
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Args:                       noArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.checkFlags(cmd)
		},
	}
	dir := a.env("PKICTL_DIR")
	if dir == "" {
		dir = ca.DefaultDir
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", dir, "PKI `DIRECTORY`; the environment variable PKICTL_DIR sets the default")
	flags.StringVarP(&a.output, "output", "o", "text", "`FORM` of the result: text, json or yaml; some commands have more")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	completeForms(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	root.AddCommand(
		a.initCACmd(), a.issueCmd(), a.exportCmd(), a.renewCmd(), a.revokeCmd(), a.crlCmd(),
		a.listCmd(), a.inspectCmd(), a.verifyCmd(), a.lintCmd(),
		a.csrCmd(), a.userCmd(), a.kubeconfigCmd(), a.credentialCmd(),
		a.clusterCmd(),
		a.auditCmd(), a.apiserverCmd(),
		a.labCmd(), a.wizardCmd(),
		a.versionCmd(), a.manCmd(),
	)
	reportArgs(root)
	a.displayAs(root)
	return root
}

// nounCmd is a command that only holds others.
func nounCmd(noun, short, long string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: noun, Short: short, Long: long, Args: noArgs,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// reportArgs gives wrong arguments of a command, and of those below it, the
// exit code and hint of wrong usage.
func reportArgs(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		reportArgs(sub)
	}
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		return usageError(cmd, check(cmd, args))
	}
}

func usageError(cmd *cobra.Command, err error) error {
	var known *failure.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return failure.Wrap(err, failure.Usage, "see: "+cmd.CommandPath()+" --help", "wrong usage")
}

// noArgs is for commands that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasSubCommands():
		hint := "see: " + cmd.CommandPath() + " --help"
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			hint = "did you mean: " + cmd.CommandPath() + " " + similar[0]
		}
		return failure.New(failure.Usage, hint, "there is no command %q", args[0])
	}
	return failure.New(failure.Usage, "see: "+cmd.CommandPath()+" --help",
		"%s takes no argument, but got %q", cmd.CommandPath(), args[0])
}

// checkFlags checks what all commands have in common. An empty value is most
// often a variable that is not set, and one like --force that of a flag whose
// own value was forgotten: taking them as they are would hide that.
func (a *app) checkFlags(cmd *cobra.Command) error {
	a.hasOut = cmd.Flags().Lookup("out") != nil
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch value := f.Value.String(); {
		case value == "" || value == "[]" && f.Value.Type() != "string":
			err = failure.New(failure.Usage, "give it a value, or leave the flag out", "--%s is empty", f.Name)
		case strings.HasPrefix(value, "--"):
			err = failure.New(failure.Usage, "give it a value before the next flag", "--%s has the flag %q for a value", f.Name, value)
		}
	})
	if err != nil {
		return err
	}
	return a.checkForm(cmd)
}

// errFound ends a check that found something; what it found has been printed
// as its result.
var errFound = failure.New(failure.Finding, "", "the check found something")

// printError writes the error and its hint, each on one line.
func (a *app) printError(err error) {
	fmt.Fprintf(a.err, "error: %s\n", oneLine(err.Error()))
	if hint := failure.HintOf(err); hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", oneLine(a.asCalled(a.inClusterDir(a.withoutOut(hint)))))
	}
}

// withoutOut leaves --out out of the hint of a package that does not know which
// command it serves, where that has no such flag.
func (a *app) withoutOut(hint string) string {
	if a.hasOut {
		return hint
	}
	return strings.NewReplacer("--dir or --out", "--dir", "another name with --out", "another place with --dir", "shorter name with --out", "shorter name").Replace(hint)
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
func (a *app) waiting() { a.waitingFor(a.dir) }

func (a *app) waitingFor(dir string) {
	if !a.quiet {
		fmt.Fprintf(a.err, "waiting for another pkictl that is changing %s ...\n", printable(dir))
	}
}
