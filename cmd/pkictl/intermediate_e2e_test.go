package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIntermediateOnRealAPIServer: an API server that trusts the root alone,
// and whose own certificate an intermediate CA has issued, takes credentials
// that an intermediate CA has issued.
func TestIntermediateOnRealAPIServer(t *testing.T) {
	t.Parallel()
	assets, kubectl := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca --cn Root")
	w.pkictl("init-ca --dir servers --parent pki --cn Servers --permit-dns svc --permit-dns kube-apiserver --permit-ip 127.0.0.0/8 --permit-ip 10.96.0.0/12")
	w.pkictl("init-ca --dir middle --parent pki --cn Middle --path-length 1")
	w.pkictl("init-ca --dir people --parent middle --cn People")
	w.pkictl("issue --dir servers --cn kube-apiserver --profile server --ip 127.0.0.1 --ip 10.96.0.1 --dns kubernetes.default.svc --out pki/apiserver")
	server := w.startControlPlane(assets).URL()

	for _, below := range []string{"people", "middle"} {
		w.pkictl("issue --dir " + below + " --cn jane --group system:masters --kubeconfig " + below + ".conf --server " + server)
		whoami := w.run(kubectl, "--kubeconfig", below+".conf", "auth", "whoami", "-o", "json")
		if !strings.Contains(whoami, `"username": "jane"`) || !strings.Contains(whoami, `"system:masters"`) {
			t.Errorf("%s: %s", below, whoami)
		}
		if out := w.run(kubectl, "--kubeconfig", below+".conf", "get", "namespaces"); !strings.Contains(out, "kube-system") {
			t.Error(out)
		}
		// The files alone, and one who trusts the root alone.
		w.run(kubectl, "--server", server, "--certificate-authority", "pki/ca.crt",
			"--client-certificate", below+"/jane.crt", "--client-key", below+"/jane.key", "get", "namespaces")
	}
	w.pkictl("verify pki/apiserver.crt --host 127.0.0.1")
	w.pkictl("verify --dir servers pki/apiserver.crt --host 127.0.0.1")
	if out := w.pkictl("inspect " + server); !strings.Contains(out, "CN=Servers") {
		t.Error(out)
	}

	// Without the certificates between, nobody can follow the chain.
	cert, err := os.ReadFile(filepath.Join(w.dir, "people", "jane.crt"))
	ok(t, err)
	alone, _, _ := strings.Cut(string(cert), "-----END CERTIFICATE-----\n")
	ok(t, os.WriteFile(filepath.Join(w.dir, "alone.crt"), []byte(alone+"-----END CERTIFICATE-----\n"), 0o600))
	refused(t)(w.try(kubectl, "--server", server, "--certificate-authority", "pki/ca.crt",
		"--client-certificate", "alone.crt", "--client-key", "people/jane.key", "get", "namespaces"))

	// One who trusts the intermediate CA of the people does not trust the server.
	_, stderr, err := w.try(kubectl, "--server", server, "--certificate-authority", "people/ca.crt",
		"--client-certificate", "people/jane.crt", "--client-key", "people/jane.key", "get", "namespaces")
	if err == nil || !strings.Contains(stderr, "certificate signed by unknown authority") {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// TestVerifyBelowRevoked: the root's inventory says that an intermediate CA is
// revoked, and so is all that it has issued.
func TestVerifyBelowRevoked(t *testing.T) {
	t.Parallel()
	dir := newSite(t)
	do(t, dir, "init-ca", "--dir", "low", "--parent", "pki")
	do(t, dir, "issue", "--dir", "low", "--cn", "jane")
	do(t, dir, "verify", "low/jane.crt")
	changed(`UPDATE certificates SET status = 'revoked' WHERE common_name = 'KUBERNETES-INTERMEDIATE-CA'`)(t, dir)
	for _, path := range []string{"low/jane.crt", "low/ca.crt"} {
		got := runProgram(t, program(dir, "verify", path))
		if got.code != 3 || !strings.Contains(got.stdout, "FAIL  inventory") || !strings.Contains(got.stdout, "revoked") {
			t.Errorf("%s: exit code %d\n%s%s", path, got.code, got.stdout, got.stderr)
		}
	}
	do(t, dir, "verify", "old")
}
