package cluster

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// makeBelow makes the CAs that are not there as intermediate ones, signed by the
// one in the directory Parent, one after the other: each is recorded there, in an
// inventory of its own. After a crash the next call makes those that are missing.
func (p *initPlan) makeBelow(ctx context.Context) error {
	parent, err := ca.Open(p.Parent)
	if err != nil {
		return err
	}
	first := p.nodes[0]
	if !p.DryRun { // a CA may be half in its place
		if err := store.Recover(ctx, PKIDir(first.dir), waitingIn(first, p.Waiting)); err != nil {
			return err
		}
	}
	missing, err := p.checkBelow(parent)
	if err != nil || len(missing) == 0 {
		return err
	}
	// Whatever keeps the rest from being made is said before anything is.
	if result, err := p.rehearse(); err != nil || result.Differences != nil {
		return err // run says the differences
	}
	ask := askedOnce(p.Passphrase)
	for _, entry := range missing {
		if err := p.makeOneBelow(ctx, first, entry, ask, true); err != nil {
			return err
		}
	}
	if p.DryRun {
		return nil
	}
	if err := makeDirs(ctx, first, p.Waiting); err != nil {
		return err
	}
	for _, entry := range missing {
		if err := p.makeOneBelow(ctx, first, entry, ask, false); err != nil {
			return err
		}
	}
	return nil
}

// checkBelow returns the CAs that are to be made. One that is there must have
// been signed by the parent.
func (p *initPlan) checkBelow(parent *ca.CA) ([]Entry, error) {
	var missing []Entry
	for _, entry := range EntriesFor(p.nodes[0].node) {
		if entry.Kind != KindCA {
			continue
		}
		var there *x509.Certificate
		for _, n := range p.nodes {
			if _, err := os.Lstat(entry.CertPath(n.dir)); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			cert, err := ca.ReadCertificate(entry.CertPath(n.dir))
			if err != nil {
				return nil, err
			}
			if there = cert; !slices.ContainsFunc(parent.Bundle(), func(above *x509.Certificate) bool { return isSignedBy(cert, above) }) {
				return nil, failure.New(failure.Failed, "leave --parent out to keep it, or choose another directory with --dir",
					"%q is there, and the CA in %q has not signed it", entry.CertPath(n.dir), p.Parent)
			}
		}
		if there == nil {
			missing = append(missing, entry)
		}
	}
	return missing, nil
}

// rehearse is Init that writes nothing.
func (p *initPlan) rehearse() (*InitResult, error) {
	o := p.InitOptions
	o.DryRun, o.Parent = true, ""
	o.Passphrase = func(string) ([]byte, error) { return nil, ca.ErrAskLater }
	rehearsal, err := newInitPlan(o)
	if err != nil {
		return nil, err
	}
	return rehearsal.run()
}

// waitingIn tells which directory is locked by another.
func waitingIn(n *nodePlan, waiting func(dir string)) func() {
	return func() {
		if waiting != nil {
			waiting(n.dir)
		}
	}
}

// makeDirs makes the directories of the CAs.
func makeDirs(ctx context.Context, n *nodePlan, waiting func(string)) error {
	dir, err := store.Create(ctx, PKIDir(n.dir), waitingIn(n, waiting))
	if err != nil {
		return err
	}
	if n.node.hasEtcd() {
		err = dir.Make(filepath.Join(PKIDir(n.dir), "etcd"))
	}
	if err != nil {
		dir.Abandon()
		return err
	}
	dir.Unlock()
	return nil
}

// makeOneBelow makes one CA, or only checks that it can be made, for which any
// key will do.
func (p *initPlan) makeOneBelow(ctx context.Context, n *nodePlan, entry Entry, ask ca.Passphrase, dryRun bool) error {
	sans, err := entry.SANs(n.node)
	if err != nil {
		return err
	}
	key := n.node.Key
	if dryRun {
		key = ca.ECDSAP256
	}
	_, err = ca.Init(ctx, ca.InitOptions{
		Dir: PKIDir(n.dir), Name: caName(entry.Name), Parent: p.Parent, CommonName: entry.CommonName(n.node), DNS: sans.DNS,
		Key: string(key), Validity: p.Settings.CAValidity, DryRun: dryRun, Now: p.Now, Passphrase: ask,
		Waiting: func() {
			if p.Waiting != nil {
				p.Waiting(n.dir + " or " + p.Parent)
			}
		},
	})
	return err
}

// askedOnce asks for a passphrase once, for several CAs that one signs.
func askedOnce(ask ca.Passphrase) ca.Passphrase {
	if ask == nil {
		return nil
	}
	known := map[string][]byte{}
	return func(name string) ([]byte, error) {
		if known[name] == nil {
			passphrase, err := ask(name)
			if err != nil {
				return nil, err
			}
			known[name] = passphrase
		}
		return slices.Clone(known[name]), nil // who asks clears it
	}
}
