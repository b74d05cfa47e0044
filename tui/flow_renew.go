package tui

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// flowRenew makes a new certificate in the place of one: pkictl renew.
type flowRenew struct {
	*world
	id inventoryID

	validity, keyKind string
	reuseKey          bool
	kubeconfigs       []string

	named inventoryNamed
	made  []step
}

func newFlowRenew(w *world, id inventoryID) *flowRenew {
	f := &flowRenew{world: w, id: id, named: inventoryNamed{name: "0x" + id.serial}}
	f.made = []step{{
		title: "Renew",
		intro: "A new certificate with the same names and usages takes the place of the old one, in its files and in the kubeconfigs that hold it, in one step. " +
			"The old one still works until it ends: an API server knows of no renewal.",
		load: f.load,
		fields: []field{
			{
				key: "validity", title: "Valid for", text: &f.validity, check: typedCheck(checkValidity),
				fallback: func() string { return "as long as before" },
				help:     "As in 90d, 8h or 1y.",
			},
			{key: "reuse-key", title: "Keep the key?", yes: &f.reuseKey, help: "For programs that know the server by its key. A new key is better wherever it will do."},
			{
				key: "key", title: "Key", choice: &f.keyKind, options: flowRenewKeys, hidden: func() bool { return f.reuseKey },
				help: "What was issued under a profile of a file keeps its kind of key; the command line has --profile-file for its limits.",
			},
			{
				key: "kubeconfig", title: "Other kubeconfigs", list: &f.kubeconfigs, check: typedCheck(nil),
				help: "Files that hold the old certificate and were not written together with it, such as a copy of yours. Those that were are found.",
			},
		},
	}}
	return f
}

func flowRenewKeys() []option {
	return append([]option{{value: "", label: "As before", help: "The kind of key that the old certificate has."}}, keyOptions()...)
}

func (f *flowRenew) title() string { return "Renew " + f.named.text() }
func (f *flowRenew) steps() []step { return f.made }

// inventoryNamed is what a command calls a certificate: its name where that is
// clear, else its serial.
type inventoryNamed struct {
	mu   sync.Mutex
	name string
}

func (n *inventoryNamed) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.name
}

func (n *inventoryNamed) set(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.name = name
}

// inventoryHolding opens the CA and finds a certificate of its inventory.
func inventoryHolding(ctx context.Context, w *world, id inventoryID) (*ca.CA, *ca.Holding, error) {
	authority, err := ca.Open(w.Dir)
	if err != nil {
		return nil, nil, err
	}
	h, err := authority.HoldingFor(ctx, "0x"+id.serial, w.Now())
	return authority, h, err
}

// find finds out by which name a command knows the certificate.
func (n *inventoryNamed) find(ctx context.Context, w *world, authority *ca.CA, h *ca.Holding) {
	if h.Name == "" || strings.HasPrefix(h.Name, "-") {
		return
	}
	if other, err := authority.HoldingFor(ctx, h.Name, w.Now()); err == nil && other.Certificate.Equal(h.Certificate) {
		n.set(h.Name)
	}
}

func (f *flowRenew) load(ctx context.Context) error {
	authority, h, err := inventoryHolding(ctx, f.world, f.id)
	if err != nil {
		return err
	}
	defer authority.Close()
	f.named.find(ctx, f.world, authority, h)
	return nil
}

func (f *flowRenew) options() ca.RenewOptions {
	o := ca.RenewOptions{Dir: f.Dir, Validity: f.validity, Key: f.keyKind, ReuseKey: f.reuseKey, Now: f.Now()}
	if f.reuseKey {
		o.Key = ""
	}
	return o
}

func (f *flowRenew) command() []string {
	args := append([]string{"renew", f.named.text()}, f.dirFlag(f.Dir)...)
	args = append(args, flag("validity", f.validity)...)
	if f.reuseKey {
		args = append(args, "--reuse-key")
	} else {
		args = append(args, flag("key", f.keyKind)...)
	}
	args = append(args, flag("kubeconfig", f.kubeconfigs...)...)
	return append(args, f.passphraseFlag()...)
}

// find returns the CA, and the certificate with the kubeconfigs that were named.
func (f *flowRenew) find(ctx context.Context) (*ca.CA, *ca.Holding, error) {
	if err := answersError(f.made); err != nil {
		return nil, nil, err
	}
	authority, h, err := inventoryHolding(ctx, f.world, f.id)
	if err != nil {
		return nil, nil, err
	}
	f.named.find(ctx, f.world, authority, h)
	return authority, h, kubeconfig.AddHolders(f.kubeconfigs, h)
}

func (f *flowRenew) explain(ctx context.Context) (string, error) {
	authority, h, err := f.find(ctx)
	if err != nil {
		return "", err
	}
	defer authority.Close()
	return kubeconfig.ExplainRenew(authority, h, f.options(), f.opensslPass(variablePassphrase))
}

func (f *flowRenew) review(ctx context.Context, j *job) (*review, error) {
	j.begin("Checking the new certificate")
	authority, h, err := f.find(ctx)
	if err != nil {
		return nil, err
	}
	defer authority.Close()
	o, asked := f.options(), ""
	o.DryRun, o.Passphrase, o.Waiting = true, f.askLater(j, &asked), func() { j.waiting(o.Dir) }
	r, err := kubeconfig.RenewHolding(ctx, authority, h, o)
	if err != nil {
		return nil, err
	}
	writes, err := f.writes(h)
	if err != nil {
		return nil, err
	}
	rows := append(f.rows(r, o), row{"the old one", "serial " + ca.FormatSerial(h.Certificate.SerialNumber) + " still works until " + ca.FormatTime(h.Certificate.NotAfter)})
	return &review{rows: append(rows, laterRow(asked)...), writes: writes, warnings: r.Warnings, question: "Renew it?"}, nil
}

// writes are the files that get the new certificate. They keep owner and mode.
func (f *flowRenew) writes(h *ca.Holding) ([]fileToBe, error) {
	var files []fileToBe
	if h.CertPath != "" {
		if !f.reuseKey {
			files = append(files, fileToBe{path: h.KeyPath, what: "the new private key", replaces: true})
		}
		files = append(files, fileToBe{path: h.CertPath, what: "the new certificate", replaces: true})
	}
	holders, err := kubeconfig.Holders(h)
	if err != nil {
		return nil, err
	}
	for _, path := range holders {
		what := "kubeconfig, with the new key and certificate"
		if f.reuseKey {
			what = "kubeconfig, with the new certificate"
		}
		files = append(files, fileToBe{path: path, what: what, replaces: true})
	}
	return files, nil
}

func (f *flowRenew) rows(r *ca.Renewal, o ca.RenewOptions) []row {
	cert, serial := r.Renewed, ""
	if !o.DryRun {
		serial = ca.FormatSerial(cert.SerialNumber)
	}
	return someRows(certificateRows(cert, r.Profile, serial, o.Now)...)
}

func (f *flowRenew) run(ctx context.Context, j *job) (*outcome, error) {
	o := f.options()
	o.Passphrase, o.Waiting = j.passphrase, func() { j.waiting(o.Dir) }
	// What a command that was killed has left is completed before it is looked at.
	if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
		return nil, err
	}
	authority, h, err := f.find(ctx)
	if err != nil {
		return nil, err
	}
	defer authority.Close()
	j.begin("Renewing " + h.Name)
	r, err := kubeconfig.RenewHolding(ctx, authority, h, o)
	if err != nil {
		return nil, err
	}
	j.done("Renewed " + h.Name)
	out := &outcome{headline: "Renewed " + h.Name, rows: f.rows(r, o), warnings: r.Warnings, next: f.next(r)}
	for _, path := range r.Written {
		out.rows = append(out.rows, row{"written", path})
	}
	if h.Profile != ca.ProfileClient {
		out.text = "Servers read their certificate when they start:\nrestart those that do not watch the files."
	}
	return out, nil
}

func (f *flowRenew) next(r *ca.Renewal) []nextStep {
	var next []nextStep
	if r.CertPath != "" {
		next = append(next, nextStep{why: "Check key, certificate and CA", args: slices.Concat([]string{f.Program, "verify", asOperand(r.CertPath)}, f.dirFlag(f.Dir))})
	}
	id := inventoryID{ca.FormatSerial(r.Renewed.SerialNumber), ""}
	old := inventoryID{ca.FormatSerial(r.Certificate.SerialNumber), f.id.issuer}
	return append(next,
		nextStep{why: "See the new certificate", open: func(w *world) screen { return newInventoryDetails(w, id) }},
		nextStep{why: "Revoke the old one, which still works", open: func(w *world) screen { return newForm(w, newFlowRevoke(w, old)) }},
	)
}
