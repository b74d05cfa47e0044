package cluster

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// FinishOptions is what the command cluster finish takes.
type FinishOptions struct {
	Dir        string // the cluster directory; with several nodes, that above theirs
	Certs      string // directory of the certificates that others have signed
	Settings   Settings
	FromFiles  bool // as in InitOptions
	DryRun     bool // check everything, and write nothing
	Now        time.Time
	Waiting    func(dir string) // called when a directory is locked by another; may be nil
	Passphrase ca.Passphrase    // asked when a CA's key is encrypted; may be nil
}

// Finish puts certificates that CAs elsewhere have signed beside the keys that
// Init has made with Requests, or kubeadm certs generate-csr, and completes the
// kubeconfigs. A certificate belongs to the key that it certifies; what its file
// is called does not matter. Each is held against the layout before anything is
// written: where one is missing or wrong, nothing is, and the result says what.
// All of one node's certificates are written as one step. A certificate in its
// place gives way to one of the same key that ends later, or that is right where
// it is not. What CAs that are here then have to sign, Init makes.
func Finish(ctx context.Context, o FinishOptions) (*InitResult, error) {
	offered, err := readOffered(o.Certs)
	if err != nil {
		return nil, err
	}
	plan, err := newInitPlan(InitOptions{
		Dir: o.Dir, Settings: o.Settings, FromFiles: o.FromFiles, DryRun: o.DryRun, Now: o.Now, Waiting: o.Waiting, Passphrase: o.Passphrase,
	})
	if err != nil {
		return nil, err
	}
	p := &finishPlan{initPlan: plan, offered: offered, placed: map[*planItem]placed{}, known: map[*planItem][]*x509.Certificate{}}
	if !o.DryRun {
		if err := p.lock(ctx); err != nil {
			p.unlock()
			return nil, err
		}
	}
	result, err := p.run()
	p.unlock()
	if err != nil || result.Differences != nil || o.DryRun {
		return result, err
	}
	rest, err := Init(ctx, plan.InitOptions)
	if err != nil {
		return nil, err
	}
	return p.joined(result, rest), nil
}

// finishPlan is what Finish is to do.
type finishPlan struct {
	*initPlan
	offered *offered
	placed  map[*planItem]placed
	known   map[*planItem][]*x509.Certificate // that a CA has to chain to, as readKnown finds them
}

// placed is a certificate that is to be put in its place, with those behind it.
type placed struct {
	cert, issuer *x509.Certificate
	above        []*x509.Certificate // the nearest first
}

// newPlaced is a certificate whose issuer is the first of those above it, or the
// given one where none are.
func newPlaced(cert, issuer *x509.Certificate, above []*x509.Certificate) placed {
	if len(above) > 0 {
		issuer = above[0]
	}
	return placed{cert: cert, issuer: issuer, above: above}
}

func (p *finishPlan) run() (*InitResult, error) {
	if err := p.look(); err != nil {
		return nil, err
	}
	if err := p.readKnown(); err != nil {
		return nil, err
	}
	for _, item := range p.nodes[0].items {
		if item.entry.Kind == KindCA {
			p.placeCA(item)
		}
	}
	p.checkApart()
	for _, n := range p.nodes {
		for _, item := range n.items {
			if item.entry.CA != "" {
				p.placeLeaf(n, item)
			}
		}
	}
	result := &InitResult{Warnings: p.offered.warnings}
	if result.Differences = p.wrong(); result.Differences == nil {
		if err := p.checkReplaced(); err != nil {
			return nil, err
		}
		result.Warnings = append(result.Warnings, p.chainWarnings()...)
	}
	if result.Differences == nil && !p.DryRun {
		for _, n := range p.nodes {
			if err := p.write(n); err != nil {
				return nil, err
			}
		}
	}
	result.Nodes = p.results()
	p.addFingerprints(result)
	return result, nil
}

// addFingerprints names the CAs that are placed, for people to compare: nothing
// else says whose they are.
func (p *finishPlan) addFingerprints(result *InitResult) {
	for i, item := range p.nodes[0].items {
		if item.entry.Kind == KindCA && item.state == StatePlaced {
			result.Nodes[0].Entries[i].FingerprintSHA256 = ca.Fingerprint(item.cert)
		}
	}
}

// placeLeaf chooses the certificate for one key.
func (p *finishPlan) placeLeaf(n *nodePlan, item *planItem) {
	found := item.found
	a := p.authorities[item.entry.CA]
	var issuer *x509.Certificate
	if a != nil {
		issuer = a.ca.Certificate
		item.differences = found.Differences(n.node, issuer, p.Now)
	}
	switch {
	case found.Absent() && p.isSignedHere(item.entry.CA):
		item.state, item.differences = StateMade, nil
		return
	case found.Absent():
		item.state = StateWrong
		item.wrong(FieldFile, "a key", "none; make it and a request for its certificate with: pkictl cluster init --csr-only")
		return
	case found.Key == nil:
		item.state = StateWrong
		if item.differences == nil {
			item.wrong(FieldKey, "a key that can be read", "none")
		}
		return
	}
	best, differences := p.best(n, item, issuer)
	switch {
	case best == nil && found.Certificate == nil:
		item.state = StateWrong
		if len(found.pendingDifferences(n.node)) == 0 && found.Problems == nil {
			item.differences = nil // that it is missing says all
		}
		item.wrong(FieldFile, fmt.Sprintf("a certificate for its key, among those in %q", p.offered.dir), "none")
	case best == nil, found.Rotated != "", found.Certificate != nil && (len(differences) > 0 || len(item.differences) == 0 && !best.NotAfter.After(found.Certificate.NotAfter)):
		item.state = StateKept
		if len(item.differences) > 0 {
			item.state = StateWrong
		}
	default:
		item.state, item.differences, item.cert = StatePlaced, differences, best
		p.placed[item] = newPlaced(best, issuer, p.offered.behind(best, a))
		if len(differences) > 0 {
			item.state = StateWrong
		}
	}
}

// best returns the newest certificate for the key of an entry of which nothing
// is wrong, or else the newest, with what is wrong.
func (p *finishPlan) best(n *nodePlan, item *planItem, issuer *x509.Certificate) (*x509.Certificate, []Difference) {
	var best *x509.Certificate
	var wrong []Difference
	for _, cert := range p.offered.forKey(item.found.Key) { // the newest first
		differences := p.differences(n, item, cert, issuer)
		if len(differences) == 0 {
			return cert, nil
		}
		if best == nil {
			best, wrong = cert, differences
		}
	}
	return best, wrong
}

// differences are those that an entry would have with that certificate in its
// place.
func (p *finishPlan) differences(n *nodePlan, item *planItem, cert, issuer *x509.Certificate) []Difference {
	view := *item.found
	view.Missing = nil
	view.Certificate, view.Behind = cert, p.offered.above(cert)
	if issuer != nil {
		view.CAs = []*x509.Certificate{issuer}
	}
	list := view.Differences(n.node, issuer, p.Now)
	if issuer == nil && item.entry.Kind != KindCA {
		list = append(list, Difference{
			Entry: item.entry.Name, File: p.offered.nameOf(cert), Field: FieldCA,
			Wanted: fmt.Sprintf("the certificate of %s among those in %q", ca.FormatName(cert.RawIssuer), p.offered.dir), Found: "none",
		})
	}
	list = append(list, p.compareKnown(n, item, cert)...)
	if len(list) == 0 {
		list = item.compareChain(cert, view.Behind, issuer, p.Now)
	}
	for i := range list {
		if list[i].File == item.entry.CertPath(n.dir) {
			list[i].File = p.offered.nameOf(cert)
		}
	}
	return list
}

// compareChain finds what forbids a chain that by its names and signatures holds,
// such as a path length or names that a CA may not certify.
func (item *planItem) compareChain(cert *x509.Certificate, above []*x509.Certificate, issuer *x509.Certificate, now time.Time) []Difference {
	roots := ca.Roots{Name: "what its CA may sign", Certificates: []*x509.Certificate{issuer}}
	if issuer == nil && len(above) > 0 { // it is a CA's own
		roots.Certificates[0] = above[len(above)-1]
	}
	if root := roots.Certificates[0]; root == nil || now.After(root.NotAfter) || now.Before(root.NotBefore) {
		return nil // that is said of the CA itself
	}
	if _, check := roots.Check(cert, above, now); check.Status == ca.CheckFailed {
		return []Difference{{Entry: item.entry.Name, File: item.entry.CertPath(item.found.Dir), Field: FieldCA, Wanted: check.Wanted, Found: check.Found}}
	}
	return nil
}

func (item *planItem) wrong(field Field, wanted, found string) {
	item.differences = append(item.differences, Difference{
		Entry: item.entry.Name, File: item.entry.Paths(item.found.Dir)[0], Field: field, Wanted: wanted, Found: found,
	})
}

// checkReplaced keeps what somebody has added to a kubeconfig.
func (p *finishPlan) checkReplaced() error {
	for _, n := range p.nodes {
		for _, item := range n.items {
			if item.state == StatePlaced && item.entry.Kind == KindKubeconfig {
				if err := item.entry.kubeconfig(n.node).CheckReplace(item.entry.CertPath(n.dir)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// write brings one node's certificates to the disk as one step.
func (p *finishPlan) write(n *nodePlan) error {
	var files []store.File
	var certs []ca.Foreign
	for _, item := range n.items {
		chosen, isPlaced := p.placed[item]
		switch {
		case item.entry.Kind == KindCA:
			more, err := p.filesOfCA(n, item)
			if err != nil {
				return err
			}
			files = append(files, more...)
		case isPlaced:
			more, err := p.filesOf(n, item, chosen)
			if err != nil {
				return err
			}
			files = append(files, more...)
		}
		if isPlaced {
			certs = append(certs, ca.Foreign{
				Certificate: chosen.cert, Issuer: chosen.issuer, Metadata: item.metadata(n.dir, chosen.cert.Subject.Organization),
			})
		}
	}
	if len(files) == 0 {
		return nil
	}
	if err := n.makeEtcdDir(); err != nil {
		return err
	}
	return ca.WriteForeign(n.store, certs, files...)
}

// filesOf are the files of a certificate that is put in its place: its own, or
// the kubeconfig.
func (p *finishPlan) filesOf(n *nodePlan, item *planItem, chosen placed) ([]store.File, error) {
	certPEM := ca.EncodeCertificates(append([]*x509.Certificate{chosen.cert}, chosen.above...)...)
	path := item.entry.CertPath(n.dir)
	if item.entry.Kind == KindLeaf {
		return []store.File{{Path: path, Data: certPEM, Mode: 0o644}}, nil
	}
	entry := item.entry.kubeconfig(n.node)
	entry.CAPEM, entry.CertPEM = ca.EncodeCertificates(p.authorities[item.entry.CA].certs...), certPEM
	var err error
	if entry.KeyPEM, err = item.found.keyPEM(); err != nil {
		return nil, err
	}
	data, err := entry.Marshal()
	return []store.File{{Path: path, Data: data, Mode: 0o600}}, err
}

// joined is the result of Finish and of what Init made after it.
func (p *finishPlan) joined(result, rest *InitResult) *InitResult {
	for i, node := range result.Nodes {
		for j, entry := range node.Entries {
			if entry.State == StatePlaced {
				rest.Nodes[i].Entries[j].State, rest.Nodes[i].Entries[j].FingerprintSHA256 = StatePlaced, entry.FingerprintSHA256
			}
		}
	}
	rest.Warnings = slices.Concat(result.Warnings, rest.Warnings)
	return rest
}
