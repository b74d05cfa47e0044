package tui

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// flowRevoke marks a certificate as revoked: pkictl revoke.
type flowRevoke struct {
	*world
	id     inventoryID
	reason string
	made   []step

	mu    sync.Mutex
	whose string // what the certificate is called
	isOne bool   // no other CA has issued this serial
}

func newFlowRevoke(w *world, id inventoryID) *flowRevoke {
	f := &flowRevoke{world: w, id: id, reason: ca.RevocationReasons()[0], whose: id.serial, isOne: true}
	f.made = []step{{
		title: "Revoke",
		intro: "The next revocation list will have it. An API server reads no such list: a client certificate works until it ends. What helps instead is said before you decide.",
		load:  f.load,
		fields: []field{{
			key: "reason", title: "Why?", choice: &f.reason, options: flowRevokeReasons,
			help: "It stands in the list, as RFC 5280 names it, and is not changed afterwards.",
		}},
	}}
	return f
}

func flowRevokeReasons() []option {
	var options []option
	for _, reason := range ca.RevocationReasons() {
		options = append(options, option{value: reason, label: reason, help: ca.ReasonMeaning(reason)})
	}
	return options
}

func (f *flowRevoke) title() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return "Revoke " + f.whose
}

func (f *flowRevoke) steps() []step { return f.made }

// load finds out what the certificate is called, and whether its serial is
// enough to name it.
func (f *flowRevoke) load(ctx context.Context) error {
	isOne := true
	detail, err := ca.Look(ctx, ca.LookOptions{Dir: f.Dir, Serial: f.id.serial, Now: f.Now()})
	if err != nil && f.id.issuer != "" {
		isOne = false
		detail, err = ca.Look(ctx, ca.LookOptions{Dir: f.Dir, Serial: f.id.serial, IssuerID: f.id.issuer, Now: f.Now()})
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isOne = isOne
	if detail.CommonName != "" {
		f.whose = detail.CommonName
	}
	return nil
}

func (f *flowRevoke) options() ca.RevokeOptions {
	o := ca.RevokeOptions{Dir: f.Dir, Name: "0x" + f.id.serial, AKI: f.id.issuer, Now: f.Now()}
	if f.reason != ca.RevocationReasons()[0] {
		o.Reason = f.reason
	}
	return o
}

func (f *flowRevoke) command() []string {
	args := append([]string{"revoke", "0x" + f.id.serial}, f.dirFlag(f.Dir)...)
	f.mu.Lock()
	isOne := f.isOne
	f.mu.Unlock()
	if !isOne {
		args = append(args, flag("aki", f.id.issuer)...)
	}
	return append(append(args, flag("reason", f.options().Reason)...), "--yes")
}

func (f *flowRevoke) explain(ctx context.Context) (string, error) {
	return ca.ExplainRevoke(ctx, f.options())
}

func (f *flowRevoke) review(ctx context.Context, j *job) (*review, error) {
	j.begin("Looking at the certificate")
	o := f.options()
	o.DryRun, o.Waiting = true, func() { j.waiting(o.Dir) }
	r, err := ca.Revoke(ctx, o)
	if err != nil {
		return nil, err
	}
	v := &review{
		rows:     append(f.rows(r, o), row{"this changes", store.InventoryPath(o.Dir) + ", and no other file"}),
		warnings: flowRevokeWarnings(r), question: "Revoke it? It cannot be taken back.",
	}
	if r.Already {
		v.nothing = "It was revoked before."
	}
	return v, nil
}

// flowRevokeWarnings are what to know before saying yes.
func flowRevokeWarnings(r *ca.Revocation) []string {
	var warnings []string
	for _, serial := range r.Replaced {
		warnings = append(warnings, "serial "+serial+", which it has replaced, still authenticates: revoke that, too")
	}
	return append(warnings, r.Advice...)
}

// rows are those of the command.
func (f *flowRevoke) rows(r *ca.Revocation, o ca.RevokeOptions) []row {
	issued, end := "", ""
	if !r.IssuedAt.IsZero() { // as in rows that another tool wrote
		issued = ca.FormatTime(r.IssuedAt)
	}
	if r.Certificate != nil { // nobody knows otherwise
		end = ca.FormatEnd(r.NotAfter, o.Now)
	}
	revoked := ""
	if r.RevokedAt != nil {
		revoked = ca.FormatTime(*r.RevokedAt)
	}
	return someRows(
		row{"subject", r.Subject},
		row{"serial", r.Serial},
		row{"profile", r.Profile},
		row{"names", strings.Join(r.SANs, ", ")},
		row{"issued", issued},
		row{"ends", end},
		row{"files", strings.Join(r.Files, ", ")},
		row{"reason", r.Reason},
		row{"revoked", revoked},
	)
}

func (f *flowRevoke) run(ctx context.Context, j *job) (*outcome, error) {
	o := f.options()
	o.Waiting = func() { j.waiting(o.Dir) }
	j.begin("Revoking it")
	r, err := ca.Revoke(ctx, o)
	if err != nil {
		return nil, err
	}
	headline := "Revoked " + r.CommonName
	if r.Already {
		headline = r.CommonName + " was revoked before; nothing was changed"
	}
	j.done(headline)
	return &outcome{
		headline: headline, rows: f.rows(r, o), warnings: flowRevokeWarnings(r),
		next: []nextStep{{why: "Sign the revocation list that has it", args: slices.Concat([]string{f.Program, "crl"}, f.dirFlag(f.Dir), f.passphraseFlag())}},
	}, nil
}
