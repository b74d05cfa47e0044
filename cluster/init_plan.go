package cluster

import (
	"bytes"
	"crypto/x509"
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
	from        *planItem // whose files are copied
	notAfter    *x509.Certificate
}

// authority is a CA of the control plane.
type authority struct {
	ca *ca.CA // nil until it is made
	// certs are all that ca.crt holds: while a CA is being replaced, more than one.
	certs []*x509.Certificate
}

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

// findAuthorities opens the CAs that one of the nodes has, and refuses nodes
// with different ones.
func (p *initPlan) findAuthorities() error {
	for _, first := range p.nodes[0].items {
		if !first.entry.IsShared() {
			continue
		}
		var source *planItem
		for _, n := range p.nodes {
			item := n.item(first.entry.Name)
			switch {
			case item.found.Absent():
			case source == nil:
				source = item
			default:
				if err := sameShared(source.found, item.found); err != nil {
					return err
				}
				// One without the key is completed by none with it: a node may have
				// been denied the key on purpose.
			}
		}
		if source == nil {
			continue
		}
		for _, n := range p.nodes {
			if item := n.item(first.entry.Name); item.found.Absent() {
				item.from = source
			}
		}
		if first.entry.Kind == KindCA && source.found.Certificate != nil {
			opened, err := ca.OpenNamed(PKIDir(source.found.Dir), caName(first.entry.Name))
			if err != nil {
				continue // Differences say it
			}
			p.authorities[first.entry.Name] = &authority{ca: opened, certs: append([]*x509.Certificate{opened.Certificate}, source.found.Behind...)}
		}
	}
	return nil
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
	same := true
	if a.Certificate != nil && b.Certificate != nil {
		same = bytes.Equal(a.Certificate.Raw, b.Certificate.Raw)
	}
	if a.Entry.Kind == KindKeyPair && a.Key != nil && b.Key != nil {
		same = ca.EqualKeys(a.Key, b.Key)
	}
	if same {
		return nil
	}
	return failure.New(failure.Failed, "they are of different clusters, or one was replaced: keep the right ones, move the others away, and run it again",
		"%q and %q are not the same, but all nodes of a control plane share them", a.Entry.Paths(a.Dir)[0], b.Entry.Paths(b.Dir)[0])
}

// decide holds one entry against the layout.
func (p *initPlan) decide(n *nodePlan, item *planItem) {
	var issuer *x509.Certificate
	if a := p.authorities[item.entry.CA]; a != nil {
		issuer = a.ca.Certificate
	}
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
	item.notAfter = item.found.Certificate
	if item.from != nil {
		item.notAfter = item.from.found.Certificate
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

// awaited lists the requests of keys that wait for their certificates.
func (p *initPlan) awaited() []string {
	var paths []string
	for _, n := range p.nodes {
		for _, item := range n.items {
			if item.found.IsRequested() {
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
			if err := p.checkItem(n, item); err != nil {
				return err
			}
		}
	}
	return p.loadKeys()
}

func (p *initPlan) checkItem(n *nodePlan, item *planItem) error {
	switch {
	case item.state == StateRepaired && item.found.IsRequested():
		return failure.New(failure.Failed, "bring its certificate in with: pkictl cluster finish --certs DIR; to do without, move key and request away",
			"the key %q waits for the certificate that %q asks for", item.entry.KeyPath(n.dir), item.entry.RequestPath(n.dir))
	case item.state == StateRepaired && item.entry.Kind == KindCA:
		return failure.New(failure.Failed, "restore it from a backup, or make a new cluster in another directory: all that a CA has signed goes with it",
			"a CA is not repaired: %s", item.differences[0])
	case item.state == StateRepaired && item.entry.Kind == KindKeyPair && item.found.Key == nil:
		return failure.New(failure.Failed, "restore it from a backup; for a new one, which ends every token of a service account, move the other file away",
			"the key of service accounts is not made anew: %s", item.differences[0])
	case item.state == StateRepaired && item.entry.Kind == KindKubeconfig:
		return item.checkReplace(n)
	case item.state == StateMade && item.entry.Kind == KindCA:
		return p.checkNewCA(n, item)
	}
	return nil
}

// checkReplace keeps what somebody has added to a kubeconfig.
func (item *planItem) checkReplace(n *nodePlan) error {
	if item.found.Config == nil { // it cannot be read, so that nobody uses it
		return nil
	}
	return item.entry.kubeconfig(n.node).CheckReplace(item.entry.CertPath(n.dir))
}

// checkNewCA refuses a new CA where the old one has signed something that is there.
func (p *initPlan) checkNewCA(n *nodePlan, item *planItem) error {
	for _, other := range n.items {
		if other.entry.CA == item.entry.Name && other.found.Certificate != nil && other.state != StateMade {
			return failure.New(failure.Failed, "restore the CA from a backup; for a new one move all that the old one has signed away",
				"%q is missing, which has signed %q", item.entry.CertPath(n.dir), other.entry.CertPath(n.dir))
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
		if p.nodes[0].item(entry.Name).keyIsElsewhere() {
			return failure.New(failure.Failed, "bring the key here for the moment, or have others sign: pkictl cluster init --csr-only",
				"the key of CA %q is not here, and these need it: %s", a.ca.CertPath(), strings.Join(needed[entry.Name], ", "))
		}
		if err := a.ca.LoadKey(p.Passphrase); err != nil {
			return err
		}
	}
	return nil
}

// keyIsElsewhere says whether a CA is an external one.
func (item *planItem) keyIsElsewhere() bool {
	found := item.found
	if item.from != nil {
		found = item.from.found
	}
	return found.IsMissing(item.entry.KeyPath(found.Dir))
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
			if item.notAfter != nil {
				end := item.notAfter.NotAfter.UTC()
				entry.NotAfter = &end
			}
			result.Entries = append(result.Entries, entry)
		}
		list = append(list, result)
	}
	return list
}
