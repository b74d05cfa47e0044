package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// exportEnv has the password of PKCS#12 files.
const exportEnv = "PKICTL_EXPORT_PASSPHRASE"

// resultForms are the values of -o that every command takes.
var resultForms = []string{"text", "json", "yaml"}

// moreForms is the annotation of a command that takes more, with commas.
const moreForms = "pkictl.dev/forms"

// formsOf returns the values of -o that a command takes.
func formsOf(cmd *cobra.Command) []string {
	more := cmd.Annotations[moreForms]
	if more == "" {
		return resultForms
	}
	return slices.Concat(resultForms, strings.Split(more, ","))
}

// completeForms offers the values of -o that the command takes.
func completeForms(root *cobra.Command) {
	// The only error is a flag that does not exist, which a test would show.
	_ = root.RegisterFlagCompletionFunc("output", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return formsOf(cmd), cobra.ShellCompDirectiveNoFileComp
	})
}

// checkForm checks the value of -o.
func (a *app) checkForm(cmd *cobra.Command) error {
	forms := formsOf(cmd)
	if slices.Contains(forms, a.output) {
		return nil
	}
	hint := "choose one of " + strings.Join(forms, ", ")
	if _, known := ca.ParseExportForm(a.output); known {
		hint += "; only issue and export have the form " + a.output
	}
	return failure.New(failure.Usage, hint, "unknown output form %q", a.output)
}

// exportFlags say which file beside key and certificate holds both.
type exportFlags struct {
	form         ca.ExportForm // empty: none
	file         string        // --export; - is standard output
	passwordFile string
	secretName   string
	namespace    string // --secret-namespace

	passwordArg string // of openssl, for --explain
	export      ca.Export
	data        []byte // what goes to standard output
}

// add declares the flags.
func (e *exportFlags) add(cmd *cobra.Command) {
	var forms []string
	for _, form := range ca.ExportForms() {
		forms = append(forms, string(form))
	}
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[moreForms] = strings.Join(forms, ",")
	flags := cmd.Flags()
	flags.StringVar(&e.file, "export", "", "write the form of -o to this `FILE`, - for standard output (default PREFIX.p12, PREFIX.pem or PREFIX.secret.yaml)")
	flags.StringVar(&e.passwordFile, "export-passphrase-file", "", "`FILE` with the password of the PKCS#12 file (default the environment variable "+exportEnv+")")
	flags.StringVar(&e.secretName, "secret-name", "", "`NAME` of the Secret (default that of the files)")
	flags.StringVar(&e.namespace, "secret-namespace", "", "`NAMESPACE` of the Secret (default that of --namespace)")
}

// addExport checks what was said of the export and has it written with key and
// certificate. It comes after addKubeconfig, whose file an Opaque Secret holds.
func (a *app) addExport(cmd *cobra.Command, f *issueFlags) error {
	if err := a.checkExport(cmd, f); err != nil || f.export.form == "" {
		return err
	}
	return a.planExport(f)
}

// checkExport checks what was said of the export, and reads its password.
func (a *app) checkExport(cmd *cobra.Command, f *issueFlags) error {
	e := &f.export
	if err := e.checkFlags(cmd); err != nil {
		return err
	}
	e.export = ca.Export{Form: e.form}
	if e.form != ca.ExportPKCS12 {
		return nil
	}
	return a.readExportPassword(cmd, f)
}

// planExport has the export of one certificate written with it.
func (a *app) planExport(f *issueFlags) error {
	e := &f.export
	if e.file == "" {
		e.file = e.form.PathFor(f.IssueOptions)
	}
	if err := a.checkExportFile(f); err != nil {
		return err
	}
	if e.form.IsSecret() {
		e.export.Namespace = cmp.Or(e.namespace, f.entry.Namespace)
		e.export = e.export.Named(e.secretName, f.Prefix())
	}
	switch {
	case f.explain && e.form == ca.ExportPKCS12:
		return nil // openssl reads the password itself
	case e.file == "-":
		return e.export.IssueThrough(func(data []byte) { e.data = data }, &f.IssueOptions)
	}
	return e.export.IssueTo(e.file, &f.IssueOptions)
}

// checkFlags refuses flags that say something of a form that was not asked for.
func (e *exportFlags) checkFlags(cmd *cobra.Command) error {
	for _, flag := range []struct {
		name, what, hint string
		fits             bool
	}{
		{"export", "one file with key and certificate", "add -o with one of p12, pem, tls-secret, opaque-secret", e.form != ""},
		{"export-passphrase-file", "a PKCS#12 file", "add -o p12", e.form == ca.ExportPKCS12},
		{"secret-name", "a Secret", "add -o tls-secret or -o opaque-secret", e.form.IsSecret()},
		{"secret-namespace", "a Secret", "add -o tls-secret or -o opaque-secret", e.form.IsSecret()},
	} {
		if cmd.Flags().Changed(flag.name) && !flag.fits {
			return failure.New(failure.Usage, flag.hint, "--%s is for %s", flag.name, flag.what)
		}
	}
	return nil
}

// checkExportFile refuses the place for the export that another file takes, and
// a terminal.
func (a *app) checkExportFile(f *issueFlags) error {
	e := &f.export
	if e.file == "-" {
		if e.form == ca.ExportPKCS12 && isTerminal(a.out) {
			return errBinary
		}
		return nil
	}
	return e.export.CheckPath(e.file, f.IssueOptions)
}

// errBinary refuses to show a PKCS#12 file on a terminal.
var errBinary = failure.New(failure.Usage, "name a file with --export, or send it on with > or |",
	"a PKCS#12 file is binary and not for a terminal")

// readExportPassword reads the password of a PKCS#12 file. --explain needs
// none, and says where openssl finds it.
func (a *app) readExportPassword(cmd *cobra.Command, f *issueFlags) error {
	e := &f.export
	e.passwordArg = a.opensslPass(e.passwordFile, exportEnv)
	if f.explain {
		return nil
	}
	var err error
	if e.export.Password, err = a.givenPassphrase(e.passwordFile, exportEnv); e.export.Password != nil || err != nil {
		return err
	}
	e.export.Password, err = a.askPassphrase(cmd.Context(), ca.ExportName, true)
	if errors.Is(err, ca.ErrNoPassphrase) {
		return failure.New(failure.Usage, "put it in a file for --export-passphrase-file, or in "+exportEnv, "a PKCS#12 file needs a password")
	}
	return err
}

// addPassphraseFile declares the flag of a command that reads PKCS#12 files.
func (a *app) addPassphraseFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.passphraseFile, fileFlag, "",
		"`FILE` whose first line is the password of a PKCS#12 file; or set "+exportEnv)
}

// askPKCS12 returns how inspect and verify learn the password of a PKCS#12 file.
func (a *app) askPKCS12(ctx context.Context) ca.Passphrase {
	return func(name string) ([]byte, error) {
		if password, err := a.givenPassphrase(a.passphraseFile, exportEnv); password != nil || err != nil {
			return password, err
		}
		password, err := a.askPassphrase(ctx, name, false)
		if errors.Is(err, ca.ErrNoPassphrase) {
			return nil, failure.New(failure.Failed, "put it in a file for --"+fileFlag+", or in "+exportEnv, "%s needs a password", name)
		}
		return password, err
	}
}

// explain returns the recipe for the export.
func (e *exportFlags) explain(f *issueFlags) string {
	if e.form == "" {
		return ""
	}
	paths := ca.ExportPaths{Dir: f.Dir, Prefix: f.Prefix(), File: e.file, Password: e.passwordArg, Kubeconfig: f.kubeconfig}
	if paths.File == "-" {
		paths.File = ""
	}
	return e.export.Explain(paths)
}

// print writes an export for standard output there, and has the result for
// people go to standard error.
func (e *exportFlags) print(a *app) (*app, error) {
	if e.file != "-" {
		return a, nil
	}
	_, err := a.out.Write(e.data)
	other := *a
	other.out = a.err
	return &other, err
}

// rows are what the result says of the export.
func (e *exportFlags) rows() []row {
	if e.form == "" {
		return nil
	}
	where := e.file
	if where == "-" {
		where = "standard output"
	}
	return []row{{e.form.Title(), e.export.Place(where)}}
}
