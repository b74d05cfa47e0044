package cluster

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// findNodes finds the cluster directories, and what they are made for.
func (c *checker) findNodes() ([]*CheckedNode, error) {
	list, missing, err := findDirectories(c.dir)
	if err != nil {
		return nil, err
	}
	if missing != nil {
		return nil, failure.New(failure.Failed, "make it with: pkictl cluster init", "there is no PKI of node %q in %q", missing[0], c.dir)
	}
	var nodes []*CheckedNode
	var names []string
	for _, d := range list {
		if d.err != nil {
			return nil, d.err
		}
		n := &CheckedNode{Node: cmp.Or(d.name, c.o.Node), Dir: d.path, home: d.home, FromFiles: d.fromFiles, node: *d.node}
		n.node.Name = cmp.Or(n.node.Name, c.o.Node)
		nodes, names = append(nodes, n), append(names, n.Node)
	}
	if c.o.Node == "" {
		return nodes, nil
	}
	i := slices.Index(names, c.o.Node)
	if i < 0 {
		return nil, failure.New(failure.Usage, "there are: "+strings.Join(names, ", "), "there is no node %s in %q", shown(c.o.Node), c.dir)
	}
	return nodes[i : i+1], nil
}

// checkShared finds what nodes should share and do not.
func (c *checker) checkShared() {
	for i, n := range c.report.Nodes {
		for _, checked := range n.Entries {
			if !checked.found.Entry.IsShared() {
				continue
			}
			for _, other := range c.report.Nodes[:i] {
				j := slices.IndexFunc(other.Entries, func(e CheckedEntry) bool { return e.Name == checked.Name })
				if j < 0 || isSameShared(checked.found, other.Entries[j].found) && isSameTrust(checked.found, other.Entries[j].found) {
					continue
				}
				c.find(n, Difference{
					Entry: checked.Name, File: checked.File, Field: FieldShared, Wanted: "the same as " + other.Entries[j].File, Found: "another",
				}, "", "all nodes of a control plane have the same; find out which one the others rely on, and copy it with its key")
				break
			}
		}
	}
}

// isSameShared says whether two nodes have the same CA, or key of service
// accounts, as far as it can be told; else that is found elsewhere.
func isSameShared(a, b *Found) bool {
	switch {
	case a.Certificate != nil && b.Certificate != nil:
		return bytes.Equal(a.Certificate.Raw, b.Certificate.Raw)
	case a.Key != nil && b.Key != nil:
		return ca.EqualKeys(a.Key, b.Key)
	}
	return true
}

// isSameTrust says whether they trust the same beside it.
func isSameTrust(a, b *Found) bool {
	switch {
	case a.Certificate != nil && b.Certificate != nil:
		return slices.EqualFunc(a.Behind, b.Behind, (*x509.Certificate).Equal)
	case (a.Key == nil || b.Key == nil) && a.Public != nil && b.Public != nil:
		return slices.EqualFunc(a.Public, b.Public, func(a, b crypto.PublicKey) bool { return ca.EqualKeys(a, b) })
	}
	return true
}
