package main_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
)

// userDir is a directory in which a test runs commands as a user would.
type userDir struct {
	t   *testing.T
	dir string
}

func newUserDir(t *testing.T) userDir { return userDir{t, t.TempDir()} }

// try runs a command and returns its outputs.
func (w userDir) try(name string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(w.t.Context(), name, args...)
	cmd.Dir = w.dir
	// No kubeconfig, proxy or PKICTL_DIR of whoever runs the tests.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

func (w userDir) run(name string, args ...string) string {
	w.t.Helper()
	stdout, stderr, err := w.try(name, args...)
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// pkictl runs a pkictl command line; no argument has a space in it.
func (w userDir) pkictl(line string) string {
	w.t.Helper()
	return w.run(pkictl(), strings.Fields(line)...)
}

// peers returns the binaries that `make test` builds.
func peers(t *testing.T) (cluster.Assets, string) {
	t.Helper()
	dir, err := filepath.Abs("../../tools/bin")
	if err != nil {
		t.Fatal(err)
	}
	assets, err := cluster.FindAssets(dir, func(string) string { return "" })
	if err != nil {
		t.Fatalf("%v (make test builds them)", err)
	}
	return assets, filepath.Join(dir, "kubectl")
}

// startControlPlane makes the rest of a control plane's PKI beside the CA in
// pki, with pkictl, and starts the control plane on it until the test ends.
func (w userDir) startControlPlane(assets cluster.Assets) *cluster.ControlPlane {
	w.t.Helper()
	cp := w.startControlPlaneWith(assets, nil)
	w.t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			w.t.Error(err)
		}
	})
	return cp
}

// startControlPlaneWith gives the components more flags; the caller stops it.
func (w userDir) startControlPlaneWith(assets cluster.Assets, extra map[string][]string) *cluster.ControlPlane {
	w.t.Helper()
	ports, err := cluster.FreePorts(1)
	if err != nil {
		w.t.Fatal(err)
	}
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	w.controlPlaneFiles()
	w.pkictl("issue --cn system:kube-controller-manager --out pki/controller-manager --kubeconfig controller-manager.conf --server " + url)
	cp, err := cluster.Start(w.t.Context(), cluster.Config{
		PKI: filepath.Join(w.dir, "pki"), Dir: filepath.Join(w.dir, "run"),
		ControllerManagerKubeconfig: filepath.Join(w.dir, "controller-manager.conf"),
		Assets:                      assets, Ports: cluster.Ports{APIServer: ports[0]}, UnsafeNoFsync: true, ExtraArgs: extra,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return cp
}

// controlPlaneFiles makes what kube-apiserver and etcd need beside the CA in pki.
func (w userDir) controlPlaneFiles() {
	w.t.Helper()
	if _, err := os.Stat(filepath.Join(w.dir, "pki", "apiserver.crt")); err != nil { // another CA may have issued it
		w.pkictl("issue --cn kube-apiserver --profile server --ip 127.0.0.1 --ip 10.96.0.1 --dns kubernetes.default.svc --out pki/apiserver")
	}
	w.pkictl("init-ca --dir pki/etcd --cn etcd-ca")
	w.pkictl("issue --dir pki/etcd --cn localhost --profile peer --ip 127.0.0.1 --out pki/etcd/server")
	w.pkictl("issue --dir pki/etcd --cn kube-apiserver-etcd-client --out pki/apiserver-etcd-client")
	w.serviceAccountKeys()
}

func (w userDir) serviceAccountKeys() {
	w.t.Helper()
	key, err := ca.GenerateKey(ca.RSA2048)
	if err != nil {
		w.t.Fatal(err)
	}
	private, err := ca.MarshalKey(key)
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"sa.key": private, "sa.pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	} {
		if err := os.WriteFile(filepath.Join(w.dir, "pki", name), data, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestAdminCredentialOnRealAPIServer is the main job: an empty directory, two
// commands, and kubectl talks to a real API server.
func TestAdminCredentialOnRealAPIServer(t *testing.T) {
	t.Parallel()
	assets, kubectl := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca")
	w.pkictl("issue --cn kube-admin --group system:masters")
	server := w.startControlPlane(assets).URL()

	// with runs kubectl with the credential of a name, as files.
	with := func(prefix string, args ...string) (string, string, error) {
		return w.try(kubectl, append([]string{"--server", server, "--certificate-authority", "pki/ca.crt",
			"--client-certificate", prefix + ".crt", "--client-key", prefix + ".key"}, args...)...)
	}

	t.Run("files of the two commands", func(t *testing.T) {
		stdout, stderr, err := with("pki/kube-admin", "get", "namespaces", "-o", "name")
		if err != nil || !strings.Contains(stdout, "namespace/kube-system") {
			t.Errorf("%v\n%s%s", err, stdout, stderr)
		}
	})

	t.Run("kubeconfig", func(t *testing.T) {
		w := userDir{t, w.dir}
		w.pkictl("issue --cn admin --group system:masters --group ops --namespace kube-system --kubeconfig admin.conf --server " + server)
		whoami := w.run(kubectl, "--kubeconfig", "admin.conf", "auth", "whoami", "-o", "json")
		for _, want := range []string{`"username": "admin"`, `"system:masters"`, `"ops"`, `"system:authenticated"`} {
			if !strings.Contains(whoami, want) {
				t.Errorf("whoami lacks %s:\n%s", want, whoami)
			}
		}
		if out := w.run(kubectl, "--kubeconfig", "admin.conf", "get", "namespaces"); !strings.Contains(out, "kube-system") {
			t.Error(out)
		}
		if out := w.run(kubectl, "--kubeconfig", "admin.conf", "auth", "can-i", "*", "*", "--all-namespaces"); strings.TrimSpace(out) != "yes" {
			t.Error(out)
		}
		if out := w.run(kubectl, "--kubeconfig", "admin.conf", "config", "view", "--minify", "-o", "jsonpath={..namespace}"); out != "kube-system" {
			t.Errorf("namespace of the context is %q", out)
		}
	})

	t.Run("another group is forbidden", func(t *testing.T) {
		w := userDir{t, w.dir}
		w.pkictl("issue --cn jane --group developers --kubeconfig jane.conf --server " + server)
		whoami := w.run(kubectl, "--kubeconfig", "jane.conf", "auth", "whoami", "-o", "json")
		if !strings.Contains(whoami, `"username": "jane"`) || strings.Contains(whoami, "system:masters") {
			t.Error(whoami)
		}
		_, stderr, err := w.try(kubectl, "--kubeconfig", "jane.conf", "get", "namespaces")
		if err == nil || !strings.Contains(stderr, `User "jane" cannot list resource "namespaces"`) {
			t.Errorf("%v\n%s", err, stderr)
		}
	})

	t.Run("an expired one is refused", func(t *testing.T) {
		w := userDir{t, w.dir}
		w.pkictl("issue --cn late --group system:masters --validity 1s")
		cert, err := ca.ReadCertificate(filepath.Join(w.dir, "pki", "late.crt"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(cert.NotAfter) + time.Second)
		refused(t)(with("pki/late", "get", "namespaces"))
	})

	t.Run("one from another CA is refused", func(t *testing.T) {
		w := userDir{t, w.dir}
		w.pkictl("init-ca --dir other") // of the same name
		w.pkictl("issue --dir other --cn kube-admin --group system:masters")
		refused(t)(with("other/kube-admin", "get", "namespaces"))
	})

	t.Run("a server's is refused as a client", func(t *testing.T) {
		w := userDir{t, w.dir}
		w.pkictl("issue --cn server --group system:masters --profile server")
		refused(t)(with("pki/server", "get", "namespaces"))
	})

	t.Run("Secrets", func(t *testing.T) { userDir{t, w.dir}.checkSecrets(kubectl, server) })
	t.Run("a revoked one works on, until its binding goes", func(t *testing.T) {
		checkRevokedOnAPIServer(t, w, kubectl, server)
	})

	t.Run("inspect and verify what is served", func(t *testing.T) {
		w := userDir{t, w.dir}
		if out := w.pkictl("inspect " + server); !strings.Contains(out, "CN=kube-apiserver") || !strings.Contains(out, "10.96.0.1") {
			t.Error(out)
		}
		w.pkictl("verify pki/apiserver.crt --host 127.0.0.1")
		w.pkictl("verify admin.conf")
	})
}

// refused checks that the API server did not take the credential for anyone.
func refused(t *testing.T) func(stdout, stderr string, err error) {
	return func(stdout, stderr string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(stderr, "must be logged in to the server") {
			t.Errorf("want 401 Unauthorized, got %v\n%s%s", err, stdout, stderr)
		}
	}
}
