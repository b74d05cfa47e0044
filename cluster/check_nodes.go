package cluster

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// resolveDir returns the cluster directory that somebody means who names it, or
// the directory pki in it.
func resolveDir(dir string) string {
	if isDir(PKIDir(dir)) || !isThere(filepath.Join(dir, NameCA+".crt")) {
		return dir
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return dir
	}
	parent := filepath.Join(real, "..")
	if isSame(PKIDir(parent), dir) {
		return parent
	}
	return dir
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isSame(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// findNodes finds the cluster directories, and what they are made for: by the
// settings, or without any by their files.
func (c *checker) findNodes() ([]*CheckedNode, error) {
	if info, err := os.Stat(c.dir); err == nil && !info.IsDir() {
		return nil, failure.New(failure.Failed, "name a directory like /etc/kubernetes on a node", "%q is not a directory", c.dir)
	}
	settings, has, err := ReadSettings(c.dir)
	if err != nil {
		return nil, err
	}
	var nodes []*CheckedNode
	above, errAbove := settingsOf(c.dir) // where the directory is that of one of several nodes
	switch {
	case has:
		nodes, err = c.nodesOfSettings(settings)
	case errAbove == nil && len(above.Nodes) > 0:
		nodes, err = c.nodeOfSettings(above)
	default:
		nodes, err = c.nodesOfFiles()
	}
	if err != nil {
		return nil, err
	}
	if c.o.Node == "" {
		return nodes, nil
	}
	var names []string
	for _, n := range nodes {
		if n.Node == c.o.Node {
			return []*CheckedNode{n}, nil
		}
		names = append(names, n.Node)
	}
	return nil, failure.New(failure.Usage, "there are: "+strings.Join(names, ", "), "there is no node %s in %q", shown(c.o.Node), c.dir)
}

func (c *checker) nodesOfSettings(s Settings) ([]*CheckedNode, error) {
	resolved, err := s.Resolve()
	if err != nil {
		return nil, err
	}
	var nodes []*CheckedNode
	for i, n := range resolved {
		dir := NodeDir(c.dir, resolved, i)
		if !isDir(PKIDir(dir)) {
			return nil, failure.New(failure.Failed, "make it with: pkictl cluster init", "there is no PKI of node %q in %q", n.Name, dir)
		}
		nodes = append(nodes, &CheckedNode{Node: n.Name, Dir: dir, home: c.dir, node: n})
	}
	return nodes, nil
}

// nodeOfSettings is the one of several nodes that the directory is of.
func (c *checker) nodeOfSettings(s Settings) ([]*CheckedNode, error) {
	resolved, err := s.Resolve()
	if err != nil {
		return nil, err
	}
	for _, n := range resolved {
		if n.Name == filepath.Base(c.dir) {
			return []*CheckedNode{{Node: n.Name, Dir: c.dir, home: filepath.Dir(c.dir), node: n}}, nil
		}
	}
	return c.nodesOfFiles()
}

func (c *checker) nodesOfFiles() ([]*CheckedNode, error) {
	dirs := []string{c.dir}
	if !isDir(PKIDir(c.dir)) {
		entries, err := os.ReadDir(c.dir)
		if err != nil {
			return nil, failure.Wrap(err, failure.Failed, "name a directory like /etc/kubernetes on a node, or make one with: pkictl cluster init", "cannot look into %q", c.dir)
		}
		for _, entry := range entries {
			if dir := filepath.Join(c.dir, entry.Name()); isDir(PKIDir(dir)) {
				dirs = append(dirs, dir)
			}
		}
		if len(dirs) > 1 {
			dirs = dirs[1:]
		}
	}
	var nodes []*CheckedNode
	for _, dir := range dirs {
		n, err := NodeFromFiles(dir)
		if err != nil {
			return nil, err
		}
		if n.Name == "" {
			n.Name = c.o.Node
		}
		nodes = append(nodes, &CheckedNode{Node: n.Name, Dir: dir, FromFiles: true, node: n})
	}
	return nodes, nil
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
				if j < 0 || isSameShared(checked.found, other.Entries[j].found) {
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

func isSameShared(a, b *Found) bool {
	switch {
	case a.Certificate != nil && b.Certificate != nil:
		return bytes.Equal(a.Certificate.Raw, b.Certificate.Raw)
	case a.Key != nil && b.Key != nil:
		return ca.EqualKeys(a.Key, b.Key)
	case a.Public != nil && b.Public != nil:
		return slices.EqualFunc(a.Public, b.Public, func(a, b crypto.PublicKey) bool { return ca.EqualKeys(a, b) })
	}
	return true // it cannot be told, which is found elsewhere
}
