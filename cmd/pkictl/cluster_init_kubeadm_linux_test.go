package main_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
)

// kubeadmRoot is a directory that kubeadm takes for the root of its file system,
// so that what it knows as /etc/kubernetes is a cluster directory below it.
type kubeadmRoot struct {
	t    *testing.T
	path string
}

// newKubeadmRoot makes one with a configuration of kubeadm in it.
func newKubeadmRoot(t *testing.T, config string) kubeadmRoot {
	t.Helper()
	root := kubeadmRoot{t, t.TempDir()}
	ok(t, os.Mkdir(filepath.Join(root.path, "etc"), 0o755))
	ok(t, os.WriteFile(filepath.Join(root.path, "kubeadm.yaml"), []byte(config), 0o600))
	return root
}

// dir is what kubeadm takes for /etc/kubernetes.
func (r kubeadmRoot) dir() string { return filepath.Join(r.path, "etc", "kubernetes") }

// kubeadm runs kubeadm with the configuration.
func (r kubeadmRoot) kubeadm(args ...string) string {
	r.t.Helper()
	path, err := filepath.Abs("../../tools/bin/kubeadm")
	ok(r.t, err)
	cmd := exec.Command(path, append(in("--rootfs", r.path, "--config", "/kubeadm.yaml"), args...)...)
	cmd.Env = in("PATH="+os.Getenv("PATH"), "HOME=/")
	if id := os.Geteuid(); id != 0 { // changing the root takes a privilege
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("kubeadm %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// makeAll has kubeadm make what is missing.
func (r kubeadmRoot) makeAll() string {
	r.t.Helper()
	return r.kubeadm("init", "phase", "certs", "all") + r.kubeadm("init", "phase", "kubeconfig", "all")
}

// clusterFiles reads the files of the layout in a cluster directory, as their
// contents by path, and of kubeconfigs besides.
func clusterFiles(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, entry := range cluster.Layout() {
		for _, path := range entry.Paths(dir) {
			data, err := os.ReadFile(path)
			if err == nil {
				info, err := os.Lstat(path)
				ok(t, err)
				rel, err := filepath.Rel(dir, path)
				ok(t, err)
				files[rel] = fmt.Sprintf("%v %s", info.Mode(), data)
			}
		}
	}
	return files
}

// checkKept compares the files of a cluster directory with what they were.
func checkKept(t testing.TB, what, dir string, before map[string]string) {
	t.Helper()
	after := clusterFiles(t, dir)
	if len(after) != len(before) || len(before) == 0 {
		t.Errorf("%s: %d files, and before %d", what, len(after), len(before))
	}
	for path, content := range before {
		if after[path] != content {
			t.Errorf("%s: %s changed", what, path)
		}
	}
}

// kubeadmWorld is a configuration of kubeadm, and flags that say the same.
type kubeadmWorld struct {
	name    string
	node    string // of InitConfiguration
	cluster string // lines of ClusterConfiguration
	flags   []string
	renewed int // what kubeadm certs renew renews
}

func (w kubeadmWorld) config() string {
	return `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: cp-1, criSocket: "unix:///run/x.sock"}
localAPIEndpoint: {` + w.node + `}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
` + w.cluster + map[bool]string{false: "encryptionAlgorithm: ECDSA-P256\n"}[strings.Contains(w.cluster, "encryptionAlgorithm")]
}

const kubeadmNode4 = "advertiseAddress: 10.0.0.11"

var (
	nodeFlags = in("--node", "cp-1", "--advertise-address", "10.0.0.11")

	kubeadmWorlds = []kubeadmWorld{
		keyWorld("rsa-2048"), keyWorld("rsa-3072"), keyWorld("ecdsa-p256"), keyWorld("ecdsa-p384"),
		{"IPv6", "advertiseAddress: fd00::11, bindPort: 7443", "kubernetesVersion: v1.36.3\nnetworking: {serviceSubnet: 'fd00:96::/112', dnsDomain: k8s.test}\n",
			in("--node", "cp-1=fd00::11", "--port", "7443", "--service-cidr", "fd00:96::/112", "--dns-domain", "k8s.test"), 11},
		{"dual stack", kubeadmNode4, "kubernetesVersion: v1.36.3\nnetworking: {serviceSubnet: '10.97.0.0/16,fd00:96::/112'}\n",
			append(nodeFlags, "--service-cidr", "10.97.0.0/16,fd00:96::/112"), 11},
		{"endpoint by name", kubeadmNode4, "kubernetesVersion: v1.36.3\ncontrolPlaneEndpoint: k8s.example.com:8443\nclusterName: prod_eu\n",
			append(nodeFlags, "--endpoint", "k8s.example.com:8443", "--name", "prod_eu"), 11},
		{"endpoint by address", kubeadmNode4, "kubernetesVersion: v1.36.3\ncontrolPlaneEndpoint: 10.0.0.100\n",
			append(nodeFlags, "--endpoint", "10.0.0.100"), 11},
		{"names", kubeadmNode4, `kubernetesVersion: v1.36.3
apiServer: {certSANs: [api.example.com, 10.0.0.200, "*.apps.example.com", api.example.com, 10.96.0.1, cp-1]}
etcd: {local: {serverCertSANs: [etcd.example.com, localhost], peerCertSANs: [etcd.example.com, localhost]}}
`, append(nodeFlags, "--san", "api.example.com", "--san", "10.0.0.200", "--san", "*.apps.example.com", "--san", "api.example.com",
			"--san", "10.96.0.1", "--san", "cp-1", "--etcd-san", "etcd.example.com", "--etcd-san", "localhost"), 11},
		{"external etcd", kubeadmNode4, "kubernetesVersion: v1.36.3\netcd: {external: {endpoints: ['https://10.0.0.50:2379']}}\n", nil, 7},
		{"old version", kubeadmNode4, "kubernetesVersion: v1.35.2\n", append(nodeFlags, "--kubernetes-version", "v1.35.2"), 11},
		{"periods", kubeadmNode4, "kubernetesVersion: v1.36.3\ncaCertificateValidityPeriod: 100h30m\ncertificateValidityPeriod: 50h30m\n",
			append(nodeFlags, "--ca-validity", "100h30m", "--validity", "50h30m"), 11},
	}
)

func keyWorld(kind string) kubeadmWorld {
	algorithm := strings.ToUpper(strings.Replace(kind, "p", "P", 1))
	return kubeadmWorld{kind, kubeadmNode4, "kubernetesVersion: v1.36.3\nencryptionAlgorithm: " + algorithm + "\n", append(nodeFlags, "--key", kind), 11}
}

// TestKubeadmKeepsOurs: in a directory that cluster init has made, kubeadm finds
// all that it would make, lists it and renews it.
func TestKubeadmKeepsOurs(t *testing.T) {
	t.Parallel()
	for _, world := range kubeadmWorlds {
		t.Run(world.name, func(t *testing.T) {
			t.Parallel()
			root := newKubeadmRoot(t, world.config())
			flags := world.flags
			if flags == nil {
				flags = in("--config", "kubeadm.yaml")
			}
			do(t, root.path, append(in("cluster", "init", "--dir", "etc/kubernetes"), flags...)...)
			before := clusterFiles(t, root.dir())
			if said := root.makeAll(); strings.Contains(said, "Generating") || strings.Contains(said, "Writing") || strings.Contains(said, "unexpected API Server URL") {
				t.Errorf("kubeadm made something:\n%s", said)
			}
			checkKept(t, "kubeadm init phase", root.dir(), before)
			listed := root.kubeadm("certs", "check-expiration")
			if n := strings.Count(listed, " no  "); n < world.renewed || strings.Contains(listed, "MISSING") && world.renewed == 11 {
				t.Errorf("kubeadm lists %d:\n%s", n, listed)
			}
			if renewed := root.kubeadm("certs", "renew", "all"); strings.Count(renewed, " renewed\n") != world.renewed {
				t.Errorf("kubeadm renewed:\n%s", renewed)
			}
			again := do(t, root.path, append(in("cluster", "init", "--dir", "etc/kubernetes"), flags...)...)
			if strings.Count(again, " kept ") != strings.Count(again, " ends ")+1 {
				t.Errorf("after kubeadm has renewed:\n%s", again)
			}
		})
	}
}

// TestKubeadmsIsKept: what kubeadm has made is right, by its configuration and
// by flags that say the same, and what cluster init makes of them is the same.
func TestKubeadmsIsKept(t *testing.T) {
	t.Parallel()
	for _, world := range kubeadmWorlds {
		t.Run(world.name, func(t *testing.T) {
			t.Parallel()
			root := newKubeadmRoot(t, world.config())
			root.makeAll()
			before := clusterFiles(t, root.dir())
			for _, flags := range [][]string{in("--config", "kubeadm.yaml"), world.flags} {
				if flags == nil {
					continue
				}
				args := append(in("cluster", "init", "--dir", "etc/kubernetes"), flags...)
				for _, more := range [][]string{nil, in("--repair"), in("--dry-run")} {
					out := do(t, root.path, append(args, more...)...)
					if made := strings.Count(out, " made ") + strings.Count(out, " repaired "); made != 0 {
						t.Errorf("%q %q:\n%s", flags, more, out)
					}
				}
				checkKept(t, strings.Join(flags, " "), root.dir(), before)
			}
			do(t, root.path, in("cluster", "init", "--dir", "ours", "--config", "kubeadm.yaml")...)
			compareClusters(t, filepath.Join(root.path, "ours"), root.dir(), world)
		})
	}
}

// compareClusters compares certificates and kubeconfigs of two cluster
// directories, field by field.
func compareClusters(t *testing.T, ours, theirs string, world kubeadmWorld) {
	t.Helper()
	compared := 0
	for _, entry := range cluster.Layout() {
		our, their := cluster.Find(ours, entry), cluster.Find(theirs, entry)
		if our.Absent() != their.Absent() {
			t.Errorf("%s: one only has it", entry.Name)
			continue
		}
		if our.Absent() {
			continue
		}
		compared++
		compare := func(field string, our, their any) {
			if fmt.Sprint(our) != fmt.Sprint(their) {
				t.Errorf("%s: %s: ours is %v, kubeadm's %v", entry.Name, field, our, their)
			}
		}
		for _, path := range entry.Paths(ours) {
			rel, err := filepath.Rel(ours, path)
			ok(t, err)
			ourInfo, err := os.Lstat(path)
			ok(t, err)
			theirInfo, err := os.Lstat(filepath.Join(theirs, rel))
			ok(t, err)
			compare("mode of "+rel, ourInfo.Mode(), theirInfo.Mode())
		}
		compare("kind of key", ca.KeyName(our.Key), ca.KeyName(their.Key))
		if entry.Kind == cluster.KindKeyPair {
			continue
		}
		a, b := our.Certificate, their.Certificate
		if world.name == "old version" && entry.Name == "apiserver-kubelet-client" {
			// kubeadm looks at its own version, and makes a binding that kubeadm v1.35 did not.
			compare("groups", a.Subject.Organization, in(cluster.GroupClusterAdmins))
			compare("subject", a.Subject.CommonName, b.Subject.CommonName)
		} else {
			compare("subject", a.Subject, b.Subject)
		}
		compare("issuer", a.Issuer, b.Issuer)
		compare("names", sorted(ca.SANsOf(a).Strings()), sorted(ca.SANsOf(b).Strings()))
		compare("usages", a.ExtKeyUsage, b.ExtKeyUsage)
		compare("CA", a.IsCA, b.IsCA)
		// kubeadm begins before its keys are made.
		if difference := a.NotAfter.Sub(a.NotBefore) - b.NotAfter.Sub(b.NotBefore); difference.Abs() > 5*time.Minute {
			t.Errorf("%s: ours is valid %s longer", entry.Name, difference)
		}
		if a.KeyUsage&x509.KeyUsageDigitalSignature == 0 && !a.IsCA || a.IsCA != (a.KeyUsage&x509.KeyUsageCertSign != 0) {
			t.Errorf("%s: key usage %b", entry.Name, a.KeyUsage)
		}
		if entry.Kind == cluster.KindKubeconfig {
			compare("kubeconfig", kubeconfigShape(t, entry.CertPath(ours)), kubeconfigShape(t, entry.CertPath(theirs)))
		}
	}
	if want := map[bool]int{true: 16, false: 11}[world.renewed == 11]; compared != want {
		t.Errorf("%d entries were compared, want %d", compared, want)
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// kubeconfigShape is what a kubeconfig says, but for certificates and keys.
func kubeconfigShape(t *testing.T, path string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	ok(t, err)
	shape := "current " + config.CurrentContext
	for name, context := range config.Contexts {
		shape += fmt.Sprintf("; context %s: %s %s %q", name, context.Cluster, context.AuthInfo, context.Namespace)
	}
	for name, c := range config.Clusters {
		shape += fmt.Sprintf("; cluster %s: %s %v %d", name, c.Server, c.InsecureSkipTLSVerify, strings.Count(string(c.CertificateAuthorityData), "BEGIN"))
	}
	for name, user := range config.AuthInfos {
		shape += fmt.Sprintf("; user %s: %d %d", name, strings.Count(string(user.ClientCertificateData), "BEGIN"), strings.Count(string(user.ClientKeyData), "BEGIN"))
	}
	return shape
}
