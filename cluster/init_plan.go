package cluster

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// initPlan is what Init is to do, for all nodes.
type initPlan struct {
	InitOptions
	nodes       []*nodePlan
	authorities map[string]*authority // by the name of their entry
}

// nodePlan is what it is to do in one cluster directory.
type nodePlan struct {
	node  Node
	dir   string
	store *store.Dir // locked; nil in a dry run
	items []*planItem
}

// planItem is one entry in one cluster directory.
type planItem struct {
	entry       Entry
	found       *Found
	differences []Difference
	state       State
	from        *planItem         // whose files are copied
	cert        *x509.Certificate // that is there, or was made

	// What was made, and is to be written.
	members  []ca.Member
	files    []store.File
	warnings []string
}

// authority is a CA of the control plane.
type authority struct {
	ca   *ca.CA    // nil until it is made
	item *planItem // that it was found in
	// certs are all that ca.crt holds: while a CA is being replaced, more than one.
	certs []*x509.Certificate
}

// issuerOf returns the one that has signed a certificate; the first, which signs
// new ones, where that is none of them.
func (a *authority) issuerOf(cert *x509.Certificate) *x509.Certificate {
	for _, issuer := range a.certs {
		if cert != nil && bytes.Equal(cert.RawIssuer, issuer.RawSubject) && cert.CheckSignatureFrom(issuer) == nil {
			return issuer
		}
	}
	return a.ca.Certificate
}

// keyIsElsewhere says whether it is an external CA.
func (a *authority) keyIsElsewhere() bool { return a.item.found.isMissing(a.ca.KeyPath()) }

func sortedByDir(nodes []*nodePlan) []*nodePlan {
	return slices.SortedFunc(slices.Values(nodes), func(a, b *nodePlan) int { return strings.Compare(a.dir, b.dir) })
}

func (n *nodePlan) item(name string) *planItem {
	for _, item := range n.items {
		if item.entry.Name == name {
			return item
		}
	}
	return nil
}

// look finds out what is there, and what is to be done about it.
func (p *initPlan) look() error {
	for _, n := range p.nodes {
		for _, entry := range EntriesFor(n.node) {
			n.items = append(n.items, &planItem{entry: entry, found: Find(n.dir, entry)})
		}
	}
	if err := p.findAuthorities(); err != nil {
		return err
	}
	for _, n := range p.nodes {
		for _, item := range n.items {
			p.decide(n, item)
		}
	}
	return nil
}

// findAuthorities opens the CAs that one of the nodes has, and says where the
// others have what all of them share from.
func (p *initPlan) findAuthorities() error {
	for _, first := range p.nodes[0].items {
		if !first.entry.IsShared() {
			continue
		}
		source, err := p.source(first.entry.Name)
		if err != nil {
			return err
		}
		for _, n := range p.nodes {
			if item := n.item(first.entry.Name); item.found.Absent() && item != source {
				item.from = source
			}
		}
		if first.entry.Kind == KindCA && source.found.Certificate != nil {
			p.open(source)
		}
	}
	return nil
}

// source returns the item of an entry that others are copied from: the most
// complete one, or that of the first node where none has any. Nodes with
// different ones are refused. A node that lacks the key of a CA is not given
// one: it may have been denied it on purpose.
func (p *initPlan) source(name string) (*planItem, error) {
	source := p.nodes[0].item(name)
	for _, n := range p.nodes[1:] {
		item := n.item(name)
		if err := sameShared(source.found, item.found); err != nil {
			return nil, err
		}
		if item.found.lacks() < source.found.lacks() {
			source = item
		}
	}
	return source, nil
}

// lacks counts what is missing, or cannot be read.
func (f *Found) lacks() int { return len(f.Missing) + len(f.Problems) }

// open opens the CA of an item. What is wrong with it is a difference.
func (p *initPlan) open(item *planItem) {
	opened, err := ca.OpenNamed(PKIDir(item.found.Dir), caName(item.entry.Name))
	if err != nil {
		item.found.problem(item.entry.CertPath(item.found.Dir), err)
		return
	}
	p.authorities[item.entry.Name] = &authority{
		ca: opened, item: item, certs: append([]*x509.Certificate{opened.Certificate}, item.found.Behind...),
	}
}

// caName is what package ca calls the CA of an entry.
func caName(entry string) string {
	if entry == NameCA {
		return ""
	}
	return entry
}

// sameShared refuses two directories of one cluster with different keys.
func sameShared(a, b *Found) error {
	if isSameShared(a, b) {
		return nil
	}
	return failure.New(failure.Failed, "they are of different clusters, or one was replaced: keep the right ones, move the others away, and run it again",
		"%q and %q are not the same, but all nodes of a control plane share them", a.Entry.Paths(a.Dir)[0], b.Entry.Paths(b.Dir)[0])
}

// decide holds one entry against the layout.
func (p *initPlan) decide(n *nodePlan, item *planItem) {
	var issuer *x509.Certificate
	if a := p.authorities[item.entry.CA]; a != nil {
		issuer = a.issuerOf(item.found.Certificate)
	}
	item.cert = item.found.Certificate
	item.differences = item.found.Differences(n.node, issuer, p.Now)
	switch {
	case item.from != nil:
		item.state = StateCopied
	case item.found.Absent():
		item.state = StateMade
	case len(item.differences) > 0 && p.Repair:
		item.state = StateRepaired
	case len(item.differences) > 0:
		item.state = StateWrong
	default:
		item.state = StateKept
	}
}

// wrong lists the differences of all nodes.
func (p *initPlan) wrong() []Difference {
	var list []Difference
	for _, n := range p.nodes {
		for _, item := range n.items {
			list = append(list, item.differences...)
		}
	}
	return list
}

// leaveMissing has the result say that nothing was made.
func (p *initPlan) leaveMissing() {
	for _, n := range p.nodes {
		for _, item := range n.items {
			if item.state == StateMade || item.state == StateCopied {
				item.state, item.from = StateMissing, nil
			}
		}
	}
}

// awaited lists the requests of keys that wait for their certificates.
func (p *initPlan) awaited() []string {
	var paths []string
	for _, n := range p.nodes {
		for _, item := range n.items {
			if item.found.isRequested() {
				paths = append(paths, item.entry.RequestPath(n.dir))
			}
		}
	}
	return paths
}

// checkPossible refuses what cannot be made with what is there.
func (p *initPlan) checkPossible() error {
	for _, n := range p.nodes {
		for _, item := range n.items {
			if err := p.checkItem(item); err != nil {
				return err
			}
		}
	}
	if err := p.checkSigners(); err != nil {
		return err
	}
	return p.loadKeys()
}

func (p *initPlan) checkItem(item *planItem) error {
	switch {
	case item.state == StateRepaired && item.found.isRequested():
		return failure.New(failure.Failed, "bring its certificate in with: pkictl cluster finish --certs DIR; to do without, move key and request away",
			"the key %q waits for the certificate that %q asks for", item.entry.KeyPath(item.found.Dir), item.entry.RequestPath(item.found.Dir))
	case item.state == StateRepaired && item.entry.Kind == KindCA:
		return failure.New(failure.Failed, "restore it from a backup, or make a new cluster in another directory: all that a CA has signed goes with it",
			"a CA is not repaired: %s", item.differences[0])
	case item.state == StateRepaired && item.entry.Kind == KindKeyPair:
		return item.checkKeyPair()
	case item.state == StateRepaired && item.entry.Kind == KindKubeconfig:
		return item.checkReplace()
	case item.state == StateMade && item.entry.Kind == KindCA:
		return p.checkNewCA(item)
	}
	return nil
}

// checkKeyPair: of the keys of service accounts the public one can be made
// again, the private one cannot.
func (item *planItem) checkKeyPair() error {
	public := item.entry.publicPath(item.found.Dir)
	for _, d := range item.differences {
		if d.File != public || item.found.Key == nil {
			return failure.New(failure.Failed, "restore it from a backup; for a new one, which ends every token of a service account, move sa.key and sa.pub away",
				"the key of service accounts is not made anew: %s", d)
		}
	}
	if len(item.found.Public) > 1 { // somebody is replacing it
		return failure.New(failure.Failed, "add it there with: openssl pkey -in sa.key -pubout >> sa.pub",
			"%q holds %d keys, and none is that of %q", public, len(item.found.Public), item.entry.KeyPath(item.found.Dir))
	}
	return nil
}

// checkReplace keeps what somebody has added to a kubeconfig.
func (item *planItem) checkReplace() error {
	config := item.found.Config
	if config == nil || max(len(config.Clusters), len(config.AuthInfos), len(config.Contexts)) <= 1 {
		return nil // nothing else is in it, or it cannot be read, so that nobody uses it
	}
	return failure.New(failure.Failed, "move the other ones into a file of their own, and run it again",
		"kubeconfig %q is not replaced, for it holds several clusters, users or contexts: %s", item.entry.CertPath(item.found.Dir), item.differences[0])
}

// newAccountKeys warns of new keys of service accounts in a control plane that
// has had others: whoever needs those has to bring them back before a restart.
func (p *initPlan) newAccountKeys() []string {
	item := p.nodes[0].item(NameSA)
	if item.state != StateMade {
		return nil
	}
	for _, n := range p.nodes {
		for _, other := range n.items {
			if other.entry.CA != "" && other.found.Certificate != nil {
				return []string{fmt.Sprintf("%q was missing, and is new: if a control plane runs with the old one, every token of a service account ends when it restarts; restore that from a backup first",
					item.entry.KeyPath(item.found.Dir))}
			}
		}
	}
	return nil
}

// assumedNames warns of a certificate of the API server for whose names nothing
// speaks: those of kubeadm's defaults are taken.
func (p *initPlan) assumedNames() []string {
	first := p.nodes[0]
	if !p.FromFiles || !first.item(nameAPIServer).isSigned() {
		return nil
	}
	n, err := NodeFromFiles(first.dir)
	if err != nil || !n.assumed || n.ServiceIP != first.node.ServiceIP || n.DNSDomain != first.node.DNSDomain {
		return nil
	}
	return []string{fmt.Sprintf("nothing in %q says the range of services or the DNS domain: if they are not %s and %s, give --service-cidr and --dns-domain",
		p.Dir, DefaultServiceCIDR, n.DNSDomain)}
}

// checkNewCA refuses a new CA where the old one has signed something that is there.
func (p *initPlan) checkNewCA(item *planItem) error {
	for _, n := range p.nodes {
		for _, other := range n.items {
			if other.entry.CA == item.entry.Name && other.found.Certificate != nil {
				return failure.New(failure.Failed, "restore the CA from a backup; for a new one move all that the old one has signed away",
					"%q is missing, which has signed %q", item.entry.CertPath(item.found.Dir), other.entry.CertPath(n.dir))
			}
		}
	}
	return nil
}

// loadKeys loads the keys of the CAs that have to sign.
func (p *initPlan) loadKeys() error {
	needed := map[string][]string{}
	for _, n := range p.nodes {
		for _, item := range n.items {
			if item.isSigned() {
				needed[item.entry.CA] = append(needed[item.entry.CA], item.entry.Name)
			}
		}
	}
	for _, entry := range EntriesFor(p.nodes[0].node) {
		a := p.authorities[entry.Name]
		if a == nil || needed[entry.Name] == nil {
			continue
		}
		if a.keyIsElsewhere() {
			return failure.New(failure.Failed, "bring the key here for the moment, or have others sign: pkictl cluster init --csr-only",
				"the key of CA %q is not here, and these need it: %s", a.ca.CertPath(), strings.Join(needed[entry.Name], ", "))
		}
		if err := a.ca.LoadKey(p.Passphrase); err != nil && (!p.DryRun || !errors.Is(err, ca.ErrAskLater)) {
			return err
		}
	}
	return nil
}

// close ends what loadKeys began.
func (p *initPlan) close() {
	for _, a := range p.authorities {
		if a.ca != nil {
			a.ca.Close()
		}
	}
}

// isSigned says whether a certificate is to be made by a CA.
func (item *planItem) isSigned() bool {
	return item.entry.CA != "" && (item.state == StateMade || item.state == StateRepaired)
}

// results describes all entries.
func (p *initPlan) results() []NodeResult {
	var list []NodeResult
	for _, n := range p.nodes {
		result := NodeResult{Node: n.node.Name, Dir: n.dir}
		for _, item := range n.items {
			entry := EntryResult{Name: item.entry.Name, Files: item.entry.Paths(n.dir), State: item.state, CA: item.entry.CA}
			if item.state == StateRequested || item.state == StateAwaited {
				entry.Request = item.entry.RequestPath(n.dir)
			}
			for _, d := range item.differences {
				entry.Wrong = append(entry.Wrong, fmt.Sprintf("%s: wanted %s; found %s", d.Field, d.Wanted, d.Found))
			}
			cert := item.cert
			if item.from != nil {
				cert = item.from.cert
			}
			if cert != nil {
				end := cert.NotAfter.UTC()
				entry.NotAfter = &end
			}
			result.Entries = append(result.Entries, entry)
		}
		list = append(list, result)
	}
	return list
}
