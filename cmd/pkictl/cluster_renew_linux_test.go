package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/kubeconfig"
)

// rootedNode is a file system of its own for kubeadm, which looks for
// kubeconfigs below /etc/kubernetes alone.
type rootedNode struct {
	userDir
	kubeadmPath string
}

const rootedConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.11}
nodeRegistration: {name: cp-1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
encryptionAlgorithm: %s
apiServer: {certSANs: [api.example.com, 192.0.2.7]}
`

// rootedDir is the cluster directory, as pkictl sees it.
const rootedDir = "root/etc/kubernetes"

func newRootedNode(t *testing.T, algorithm string) rootedNode {
	t.Helper()
	_, kubectl := peers(t)
	n := rootedNode{newUserDir(t), filepath.Join(filepath.Dir(kubectl), "kubeadm")}
	ok(t, os.MkdirAll(filepath.Join(n.dir, rootedDir), 0o700))
	ok(t, os.WriteFile(filepath.Join(n.dir, "root", "kubeadm.yaml"), fmt.Appendf(nil, rootedConfig, algorithm), 0o600))
	n.init()
	return n
}

// kubeadm runs kubeadm in the node's file system.
func (n rootedNode) kubeadm(line string) string {
	n.t.Helper()
	args := append(strings.Fields(line), "--config", "/kubeadm.yaml", "--rootfs", filepath.Join(n.dir, "root"))
	if os.Geteuid() != 0 { // to change the root one has to be root, if only in a name space
		return n.run("unshare", append(in("--map-root-user", n.kubeadmPath), args...)...)
	}
	return n.run(n.kubeadmPath, args...)
}

func (n rootedNode) init() {
	n.t.Helper()
	n.kubeadm("init phase certs all")
	n.kubeadm("init phase kubeconfig all")
}

// clusterCert is the certificate of an entry, and its key's public part.
func clusterCert(t testing.TB, what, dir string, name string) *x509.Certificate {
	t.Helper()
	entry, known := cluster.EntryNamed(name)
	if !known {
		t.Fatalf("there is no %s", name)
	}
	var pair tls.Certificate
	var err error
	if entry.Kind == cluster.KindKubeconfig {
		config, loadErr := kubeconfig.Load(entry.CertPath(dir))
		ok(t, loadErr)
		user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
		pair, err = tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData)
	} else {
		pair, err = tls.LoadX509KeyPair(entry.CertPath(dir), entry.KeyPath(dir))
	}
	if err != nil {
		t.Errorf("%s: %s: %v", what, name, err)
		return &x509.Certificate{}
	}
	return pair.Leaf
}

// said is what a certificate says, but for its time, key and number.
func said(cert *x509.Certificate) string {
	return fmt.Sprint(cert.Subject, cert.Issuer, ca.SANsOf(cert).Strings(), cert.ExtKeyUsage, cert.UnknownExtKeyUsage, cert.IsCA, ca.KeyName(cert.PublicKey),
		cert.NotAfter.Sub(cert.NotBefore).Round(ca.Day))
}

// renewable are those that cluster renew renews unless it is told otherwise.
func renewable() []string {
	return slices.DeleteFunc(cluster.RenewableNames(), func(name string) bool { return name == cluster.NameKubelet })
}

func (n rootedNode) certs() map[string]*x509.Certificate {
	n.t.Helper()
	certs := map[string]*x509.Certificate{}
	for _, name := range renewable() {
		certs[name] = clusterCert(n.t, "read", filepath.Join(n.dir, rootedDir), name)
	}
	return certs
}

// checkRenewed checks that all certificates are others that say the same.
func (n rootedNode) checkRenewed(what string, old map[string]*x509.Certificate) {
	n.t.Helper()
	for name, cert := range n.certs() {
		if said(cert) != said(old[name]) {
			n.t.Errorf("%s: %s said\n%s and says\n%s", what, name, said(old[name]), said(cert))
		}
		if cert.SerialNumber.Cmp(old[name].SerialNumber) == 0 || ca.EqualKeys(cert.PublicKey, old[name].PublicKey) {
			n.t.Errorf("%s: %s is not new", what, name)
		}
	}
	pki := filepath.Join(n.dir, rootedDir, "pki")
	for signer, files := range map[string]string{
		"ca": "apiserver apiserver-kubelet-client", "front-proxy-ca": "front-proxy-client", "etcd/ca": "etcd/server etcd/peer etcd/healthcheck-client apiserver-etcd-client",
	} {
		for _, file := range strings.Fields(files) {
			n.run("openssl", "verify", "-x509_strict", "-CAfile", filepath.Join(pki, signer+".crt"), filepath.Join(pki, file+".crt"))
		}
	}
}

// credentialData are the lines of a kubeconfig that a renewal changes.
var credentialData = regexp.MustCompile(`(?m)^( *client-(certificate|key)-data: ).*$`)

// TestClusterRenewKubeadm: what kubeadm made pkictl renews, and the other way
// round; each goes on with what the other left.
func TestClusterRenewKubeadm(t *testing.T) {
	t.Parallel()
	for _, algorithm := range in("RSA-2048", "ECDSA-P256") {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			n := newRootedNode(t, algorithm)
			dir := filepath.Join(n.dir, rootedDir)
			for _, path := range in("manifests.yaml", "pki/notes.txt", "pki/etcd/jane.crt") { // other people's
				ok(t, os.WriteFile(filepath.Join(dir, path), []byte("mine\n"), 0o640))
			}
			ok(t, os.Chmod(filepath.Join(dir, "admin.conf"), 0o640)) // somebody's group reads it
			before, old := snapshot(t, dir), n.certs()

			if _, stderr, err := n.try(pkictl(), "cluster", "renew", "--dir", rootedDir); err != nil || stderr != "" {
				t.Errorf("%v\n%s", err, stderr)
			}
			n.checkRenewed("renewed by pkictl", old)
			n.checkKept(before)

			renewed := snapshot(t, dir)
			n.init()
			checkUnchanged(t, "kubeadm init phase certs all, kubeconfig all", dir, renewed)
			if out := n.kubeadm("certs check-expiration"); strings.Count(out, "364d") != len(old) || strings.Contains(out, "MISSING") {
				t.Errorf("kubeadm certs check-expiration says\n%s", out)
			}
			old = n.certs()
			if out := n.kubeadm("certs renew all"); strings.Count(out, " renewed\n") != len(old) {
				t.Errorf("kubeadm certs renew all says\n%s", out)
			}
			n.checkRenewed("renewed by kubeadm", old)
			old = n.certs()
			n.pkictl("cluster renew -q --dir " + rootedDir)
			n.checkRenewed("renewed by pkictl again", old)
			n.kubeadm("certs check-expiration")
		})
	}
}

// checkKept checks that only certificates and keys have changed, and no mode.
func (n rootedNode) checkKept(before map[string]string) {
	n.t.Helper()
	isNew := map[string]bool{}
	for _, name := range renewable() {
		entry, _ := cluster.EntryNamed(name)
		for _, path := range entry.Paths(filepath.Join(n.dir, rootedDir)) {
			isNew[path] = true
		}
	}
	after := snapshot(n.t, filepath.Join(n.dir, rootedDir))
	for path, was := range before {
		is := after[path]
		switch {
		case !isNew[path] && is != was:
			n.t.Errorf("%s was changed", path)
		case isNew[path] && is == was:
			n.t.Errorf("%s was not changed", path)
		case strings.HasSuffix(path, ".conf"):
			if credentialData.ReplaceAllString(is, "$1") != credentialData.ReplaceAllString(was, "$1") {
				n.t.Errorf("%s: more has changed than a credential:\n%s\n%s", path, was, is)
			}
		}
		if wasMode, _, _ := strings.Cut(was, " "); !strings.HasPrefix(is, wasMode+" ") {
			n.t.Errorf("%s had mode %s: %.20s", path, wasMode, is)
		}
	}
	for path := range after {
		if base := filepath.Base(path); before[path] == "" && base != ".lock" && base != "inventory.db" {
			n.t.Errorf("%s is new", path)
		}
	}
}
