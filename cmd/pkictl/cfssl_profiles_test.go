package main_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// cfsslConfigs are configurations as cfssl's users have them: those of its own
// documentation, of "Kubernetes the Hard Way", and of etcd's.
var cfsslConfigs = []struct {
	name, config string
	profiles     []string // without the default where it has no usages
}{
	{"kubernetes", `{"signing": {"default": {"expiry": "8760h"}, "profiles": {
		"kubernetes": {"usages": ["signing", "key encipherment", "server auth", "client auth"], "expiry": "8760h"}}}}`, []string{"kubernetes"}},
	{"etcd", `{"signing": {"default": {"expiry": "43800h"}, "profiles": {
		"server": {"expiry": "43800h", "usages": ["signing", "key encipherment", "server auth"]},
		"client": {"expiry": "43800h", "usages": ["signing", "key encipherment", "client auth"]},
		"peer": {"expiry": "43800h", "usages": ["signing", "key encipherment", "server auth", "client auth"]}}}}`, []string{"server", "client", "peer"}},
	{"addresses", `{
	"signing": {
		"profiles": {
			"www": {
				"usages": ["server auth"],
				"expiry": "2h45m",
				"ocsp_url": "http://ocsp.example.com/www",
				"auth_key": "key"
			},
			"backdated": {"usages": ["digital signature", "client auth", "server auth"], "expiry": "72h", "backdate": "3m",
				"issuer_urls": ["http://a.example.com/ca.crt", "http://b.example.com/ca.crt"]},
			"fixed": {"usages": ["digital signature", "client auth"], "expiry": "1h", "not_before": "2026-11-20T10:00:00Z", "not_after": "2048-01-01T00:00:00Z"},
			"policy": {"usages": ["digital signature", "server auth"], "expiry": "1h", "policies": [{"id": "1.3.6.1.4.1.99999.1"}]}
		},
		"default": {
			"usages": ["digital signature", "client auth", "server auth"],
			"expiry": "8000h",
			"crl_url": "http://crl.example.com/ca.crl",
			"ocsp_url": "http://ocsp.example.com",
			"issuer_urls": ["http://issuer.example.com/ca.crt"]
		}
	},
	"auth_keys": {"key": {"type": "standard", "key": "0123456789ABCDEF0123456789ABCDEF"}}
}`, []string{"www", "backdated", "fixed", "policy", ""}},
}

// TestCFSSLConfigs gives cfssl and pkictl the same configuration, request and
// CA, and compares what they sign.
func TestCFSSLConfigs(t *testing.T) {
	t.Parallel()
	for _, test := range cfsslConfigs {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// Old enough for every not_before, and not of pkictl.
			newOpenSSLCA(t, dir)
			ok(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(test.config), 0o600))
			ok(t, os.WriteFile(filepath.Join(dir, "csr.json"),
				[]byte(`{"CN": "www.example.com", "hosts": ["www.example.com", "10.0.0.1"], "names": [{"O": "dev"}], "key": {"algo": "rsa", "size": 2048}}`), 0o600))
			shell(t, dir, "cfssl genkey -loglevel=3 csr.json | cfssljson -bare web")
			for i, profile := range test.profiles {
				shell(t, dir, fmt.Sprintf("cfssl sign -loglevel=3 -ca pki/ca.crt -ca-key pki/ca.key -config config.json -profile %q web.csr | cfssljson -bare theirs%d", profile, i))
				args := in("issue", "--csr", "web.csr", "--profile-file", "config.json", "--out", fmt.Sprintf("ours%d", i))
				if profile != "" {
					args = append(args, "--profile", profile)
				}
				do(t, dir, args...)
				ours, err := ca.ReadCertificate(filepath.Join(dir, fmt.Sprintf("ours%d.crt", i)))
				ok(t, err)
				theirs, err := ca.ReadCertificate(filepath.Join(dir, fmt.Sprintf("theirs%d.pem", i)))
				ok(t, err)
				compareWithCFSSL(t, "profile "+profile, ours, theirs)
			}
		})
	}
}

func newOpenSSLCA(t *testing.T, dir string) {
	t.Helper()
	ok(t, os.Mkdir(filepath.Join(dir, "pki"), 0o700))
	template := `[req]
distinguished_name = dn
[dn]
[ca]
default_ca = a
[a]
database = index
new_certs_dir = .
rand_serial = yes
policy = p
x509_extensions = e
[p]
commonName = supplied
[e]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
`
	ok(t, os.WriteFile(filepath.Join(dir, "ca.cnf"), []byte(template), 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "index"), nil, 0o600))
	shell(t, dir, `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out pki/ca.key 2>/dev/null
openssl req -new -config ca.cnf -key pki/ca.key -subj /CN=old -out ca.csr
openssl ca -batch -notext -selfsign -config ca.cnf -keyfile pki/ca.key -md sha256 -startdate 20200101000000Z -enddate 20490101000000Z -in ca.csr -out pki/ca.crt 2>/dev/null`)
}

// compareWithCFSSL compares all that a profile decides. pkictl writes one
// thing less: key encipherment for what is no server.
func compareWithCFSSL(t *testing.T, what string, ours, theirs *x509.Certificate) {
	t.Helper()
	usage := theirs.KeyUsage
	if !slices.Contains(theirs.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		usage &^= x509.KeyUsageKeyEncipherment
	}
	if ours.KeyUsage != usage || !slices.Equal(ours.ExtKeyUsage, theirs.ExtKeyUsage) {
		t.Errorf("%s: usages %b %v, of cfssl %b %v", what, ours.KeyUsage, ours.ExtKeyUsage, theirs.KeyUsage, theirs.ExtKeyUsage)
	}
	if a, b := ours.NotAfter.Sub(ours.NotBefore), theirs.NotAfter.Sub(theirs.NotBefore); a != b {
		t.Errorf("%s: it is valid for %v, that of cfssl for %v", what, a, b)
	}
	if d := ours.NotBefore.Sub(theirs.NotBefore).Abs(); d > time.Minute { // cfssl rounds to minutes
		t.Errorf("%s: begins %v apart from that of cfssl", what, d)
	}
	if !slices.Equal(ours.CRLDistributionPoints, theirs.CRLDistributionPoints) || !slices.Equal(ours.OCSPServer, theirs.OCSPServer) ||
		!slices.Equal(ours.IssuingCertificateURL, theirs.IssuingCertificateURL) {
		t.Errorf("%s: addresses %q %q %q, of cfssl %q %q %q", what, ours.CRLDistributionPoints, ours.OCSPServer, ours.IssuingCertificateURL,
			theirs.CRLDistributionPoints, theirs.OCSPServer, theirs.IssuingCertificateURL)
	}
	if a, b := ca.SANsOf(ours).Strings(), ca.SANsOf(theirs).Strings(); !slices.Equal(a, b) {
		t.Errorf("%s: names %q, of cfssl %q", what, a, b)
	}
	if !slices.EqualFunc(ours.Policies, theirs.Policies, x509.OID.Equal) || ours.Subject.String() != theirs.Subject.String() {
		t.Errorf("%s: policies %v and subject %s, of cfssl %v and %s", what, ours.Policies, ours.Subject, theirs.Policies, theirs.Subject)
	}
}

// TestRequestsOfPeers signs what kubeadm and cfssl ask for.
func TestRequestsOfPeers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	shell(t, dir, "kubeadm certs generate-csr --cert-dir kube --kubeconfig-dir kube")
	for file, profile := range map[string]string{
		"apiserver.csr": ca.ProfileServer, "etcd/server.csr": ca.ProfilePeer, "etcd/peer.csr": ca.ProfilePeer, "apiserver-etcd-client.csr": ca.ProfileClient,
		"front-proxy-client.csr": ca.ProfileClient, "admin.conf.csr": ca.ProfileClient, "kubelet.conf.csr": ca.ProfileClient, "scheduler.conf.csr": ca.ProfileClient,
	} {
		path := filepath.Join(dir, "kube", file)
		data, err := os.ReadFile(path)
		ok(t, err)
		block, _ := pem.Decode(data)
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		ok(t, err)
		args := in("issue", "--csr", path, "--profile", profile, "--out", strings.TrimSuffix(path, ".csr"))
		args = append(args, allowReserved(csr)...)
		do(t, dir, args...)
		cert, err := ca.ReadCertificate(strings.TrimSuffix(path, ".csr") + ".crt")
		ok(t, err)
		if cert.Subject.String() != csr.Subject.String() || !slices.Equal(cert.DNSNames, appendNew(csr.DNSNames, cert.Subject.CommonName, profile)) {
			t.Errorf("%s: %s with %q, wanted were %s with %q", file, cert.Subject, cert.DNSNames, csr.Subject, csr.DNSNames)
		}
	}
	for file, says := range map[string]string{
		"admin": `group "kubeadm:cluster-admins"`, "kubelet": `common name "system:node:`, "scheduler": `common name "system:kube-scheduler"`,
		"controller-manager": `common name "system:kube-controller-manager"`,
	} {
		got := runProgram(t, program(dir, "issue", "--csr", "kube/"+file+".conf.csr", "--force"))
		checkRefusal(t, file, got, 4, says, "--allow ")
	}
	got := runProgram(t, program(dir, "issue", "--csr", "kube/super-admin.conf.csr"))
	checkRefusal(t, "super-admin", got, 4, "asks for the group system:masters", "--allow group:system:masters")
	do(t, dir, "issue", "--csr", "kube/super-admin.conf.csr", "--allow", "group:system:masters")
	shell(t, dir, "openssl verify -x509_strict -CAfile pki/ca.crt kube/*.crt kube/etcd/*.crt")
}

// allowReserved says with --allow what a request of kubeadm for a part of the
// cluster, or an administrator, needs.
func allowReserved(csr *x509.CertificateRequest) []string {
	var args []string
	add := func(kind, name string) {
		if strings.HasPrefix(name, "system:") || strings.HasPrefix(name, "kubeadm:") {
			args = append(args, "--allow", kind+name)
		}
	}
	add("name:", csr.Subject.CommonName)
	for _, group := range csr.Subject.Organization {
		add("group:", group)
	}
	return args
}

// appendNew is what pkictl adds to the names of a server.
func appendNew(names []string, commonName, profile string) []string {
	if profile == ca.ProfileClient || slices.Contains(names, commonName) {
		return names
	}
	return append(slices.Clone(names), commonName)
}
