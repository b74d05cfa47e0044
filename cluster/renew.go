package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// RenewOptions is what the command cluster renew takes. Empty fields have defaults.
type RenewOptions struct {
	Dir   string   // the cluster directory; with several nodes, that above theirs
	Node  string   // the one whose directory is renewed; empty: all
	Names []string // of what is renewed, as RenewableName returns them; empty: all
	// IncludeKubelet renews kubelet.conf, too, which kubelets do by themselves as a rule.
	IncludeKubelet bool
	Within         time.Duration // only what ends within this time, or has ended; 0: all
	Validity       string        // as ca.ParseValidity reads it; as long as before if empty
	Key            string        // name of a ca.KeyKind; that of the old key if empty
	ReuseKey       bool          // keep the keys
	DryRun         bool          // do everything but sign and write
	Now            time.Time
	Waiting        func(dir string)      // called when a directory is locked by another; may be nil
	Passphrase     ca.Passphrase         // asked when a CA's key is encrypted; may be nil
	Progress       func(done, total int) // called after each certificate that was prepared; may be nil
}

// RenewalState is what became of an entry in Renew.
type RenewalState string

// The states of an entry after Renew.
const (
	RenewalDone    RenewalState = "renewed" // with DryRun: would be
	RenewalNotDue  RenewalState = "not due" // it ends later than RenewOptions.Within says
	RenewalAbsent  RenewalState = "absent"  // there is none of its files
	RenewalSkipped RenewalState = "skipped" // it is for others to renew; Why says for whom
	RenewalFailed  RenewalState = "failed"  // Why says what is wrong; its files are as they were
)

// Renewal is what became of one entry of the layout in one cluster directory.
type Renewal struct {
	Name        string       `json:"name"`
	Files       []string     `json:"files"`
	State       RenewalState `json:"state"`
	OldSerial   string       `json:"oldSerial,omitempty"` // hexadecimal, as OpenSSL prints it
	OldNotAfter *time.Time   `json:"oldNotAfter,omitempty"`
	Serial      string       `json:"serial,omitempty"`
	NotAfter    *time.Time   `json:"notAfter,omitempty"`
	Why         string       `json:"why,omitempty"`  // it was skipped or failed
	Hint        string       `json:"hint,omitempty"` // what to do about that

	Err error `json:"-"` // the same, of a RenewalFailed
}

// NodeRenewal is one cluster directory.
type NodeRenewal struct {
	Node    string    `json:"node,omitempty"` // empty where nothing says it
	Dir     string    `json:"dir"`
	Entries []Renewal `json:"entries"`
	// Restarts are what follows from it for the components of the node.
	Restarts []Restart `json:"restarts,omitempty"`
}

// Renewed returns the names of the entries that were renewed, or would be, in
// the order of the layout.
func (n NodeRenewal) Renewed() []string {
	var names []string
	for _, r := range n.Entries {
		if r.State == RenewalDone {
			names = append(names, r.Name)
		}
	}
	return names
}

// RenewWarning is what to know about some entries.
type RenewWarning struct {
	Files []string // one for each entry
	Text  string
}

// RenewResult is what Renew found and did.
type RenewResult struct {
	Nodes    []NodeRenewal  `json:"nodes"`
	Warnings []RenewWarning `json:"-"`
}

// Renew makes new certificates in place of those of a control plane, with their
// subjects, names and usages and with new keys, as kubeadm certs renew does
// (cmd/kubeadm/app/phases/certs/renewal). CAs and the keys of service accounts
// stay. All that is renewed in one cluster directory is written as one step,
// after what an interrupted change has left there was completed: whatever
// happens, there is all of the old, or all of the new.
//
// What cannot be renewed is in the result, and keeps nothing else from it. The
// error is for what concerns all.
func Renew(ctx context.Context, o RenewOptions) (*RenewResult, error) {
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	defer p.close()
	if !o.DryRun {
		if err := p.lock(ctx); err != nil {
			return nil, err
		}
	}
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	p.prepare()
	if !o.DryRun {
		for _, d := range p.dirs {
			p.write(ctx, d)
		}
	}
	return p.result(), nil
}

// lock takes the locks of the PKI directories, in the order of their paths as
// every command does.
func (p *renewPlan) lock(ctx context.Context) error {
	for _, d := range p.dirs { // sorted
		dir, err := store.Lock(ctx, PKIDir(d.dir), func() {
			if p.Waiting != nil {
				p.Waiting(d.dir)
			}
		})
		if err != nil {
			return err
		}
		d.store = dir
	}
	return nil
}

// close frees the locks, and takes back what was made for a change that was not.
func (p *renewPlan) close() {
	for _, d := range p.dirs {
		switch {
		case d.store == nil:
		case d.written:
			d.store.Unlock()
		default:
			d.store.Abandon()
		}
	}
	for _, s := range p.signers {
		if s.ca != nil {
			s.ca.Close()
		}
	}
}

// prepare makes keys and certificates, all but the CA's signature, on all
// processors.
func (p *renewPlan) prepare() {
	var list []*renewItem
	for _, d := range p.dirs {
		for _, item := range d.items {
			if item.state == RenewalDone {
				list = append(list, item)
			}
		}
	}
	var progress sync.Mutex
	done := 0
	var jobs []func() error
	for _, item := range list {
		jobs = append(jobs, func() error {
			item.prepare(p)
			if p.Progress != nil {
				progress.Lock()
				defer progress.Unlock()
				done++
				p.Progress(done, len(list))
			}
			return nil
		})
	}
	_ = inParallel(jobs) // each keeps its own error
}

func (item *renewItem) prepare(p *renewPlan) {
	o := p.certificateOptions(item.dir)
	o.Also = item.replaceInKubeconfig
	var err error
	if item.member, item.warnings, err = item.signer.PrepareRenewal(item.holding, o); err != nil {
		item.fail(err)
		return
	}
	item.renewed = item.member.Prepared.Linted
	if w := item.endsWithCA(p); w != "" {
		item.warnings = append(item.warnings, w)
	}
}

// certificateOptions are those of a single certificate.
func (p *renewPlan) certificateOptions(d *renewDir) ca.RenewOptions {
	return ca.RenewOptions{Dir: PKIDir(d.dir), Validity: p.Validity, Key: p.Key, ReuseKey: p.ReuseKey, Now: p.Now}
}

// write brings all that was prepared for one cluster directory to the disk as
// one step.
func (p *renewPlan) write(ctx context.Context, d *renewDir) {
	var members []ca.Member
	var items []*renewItem
	for _, item := range d.items {
		if item.state == RenewalDone {
			items, members = append(items, item), append(members, item.member)
		}
	}
	if items == nil {
		return
	}
	err := ctx.Err()
	if err != nil {
		err = failure.Wrap(err, failure.Failed, "run the command again", "interrupted; nothing was changed in %q", d.dir)
	} else {
		err = ca.WriteTogether(d.store, p.Now, true, members)
	}
	d.written = err == nil
	if err != nil {
		for _, item := range items {
			item.fail(err)
		}
	}
}
