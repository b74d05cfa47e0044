package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
)

// checkFixFlags are those of apiserver check --fix.
type checkFixFlags struct {
	ids      []string
	dir, log string
	patchFlags
}

// fixCertain is the value of --fix without one.
const fixCertain = "certain"

func (f *checkFixFlags) isWanted() bool { return f.ids != nil }

// named returns the IDs that are to be mended; nil: all that is certain.
func (f *checkFixFlags) named() []string {
	if slices.Equal(f.ids, []string{fixCertain}) {
		return nil
	}
	return f.ids
}

func addCheckFix(cmd *cobra.Command, f *checkFixFlags) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.ids, "fix", nil, "mend what failed: what is certain, or the checks of these `IDS`")
	flags.Lookup("fix").NoOptDefVal = fixCertain
	flags.StringVar(&f.dir, "config-dir", apiserver.DefaultDir, "`DIRECTORY` on the host for the files that --fix makes")
	flags.StringVar(&f.log, "audit-log-path", apiserver.DefaultAuditLog, "`PATH` on the host of an audit log that --fix has written")
	flags.StringVar(&f.backups, "backup-dir", "", "`DIRECTORY` of backups (default pkictl-backups beside the directory manifests)")
	f.wait.add(cmd)
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what --fix would change, and write nothing")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
}

// apiserverFix mends what a check found, and checks again.
func (a *app) apiserverFix(cmd *cobra.Command, f apiserverCheckFlags) error {
	report, err := apiserver.CheckManifests(f.CheckOptions)
	if err != nil {
		return err
	}
	fixes, err := report.Fixes(f.fix.named())
	if err != nil {
		return err
	}
	if err := a.mend(cmd, f, report, fixes); err != nil || f.fix.dryRun {
		return err
	}
	after, err := apiserver.CheckManifests(f.CheckOptions)
	if err != nil {
		return err
	}
	after.Fixed = fixes.Mended(after)
	return a.reportAPIServerCheck(after, f)
}

// mend changes the manifest of kube-apiserver, and rights of files.
func (a *app) mend(cmd *cobra.Command, f apiserverCheckFlags, report *apiserver.CheckReport, fixes *apiserver.Fixes) error {
	if len(fixes.Patched) > 0 {
		o := fixes.Patch(report, f.fix.dir, f.fix.log)
		o.Backups, o.Now = f.fix.backups, a.now()
		quiet := *a // the check that follows is the result
		if !f.fix.dryRun {
			quiet.out = io.Discard
		}
		if err := quiet.runPatch(cmd, f.fix.patchFlags, o); err != nil {
			return err
		}
	}
	if len(fixes.Files) == 0 {
		return nil
	}
	show := func(w io.Writer) {
		for _, command := range fixes.FileCommands() {
			fmt.Fprintf(w, "%s\n", printable(command))
		}
	}
	switch {
	case f.fix.dryRun && a.output == "text" && !a.quiet:
		show(a.out)
		return nil
	case f.fix.dryRun:
		return nil
	case !f.fix.yes:
		if err := a.ask(cmd.Context(), show, "Change these rights?"); err != nil {
			return err
		}
	}
	return fixes.MendFiles()
}

// check refuses what makes no sense together.
func (f *checkFixFlags) check(cmd *cobra.Command) error {
	if f.isWanted() {
		if len(f.ids) > 1 && slices.Contains(f.ids, fixCertain) {
			return failure.New(failure.Usage, "leave one of them out", "--fix is given with IDs and without: %s", strings.Join(f.ids, ","))
		}
		return f.wait.check(cmd)
	}
	for _, name := range []string{"config-dir", "audit-log-path", "backup-dir", "wait", "timeout", "pod-logs", "dry-run", "yes"} {
		if cmd.Flags().Changed(name) {
			return failure.New(failure.Usage, "add --fix", "--%s is given, but without --fix nothing is changed", name)
		}
	}
	return nil
}
