package cluster

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// checkFiles looks at what stands in the files of one node.
func (c *checker) checkFiles(n *CheckedNode) {
	n.certs = map[string][]*x509.Certificate{}
	differences := map[string][]Difference{}
	for _, e := range c.entries(n) {
		found := Find(n.Dir, e)
		unread := c.setAside(n, found)
		n.Entries = append(n.Entries, CheckedEntry{Name: e.Name, File: e.Paths(n.Dir)[0], Missing: found.Absent(), Unread: unread, found: found})
		if e.Kind == KindCA && found.Certificate != nil {
			n.certs[e.Name] = append([]*x509.Certificate{found.Certificate}, found.Behind...)
		}
	}
	for i := range n.Entries {
		entry := &n.Entries[i]
		n.describe(entry)
		differences[entry.Name] = c.compare(n, entry.found)
	}
	c.blameCAs(n, differences)
	for _, entry := range n.Entries {
		for _, d := range differences[entry.Name] {
			c.find(n, d, "", n.fix(entry.found.Entry, d))
		}
		if entry.found.Certificate != nil {
			c.checkEnd(n, entry.found)
		}
		c.noteGroups(n, entry.found)
		c.checkBeside(n, entry.found)
		if entry.found.Entry.Kind == KindCA {
			c.checkAbove(n, entry.found)
		}
	}
	c.checkApart(n)
}

// entries are those that the node has, and with an etcd elsewhere those for it
// that somebody has put there.
func (c *checker) entries(n *CheckedNode) []Entry {
	list := EntriesFor(n.node)
	if n.node.ExternalEtcd {
		for _, name := range []string{NameEtcdCA, nameAPIServerEtcd} {
			if e, _ := EntryNamed(name); !Find(n.Dir, e).Absent() {
				list = append(list, e)
			}
		}
	}
	return list
}

// isForeign says whether another PKI makes the entry, by its own rules.
func (n *CheckedNode) isForeign(e Entry) bool {
	return n.node.ExternalEtcd && (e.Name == NameEtcdCA || e.CA == NameEtcdCA)
}

// mayBeMissing: super-admin.conf is kept elsewhere on purpose.
func mayBeMissing(e Entry) bool { return e.Name == NameSuperAdmin }

// setAside takes the problems that say nothing about the file from it: that
// somebody may not read it, which is returned, and that what a copy of it names
// is on the node.
func (c *checker) setAside(n *CheckedNode, found *Found) (unread bool) {
	isElsewhere := false
	found.Problems = slices.DeleteFunc(found.Problems, func(problem error) bool {
		switch {
		case errors.Is(problem, fs.ErrPermission):
			c.report.Unread = append(c.report.Unread, problem)
			unread = true
			return true
		case found.Rotated != "" && errors.Is(problem, fs.ErrNotExist) && !isDir(filepath.Dir(found.Rotated)):
			isElsewhere = true // twice, with the key
			return true
		}
		return false
	})
	if isElsewhere {
		c.note(n, Difference{
			Entry: found.Entry.Name, File: found.Entry.CertPath(found.Dir), Field: FieldFile,
			Wanted: "the certificate in " + found.Rotated, Found: "no such directory on this machine",
		}, "look at it on the node")
	}
	return unread
}

// describe fills in what is shown of a certificate.
func (n *CheckedNode) describe(e *CheckedEntry) {
	cert := e.found.Certificate
	if e.found.Key != nil {
		e.Key = ca.KeyName(e.found.Key)
	}
	if cert == nil {
		return
	}
	begin, end := cert.NotBefore.UTC(), cert.NotAfter.UTC()
	e.NotBefore, e.NotAfter = &begin, &end
	e.CommonName, e.Serial, e.Key = cert.Subject.CommonName, ca.FormatSerial(cert.SerialNumber), ca.KeyName(cert.PublicKey)
	e.SignedBy = ca.FormatName(cert.RawIssuer)
	if n.issuer(e.found) != nil {
		e.SignedBy = e.found.Entry.CA
	}
	if e.found.Entry.Kind == KindCA && bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		e.SignedBy = "itself"
	}
}

// issuer returns the certificate of the CA that has signed an entry: while a CA
// is being replaced there are two in its file. Nil: it is none of them.
func (n *CheckedNode) issuer(found *Found) *x509.Certificate {
	for _, cert := range n.certs[found.Entry.CA] {
		if found.Certificate != nil && bytes.Equal(found.Certificate.RawIssuer, cert.RawSubject) && found.Certificate.CheckSignatureFrom(cert) == nil {
			return cert
		}
	}
	return nil
}

// compare holds an entry against the layout.
func (c *checker) compare(n *CheckedNode, found *Found) []Difference {
	e := found.Entry
	if found.Absent() {
		if mayBeMissing(e) {
			return nil
		}
		return []Difference{{Entry: e.Name, File: e.Paths(n.Dir)[0], Field: FieldFile, Wanted: "a file", Found: "none"}}
	}
	issuer := n.issuer(found)
	if certs := n.certs[e.CA]; issuer == nil && certs != nil {
		issuer = certs[0]
	}
	list := found.Differences(n.node, issuer, c.o.Now)
	if i := slices.IndexFunc(list, func(d Difference) bool { return d.Field == FieldCluster }); i >= 0 {
		c.note(n, list[i], "any name works; to have the settings' one make it anew with: "+n.repair())
		list = slices.Delete(list, i, i+1)
	}
	if n.isForeign(e) {
		list = slices.DeleteFunc(list, func(d Difference) bool {
			return !slices.Contains([]Field{FieldFile, FieldKey, FieldBegin, FieldEnd}, d.Field)
		})
	}
	for _, path := range e.sharedPaths(n.Dir) {
		if target, err := os.Readlink(path); err == nil {
			list = append(list, Difference{Entry: e.Name, File: path, Field: FieldFile, Wanted: "a file", Found: "a symbolic link to " + target})
		}
	}
	if e.Kind == KindCA && found.isMissing(e.KeyPath(n.Dir)) && found.Certificate != nil {
		c.note(n, Difference{Entry: e.Name, File: e.KeyPath(n.Dir), Field: FieldKey, Wanted: "the key of the CA", Found: "none"},
			"an external CA: nothing can be signed or renewed here without it")
	}
	return list
}

// blameCAs makes one finding of a CA that has signed nothing of what it should
// have: then it is the CA that is another.
func (c *checker) blameCAs(n *CheckedNode, differences map[string][]Difference) {
	for _, entry := range n.Entries {
		e := entry.found.Entry
		if e.Kind != KindCA || n.certs[e.Name] == nil {
			continue
		}
		var signed []*Found
		for _, other := range n.Entries {
			if other.found.Entry.CA == e.Name && other.found.Certificate != nil {
				signed = append(signed, other.found)
			}
		}
		if len(signed) < 2 || slices.ContainsFunc(signed, func(f *Found) bool { return n.issuer(f) != nil }) {
			continue
		}
		for _, f := range signed {
			name := f.Entry.Name
			differences[name] = slices.DeleteFunc(differences[name], func(d Difference) bool { return d.Field == FieldCA })
		}
		differences[e.Name] = append(differences[e.Name], Difference{
			Entry: e.Name, File: e.CertPath(n.Dir), Field: FieldCA, Wanted: "the CA that has signed " + entryNames(signed),
			Found: "another, " + showCA(entry.found.Certificate),
		})
	}
}

func entryNames(list []*Found) string {
	var names []string
	for _, f := range list {
		names = append(names, f.Entry.Name)
	}
	return strings.Join(names, ", ")
}

// showCA names a CA beyond doubt: there are many of one name.
func showCA(cert *x509.Certificate) string {
	return ca.FormatName(cert.RawSubject) + " with SHA-256 " + ca.Fingerprint(cert)[:23] + "..."
}

// checkEnd finds a certificate that ends soon. One that has ended is found with
// the other differences.
func (c *checker) checkEnd(n *CheckedNode, found *Found) {
	cert, e := found.Certificate, found.Entry
	if c.o.Now.After(cert.NotAfter) {
		return
	}
	if c.o.endsSoon(cert.NotBefore, cert.NotAfter) {
		d := Difference{Entry: e.Name, File: e.CertPath(n.Dir), Field: FieldEnd, Wanted: "a later one", Found: c.showEnd(cert)}
		c.find(n, d, "", n.fix(e, d))
	}
	if issuer := n.issuer(found); issuer != nil && issuer.NotAfter.Before(cert.NotAfter) && !n.isForeign(e) {
		c.note(n, Difference{Entry: e.Name, File: e.CertPath(n.Dir), Field: FieldEnd, Wanted: "before that of its CA, " + day(issuer.NotAfter), Found: day(cert.NotAfter)},
			"it stops to work when its CA ends")
	}
}

func (c *checker) showEnd(cert *x509.Certificate) string {
	if left := cert.NotAfter.Sub(c.o.Now); left >= 0 {
		return day(cert.NotAfter) + ", in " + ca.FormatValidity(left)
	}
	return day(cert.NotAfter) + ", " + ca.FormatValidity(c.o.Now.Sub(cert.NotAfter)) + " ago"
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// noteGroups says which certificates pass every authorizer, that later versions
// of kubeadm make without that.
func (c *checker) noteGroups(n *CheckedNode, found *Found) {
	if found.Certificate == nil || found.Entry.Name == NameSuperAdmin || !slices.Contains(found.Certificate.Subject.Organization, ca.GroupMasters) {
		return
	}
	if !slices.ContainsFunc(found.Entry.allowedGroups(n.node), func(groups []string) bool { return slices.Contains(groups, ca.GroupMasters) }) {
		return // it has been found
	}
	c.note(n, Difference{Entry: found.Entry.Name, File: found.Entry.CertPath(n.Dir), Field: FieldO,
		Wanted: orNone(found.Entry.Groups(n.node)) + ", as kubeadm has it since v1.29 (v1.36.1 for kubelets)", Found: ca.GroupMasters},
		"it passes every authorizer until it ends")
}

// checkAbove looks at the CAs above an intermediate one: in its own file, or in
// that beside it.
func (c *checker) checkAbove(n *CheckedNode, found *Found) {
	cert, e := found.Certificate, found.Entry
	if cert == nil || n.isForeign(e) || bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		return
	}
	above := found.Behind
	path := e.below(n.Dir, "-chain.crt")
	d := Difference{Entry: e.Name, File: path, Field: FieldChain, Wanted: "the CAs above " + ca.FormatName(cert.RawSubject)}
	const hint = "restore it from a backup, or from whoever signed the CA"
	if isThere(path) {
		items, err := decodeFile(path)
		if err != nil {
			d.Found = err.Error()
			c.find(n, d, "", hint)
			return
		}
		above = append(slices.Clone(above), ca.Certificates(items)...)
	}
	roots := slices.DeleteFunc(slices.Clone(above), func(cert *x509.Certificate) bool { return !bytes.Equal(cert.RawIssuer, cert.RawSubject) })
	if len(roots) == 0 {
		d.Found = "no root; it is signed by " + ca.FormatName(cert.RawIssuer)
		c.note(n, d, "clients that trust the root alone need the chain")
		return
	}
	chain, check := ca.Roots{Name: "the files", Certificates: roots}.Check(cert, above, c.o.Now)
	if check.Status == ca.CheckFailed {
		d.Found = check.Found
		c.find(n, d, "", hint)
		return
	}
	for _, upper := range chain[1:] {
		if c.o.Now.After(upper.NotAfter) || c.o.endsSoon(upper.NotBefore, upper.NotAfter) {
			d.Field, d.Wanted = FieldEnd, "a later one of "+ca.FormatName(upper.RawSubject)
			d.Found = c.showEnd(upper)
			c.find(n, d, "", "a CA is not renewed in place: plan a new one, and trust in both meanwhile")
		}
	}
}
