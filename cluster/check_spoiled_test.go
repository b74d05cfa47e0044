package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// spoiled is a cluster directory of kubeadm's that a test changes.
type spoiled struct {
	t   *testing.T
	dir string
}

func (s spoiled) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s spoiled) read(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// write keeps the mode of what is there.
func (s spoiled) write(name string, data []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s spoiled) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s spoiled) entry(name string) *Found {
	s.t.Helper()
	e, ok := EntryNamed(name)
	if !ok {
		s.t.Fatalf("there is no entry %q", name)
	}
	return Find(s.dir, e)
}

func (s spoiled) signer(path string) crypto.Signer {
	s.t.Helper()
	block, _ := pem.Decode(s.read(path))
	key, err := x509.ParseECPrivateKey(block.Bytes)
	s.do(err)
	return key
}

func (s spoiled) newKey() crypto.Signer {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.do(err)
	return key
}

func (s spoiled) keyPEM(key crypto.Signer) []byte {
	s.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	s.do(err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// resign makes the certificate of an entry anew, changed, with its CA; nil keeps
// its key.
func (s spoiled) resign(name string, key crypto.Signer, change func(*x509.Certificate)) {
	s.t.Helper()
	found := s.entry(name)
	issuer, _ := EntryNamed(found.Entry.CA)
	if found.Entry.CA == "" {
		issuer = found.Entry
	}
	s.resignBy(name, key, Find(s.dir, issuer).Certificate, s.signer("pki/"+issuer.Name+".key"), change)
}

func (s spoiled) resignBy(name string, key crypto.Signer, issuer *x509.Certificate, signer crypto.Signer, change func(*x509.Certificate)) {
	s.t.Helper()
	found := s.entry(name)
	template := *found.Certificate
	template.Extensions, template.ExtraExtensions, template.SignatureAlgorithm = nil, nil, 0
	template.AuthorityKeyId = issuer.SubjectKeyId
	if change != nil {
		change(&template)
	}
	public := found.Key
	if key != nil {
		public = key.Public()
	}
	template.PublicKey = nil
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer, public, signer)
	s.do(err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if found.Entry.Kind != KindKubeconfig {
		s.write("pki/"+name+".crt", cert)
		if key != nil {
			s.write("pki/"+name+".key", s.keyPEM(key))
		}
		return
	}
	config, err := clientcmd.LoadFromFile(s.path(name))
	s.do(err)
	user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	user.ClientCertificateData = cert
	if key != nil {
		user.ClientKeyData = s.keyPEM(key)
	}
	data, err := clientcmd.Write(*config)
	s.do(err)
	s.write(name, data)
}

// otherCA makes another CA of the same name.
func (s spoiled) otherCA(name string) (*x509.Certificate, crypto.Signer) {
	s.t.Helper()
	template := *s.entry(name).Certificate
	key := s.newKey()
	template.SubjectKeyId, template.AuthorityKeyId, template.PublicKey = []byte{1, 2, 3}, nil, key.Public()
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	s.do(err)
	cert, err := x509.ParseCertificate(der)
	s.do(err)
	return cert, key
}

// underRoot has a root sign front-proxy-ca, and returns the root's certificate.
func (s spoiled) underRoot(change func(*x509.Certificate)) *x509.Certificate {
	s.t.Helper()
	template, key := *s.entry(NameFrontProxyCA).Certificate, s.newKey()
	template.PublicKey, template.SubjectKeyId, template.AuthorityKeyId = key.Public(), []byte{4, 5, 6}, nil
	commonName("root")(&template)
	if change != nil {
		change(&template)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	s.do(err)
	root, err := x509.ParseCertificate(der)
	s.do(err)
	s.resignBy(NameFrontProxyCA, nil, root, key, nil)
	return root
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func withoutName(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.DNSNames = slices.DeleteFunc(slices.Clone(c.DNSNames), func(dns string) bool { return dns == name })
		c.IPAddresses = slices.DeleteFunc(slices.Clone(c.IPAddresses), func(ip net.IP) bool { return ip.String() == name })
	}
}

func organization(groups ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.Organization, c.RawSubject = groups, nil }
}

func commonName(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.CommonName, c.RawSubject = name, nil }
}

func from(begin, end time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(begin), time.Now().Add(end) }
}
