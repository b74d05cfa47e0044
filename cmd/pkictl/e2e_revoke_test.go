package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// checkRevokedOnAPIServer checks what revoke says of an API server: it takes no
// notice, and to delete the bindings helps.
func checkRevokedOnAPIServer(t *testing.T, w userDir, kubectl, server string) {
	w = userDir{t, w.dir}
	w.pkictl("issue --cn bob --group developers --kubeconfig bob.conf --server " + server)
	w.pkictl("issue --cn root --group system:masters --kubeconfig root.conf --server " + server)
	admin := func(args ...string) { w.run(kubectl, append(in("--kubeconfig", "root.conf"), args...)...) }
	asBob := func() error {
		_, stderr, err := w.try(kubectl, "--kubeconfig", "bob.conf", "get", "namespaces")
		if err != nil && !strings.Contains(stderr, "forbidden") {
			t.Fatalf("%v\n%s", err, stderr)
		}
		return err
	}
	admin("create", "clusterrolebinding", "bob", "--clusterrole", "view", "--user", "bob")
	for start := time.Now(); asBob() != nil; time.Sleep(100 * time.Millisecond) { // until the authorizer has seen it
		if time.Since(start) > 30*time.Second {
			t.Fatal("bob cannot list namespaces")
		}
	}
	w.pkictl("revoke bob --reason key-compromise --yes")
	w.pkictl("crl")
	if err := asBob(); err != nil {
		t.Errorf("the API server heeds the list: %v", err)
	}
	admin("delete", "clusterrolebinding", "bob")
	for start := time.Now(); asBob() == nil; time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatal("bob can still list namespaces")
		}
	}
}

// TestEtcdReadsCRL: etcd refuses a revoked client as soon as the list says so,
// and everybody when the list is in PEM form.
func TestEtcdReadsCRL(t *testing.T) {
	t.Parallel()
	assets, _ := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca")
	w.pkictl("issue --cn etcd --profile server --ip 127.0.0.1")
	w.pkictl("issue --cn jane")
	w.pkictl("issue --cn joe")
	w.pkictl("crl --der --out pki/etcd.crl")
	url := w.startEtcd(assets.Etcd, "pki/etcd.crl")
	get := func(name string) error {
		pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "pki", name+".crt"), filepath.Join(w.dir, "pki", name+".key"))
		ok(t, err)
		roots := x509.NewCertPool()
		pem, err := os.ReadFile(filepath.Join(w.dir, "pki", "ca.crt"))
		ok(t, err)
		roots.AppendCertsFromPEM(pem)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(url + "/version")
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}
	for start := time.Now(); get("jane") != nil; time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("etcd does not start: %v", get("jane"))
		}
	}
	w.pkictl("revoke jane --yes")
	w.pkictl("crl --der --out pki/etcd.crl")
	if get("jane") == nil {
		t.Error("etcd takes a revoked client")
	}
	if err := get("joe"); err != nil {
		t.Error(err)
	}
	w.pkictl("crl --out pki/etcd.crl")
	if get("joe") == nil {
		t.Error("etcd reads a list in PEM form; say so in the help")
	}
}

// startEtcd starts an etcd that wants client certificates of the CA in pki.
func (w userDir) startEtcd(etcd, crl string) (url string) {
	w.t.Helper()
	ports, err := cluster.FreePorts(2)
	ok(w.t, err)
	url = fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	cmd := exec.Command(etcd, "--data-dir=etcd", "--unsafe-no-fsync", "--listen-client-urls="+url, "--advertise-client-urls="+url,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--cert-file=pki/etcd.crt", "--key-file=pki/etcd.key", "--client-cert-auth", "--trusted-ca-file=pki/ca.crt", "--client-crl-file="+crl)
	cmd.Dir = w.dir
	ok(w.t, cmd.Start())
	w.t.Cleanup(func() {
		var exit *exec.ExitError
		if err := errors.Join(cmd.Process.Kill(), cmd.Wait()); err != nil && !errors.As(err, &exit) {
			w.t.Error(err)
		}
	})
	return url
}
