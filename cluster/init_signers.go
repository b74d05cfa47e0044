package cluster

import (
	"crypto/x509"
	"slices"

	"github.com/pkictl/pkictl/internal/failure"
)

// checkSigners refuses to sign all that is there anew with a CA that has signed
// none of it: then it is the CA that is another, as after the restore of a wrong
// backup, and the cluster relies on the one that is gone.
func (p *initPlan) checkSigners() error {
	for _, entry := range EntriesFor(p.nodes[0].node) {
		a := p.authorities[entry.Name]
		if a == nil {
			continue
		}
		var by []string
		isOwn := false
		for _, n := range p.nodes {
			for _, item := range n.items {
				if cert := item.found.Certificate; item.entry.CA == entry.Name && cert != nil {
					by = append(by, item.entry.CertPath(n.dir))
					isOwn = isOwn || slices.ContainsFunc(a.certs, func(own *x509.Certificate) bool { return isBelow(cert, item.found.Behind, own) })
				}
			}
		}
		if len(by) > 1 && !isOwn {
			return failure.New(failure.Failed, "restore the CA from a backup; for a new one move all that the old one has signed away",
				"%q has signed nothing of what is here, such as %q: another CA has", a.item.entry.CertPath(a.item.found.Dir), by[0])
		}
	}
	return nil
}
