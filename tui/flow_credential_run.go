package tui

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

// options are what issue would be given, without kubeconfig and export.
func (f *flowCredential) options() ca.IssueOptions {
	o := ca.IssueOptions{
		Dir: f.pkiDir(), CommonName: f.commonName, Groups: f.groups, Profile: f.profile,
		Key: f.keyKind, Validity: f.validity, Out: f.out, Now: f.Now(), OpenSSLPass: f.opensslPass(variablePassphrase),
	}
	if f.isServer() {
		o.DNS, o.IPs = f.dns, f.ips
	}
	return o
}

// entry is that of the kubeconfig.
func (f *flowCredential) entry() kubeconfig.Entry {
	return kubeconfig.Entry{
		Server: f.server, Cluster: cmp.Or(f.cluster, kubeconfig.DefaultCluster), User: f.commonName, Namespace: f.namespace,
	}
}

func (f *flowCredential) kubeconfigPath() string { return cmp.Or(f.kubeconfig, f.kubeconfigFallback()) }

func (f *flowCredential) exportPath() string {
	return cmp.Or(f.export, ca.ExportForm(f.form).PathFor(f.options()))
}

// plainExport is the export without its password.
func (f *flowCredential) plainExport() ca.Export {
	e := ca.Export{Form: ca.ExportForm(f.form)}
	if e.Form.IsSecret() {
		e.Namespace = cmp.Or(f.secretNamespace, f.contextNamespace())
	}
	return e.Named(f.secretName, f.options().Prefix())
}

func (f *flowCredential) command() []string {
	args := append([]string{"issue"}, f.dirFlag(f.pkiDir())...)
	args = append(args, flag("cn", f.commonName)...)
	args = append(args, flag("group", f.groups...)...)
	if f.isServer() {
		args = append(args, flag("profile", f.profile)...)
		args = append(args, flag("dns", f.dns...)...)
		args = append(args, flag("ip", f.ips...)...)
	}
	if f.keyKind != string(ca.ECDSAP256) {
		args = append(args, flag("key", f.keyKind)...)
	}
	args = append(args, flag("validity", f.validity)...)
	if f.hasKubeconfig() {
		args = append(args, flag("kubeconfig", f.kubeconfigPath())...)
		args = append(args, flag("server", f.server)...)
		args = append(args, flag("cluster", f.cluster)...)
		args = append(args, flag("namespace", f.namespace)...)
	}
	if f.form != "" {
		args = append(args, "-o", f.form)
		args = append(args, flag("export", f.export)...)
	}
	if f.isSecret() {
		args = append(args, flag("secret-name", f.secretName)...)
		args = append(args, flag("secret-namespace", f.secretNamespace)...)
	}
	args = append(args, flag("out", f.out)...)
	if f.force && f.targetExists() {
		args = append(args, "--force")
	}
	return append(args, f.passphraseFlag()...)
}

// plan are the options with all that is written beside key and certificate, as
// issue makes them.
func (f *flowCredential) plan(password []byte) (ca.IssueOptions, ca.Export, error) {
	o, export := f.options(), f.plainExport()
	o.Force = f.force && f.targetExists()
	if err := answersError(f.made); err != nil {
		return o, export, err
	}
	if f.hasKubeconfig() {
		if err := f.entry().IssueTo(f.kubeconfigPath(), &o); err != nil {
			return o, export, err
		}
	}
	if f.form == "" {
		return o, export, nil
	}
	export.Password = password
	if err := export.CheckPath(f.exportPath(), o); err != nil {
		return o, export, err
	}
	return o, export, export.IssueTo(f.exportPath(), &o)
}

func (f *flowCredential) explain(context.Context) (string, error) {
	f.forgetTargets()
	o, export, err := f.plan([]byte("stand-in"))
	if err != nil {
		return "", err
	}
	recipe, err := ca.ExplainIssue(o)
	if err != nil {
		return "", err
	}
	prefix, kubeconfigPath := o.Prefix(), ""
	if f.hasKubeconfig() {
		kubeconfigPath = f.kubeconfigPath()
		recipe += f.entry().Explain(kubeconfigPath, ca.BundlePath(o.Dir), prefix+".crt", prefix+".key")
	}
	if f.form != "" {
		recipe += export.Explain(ca.ExportPaths{
			Dir: o.Dir, Prefix: prefix, File: f.exportPath(), Password: f.opensslPass(variableExportPassword), Kubeconfig: kubeconfigPath,
		})
	}
	return recipe, nil
}

// password returns that of a PKCS#12 file, nil for other forms. What is typed is
// asked for only when it is needed.
func (f *flowCredential) password(j *job, ask ca.Passphrase) ([]byte, error) {
	if f.form != string(ca.ExportPKCS12) {
		return nil, nil
	}
	given, err := f.isGiven(ca.ExportName)
	if err != nil {
		return nil, err
	}
	if given {
		ask = j.newPassphrase
	}
	password, err := ask(ca.ExportName)
	if errors.Is(err, ca.ErrNoPassphrase) {
		return nil, failure.New(failure.Usage, "put it in a file for --export-passphrase-file, or in "+variableExportPassword, "a PKCS#12 file needs a password")
	}
	return password, err
}

func (f *flowCredential) review(ctx context.Context, j *job) (*review, error) {
	f.forgetTargets()
	password, err := f.password(j, standInPassphrase)
	if err != nil {
		return nil, err
	}
	defer clear(password)
	o, export, err := f.plan(password)
	if err != nil {
		return nil, err
	}
	asked := ""
	o.DryRun, o.Passphrase, o.Waiting = true, f.askLater(j, &asked), func() { j.waiting(o.Dir) }
	j.begin("Checking the certificate")
	result, err := ca.Issue(ctx, o)
	if err != nil {
		return nil, err
	}
	later := laterRow(asked)
	if given, err := f.isGiven(ca.ExportName); f.form == string(ca.ExportPKCS12) && err == nil && !given {
		later = append(later, laterRow(ca.ExportName)...)
	}
	return &review{
		rows: slices.Concat(f.rows(result, export, o), f.meanings(), recordedRow(o.Dir), later), writes: f.writes(result),
		warnings: result.Warnings, question: "Issue it?",
	}, nil
}

// meanings say what names mean that Kubernetes keeps for itself.
func (f *flowCredential) meanings() []row {
	var rows []row
	if f.isClient() {
		rows = append(rows, row{"this user is", ca.UserMeaning(f.commonName)})
		for _, group := range f.groups {
			if meaning := ca.GroupMeaning(group); meaning != "" {
				rows = append(rows, row{"this group", group + ": " + meaning})
			}
		}
	}
	return someRows(rows...)
}

func (f *flowCredential) writes(r *ca.IssueResult) []fileToBe {
	files := []fileToBe{
		fileWritten(r.KeyPath, 0o600, "the private key"),
		fileWritten(r.CertPath, 0o644, "the certificate"),
	}
	if f.hasKubeconfig() {
		files = append(files, fileWritten(f.kubeconfigPath(), 0o600, "kubeconfig, with the private key"))
	}
	if f.form != "" {
		files = append(files, fileWritten(f.exportPath(), 0o600, ca.ExportForm(f.form).Title()+", with the private key"))
	}
	return files
}

func (f *flowCredential) run(ctx context.Context, j *job) (*outcome, error) {
	f.forgetTargets()
	password, err := f.password(j, j.newPassphrase)
	if err != nil {
		return nil, err
	}
	defer clear(password)
	o, export, err := f.plan(password)
	if err != nil {
		return nil, err
	}
	o.Passphrase, o.Waiting = j.passphrase, func() { j.waiting(o.Dir) }
	j.begin("Issuing " + f.commonName)
	result, err := ca.Issue(ctx, o)
	if err != nil {
		return nil, err
	}
	j.done("Issued " + f.commonName)
	return &outcome{
		headline: "Issued " + f.commonName, rows: f.rows(result, export, o), warnings: result.Warnings,
		text: f.advice(), next: f.next(result),
	}, nil
}

// rows are those of issue.
func (f *flowCredential) rows(r *ca.IssueResult, export ca.Export, o ca.IssueOptions) []row {
	cert := r.Certificate
	serial, fingerprint, kubeconfigPath, place := "", "", "", ""
	if !o.DryRun {
		serial, fingerprint = ca.FormatSerial(cert.SerialNumber), ca.Fingerprint(cert)
	}
	if f.hasKubeconfig() {
		kubeconfigPath = f.kubeconfigPath()
	}
	if f.form != "" {
		place = export.Place(f.exportPath())
	}
	return someRows(append(certificateRows(cert, r.Profile, serial, o.Now),
		row{"SHA-256", fingerprint},
		row{"certificate", r.CertPath},
		row{"private key", r.KeyPath},
		row{"kubeconfig", kubeconfigPath},
		row{export.Form.Title(), place},
	)...)
}

func (f *flowCredential) advice() string {
	switch {
	case !f.isClient():
		return "Clients that trust this CA accept the server by the names\nabove, and by no other."
	case ca.UserMeaning(f.commonName) != "":
		return ""
	}
	return "A certificate says who somebody is, not what they may do:\nbind a role to the user, or to a group."
}

func (f *flowCredential) next(r *ca.IssueResult) []nextStep {
	var next []nextStep
	if f.hasKubeconfig() {
		next = append(next, nextStep{why: "See who the cluster takes it for", args: []string{"kubectl", "--kubeconfig", f.kubeconfigPath(), "auth", "whoami"}})
	} else if f.isClient() {
		args := []string{f.Program, "kubeconfig", "create", "--cert", r.CertPath, "--key", r.KeyPath}
		next = append(next, nextStep{why: "Make a kubeconfig of it", args: append(args, f.createArgs()...)})
	}
	if f.isSecret() {
		next = append(next, nextStep{why: "Put the Secret into a cluster", args: []string{"kubectl", "apply", "-f", f.exportPath()}})
	}
	return append(next,
		nextStep{why: "Check key, certificate and CA", args: append([]string{f.Program, "verify", asOperand(r.CertPath)}, f.dirFlag(f.pkiDir())...)},
		nextStep{why: "Issue another", open: func(w *world) screen { return newForm(w, newFlowCredentialIn(w, f.dir)) }},
	)
}

// createArgs say which server a kubeconfig is for, where no context does.
func (f *flowCredential) createArgs() []string {
	args := f.dirFlag(f.pkiDir())
	args = append(args, "--out", filepath.Base(f.options().Prefix())+".conf")
	if len(f.servers()) == 0 {
		args = append(args, "--server", "https://HOST:6443")
	}
	return args
}
