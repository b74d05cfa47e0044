package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

type patchFlags struct {
	apiserverOptions
	wait                       waitFlags
	manifest, backups          string
	undo, force                bool
	dryRun, yes, explainRecipe bool
}

func (a *app) apiserverPatchCmd() *cobra.Command {
	var f patchFlags
	cmd := &cobra.Command{
		Use:   "patch",
		Short: "Change the static pod of kube-apiserver so that it comes back",
		Long: `Change flags of the kube-apiserver that the kubelet runs from a manifest, with
the volumes, the files and the directories that they need. The flags are those of
pkictl apiserver flags. Comments, order and fields that pkictl does not know stay;
a second run changes nothing.

Before it writes, it looks whether kube-apiserver would come back: its version
knows the flags and takes their values, the container sees every path, and the
files are there and what they should be. What it finds is printed, and nothing is
written (exit code 3), unless --force is given; what was so before is a warning.
Then the change is shown, and asked for.

A backup goes to pkictl-backups beside the directory "manifests": never into it,
as the kubelet runs every file there. The manifest is replaced in one step, with
its mode and owner. --undo puts the newest backup of the manifest back, and --undo
again undoes that; other files stay as they are. It does not take an encryption
configuration away, unless --force is given: what was encrypted with its keys could
not be read any more.

With --wait it then watches kube-apiserver until a new process is ready, and lets
the kubelet's probe in. If it does not come back within --timeout, or its log says
that it never will, or the wait is interrupted, the old manifest is put back, with
the files that were replaced; the likely cause and the last lines of the log are
printed (exit code 1). A manifest that somebody else changes meanwhile stays. If
pkictl is killed, the next run says so, and --undo puts all back; until a new
process is seen to be healthy, that manifest is also what --wait goes back to.`,
		Example: `  pkictl apiserver patch --manifest kube-apiserver.yaml --audit-preset cis --dry-run
  pkictl apiserver patch --manifest kube-apiserver.yaml --set event-ttl=2h --yes
  pkictl apiserver patch --manifest kube-apiserver.yaml --undo --yes
  pkictl apiserver patch --manifest kube-apiserver.yaml --set event-ttl=2h --explain`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.patchAPIServer(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.manifest, "manifest", apiserver.DefaultManifest, "`FILE` of the static pod")
	addAPIServerOptions(cmd, &f.apiserverOptions)
	flags.StringVar(&f.backups, "backup-dir", "", "`DIRECTORY` of backups (default pkictl-backups beside the directory manifests)")
	f.wait.add(cmd)
	flags.BoolVar(&f.undo, "undo", false, "put the newest backup back")
	flags.BoolVar(&f.force, "force", false, "write it although the check finds something")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the change, and write nothing")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.explainRecipe, "explain", false, "print how to do the same by hand, and do nothing else")
	return cmd
}

func (a *app) patchAPIServer(cmd *cobra.Command, f patchFlags) error {
	if err := f.wait.check(cmd); err != nil {
		return err
	}
	options, err := f.patchOptions(a, cmd)
	if err != nil {
		return err
	}
	return a.runPatch(cmd, f, options)
}

// runPatch shows a change, asks for it, and makes it.
func (a *app) runPatch(cmd *cobra.Command, f patchFlags, options apiserver.PatchOptions) error {
	patch, err := apiserver.NewPatch(options)
	if patch != nil {
		a.warn(patch.Warnings...)
	}
	if err != nil {
		return err
	}
	if f.explainRecipe {
		return a.explain(patch.Explain(), nil)
	}
	for _, problem := range patch.Found {
		a.warn("written all the same: " + problem.Message)
	}
	isAwaited := f.wait.wait && patch.CutShort != ""
	if f.dryRun || !patch.Changes() && !isAwaited {
		return a.printPatch(patchReport(patch, f.dryRun, nil), patch)
	}
	if f.yes || !patch.Changes() {
		a.tellPatch(patch)
	} else if err := a.ask(cmd.Context(), func(w io.Writer) { a.showPatch(w, patch) }, "Write this?"); err != nil {
		return err
	}
	written, wait, err := a.writePatch(cmd, patch, f.wait)
	report := patchReport(patch, false, written)
	report.Wait = wait
	if err != nil {
		if wait != nil && a.output != "text" {
			report.Changed = wait.State == apiserver.WaitNotPutBack || wait.State == apiserver.WaitNotOurs
			return errors.Join(a.printPatch(report, patch), err)
		}
		return err
	}
	return a.printPatch(report, patch)
}

// patchOptions reads what the flags say.
func (f *patchFlags) patchOptions(a *app, cmd *cobra.Command) (apiserver.PatchOptions, error) {
	options, err := f.read()
	if err != nil {
		return apiserver.PatchOptions{}, err
	}
	if f.undo {
		if name := changingFlag(cmd); name != "" {
			return apiserver.PatchOptions{}, failure.New(failure.Usage, "undo first, then make the change", "--undo does not go with --%s", name)
		}
	} else if changingFlag(cmd) == "" {
		return apiserver.PatchOptions{}, failure.New(failure.Usage, "say what to change, as with --audit-policy-from FILE or --set event-ttl=2h; see: pkictl apiserver patch --help", "there is nothing to change")
	}
	return apiserver.PatchOptions{
		Manifest: f.manifest, Options: options, Undo: f.undo, Backups: f.backups, Force: f.force, Now: a.now(),
	}, nil
}

// changingFlag returns the name of a flag that says what to change, "" if none
// was given.
func changingFlag(cmd *cobra.Command) string {
	var all apiserverOptions
	model := &cobra.Command{}
	addAPIServerOptions(model, &all)
	name := ""
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if model.Flags().Lookup(f.Name) != nil && f.Name != "kubernetes-version" && f.Name != "config-dir" {
			name = f.Name
		}
	})
	return name
}

// patchResult is the result in JSON and YAML.
type patchResult struct {
	typeMeta
	Manifest string   `json:"manifest"`
	DryRun   bool     `json:"dryRun,omitempty"`
	Changed  bool     `json:"changed"` // or would be
	Diff     string   `json:"diff,omitempty"`
	Files    []string `json:"files,omitempty"`  // made or replaced
	Backup   string   `json:"backup,omitempty"` // of the manifest
	// Wait says what became of the change, with --wait.
	Wait *apiserver.WaitResult `json:"wait,omitempty"`
	// Found is what --force has written all the same.
	Found    []apiserver.Problem `json:"findings,omitempty"`
	Warnings []string            `json:"warnings,omitempty"`
}

func patchReport(p *apiserver.Patch, dryRun bool, written *apiserver.Written) patchResult {
	r := patchResult{
		typeMeta: kind("APIServerPatch"), Manifest: p.Path, DryRun: dryRun, Changed: p.Changes(),
		Diff: p.Diff(), Found: p.Found, Warnings: p.Warnings,
	}
	for _, file := range p.Files {
		r.Files = append(r.Files, file.Path)
	}
	if written != nil {
		r.Backup = written.Backup
	}
	return r
}

// showPatch shows what would be done.
func (a *app) showPatch(w io.Writer, p *apiserver.Patch) {
	a.writeDiff(w, p.Diff())
	for _, file := range p.Files {
		verb := "makes"
		if file.Old != nil {
			verb = "replaces"
		}
		fmt.Fprintf(w, "%s %s  %04o  %s\n", verb, printable(file.Path), file.Mode, printable(file.Why))
	}
}

// tellPatch shows what is done without a question; the result in JSON or YAML has
// it too.
func (a *app) tellPatch(p *apiserver.Patch) {
	if a.output == "text" && !a.quiet {
		a.showPatch(a.err, p)
	}
}

func (a *app) printPatch(r patchResult, p *apiserver.Patch) error {
	if a.output == "text" && !a.quiet && r.DryRun {
		a.showPatch(a.out, p)
	}
	return a.print(r, func(w io.Writer) {
		switch {
		case !r.Changed:
			fmt.Fprintln(w, "nothing to change")
			printHealthy(w, r.Wait)
		case r.DryRun:
		default:
			a.printWritten(w, r, p)
		}
	})
}

func (a *app) printWritten(w io.Writer, r patchResult, p *apiserver.Patch) {
	for _, file := range r.Files {
		fmt.Fprintf(w, "wrote %s\n", printable(file))
	}
	if !p.ChangesManifest() {
		fmt.Fprintf(w, "%s stays as it is: kube-apiserver reads the files when it is next started\n", printable(r.Manifest))
		return
	}
	fmt.Fprintf(w, "changed %s\n", printable(r.Manifest))
	if r.Backup != "" {
		fmt.Fprintf(w, "backup %s\n", printable(r.Backup))
	}
	printHealthy(w, r.Wait)
	if r.Wait == nil {
		fmt.Fprintf(w, "the kubelet now restarts kube-apiserver; to take the change back: pkictl apiserver patch --manifest %s --undo\n", shell.Quote(r.Manifest))
	}
}

func printHealthy(w io.Writer, r *apiserver.WaitResult) {
	if r != nil {
		fmt.Fprintf(w, "kube-apiserver is healthy: %s\n", printable(r.Proof))
	}
}
