package cluster

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// testPKI makes the PKI files that a control plane needs, below dir.
func testPKI(t *testing.T, dir string) {
	t.Helper()
	etcd := filepath.Join(dir, "etcd")
	testCA(t, dir, "kubernetes")
	testCA(t, etcd, "etcd-ca")
	for _, o := range []ca.IssueOptions{
		{Dir: dir, Out: "apiserver", CommonName: "kube-apiserver", Profile: ca.ProfileServer,
			DNS: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc"}, IPs: []string{loopback, "10.96.0.1"}},
		{Dir: dir, Out: "controller-manager", CommonName: "system:kube-controller-manager"},
		{Dir: etcd, Out: "etcd/server", CommonName: "localhost", Profile: ca.ProfilePeer, IPs: []string{loopback}},
		{Dir: etcd, Out: "apiserver-etcd-client", CommonName: "kube-apiserver-etcd-client"},
	} {
		o.Out = filepath.Join(dir, filepath.FromSlash(o.Out))
		o.Now = time.Now()
		if _, err := ca.Issue(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	testServiceAccountKeys(t, dir)
}

func testCA(t *testing.T, dir, name string) {
	t.Helper()
	if _, err := ca.Init(t.Context(), ca.InitOptions{Dir: dir, CommonName: name, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// testServiceAccountKeys makes sa.key and sa.pub, which have no certificate.
func testServiceAccountKeys(t *testing.T, dir string) {
	t.Helper()
	key, err := ca.GenerateKey(ca.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ca.MarshalKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	testWrite(t, filepath.Join(dir, "sa.key"), private)
	testWrite(t, filepath.Join(dir, "sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

// testKubeconfig writes a kubeconfig for the certificate called name in the
// PKI directory, and returns its path.
func testKubeconfig(t *testing.T, pki, name string, apiServerPort int) string {
	t.Helper()
	path := filepath.Join(pki, name+".conf")
	testWrite(t, path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: kubernetes
  cluster: {server: %q, certificate-authority: ca.crt}
users:
- name: %[2]s
  user: {client-certificate: %[2]s.crt, client-key: %[2]s.key}
contexts:
- name: default
  context: {cluster: kubernetes, user: %[2]s}
current-context: default
`, httpsURL(apiServerPort), name))
	return path
}

func testWrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
