package cluster

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// Field is what of an entry is not as it should be.
type Field string

// The fields of a Difference.
const (
	FieldFile   Field = "file" // missing, or cannot be read
	FieldCN     Field = "CN"
	FieldO      Field = "O"
	FieldEKU    Field = "EKU"
	FieldSAN    Field = "SAN"
	FieldCA     Field = "CA" // the signer, or whether it is a CA
	FieldKey    Field = "key"
	FieldBegin  Field = "begin"
	FieldEnd    Field = "end"
	FieldServer Field = "server" // of a kubeconfig
	// FieldCluster is what a kubeconfig calls the cluster. Any name works, so that
	// for Check another one does not count.
	FieldCluster Field = "cluster"

	// Those that Check alone looks at.
	FieldChain  Field = "chain"  // from a CA up to its root
	FieldMode   Field = "mode"   // what others may do with a file or directory
	FieldOwner  Field = "owner"  // of a file or directory
	FieldShared Field = "shared" // not the same in all nodes
	FieldServed Field = "served" // what a component shows or accepts now
	FieldTrust  Field = "trust"  // the CA that others were given
)

// Difference is one thing about an entry that is not as the layout has it.
type Difference struct {
	Entry  string `json:"entry"`
	File   string `json:"file"`
	Field  Field  `json:"field"`
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
}

// String says it in one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: wanted %s; found %s", d.File, d.Field, d.Wanted, d.Found)
}

// differences collects them for one entry.
type differences struct {
	found *Found
	list  []Difference
}

func (d *differences) add(path string, field Field, wanted, found string) {
	d.list = append(d.list, Difference{Entry: d.found.Entry.Name, File: path, Field: field, Wanted: wanted, Found: found})
}

// Differences compares what was found with what the layout has for a node. The
// issuer is the certificate of the CA that signs the entry; nil where that is
// not known, or for a CA. A file of an entry that is wholly absent is none; nor
// is the key of a CA, which may be kept elsewhere.
func (f *Found) Differences(n Node, issuer *x509.Certificate, now time.Time) []Difference {
	if f.Absent() {
		return nil
	}
	d := &differences{found: f}
	for _, path := range f.Missing {
		if f.Entry.Kind != KindCA || path != f.Entry.KeyPath(f.Dir) {
			d.add(path, FieldFile, "a file", f.awaited())
		}
	}
	for _, problem := range f.Problems {
		path := f.Entry.Paths(f.Dir)[0]
		if about := (*fileError)(nil); errors.As(problem, &about) {
			path = about.path
		}
		d.add(path, FieldFile, "what can be read", problem.Error())
	}
	switch f.Entry.Kind {
	case KindKeyPair:
		d.compareKeyPair()
		return d.list
	case KindKubeconfig:
		d.compareServer(n)
		d.compareCluster(n)
		d.compareTrust(issuer)
		if f.User != nil && f.Certificate == nil && f.Problems == nil {
			d.add(d.path(), FieldFile, "a client certificate", f.awaited())
		}
	}
	if f.Certificate == nil {
		return d.list
	}
	if f.Entry.Kind == KindCA {
		d.compareCA()
	} else {
		d.compareLeaf(n, issuer)
	}
	d.compareKey()
	d.compareTime(now)
	return d.list
}

func (d *differences) path() string { return d.found.Entry.CertPath(d.found.Dir) }

func (d *differences) compareKeyPair() {
	f := d.found
	if f.Key != nil && f.Public != nil && !f.isVerified() {
		d.add(f.Entry.publicPath(f.Dir), FieldKey, "the public part of "+f.Entry.KeyPath(f.Dir), "another key")
	}
	if f.KeyProblem != "" {
		d.add(f.Entry.KeyPath(f.Dir), FieldKey, "a key that Kubernetes can read", "one that "+f.KeyProblem)
	}
	d.compareKeyKind(f.Entry.KeyPath(f.Dir), f.Key)
}

// compareCA looks at what makes a certificate a CA's. Its name is free: one that
// another CA has signed has its own.
func (d *differences) compareCA() {
	cert := d.found.Certificate
	if !cert.BasicConstraintsValid || !cert.IsCA || (cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0) {
		d.add(d.path(), FieldCA, "the certificate of a CA", "one that may not sign others")
	}
}

func (d *differences) compareLeaf(n Node, issuer *x509.Certificate) {
	f, cert := d.found, d.found.Certificate
	if want := f.Entry.CommonName(n); cert.Subject.CommonName != want {
		d.add(d.path(), FieldCN, want, cmp.Or(cert.Subject.CommonName, "none"))
	}
	d.compareGroups(n)
	d.compareUsages()
	d.compareNames(n)
	switch {
	case cert.IsCA:
		d.add(d.path(), FieldCA, "a certificate that signs no others", "that of a CA")
	case issuer == nil || isBelow(cert, f.Behind, issuer):
	case !bytes.Equal(cert.RawIssuer, issuer.RawSubject):
		d.add(d.path(), FieldCA, ca.FormatName(issuer.RawSubject), ca.FormatName(cert.RawIssuer))
	default:
		d.add(d.path(), FieldCA, "the key of "+ca.FormatName(issuer.RawSubject), "another key of that name")
	}
}

// isBelow says whether a CA has signed a certificate, itself or by way of others
// that stand behind the certificate in its file.
func isBelow(cert *x509.Certificate, behind []*x509.Certificate, authority *x509.Certificate) bool {
	if isSignedBy(cert, authority) {
		return true
	}
	for i, next := range behind {
		if isSignedBy(cert, next) {
			return isBelow(next, behind[i+1:], authority)
		}
	}
	return false
}

func isSignedBy(cert, issuer *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, issuer.RawSubject) && cert.CheckSignatureFrom(issuer) == nil
}

// compareGroups: the order says nothing to Kubernetes.
func (d *differences) compareGroups(n Node) {
	cert := d.found.Certificate
	for _, allowed := range d.found.Entry.allowedGroups(n) {
		if sameSet(cert.Subject.Organization, allowed) {
			return
		}
	}
	d.add(d.path(), FieldO, orNone(d.found.Entry.Groups(n)), orNone(cert.Subject.Organization))
}

func (d *differences) compareUsages() {
	cert := d.found.Certificate
	want := d.found.Entry.extKeyUsages()
	if len(cert.UnknownExtKeyUsage) > 0 || !sameSet(cert.ExtKeyUsage, want) {
		d.add(d.path(), FieldEKU, orNone(usageNames(want)), orNone(usageNames(cert.ExtKeyUsage)))
	}
}

// compareNames finds names that are missing. One too many harms nobody, and
// somebody has asked for it.
func (d *differences) compareNames(n Node) {
	want, err := d.found.Entry.SANs(n)
	if err != nil { // Resolve has checked them
		return
	}
	has := ca.SANsOf(d.found.Certificate).Strings()
	missing := slices.DeleteFunc(want.Strings(), func(name string) bool { return slices.Contains(has, name) })
	if len(missing) > 0 {
		d.add(d.path(), FieldSAN, strings.Join(missing, ", "), orNone(has))
	}
}

func (d *differences) compareKey() {
	f := d.found
	path := f.Entry.KeyPath(f.Dir)
	switch {
	case f.Key == nil:
		if f.Entry.Kind == KindKubeconfig && f.KeyProblem == "" && f.Problems == nil {
			d.add(path, FieldKey, "the key of the certificate", "none")
		}
		if f.KeyProblem != "" && f.Entry.Kind != KindCA {
			d.add(path, FieldKey, "a key that Kubernetes can read", "one that "+f.KeyProblem)
		}
	case !ca.EqualKeys(f.Key, f.Certificate.PublicKey):
		d.add(path, FieldKey, "the key of the certificate", "another key")
	}
	if f.Key == nil { // of a CA that signs elsewhere
		path = d.path()
	}
	d.compareKeyKind(path, cmp.Or(f.Key, f.Certificate.PublicKey))
}

// compareKeyKind finds keys that kubeadm or parts of Kubernetes do not take.
func (d *differences) compareKeyKind(path string, public crypto.PublicKey) {
	switch key := public.(type) {
	case nil, *ecdsa.PublicKey:
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			d.add(path, FieldKey, "RSA of at least 2048 bits, or ECDSA", ca.KeyName(key))
		}
	default:
		d.add(path, FieldKey, "RSA or ECDSA", ca.KeyName(key))
	}
}

func (d *differences) compareTime(now time.Time) {
	cert := d.found.Certificate
	if now.Before(cert.NotBefore) {
		d.add(d.path(), FieldBegin, "before "+now.UTC().Format(time.RFC3339), cert.NotBefore.Format(time.RFC3339))
	}
	if now.After(cert.NotAfter) {
		d.add(d.path(), FieldEnd, "after "+now.UTC().Format(time.RFC3339), cert.NotAfter.Format(time.RFC3339))
	}
}

func (d *differences) compareServer(n Node) {
	if d.found.Cluster == nil {
		return
	}
	if !n.Address.IsValid() {
		return // nothing says what it should be
	}
	if (d.found.Entry.Name == NameKubelet || n.kubernetes == nil) && d.found.Cluster.Server == n.endpointURL() {
		return // as older versions of kubeadm wrote it, such as before ControlPlaneKubeletLocalMode; both work
	}
	if want := d.found.Entry.Server(n); d.found.Cluster.Server != want {
		d.add(d.path(), FieldServer, want, cmp.Or(d.found.Cluster.Server, "none"))
	}
}

// compareCluster looks at the cluster's name alone: those of the context and the
// user are for everybody to choose, as with kubectl config rename-context.
func (d *differences) compareCluster(n Node) {
	if d.found.Cluster == nil || !n.isNamed {
		return
	}
	if name := d.found.clusterName(); name != n.Cluster {
		d.add(d.path(), FieldCluster, n.Cluster, cmp.Or(name, "none"))
	}
}

// compareTrust: while a CA is being replaced a kubeconfig trusts both.
func (d *differences) compareTrust(issuer *x509.Certificate) {
	if d.found.Cluster == nil || issuer == nil {
		return
	}
	if !slices.ContainsFunc(d.found.CAs, issuer.Equal) {
		d.add(d.path(), FieldCA, "trust in "+showCA(issuer), "trust in "+orNone(showCAs(d.found.CAs)))
	}
}

func showCAs(certs []*x509.Certificate) []string {
	var names []string
	for _, cert := range certs {
		names = append(names, showCA(cert))
	}
	return names
}

func usageNames(usages []x509.ExtKeyUsage) []string {
	var names []string
	for _, usage := range usages {
		switch usage {
		case x509.ExtKeyUsageServerAuth:
			names = append(names, string(ca.PurposeServer))
		case x509.ExtKeyUsageClientAuth:
			names = append(names, string(ca.PurposeClient))
		default:
			names = append(names, usage.String())
		}
	}
	return names
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func sameSet[T cmp.Ordered](a, b []T) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
