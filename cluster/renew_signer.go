package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// renewSigner is a CA as far as it can sign.
type renewSigner struct {
	ca  *ca.CA // with its key loaded
	err error
	// external says that the CA's key is in none of the directories.
	external bool
}

// otherCAHint: it may as well be the CA that is wrong.
const otherCAHint = "see which of both is the wrong one with: pkictl cluster check"

const newCAHint = "a CA is not renewed: bring in a new one as kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates has it"

// findSigner finds the CA that has signed an entry, with its key.
func (p *renewPlan) findSigner(ctx context.Context, item *renewItem) {
	f := item.found
	own, err := ca.OpenNamed(PKIDir(f.Dir), caName(f.Entry.CA))
	if err != nil {
		item.fail(err)
		return
	}
	if err := p.checkCA(own, f); err != nil {
		item.fail(err)
		return
	}
	switch s := p.signer(own); {
	case s.external:
		item.leave(fmt.Sprintf("the key of its CA, %q, is not here", own.KeyPath()),
			"renew it where that key is kept, or bring the key here for the moment")
	case s.err != nil:
		item.fail(s.err)
	default:
		item.signer = s.ca
		item.hold(ctx, own, p.Now)
	}
}

// checkCA says why a CA does not sign another certificate like the one found.
func (p *renewPlan) checkCA(own *ca.CA, f *Found) error {
	cert := own.Certificate
	switch {
	case p.Now.After(cert.NotAfter):
		return failure.New(failure.Failed, newCAHint, "CA %q expired on %s", own.CertPath(), cert.NotAfter.UTC().Format(time.DateOnly))
	case p.Now.Before(cert.NotBefore):
		return failure.New(failure.Failed, "check the clock of this machine", "CA %q is not valid before %s", own.CertPath(), cert.NotBefore.UTC().Format(time.RFC3339))
	case f.Certificate.IsCA:
		return failure.New(failure.Failed, "make it anew with: pkictl cluster init --repair", "%q is the certificate of a CA", f.Entry.CertPath(f.Dir))
	case !bytes.Equal(f.Certificate.RawIssuer, cert.RawSubject):
		return failure.New(failure.Failed, otherCAHint,
			"%q is not signed by %q but by %s", f.Entry.CertPath(f.Dir), own.CertPath(), ca.FormatName(f.Certificate.RawIssuer))
	case f.Certificate.CheckSignatureFrom(cert) != nil:
		return failure.New(failure.Failed, otherCAHint,
			"%q is not signed by %q but by another CA of that name", f.Entry.CertPath(f.Dir), own.CertPath())
	}
	return nil
}

// signer loads the key of a CA, once: from its own directory, or from that of
// another node, as one may have been denied the key on purpose.
func (p *renewPlan) signer(own *ca.CA) *renewSigner {
	id := string(own.Certificate.Raw)
	if s := p.signers[id]; s != nil {
		return s
	}
	s := &renewSigner{external: true}
	p.signers[id] = s
	candidates := []*ca.CA{own}
	for _, d := range p.all {
		other, err := ca.OpenNamed(PKIDir(d.dir), own.Name)
		if err == nil && other.Certificate.Equal(own.Certificate) {
			candidates = append(candidates, other)
		}
	}
	for _, candidate := range candidates {
		if _, err := os.Lstat(candidate.KeyPath()); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s.external, s.ca = false, candidate
		if !p.noKeys {
			s.err = candidate.LoadKey(p.Passphrase)
		}
		break
	}
	return s
}

// hold makes the entry one that is renewed, if nothing speaks against it.
func (item *renewItem) hold(ctx context.Context, own *ca.CA, now time.Time) {
	f := item.found
	h, err := own.HoldingOf(ctx, f.Certificate, now)
	if err != nil { // such as one that is revoked
		item.fail(err)
		return
	}
	h.Name, h.Profile, h.CertPath, h.KeyPath, h.Also = f.Entry.Name, f.Entry.Profile, "", "", nil
	if f.Entry.Kind == KindKubeconfig {
		h.Add(item.path())
	} else {
		h.CertPath, h.KeyPath = f.Entry.CertPath(f.Dir), f.Entry.KeyPath(f.Dir)
	}
	item.holding, item.state = h, RenewalDone
}
