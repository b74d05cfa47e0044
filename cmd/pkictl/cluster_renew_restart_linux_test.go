package main_test

import (
	"encoding/json"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// TestClusterRenewAndRestart renews a control plane that runs from kubeadm's
// manifests, and restarts it with the same command.
func TestClusterRenewAndRestart(t *testing.T) {
	t.Parallel()
	n := newKubeadmNode(t)
	k := n.startKubelet()
	n.awaitHealthy(k)
	before := n.manifestsOf()
	k.started()
	old := n.served(n.ports[3])

	var result struct {
		Nodes     []cluster.NodeRenewal
		Restarted cluster.RestartResult
	}
	ok(t, json.Unmarshal([]byte(n.pkictl("cluster renew --restart static-pods --yes --dir kubernetes -o json")), &result))
	if got := k.started(); got != "etcd kube-apiserver kube-controller-manager" {
		t.Errorf("started: %s", got)
	}
	if renewed := result.Nodes[0].Renewed(); len(renewed) != len(renewable()) {
		t.Errorf("renewed: %q", renewed)
	}
	n.checkRestarted(&result.Restarted)
	if after := n.manifestsOf(); after != before {
		t.Errorf("the manifests were\n%sand are\n%s", before, after)
	}
	n.checkServes(n.ports[0], "etcd/server")
	n.checkServes(n.ports[3], "apiserver")
	if n.served(n.ports[3]).Equal(old) {
		t.Error("the API server serves the old certificate")
	}
	n.asAdmin("create namespace after")
	n.asAdmin("wait --for=create serviceaccount/default --namespace=after --timeout=60s") // which the controller manager makes
}
