package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// kubeadmNode is a node of a control plane that kubeadm has set up below one
// directory, on free ports of 127.0.0.1. Nothing runs on it until a kubelet does.
type kubeadmNode struct {
	userDir
	dir       string // like /etc/kubernetes
	manifests string
	kubeadm   string
	config    string // of kubeadm
	kubectl   string
	programs  map[string]string
	ports     []int // of etcd, its peers, its metrics, the API server and the controller manager
}

// nodeConfig is kubeadm's. It refuses loopback for the advertised address, which
// is therefore one that nobody dials.
const nodeConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.10, bindPort: %[5]d}
nodeRegistration: {name: node-1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
certificatesDir: %[1]s/pki
encryptionAlgorithm: ECDSA-P256
etcd:
  local:
    dataDir: %[1]s/etcd
    extraArgs:
    - {name: unsafe-no-fsync, value: "true"}
    - {name: listen-client-urls, value: "https://127.0.0.1:%[2]d"}
    - {name: advertise-client-urls, value: "https://127.0.0.1:%[2]d"}
    - {name: listen-peer-urls, value: "https://127.0.0.1:%[3]d"}
    - {name: initial-advertise-peer-urls, value: "https://127.0.0.1:%[3]d"}
    - {name: initial-cluster, value: "node-1=https://127.0.0.1:%[3]d"}
    - {name: listen-metrics-urls, value: "http://127.0.0.1:%[4]d"}
apiServer:
  certSANs: [127.0.0.1]
  extraArgs:
  - {name: bind-address, value: 127.0.0.1}
  - {name: etcd-servers, value: "https://127.0.0.1:%[2]d"}
  - {name: endpoint-reconciler-type, value: none}
  - {name: shutdown-watch-termination-grace-period, value: 2s}
controllerManager:
  extraArgs:
  - {name: secure-port, value: "%[6]d"}
  - {name: leader-elect, value: "false"}
  - {name: kubeconfig, value: %[1]s/controller-manager.conf}
  - {name: authentication-kubeconfig, value: %[1]s/controller-manager.conf}
  - {name: authorization-kubeconfig, value: %[1]s/controller-manager.conf}
`

// newKubeadmNode has kubeadm make PKI, kubeconfigs and manifests.
func newKubeadmNode(t *testing.T) *kubeadmNode {
	t.Helper()
	assets, kubectl := peers(t)
	w := newUserDir(t)
	ports, err := cluster.FreePorts(5)
	ok(t, err)
	n := &kubeadmNode{
		userDir: w, dir: filepath.Join(w.dir, "kubernetes"), kubectl: kubectl, ports: ports, config: filepath.Join(w.dir, "kubeadm.yaml"),
		kubeadm: filepath.Join(filepath.Dir(kubectl), "kubeadm"),
		programs: map[string]string{
			cluster.ComponentEtcd: assets.Etcd, cluster.ComponentAPIServer: assets.APIServer, cluster.ComponentControllerManager: assets.ControllerManager,
		},
	}
	n.manifests = filepath.Join(n.dir, "manifests")
	ok(t, os.MkdirAll(n.manifests, 0o700))
	ok(t, os.WriteFile(n.config, fmt.Appendf(nil, nodeConfig, n.dir, ports[0], ports[1], ports[2], ports[3], ports[4]), 0o600))
	n.init("certs", "all")
	n.init("kubeconfig", "all", "--kubeconfig-dir", n.dir)
	n.localKubeconfigs()
	n.init("control-plane", "apiserver", "--dry-run")
	n.init("control-plane", "controller-manager", "--dry-run")
	n.init("etcd", "local", "--dry-run")
	// kubeadm knows one place of that file only.
	n.replaceIn(filepath.Join(n.manifests, "kube-controller-manager.yaml"), "/etc/kubernetes/controller-manager.conf", filepath.Join(n.dir, "controller-manager.conf"))
	return n
}

// init runs a phase of kubeadm init. What a dry run would write it writes to the
// directory of manifests, and so not below /etc.
func (n *kubeadmNode) init(phase ...string) {
	n.t.Helper()
	args := append(in("KUBEADM_INIT_DRYRUN_DIR="+n.manifests, n.kubeadm, "init", "phase"), phase...)
	n.run("env", append(args, "--config", n.config)...)
}

// localKubeconfigs has the kubeconfigs dial loopback.
func (n *kubeadmNode) localKubeconfigs() {
	n.t.Helper()
	for _, name := range in("admin", "super-admin", "controller-manager", "scheduler", "kubelet") {
		n.replaceIn(filepath.Join(n.dir, name+".conf"), "https://10.0.0.10:", "https://127.0.0.1:")
	}
}

func (n *kubeadmNode) replaceIn(path, from, to string) {
	n.t.Helper()
	data, err := os.ReadFile(path)
	ok(n.t, err)
	ok(n.t, os.WriteFile(path, bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o600))
}

// startKubelet runs the node's manifests.
func (n *kubeadmNode) startKubelet() *standIn {
	n.t.Helper()
	return startKubelet(n.t, n.userDir.dir, n.manifests, n.programs)
}

// renewAll has kubeadm renew what it renews, but for the kubeconfigs, which it
// only finds below /etc: these it makes anew.
func (n *kubeadmNode) renewAll() {
	n.t.Helper()
	for _, name := range strings.Fields("apiserver apiserver-etcd-client apiserver-kubelet-client front-proxy-client etcd-healthcheck-client etcd-peer etcd-server") {
		n.run(n.kubeadm, "certs", "renew", name, "--config", n.config)
	}
	for _, name := range in("admin", "super-admin", "controller-manager", "scheduler") {
		ok(n.t, os.Remove(filepath.Join(n.dir, name+".conf")))
		n.init("kubeconfig", name, "--kubeconfig-dir", n.dir)
	}
	n.localKubeconfigs()
}

// asAdmin runs kubectl with super-admin.conf, which needs no binding.
func (n *kubeadmNode) asAdmin(line string) {
	n.t.Helper()
	n.run(n.kubectl, append([]string{"--kubeconfig", filepath.Join(n.dir, "super-admin.conf")}, strings.Fields(line)...)...)
}
