package tui

import (
	"cmp"
	"context"
	"os"
	"slices"
	"sync"

	"github.com/pkictl/pkictl/ca"
)

// flowExport writes a certificate that was issued, with its key, to one file:
// pkictl export.
type flowExport struct {
	*world
	id inventoryID

	form                        string
	secretName, secretNamespace string
	file                        string
	force                       bool

	named  inventoryNamed
	mu     sync.Mutex
	prefix string // of the certificate's files, once they are known
	looked string // a file, and whether it is there
	exists bool
	made   []step
}

func newFlowExport(w *world, id inventoryID) *flowExport {
	f := &flowExport{world: w, id: id, form: string(ca.ExportPKCS12), named: inventoryNamed{name: "0x" + id.serial}}
	f.made = []step{{
		title: "Export",
		intro: "Key and certificate as one file, for a program that wants them so. Whoever has the file is who the certificate says: hand it over by a way that nobody reads.",
		load:  f.load,
		check: f.check,
		fields: []field{
			{key: "output", title: "Form", choice: &f.form, options: flowExportForms},
			{
				key: "secret-name", title: "Name of the Secret", text: &f.secretName, hidden: not(f.isSecret), check: typedCheck(flowCredentialCheckSecret),
				fallback: func() string { return ca.Export{Form: ca.ExportTLSSecret}.Named("", f.knownPrefix()).Name }, help: "As in web-tls: lower-case letters, digits, '-' and '.'.",
			},
			{
				key: "secret-namespace", title: "Namespace of the Secret", text: &f.secretNamespace, hidden: not(f.isSecret), check: typedCheck(flowCredentialCheckNamespace),
				help: "Without one kubectl apply puts it into the namespace of your context.",
			},
			{
				key: "export", title: "File", text: &f.file, check: typedCheck(flowCredentialCheckFile), fallback: f.fileFallback,
				help: "It holds the private key, and is readable by you alone (mode 0600). renew does not renew it.",
			},
			{key: "force", title: "Replace the file that is there?", yes: &f.force, hidden: not(f.fileExists)},
		},
	}}
	return f
}

// flowExportForms are those of a credential, of which there is no kubeconfig here.
func flowExportForms() []option {
	options := slices.DeleteFunc(flowCredentialForms(), func(o option) bool { return o.value == "" })
	for i := range options {
		if options[i].value == string(ca.ExportOpaqueSecret) {
			options[i].help = "The same as type Opaque."
		}
	}
	return options
}

func (f *flowExport) title() string  { return "Export " + f.named.text() }
func (f *flowExport) steps() []step  { return f.made }
func (f *flowExport) isSecret() bool { return ca.ExportForm(f.form).IsSecret() }

func (f *flowExport) load(ctx context.Context) error {
	authority, _, err := f.find(ctx)
	if err == nil {
		authority.Close()
	}
	return err
}

// find finds the certificate, and notes where its files are.
func (f *flowExport) find(ctx context.Context) (*ca.CA, *ca.Holding, error) {
	authority, h, err := inventoryHolding(ctx, f.world, f.id)
	if err != nil {
		return nil, nil, err
	}
	f.named.find(ctx, f.world, authority, h)
	f.mu.Lock()
	f.prefix, f.looked = h.Prefix(), ""
	f.mu.Unlock()
	return authority, h, nil
}

func (f *flowExport) knownPrefix() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.prefix
}

func (f *flowExport) fileFallback() string {
	if prefix := f.knownPrefix(); prefix != "" {
		return prefix + ca.ExportForm(f.form).Extension()
	}
	return ""
}

// fileExists says whether the file is there. It is looked up when its name
// changes, not at every key.
func (f *flowExport) fileExists() bool {
	path := cmp.Or(f.file, f.fileFallback())
	f.mu.Lock()
	defer f.mu.Unlock()
	if path != f.looked {
		f.looked = path
		_, err := os.Lstat(path)
		f.exists = err == nil
	}
	return f.exists
}

// check checks all but the password, which is asked for at the end.
func (f *flowExport) check() error {
	if !f.isSecret() {
		return nil
	}
	return ca.Export{Form: ca.ExportForm(f.form), Namespace: f.secretNamespace}.Named(f.secretName, f.knownPrefix()).Validate()
}

func (f *flowExport) options() ca.ExportOptions {
	o := ca.ExportOptions{Dir: f.Dir, File: f.file, Force: f.force && f.fileExists(), Now: f.Now(), Export: ca.Export{Form: ca.ExportForm(f.form)}}
	if f.isSecret() {
		o.Name, o.Namespace = f.secretName, f.secretNamespace
	}
	return o
}

func (f *flowExport) command() []string {
	args := append([]string{"export", f.named.text()}, f.dirFlag(f.Dir)...)
	args = append(args, "-o", f.form)
	args = append(args, flag("export", f.file)...)
	if f.isSecret() {
		args = append(args, flag("secret-name", f.secretName)...)
		args = append(args, flag("secret-namespace", f.secretNamespace)...)
	}
	if f.force && f.fileExists() {
		args = append(args, "--force")
	}
	return args
}

func (f *flowExport) explain(ctx context.Context) (string, error) {
	authority, h, err := f.find(ctx)
	if err != nil {
		return "", err
	}
	defer authority.Close()
	return authority.ExplainExport(h, f.options(), f.opensslPass(variableExportPassword))
}

// export runs the function.
func (f *flowExport) export(ctx context.Context, o ca.ExportOptions) (*ca.Exported, error) {
	authority, h, err := f.find(ctx)
	if err != nil {
		return nil, err
	}
	defer authority.Close()
	if err := answersError(f.made); err != nil { // of which some need to know the files
		return nil, err
	}
	return authority.Export(ctx, h, o)
}

func (f *flowExport) review(ctx context.Context, j *job) (*review, error) {
	j.begin("Looking at key and certificate")
	o := f.options()
	o.DryRun = true
	r, err := f.export(ctx, o)
	if err != nil {
		return nil, err
	}
	v := &review{
		rows: f.rows(r), warnings: r.Warnings, question: "Export it?",
		writes: []fileToBe{fileWritten(r.File, 0o600, r.Export.Form.Title()+", with the private key")},
	}
	if r.Export.Form == ca.ExportPKCS12 {
		if given, err := f.isGiven(ca.ExportName); err == nil && !given {
			v.rows = append(v.rows, laterRow(ca.ExportName)...)
		}
	}
	return v, nil
}

// rows are those of the command.
func (f *flowExport) rows(r *ca.Exported) []row {
	return someRows(
		row{"subject", ca.FormatName(r.Certificate.RawSubject)},
		row{"serial", ca.FormatSerial(r.Certificate.SerialNumber)},
		row{"ends", ca.FormatEnd(r.Certificate.NotAfter, f.Now())},
		row{r.Export.Form.Title(), r.Export.Place(r.File)},
	)
}

func (f *flowExport) run(ctx context.Context, j *job) (*outcome, error) {
	o := f.options()
	o.Password, o.Waiting = j.newPassphrase, func() { j.waiting(o.Dir) }
	j.begin("Exporting " + f.named.text())
	r, err := f.export(ctx, o)
	if err != nil {
		return nil, err
	}
	j.done("Exported " + r.Name)
	return &outcome{headline: "Exported " + r.Name, rows: f.rows(r), warnings: r.Warnings, next: f.next(r)}, nil
}

func (f *flowExport) next(r *ca.Exported) []nextStep {
	check := nextStep{why: "See what is in it", args: []string{f.Program, "inspect", asOperand(r.File)}}
	if r.Export.Form.IsSecret() {
		check = nextStep{why: "Put the Secret into a cluster", args: []string{"kubectl", "apply", "-f", r.File}}
	}
	return []nextStep{check, {why: "Export it in another form", open: func(w *world) screen { return newForm(w, newFlowExport(w, f.id)) }}}
}
