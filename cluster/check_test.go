package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/pkictl/pkictl/ca"
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
	public := crypto.PublicKey(found.Key)
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

// mutations are what goes wrong with a directory, and what is found of it.
var mutations = []struct {
	name  string
	spoil func(s spoiled)
	want  []string
	notes []string
	says  []string // in one of the findings
}{
	{name: "nothing", spoil: func(spoiled) {}},
	{name: "CN", spoil: func(s spoiled) { s.resign("apiserver", nil, commonName("apiserver")) }, want: []string{"apiserver CN"},
		says: []string{"wanted kube-apiserver; found apiserver", "--node cp-1=10.0.0.11 --endpoint k8s.example.com:6443 --san api.example.com"}},
	{name: "node name in kubelet.conf", spoil: func(s spoiled) { s.resign(NameKubelet, nil, commonName("system:node:other")) },
		want: []string{"kubelet.conf CN"}, says: []string{"system:node:cp-1"}},
	{name: "CN of etcd/server", spoil: func(s spoiled) { s.resign(nameEtcdServer, nil, commonName("other")) }, want: []string{"etcd/server CN"}},
	{name: "O", spoil: func(s spoiled) { s.resign(nameKubeletClient, nil, organization("devs")) }, want: []string{"apiserver-kubelet-client O"}},
	{name: "O of old", spoil: func(s spoiled) { s.resign(nameKubeletClient, nil, organization("system:masters")) }, notes: []string{"apiserver-kubelet-client O"}},
	{name: "no O", spoil: func(s spoiled) { s.resign(NameKubelet, nil, organization()) }, want: []string{"kubelet.conf O"}},
	{name: "EKU", spoil: func(s spoiled) {
		s.resign(nameEtcdServer, nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	}, want: []string{"etcd/server EKU"}},
	{name: "SAN kubernetes.default", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("kubernetes.default")) }, want: []string{"apiserver SAN"}},
	{name: "SAN of the node", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("cp-1")) }, want: []string{"apiserver SAN"}, says: []string{"wanted cp-1"}},
	{name: "SAN of the endpoint", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("k8s.example.com")) }, want: []string{"apiserver SAN"}, says: []string{"wanted k8s.example.com"}},
	{name: "SAN of the domain", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("kubernetes.default.svc.cluster.local")) }, want: []string{"apiserver SAN"}},
	{name: "SAN of the service", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("10.96.0.1")) }, want: []string{"apiserver SAN"}, says: []string{"wanted 10.96.0.1"}},
	{name: "SAN of the address", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("10.0.0.11")) }, want: []string{"apiserver SAN"}},
	{name: "SAN of etcd/peer", spoil: func(s spoiled) { s.resign(nameEtcdPeer, nil, withoutName("10.0.0.11")) }, want: []string{"etcd/peer SAN"}},
	{name: "other CA", spoil: func(s spoiled) {
		cert, key := s.otherCA(NameFrontProxyCA)
		s.resignBy("front-proxy-client", nil, cert, key, nil)
	}, want: []string{"front-proxy-client CA"}, notes: nil},
	{name: "one of many by another CA", spoil: func(s spoiled) {
		cert, key := s.otherCA(NameCA)
		s.resignBy("apiserver", nil, cert, key, nil)
	}, want: []string{"apiserver CA"}},
	{name: "CA swapped", spoil: func(s spoiled) {
		cert, key := s.otherCA(NameCA)
		s.write("pki/ca.crt", certPEM(cert))
		s.write("pki/ca.key", s.keyPEM(key))
	}, want: []string{"ca CA"}, says: []string{"the CA that has signed apiserver, apiserver-kubelet-client"}},
	{name: "two CAs while one is replaced", spoil: func(s spoiled) {
		cert, _ := s.otherCA(NameCA)
		s.write("pki/ca.crt", append(s.read("pki/ca.crt"), certPEM(cert)...))
	}},
	{name: "CA key missing", spoil: func(s spoiled) { s.do(os.Remove(s.path("pki/ca.key"))) }, notes: []string{"ca key"}},
	{name: "CA missing", spoil: func(s spoiled) { s.do(os.Remove(s.path("pki/ca.crt"))) }, want: []string{"ca file"}},
	{name: "CA ends soon", spoil: func(s spoiled) {
		s.resign(NameFrontProxyCA, nil, from(-300*ca.Day, 20*ca.Day))
	}, want: []string{"front-proxy-ca end"}, notes: []string{"front-proxy-client end"}},
	{name: "CA that may not sign", spoil: func(s spoiled) {
		s.resign(NameFrontProxyCA, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	}, want: []string{"front-proxy-ca CA", "front-proxy-client CA"}},
	{name: "other key", spoil: func(s spoiled) { s.write("pki/apiserver.key", s.keyPEM(s.newKey())) }, want: []string{"apiserver key"}},
	{name: "other key in a kubeconfig", spoil: func(s spoiled) {
		config, err := clientcmd.LoadFromFile(s.path(NameAdmin))
		s.do(err)
		config.AuthInfos["kubernetes-admin"].ClientKeyData = s.keyPEM(s.newKey())
		data, err := clientcmd.Write(*config)
		s.do(err)
		s.write(NameAdmin, data)
	}, want: []string{"admin.conf key"}},
	{name: "other CA in a kubeconfig", spoil: func(s spoiled) {
		config, err := clientcmd.LoadFromFile(s.path(nameScheduler))
		s.do(err)
		cert, _ := s.otherCA(NameCA)
		config.Clusters["kubernetes"].CertificateAuthorityData = certPEM(cert)
		data, err := clientcmd.Write(*config)
		s.do(err)
		s.write(nameScheduler, data)
	}, want: []string{"scheduler.conf CA"}},
	{name: "server in a kubeconfig", spoil: func(s spoiled) {
		s.write(NameAdmin, []byte(strings.ReplaceAll(string(s.read(NameAdmin)), "k8s.example.com", "other.example.com")))
	}, want: []string{"admin.conf server"}, says: []string{"https://k8s.example.com:6443"}},
	{name: "local server in a kubeconfig", spoil: func(s spoiled) {
		s.write(nameControllerManager, []byte(strings.ReplaceAll(string(s.read(nameControllerManager)), "10.0.0.11", "10.0.0.12")))
	}, want: []string{"controller-manager.conf server"}},
	{name: "sa.pub of another", spoil: func(s spoiled) {
		der, err := x509.MarshalPKIXPublicKey(s.newKey().Public())
		s.do(err)
		s.write("pki/sa.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}, want: []string{"sa key"}},
	{name: "sa.pub missing", spoil: func(s spoiled) { s.do(os.Remove(s.path("pki/sa.pub"))) }, want: []string{"sa file"}},
	{name: "expired", spoil: func(s spoiled) { s.resign(nameEtcdHealth, nil, from(-48*time.Hour, -24*time.Hour)) }, want: []string{"etcd/healthcheck-client end"},
		says: []string{"pkictl cluster renew etcd/healthcheck-client"}},
	{name: "not yet valid", spoil: func(s spoiled) { s.resign("apiserver", nil, from(24*time.Hour, 90*24*time.Hour)) }, want: []string{"apiserver begin"}},
	{name: "ends soon", spoil: func(s spoiled) { s.resign(NameAdmin, nil, from(-300*ca.Day, 20*ca.Day)) }, want: []string{"admin.conf end"}},
	{name: "short-lived", spoil: func(s spoiled) { s.resign(NameAdmin, nil, from(-time.Hour, 8*time.Hour)) }},
	{name: "mode of a key", spoil: func(s spoiled) { s.do(os.Chmod(s.path("pki/etcd/server.key"), 0o644)) }, want: []string{"etcd/server mode"}, says: []string{"CIS 1.1.21", "chmod 600"}},
	{name: "mode of a certificate", spoil: func(s spoiled) { s.do(os.Chmod(s.path("pki/ca.crt"), 0o666)) }, want: []string{"ca mode"}, says: []string{"CIS 1.1.20"}},
	{name: "mode of a kubeconfig", spoil: func(s spoiled) { s.do(os.Chmod(s.path(NameAdmin), 0o640)) }, want: []string{"admin.conf mode"}, says: []string{"CIS 1.1.13"}},
	{name: "stricter modes", spoil: func(s spoiled) {
		s.do(os.Chmod(s.path("pki/ca.crt"), 0o600))
		s.do(os.Chmod(s.path("pki/ca.key"), 0o400))
	}},
	{name: "directory of a group", spoil: func(s spoiled) { s.do(os.Chmod(s.path("pki/etcd"), 0o775)) }, want: []string{"mode"}, says: []string{"chmod go-w"}},
	{name: "Ed25519", spoil: func(s spoiled) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		s.do(err)
		s.resign("front-proxy-client", key, nil)
	}, want: []string{"front-proxy-client key"}},
	{name: "RSA-1024", spoil: func(s spoiled) {
		key, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // that is what is to be found
		s.do(err)
		s.resign(nameEtcdPeer, key, nil)
	}, want: []string{"etcd/peer key"}},
	{name: "half-written certificate", spoil: func(s spoiled) { data := s.read("pki/apiserver.crt"); s.write("pki/apiserver.crt", data[:len(data)/2]) }, want: []string{"apiserver file"}},
	{name: "half-written key", spoil: func(s spoiled) { data := s.read("pki/apiserver.key"); s.write("pki/apiserver.key", data[:len(data)/2]) }, want: []string{"apiserver file"}},
	{name: "half-written kubeconfig", spoil: func(s spoiled) { data := s.read(nameScheduler); s.write(nameScheduler, data[:len(data)/2]) }, want: []string{"scheduler.conf file"}},
	{name: "garbage", spoil: func(s spoiled) { s.write("pki/apiserver.crt", []byte("\x00\x1b[31m\xff\xfe")) }, want: []string{"apiserver file"}},
	{name: "garbage in a kubeconfig", spoil: func(s spoiled) { s.write(NameAdmin, []byte("\x00\x1b[31m\xff\xfe")) }, want: []string{"admin.conf file"}},
	{name: "empty", spoil: func(s spoiled) { s.write("pki/etcd/peer.crt", nil) }, want: []string{"etcd/peer file"}},
	{name: "empty kubeconfig", spoil: func(s spoiled) { s.write(NameKubelet, nil) }, want: []string{"kubelet.conf file"}},
	{name: "missing", spoil: func(s spoiled) {
		s.do(os.Remove(s.path("pki/apiserver.crt")))
		s.do(os.Remove(s.path("pki/apiserver.key")))
	}, want: []string{"apiserver file"}},
	{name: "super-admin.conf kept elsewhere", spoil: func(s spoiled) { s.do(os.Remove(s.path(NameSuperAdmin))) }},
	{name: "symbolic link", spoil: func(s spoiled) {
		s.do(os.Rename(s.path("pki/apiserver.crt"), s.path("elsewhere.crt")))
		s.do(os.Symlink("../elsewhere.crt", s.path("pki/apiserver.crt")))
	}, want: []string{"apiserver file"}, says: []string{"a symbolic link to ../elsewhere.crt"}},
	{name: "directory", spoil: func(s spoiled) {
		s.do(os.Remove(s.path("pki/apiserver.crt")))
		s.do(os.Mkdir(s.path("pki/apiserver.crt"), 0o700))
	}, want: []string{"apiserver file"}},
	{name: "external etcd beside it", spoil: func(s spoiled) {
		for _, name := range []string{"server", "peer", "healthcheck-client"} {
			s.do(os.Remove(s.path("pki/etcd/" + name + ".crt")))
			s.do(os.Remove(s.path("pki/etcd/" + name + ".key")))
		}
		s.resign(nameAPIServerEtcd, nil, commonName("prod-apiserver"))
	}},
	{name: "external etcd's client ends", spoil: func(s spoiled) {
		s.do(os.RemoveAll(s.path("pki/etcd/server.crt")))
		for _, name := range []string{"server.key", "peer.crt", "peer.key", "healthcheck-client.crt", "healthcheck-client.key"} {
			s.do(os.Remove(s.path("pki/etcd/" + name)))
		}
		s.resign(nameAPIServerEtcd, nil, from(-300*ca.Day, 5*ca.Day))
	}, want: []string{"apiserver-etcd-client end"}, says: []string{"get it from who runs etcd"}},
	{name: "kubelet.conf that its kubelet has renewed, elsewhere", spoil: func(s spoiled) {
		config, err := clientcmd.LoadFromFile(s.path(NameKubelet))
		s.do(err)
		for _, user := range config.AuthInfos {
			user.ClientCertificateData, user.ClientKeyData = nil, nil
			user.ClientCertificate, user.ClientKey = "/nowhere/pki/kubelet-client-current.pem", "/nowhere/pki/kubelet-client-current.pem"
		}
		data, err := clientcmd.Write(*config)
		s.do(err)
		s.write(NameKubelet, data)
	}, notes: []string{"kubelet.conf file"}},
}

func TestCheckMutations(t *testing.T) {
	t.Parallel()
	for _, test := range mutations {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := spoiled{t, copyOfKubeadms(t)}
			test.spoil(s)
			report := check(t, s.dir)
			checkFindings(t, report, test.want...)
			if notes := found(report, LevelNote); !slices.Equal(notes, append([]string{}, test.notes...)) {
				t.Errorf("notes %q, want %q", notes, test.notes)
			}
			var text strings.Builder
			for _, f := range report.Findings {
				text.WriteString(f.String() + " (CIS " + f.CIS + ") " + f.Hint + "\n")
			}
			for _, says := range test.says {
				if !strings.Contains(text.String(), says) {
					t.Errorf("no word of %q in:\n%s", says, text.String())
				}
			}
			if _, err := report.Metrics(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckOwner(t *testing.T) {
	t.Parallel()
	dir := copyOfKubeadms(t)
	report := check(t, dir, func(o *CheckOptions) { o.Owner = "12345" })
	checkFindings(t, report, "owner") // of the directory: all is of one owner
	if report.Findings[0].CIS != "1.1.19" || !strings.Contains(report.Findings[0].Hint, "chown 12345 ") {
		t.Errorf("%+v", report.Findings[0])
	}
	for _, owner := range []string{"nobody-here", "0:nobody-here", ":", "-1"} {
		if _, err := Check(t.Context(), CheckOptions{Dir: dir, Owner: owner, Now: time.Now()}); err == nil {
			t.Errorf("owner %q is taken", owner)
		}
	}
}

func TestCheckPlaces(t *testing.T) {
	t.Parallel()
	dir := copyOfKubeadms(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "pki"), link); err != nil {
		t.Fatal(err)
	}
	for _, named := range []string{dir, filepath.Join(dir, "pki"), dir + "/pki/", link} {
		checkFindings(t, check(t, named))
	}
	worker := t.TempDir() // has the CA and a kubeconfig alone
	for _, name := range []string{"pki/ca.crt", NameKubelet} {
		s := spoiled{t, worker}
		_ = os.Mkdir(filepath.Join(worker, "pki"), 0o700)
		s.write(name, spoiled{t, dir}.read(name))
	}
	for _, wrong := range []string{worker, t.TempDir(), filepath.Join(dir, "none"), filepath.Join(dir, NameAdmin)} {
		if _, err := Check(t.Context(), CheckOptions{Dir: wrong, Now: time.Now()}); err == nil {
			t.Errorf("%q is taken for a cluster directory", wrong)
		}
	}
}

// Nodes of one control plane share CAs and keys of service accounts.
func TestCheckNodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := Settings{Endpoint: "k8s.example.com", Nodes: []NodeSettings{{"a", "10.0.0.1"}, {"b", "10.0.0.2"}}}
	if _, err := Init(t.Context(), InitOptions{Dir: dir, Settings: settings, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // with settings, and by the files
		report := check(t, dir)
		checkFindings(t, report)
		if len(report.Nodes) != 2 || report.Nodes[1].Node != "b" {
			t.Errorf("%d nodes", len(report.Nodes))
		}
		checkFindings(t, check(t, dir, func(o *CheckOptions) { o.Node = "b" }))
		if err := os.Rename(filepath.Join(dir, SettingsFile), filepath.Join(dir, "old.yaml")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	other := spoiled{t, copyOfKubeadms(t)}
	for _, name := range []string{"pki/sa.key", "pki/sa.pub"} {
		spoiled{t, filepath.Join(dir, "b")}.write(name, other.read(name))
	}
	checkFindings(t, check(t, dir), "sa shared")
	if _, err := Check(t.Context(), CheckOptions{Dir: dir, Node: "c", Now: time.Now()}); err == nil {
		t.Error("a node that is not there is found")
	}
}

func TestCheckKubeconfigs(t *testing.T) {
	t.Parallel()
	s := spoiled{t, copyOfKubeadms(t)}
	mine := filepath.Join(t.TempDir(), "config")
	testWrite(t, mine, s.read(NameAdmin))
	given := func(o *CheckOptions) { o.Kubeconfigs = []string{mine} }
	checkFindings(t, check(t, s.dir, given))
	config, err := clientcmd.LoadFromFile(mine)
	s.do(err)
	cert, _ := s.otherCA(NameCA)
	config.Clusters["kubernetes"].CertificateAuthorityData = certPEM(cert)
	s.do(clientcmd.WriteToFile(*config, mine))
	checkFindings(t, check(t, s.dir, given), "ca trust")
}
