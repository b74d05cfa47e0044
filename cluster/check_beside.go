package cluster

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/pkictl/pkictl/ca"
)

// checkBeside notes what is trusted beside what signs here: who has the key of
// one more CA logs in as anybody, and one more key of service accounts signs
// their tokens. While either is being replaced there are two.
func (c *checker) checkBeside(n *CheckedNode, found *Found) {
	e := found.Entry
	d := Difference{Entry: e.Name, File: e.CertPath(n.Dir), Field: FieldTrust}
	hint := "take it out, unless it is being replaced: the components trust all in the file"
	switch {
	case e.Kind == KindCA && found.Certificate != nil:
		d.Wanted = "trust in " + showCA(found.Certificate) + " alone"
		for _, other := range found.Behind {
			if !isSameCA(other, found.Certificate) {
				d.Found = "trust in " + showCA(other) + " too"
				c.note(n, d, hint)
			}
		}
	case e.Kind == KindKeyPair && found.isVerified():
		others := slices.DeleteFunc(slices.Clone(found.Public), func(key crypto.PublicKey) bool { return ca.EqualKeys(key, found.Key) })
		if len(others) > 0 {
			d.File = e.publicPath(n.Dir)
			d.Wanted, d.Found = "the public part of "+e.KeyPath(n.Dir)+" alone", fmt.Sprintf("%d more", len(others))
			c.note(n, d, "take it out once the tokens that it verifies have ended")
		}
	case e.Kind == KindKubeconfig && slices.ContainsFunc(n.certs[NameCA], func(cert *x509.Certificate) bool { return slices.ContainsFunc(found.CAs, cert.Equal) }):
		d.Wanted = "trust in " + showCA(n.certs[NameCA][0]) + " alone"
		for _, other := range found.CAs {
			if !slices.ContainsFunc(n.certs[NameCA], func(cert *x509.Certificate) bool { return isSameCA(cert, other) }) {
				d.Found = "trust in " + showCA(other) + " too"
				c.note(n, d, hint)
			}
		}
	}
}

// checkApart finds one CA in two places, as Finish refuses it: whoever may log in
// to the API server could read etcd, or pass for a front proxy.
func (c *checker) checkApart(n *CheckedNode) {
	for i, entry := range n.Entries {
		cert := entry.found.Certificate
		if entry.found.Entry.Kind != KindCA || cert == nil || n.isForeign(entry.found.Entry) {
			continue
		}
		for _, other := range n.Entries[:i] {
			if other.found.Entry.Kind == KindCA && other.found.Certificate != nil && ca.EqualKeys(cert.PublicKey, other.found.Certificate.PublicKey) {
				c.find(n, Difference{Entry: entry.Name, File: entry.File, Field: FieldCA, Wanted: "a CA of its own", Found: "the key of " + other.File},
					"", "whom one lets in passes for a client of the other: plan a CA of its own")
				break
			}
		}
	}
}
