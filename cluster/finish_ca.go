package cluster

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// placeCA finds the certificate of a CA: it is there, or certifies the key that
// is, or has signed certificates for the keys of what the CA signs.
func (p *finishPlan) placeCA(item *planItem) {
	if a := p.authorities[item.entry.Name]; a != nil {
		p.placeChain(item, a)
		return
	}
	if !item.found.Absent() && !item.found.isPending() {
		return // wrong in a way that decide has found
	}
	n := p.nodes[0]
	item.differences = nil
	var cert *x509.Certificate
	if item.found.isPending() {
		cert, item.differences = p.best(n, item, nil)
	} else if cert = p.issuerOf(item.entry); cert != nil {
		item.differences = append(p.differences(n, item, cert, nil), p.rival(item.entry, cert)...)
	}
	if cert == nil {
		item.state = StateWrong
		what := "a certificate for its key"
		if item.found.Absent() {
			what = "the certificate of the CA"
		}
		item.wrong(FieldFile, fmt.Sprintf("%s, among those in %q", what, p.offered.dir), "none")
		return
	}
	above := p.offered.above(cert)
	p.authorities[item.entry.Name] = &authority{
		item:  item,
		ca:    &ca.CA{Dir: PKIDir(n.dir), Name: caName(item.entry.Name), Certificate: cert, Chain: above},
		certs: []*x509.Certificate{cert},
	}
	item.state, item.cert = StatePlaced, cert
	if len(item.differences) > 0 {
		item.state = StateWrong
	}
	p.placed[item] = newPlaced(cert, nil, above)
}

// readKnown reads the chains that stand beside the places of CAs: who knows the
// root, or those below it, puts them there, and no CA is taken that does not
// chain to one of them. They count as offered.
func (p *finishPlan) readKnown() error {
	n := p.nodes[0]
	for _, item := range n.items {
		path := item.entry.below(n.dir, "-chain.crt")
		if item.entry.Kind != KindCA || item.found.Certificate != nil {
			continue
		}
		data, err := store.Read(path, store.MaxPEM)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		items, err := ca.Decode(data, path)
		if err != nil {
			return err
		}
		if p.known[item] = ca.Certificates(items); p.known[item] == nil {
			return failure.New(failure.Failed, "put the certificate of the root there, or remove the file", "there is no certificate in %q", path)
		}
		p.offered.add(p.known[item], path)
	}
	p.offered.sort()
	return nil
}

// compareKnown holds the certificate of a CA against the chain that is there.
func (p *finishPlan) compareKnown(n *nodePlan, item *planItem, cert *x509.Certificate) []Difference {
	known := p.known[item]
	if known == nil {
		return nil
	}
	path := item.entry.below(n.dir, "-chain.crt")
	if _, check := (ca.Roots{Name: path, Certificates: known}).Check(cert, p.offered.above(cert), p.Now); check.Status == ca.CheckFailed {
		return []Difference{{Entry: item.entry.Name, File: p.offered.nameOf(cert), Field: FieldCA, Wanted: check.Wanted, Found: check.Found}}
	}
	return nil
}

// placeChain completes a CA that is there with those above it, if they are
// offered and it has none.
func (p *finishPlan) placeChain(item *planItem, a *authority) {
	if len(a.ca.Chain) > 0 || item.state != StateKept {
		return
	}
	if above := p.offered.above(a.ca.Certificate); len(above) > 0 {
		a.ca.Chain = above
		item.state = StatePlaced
		p.placed[item] = newPlaced(a.ca.Certificate, nil, above)
	}
}

// issuerOf returns the certificate that has signed most of what is offered for
// the keys of what a CA signs, and ends last of those that have.
func (p *finishPlan) issuerOf(authority Entry) *x509.Certificate {
	var best *x509.Certificate
	most := 0
	for _, candidate := range p.offered.certs {
		signed := 0
		for _, n := range p.nodes {
			for _, item := range n.items {
				if item.entry.CA == authority.Name && p.offered.hasFrom(candidate, item.found.Key) {
					signed++
				}
			}
		}
		if signed > most || (signed == most && signed > 0 && isRather(candidate, best)) {
			best, most = candidate, signed
		}
	}
	return best
}

// rival finds another CA that has signed for a key that the chosen one has signed
// for, too. Nothing here says which of them is trusted, and whoever can read a
// request can make a CA and sign it.
func (p *finishPlan) rival(authority Entry, chosen *x509.Certificate) []Difference {
	for _, other := range p.offered.certs {
		if ca.EqualKeys(other.PublicKey, chosen.PublicKey) {
			continue
		}
		for _, n := range p.nodes {
			for _, item := range n.items {
				if item.entry.CA != authority.Name || !p.offered.hasFrom(chosen, item.found.Key) || !p.offered.hasFrom(other, item.found.Key) {
					continue
				}
				return []Difference{{
					Entry: authority.Name, File: authority.CertPath(p.nodes[0].dir), Field: FieldCA,
					Wanted: "one CA that has signed for these keys: put the certificate of the right one in its place, or take the other out",
					Found:  fmt.Sprintf("%s in %q, and %s in %q", showCA(chosen), p.offered.nameOf(chosen), showCA(other), p.offered.nameOf(other)),
				}}
			}
		}
	}
	return nil
}

// isRather says whether to take one of two certificates of the same CA: one that
// it has signed itself needs no other above, and the later end is the better.
func isRather(a, b *x509.Certificate) bool {
	if isRoot(a) != isRoot(b) {
		return isRoot(a)
	}
	return a.NotAfter.After(b.NotAfter)
}

// checkApart refuses one CA in two places: the client of one would be that of
// the other, and whoever may log in could read etcd.
func (p *finishPlan) checkApart() {
	items := p.nodes[0].items
	for i, item := range items {
		chosen, isPlaced := p.placed[item]
		if !isPlaced {
			continue
		}
		for j, other := range items {
			a := p.authorities[other.entry.Name]
			if _, later := p.placed[other]; other == item || a == nil || (later && j > i) {
				continue
			}
			if ca.EqualKeys(chosen.cert.PublicKey, a.ca.Certificate.PublicKey) {
				item.state = StateWrong
				item.wrong(FieldCA, "a CA of its own", "the key of "+other.entry.CertPath(p.nodes[0].dir))
			}
		}
	}
}

// chainWarnings say what is not wrong, but may not be meant.
func (p *finishPlan) chainWarnings() []string {
	var warnings []string
	for _, item := range p.nodes[0].items {
		chosen, isPlaced := p.placed[item]
		if isPlaced && item.entry.Kind == KindCA && !isRoot(chosen.cert) &&
			(len(chosen.above) == 0 || !isRoot(chosen.above[len(chosen.above)-1])) {
			warnings = append(warnings, fmt.Sprintf("the root above %s is not among the certificates in %q; who trusts the root alone needs it",
				ca.FormatName(chosen.cert.RawSubject), p.offered.dir))
		}
		for _, other := range p.nodes[0].items {
			a, b := p.authorities[item.entry.Name], p.authorities[other.entry.Name]
			if a == nil || b == nil {
				continue
			}
			for _, above := range p.offered.above(b.ca.Certificate) {
				if above.Equal(a.ca.Certificate) {
					warnings = append(warnings, fmt.Sprintf("%s is above %s: who trusts it accepts what the other signs, too",
						item.entry.CertPath(p.nodes[0].dir), other.entry.CertPath(p.nodes[0].dir)))
				}
			}
		}
	}
	return warnings
}

func isRoot(cert *x509.Certificate) bool { return bytes.Equal(cert.RawSubject, cert.RawIssuer) }

// filesOfCA are the files of a CA whose certificate comes from elsewhere. Its
// own file has it alone: with the root in it, it would stand for all that the
// root's other CAs sign. Where the key is here, other nodes get both from Init.
func (p *finishPlan) filesOfCA(n *nodePlan, item *planItem) ([]store.File, error) {
	first := p.nodes[0].item(item.entry.Name)
	chosen, isPlaced := p.placed[first]
	switch {
	case isPlaced && n != p.nodes[0] && (first.found.Key != nil || !item.found.Absent()): // at most a chain is missing
		return nil, nil
	case isPlaced && n == p.nodes[0] && item.found.Certificate != nil: // placeChain
		return []store.File{chosen.chainFile(item.entry, n.dir)}, nil
	case isPlaced:
		files := []store.File{{Path: item.entry.CertPath(n.dir), Data: ca.EncodeCertificates(chosen.cert), Mode: 0o644}}
		if len(chosen.above) > 0 {
			files = append(files, chosen.chainFile(item.entry, n.dir))
		}
		if n != p.nodes[0] {
			item.state, item.cert = StateCopied, chosen.cert
		}
		return files, nil
	case item.state == StateCopied && item.found.Absent() && item.from.keyIsMissing():
		err := item.copy()
		return item.files, err
	}
	return nil, nil
}

// chainFile is the file of a CA and those above it.
func (chosen placed) chainFile(e Entry, dir string) store.File {
	chain := append([]*x509.Certificate{chosen.cert}, chosen.above...)
	return store.File{Path: e.below(dir, "-chain.crt"), Data: ca.EncodeCertificates(chain...), Mode: 0o644}
}

func (item *planItem) keyIsMissing() bool {
	return item.found.isMissing(item.entry.KeyPath(item.found.Dir))
}
