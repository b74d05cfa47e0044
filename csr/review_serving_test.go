package csr

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// TestNamesOfServer: what clients know an API server by, in a request.
func TestNamesOfServer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://API.example.com:6443", tls-server-name: api.internal}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := kubeclient.Connect(kubeclient.Options{File: path})
	if err != nil {
		t.Fatal(err)
	}
	known := append((&Reviewer{client: client}).serverNames(), "10.96.0.1", "fd00::1", "None")
	for name, want := range map[string]bool{
		"kubernetes": true, "Kubernetes.Default.svc.cluster.local": true, "kubernetes.": true, "localhost": true, "a.localhost": true,
		"*.default.svc": true, "api.example.com": true, "API.example.com.": true, "api.internal": true,
		"kubernetes-worker-1": false, "worker.kubernetes.example.com": false, "worker-1": false, "example.com": false, "": false,
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "0.0.0.0": true, "10.96.0.1": true, "::ffff:10.96.0.1": true, "fd00::1": true,
		"10.96.0.2": false, "fd00::2": false,
	} {
		request := &x509.CertificateRequest{DNSNames: []string{name}}
		if ip := net.ParseIP(name); ip != nil {
			request = &x509.CertificateRequest{IPAddresses: []net.IP{ip}}
		}
		if got := (&Review{request: request}).namesOfServer(known) != nil; got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func TestNamesBeside(t *testing.T) {
	t.Parallel()
	r := &Review{request: &x509.CertificateRequest{
		DNSNames: []string{"worker", "WORKER.example.com.", "10.0.0.5", "other"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.5"), net.ParseIP("10.0.0.6"), net.ParseIP("fd00::5")},
	}}
	got := r.namesBeside([]corev1.NodeAddress{{Address: "worker"}, {Address: "worker.example.com"}, {Address: "10.0.0.5"}, {Address: "FD00:0::5"}})
	if want := []string{"other", "10.0.0.6"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
