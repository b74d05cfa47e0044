package cluster

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// check looks into all files, and at what has to fit together.
func (b *Bundle) check(where string, now time.Time) error {
	if b.file("pki/ca.crt") == nil {
		return failure.New(failure.Failed, "the CA certificate of the cluster has to be in it", "there is no pki/ca.crt in %q", where)
	}
	for _, e := range Layout() {
		if e.Kind != KindCA {
			continue
		}
		if err := b.checkCA(e, now); err != nil {
			return err
		}
	}
	if err := b.checkServiceAccounts(where); err != nil {
		return err
	}
	return b.checkSettings()
}

// checkCA checks certificate, key and chain of a CA.
func (b *Bundle) checkCA(e Entry, now time.Time) error {
	base := "pki/" + e.Name
	cert, key, chain := b.file(base+".crt"), b.file(base+".key"), b.file(base+"-chain.crt")
	if cert == nil {
		for _, lone := range []*BundleFile{key, chain} {
			if lone != nil {
				return failure.New(failure.Failed, "restore the pair from one backup", "%q has no certificate beside it: %s.crt is missing", lone.path, base)
			}
		}
		b.warn("there is no %s.crt: %s", base, missingCA[e.Name])
		return nil
	}
	certs, err := cert.certificates()
	if err != nil {
		return err
	}
	authority := certs[0]
	if err := checkAuthority(cert.path, authority, now); err != nil {
		return err
	}
	cert.Fingerprint, cert.NotAfter = ca.Fingerprint(authority), authority.NotAfter
	if chain != nil {
		if err := chain.checkChain(cert, authority); err != nil {
			return err
		}
	}
	if key == nil {
		b.warn("there is no %s.key: what this CA signs for a new node has to be signed where its key is", base)
		return nil
	}
	public, err := b.publicPart(key)
	if err != nil || public == nil {
		return err
	}
	if !ca.EqualKeys(public, authority.PublicKey) {
		return failure.New(failure.Failed, "restore the pair from one backup", "CA key %q does not belong to certificate %q", key.path, cert.path)
	}
	return nil
}

// missingCA says what it means that a CA has no certificate.
var missingCA = map[string]string{
	NameFrontProxyCA: "new nodes cannot be reached through the aggregation layer",
	NameEtcdCA:       "right where etcd is not run by the cluster; then new nodes need its CA and a client certificate from elsewhere",
}

func checkAuthority(path string, cert *x509.Certificate, now time.Time) error {
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return failure.New(failure.Failed, "a CA certificate has basic constraints CA:TRUE; restore it from a backup",
			"%q is not the certificate of a CA", path)
	case now.After(cert.NotAfter):
		return failure.New(failure.Failed, "nothing that it signs is accepted: the cluster needs a new CA",
			"CA %q expired on %s", path, cert.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		return failure.New(failure.Failed, "check the clock of this machine",
			"CA %q is not valid before %s", path, cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// certificates returns those in a file, of which there is at least one, and
// nothing else: what holds a key would be readable by all once it is restored.
func (f *BundleFile) certificates() ([]*x509.Certificate, error) {
	items, err := f.items()
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if item.Kind != ca.ItemCertificate {
			return nil, failure.New(failure.Failed, "leave the certificates alone in it", "%q holds more than certificates: %s", f.path, item.Label)
		}
	}
	return ca.Certificates(items), nil
}

// items decodes a file, which is PEM: kubeadm and the components read nothing else.
func (f *BundleFile) items() ([]ca.Item, error) {
	items, err := ca.Decode(f.Data, f.path)
	if err != nil {
		return nil, err
	}
	if items[0].Block == 0 {
		return nil, failure.New(failure.Failed, "convert it with openssl, -inform DER -outform PEM", "%q is not in PEM form", f.path)
	}
	return items, nil
}

// checkChain checks that a chain begins with the CA's own certificate.
func (f *BundleFile) checkChain(cert *BundleFile, authority *x509.Certificate) error {
	certs, err := f.certificates()
	if err != nil {
		return err
	}
	if !certs[0].Equal(authority) {
		return failure.New(failure.Failed, "restore both from one backup", "the first certificate of %q is not that of %q", f.path, cert.path)
	}
	last := certs[len(certs)-1]
	f.Fingerprint, f.NotAfter = ca.Fingerprint(last), last.NotAfter
	return nil
}

// publicPart returns the public part of a private key. It is nil, with a
// warning, where the key is encrypted or in a token: it goes as it is.
func (b *Bundle) publicPart(f *BundleFile) (crypto.PublicKey, error) {
	items, err := f.items()
	if err != nil {
		return nil, err
	}
	key := ca.PrivateKey(items)
	switch {
	case key == nil:
		return nil, failure.New(failure.Failed, "a key file begins with -----BEGIN PRIVATE KEY-----", "%q holds no private key", f.path)
	case key.Encrypted:
		f.Note = "encrypted"
	case key.Token != "":
		f.Note = "in a PKCS#11 token"
	}
	if key.Public == nil {
		b.warn("key %q is %s, so that nothing says whether it belongs to its certificate", f.path, f.Note)
		return nil, nil
	}
	f.Fingerprint = key.SHA256
	return key.Public, nil
}

// checkServiceAccounts checks the pair that all API servers and controller
// managers need the same of: without it a new node would make its own, and
// reject the tokens of the others.
func (b *Bundle) checkServiceAccounts(where string) error {
	key, pub := b.file("pki/sa.key"), b.file("pki/sa.pub")
	switch {
	case key == nil:
		return failure.New(failure.Failed, "take it from another node of the control plane", "there is no pki/sa.key in %q", where)
	case pub == nil:
		return failure.New(failure.Failed, "make it with: openssl pkey -in sa.key -pubout -out sa.pub", "there is no pki/sa.pub in %q", where)
	}
	private, err := b.publicPart(key)
	if err != nil {
		return err
	}
	items, err := pub.items()
	if err != nil {
		return err
	}
	isPair := false
	for _, item := range items { // keys of an earlier sa.key may follow, or stand before
		if item.Kind != ca.ItemPublicKey || item.Key.Public == nil {
			return failure.New(failure.Failed, "openssl pkey -in sa.key -pubout makes it", "%q holds more than public keys: %s", pub.path, item.Label)
		}
		if private != nil && ca.EqualKeys(item.Key.Public, private) {
			isPair, pub.Fingerprint = true, item.Key.SHA256
		}
	}
	if private != nil && !isPair {
		return failure.New(failure.Failed, "restore the pair from one backup", "public key %q is not that of %q", pub.path, key.path)
	}
	return nil
}

// clusterName are names that can be part of a file's.
var clusterName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })

// checkSettings reads cluster.yaml, of which it takes the name of the cluster.
func (b *Bundle) checkSettings() error {
	f := b.file(SettingsFile)
	if f == nil {
		return nil
	}
	settings, err := parseOwnSettings(f.Data, f.path)
	if err != nil {
		return err
	}
	if clusterName().MatchString(settings.Name) {
		b.Name = settings.Name
	}
	return nil
}

func (b *Bundle) warn(format string, args ...any) {
	b.Warnings = append(b.Warnings, fmt.Sprintf(format, args...))
}
