package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

type exportCmdFlags struct {
	exportFlags
	force   bool
	dryRun  bool
	explain bool
}

func (a *app) exportCmd() *cobra.Command {
	var f exportCmdFlags
	cmd := &cobra.Command{
		Use:   "export NAME|SERIAL|FILE -o FORM",
		Short: "Write a certificate that was issued, with its key, to one file",
		Long: `Write a certificate that the CA in the PKI directory has issued before, with its
key, to one file of mode 0600. It is named by the name of its files, its common
name, its serial number in hexadecimal, or the path of its .crt. Forms are

  p12            PKCS#12 with all CAs up to the root, under a password
  pem            key, certificate and intermediate CAs, in this order
  tls-secret     manifest of a Kubernetes Secret of type kubernetes.io/tls, with
                 tls.crt, tls.key and ca.crt
  opaque-secret  the same as type Opaque

--export says where; with --export - it goes to standard output, and the result
to standard error. A kubeconfig is written by "pkictl kubeconfig create".

The key has to stand beside the certificate. One that is encrypted or in a
PKCS#11 token is refused, and so is a certificate that was revoked.

Nothing remembers where the file goes: renew does not renew it, so export it
again then.`,
		Example: `  pkictl issue --cn web --profile server --dns web.example.com
  pkictl export web -o tls-secret --secret-namespace shop
  pkictl export pki/web.crt -o pem --export - | openssl x509 -noout -subject
  openssl rand -hex 16 > web.password
  pkictl export web -o p12 --export web.p12 --export-passphrase-file web.password
  pkictl export web -o pem --dry-run`,
		Args:              cobra.ExactArgs(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.export(cmd, args[0], f) },
		ValidArgsFunction: a.completeNames,
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.Lookup("secret-namespace").Usage = "`NAMESPACE` of the Secret (default the one that it is applied in)"
	flags.BoolVar(&f.force, "force", false, "replace a file that is there")
	addDryRun(cmd, &f.dryRun)
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) export(cmd *cobra.Command, name string, f exportCmdFlags) error {
	if name == "" {
		return failure.New(failure.Usage, "give it a name or serial, as in: pkictl export jane -o pem", "the name is empty")
	}
	var known bool
	if f.form, known = ca.ParseExportForm(a.output); !known {
		return failure.New(failure.Usage, "add -o with one of p12, pem, tls-secret, opaque-secret", "nothing says in which form to export %q", name)
	}
	if err := f.checkFlags(cmd); err != nil {
		return err
	}
	if f.form == ca.ExportPKCS12 && f.file == "-" && isTerminal(a.out) {
		return errBinary
	}
	o := ca.ExportOptions{
		Dir: a.dir, File: f.file, Force: f.force, DryRun: f.dryRun, Now: a.now(), Waiting: a.waiting,
		Export:   ca.Export{Form: f.form, Name: f.secretName, Namespace: f.namespace},
		Password: a.exportPassword(cmd, f.passwordFile),
	}
	authority, err := ca.Open(a.dir)
	if err != nil {
		return err
	}
	defer authority.Close()
	h, err := authority.HoldingFor(cmd.Context(), name, a.now())
	if err != nil {
		return err
	}
	if f.explain {
		return a.explain(authority.ExplainExport(h, o, a.opensslPass(f.passwordFile, exportEnv)))
	}
	result, err := authority.Export(cmd.Context(), h, o)
	if err != nil {
		return err
	}
	a.warn(result.Warnings...)
	return a.printExported(result, o, f.exportFlags)
}

// exportPassword returns what asks for the password of a new PKCS#12 file: the
// file, else the environment, else the terminal.
func (a *app) exportPassword(cmd *cobra.Command, file string) ca.Passphrase {
	return func(name string) ([]byte, error) {
		if password, err := a.givenPassphrase(file, exportEnv); password != nil || err != nil {
			return password, err
		}
		return a.askPassphrase(cmd.Context(), name, true)
	}
}

// printExported says what was done. What is quiet or in another form has no
// result beside the file.
func (a *app) printExported(r *ca.Exported, o ca.ExportOptions, f exportFlags) error {
	f.file, f.data, f.export = r.File, r.Data, r.Export
	a, err := f.print(a)
	if err != nil {
		return err
	}
	first := "Exported "
	if o.DryRun {
		first = "Would export "
	}
	return a.print(nil, func(w io.Writer) { // of the forms, this is the one in which it is shown
		last := "\n"
		if o.DryRun {
			last = " (dry run: nothing was written)\n"
		}
		_, _ = io.WriteString(w, first+printable(r.Name)+last) // w is a buffer
		printRows(w, "  ", append([]row{
			{"subject", ca.FormatName(r.Certificate.RawSubject)},
			{"serial", ca.FormatSerial(r.Certificate.SerialNumber)},
			{"ends", ends(r.Certificate.NotAfter, a.now())},
		}, f.rows()...)...)
	})
}
