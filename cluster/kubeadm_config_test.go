package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKubeadmConfigFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		want     Settings
		warnings []string
	}{
		"v1beta4": {
			Settings{
				Name: "demo", Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}, {"cp-2", "10.0.0.12"}}, Endpoint: "k8s.example.com:6443", Port: 7443,
				ServiceCIDR: "10.97.0.0/16,fd00:97::/112", DNSDomain: "example.internal", SANs: []string{"api.example.com", "10.0.0.10"},
				EtcdServerSANs: []string{"etcd.example.com", "10.0.0.31"}, EtcdPeerSANs: []string{"peer.example.com", "fd00::31"},
				Key: "ecdsa-p384", KubernetesVersion: "v1.36.3", CAValidity: "43800h", Validity: "2160h",
			},
			[]string{"nodeRegistration.kubeletExtraArgs node-ip is not heeded"},
		},
		"v1beta3": {
			Settings{
				Name: "kubernetes", Nodes: []NodeSettings{{"cp-1", "fd00::11"}, {"cp-2", "fd00::12"}}, Endpoint: "[fd00::10]:6443", Port: 6443,
				ServiceCIDR: "fd00:97::/112", DNSDomain: "cluster.local", SANs: []string{"api.example.com"},
				EtcdServerSANs: []string{"etcd.example.com"}, EtcdPeerSANs: []string{"peer.example.com"}, KubernetesVersion: "v1.36.3",
			},
			nil,
		},
		"external": {
			Settings{KubernetesVersion: "v1.36.3", ExternalEtcd: true},
			[]string{"etcd.external means that nothing is made for etcd", "it is for a worker"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("testdata", "kubeadm", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			checkSettings(t, data, test.want, test.warnings)
		})
	}
}

func TestKubeadmConfigRead(t *testing.T) {
	t.Parallel()
	v3 := func(s string) string { return strings.ReplaceAll(s, "v1beta4", "v1beta3") }
	for _, test := range []struct {
		name, data string
		want       Settings
		warnings   []string
	}{
		{"empty", ccHead, Settings{}, nil},
		{"nulls", ccHead + "clusterName:\napiServer: null\netcd: ~\n", Settings{}, nil},
		{"no node", initHead, Settings{}, nil},
		{"node without address", initHead + "nodeRegistration: {name: a}\n", Settings{Nodes: []NodeSettings{{"a", ""}}}, nil},
		{"node without name", initHead + "localAPIEndpoint: {advertiseAddress: 10.0.0.1}\n", Settings{Nodes: []NodeSettings{{"", "10.0.0.1"}}}, nil},
		{
			"capitals", ccHead + "apiServer: {certSANs: [API.example.com]}\n---\n" + initHead + "nodeRegistration: {name: CP-1}\n",
			Settings{SANs: []string{"api.example.com"}, Nodes: []NodeSettings{{"cp-1", ""}}}, nil,
		},
		{"port as a float", initHead + "localAPIEndpoint: {bindPort: 7443.0}\n", Settings{Port: 7443}, nil},
		{"date as a name", ccHead + "clusterName: 2030-01-02\n", Settings{Name: "2030-01-02"}, nil},
		{
			"init behind join", joinHead + "nodeRegistration: {name: b}\ncontrolPlane: {localAPIEndpoint: {bindPort: 7443}}\n---\n" +
				initHead + "nodeRegistration: {name: a}\nlocalAPIEndpoint: {bindPort: 6443}\n",
			Settings{Nodes: []NodeSettings{{"a", ""}, {"b", ""}}, Port: 6443},
			[]string{"line 1: JoinConfiguration alone says nothing of the cluster", "line 4: controlPlane.localAPIEndpoint.bindPort is not heeded"},
		},
		{
			"periods", ccHead + "caCertificateValidityPeriod: 1h10m0s\ncertificateValidityPeriod: 10m\n",
			Settings{CAValidity: "1h10m0s", Validity: "10m0s"}, nil,
		},
		{
			"odd periods", ccHead + "caCertificateValidityPeriod: 100h30s\ncertificateValidityPeriod: 1.5h\n",
			Settings{CAValidity: "100h0m30s", Validity: "1h30m0s"}, nil,
		},
		{"version without v", ccHead + "kubernetesVersion: 1.34.2\n", Settings{KubernetesVersion: "v1.34.2"}, nil},
		{"pre-release", ccHead + "kubernetesVersion: v1.37.0-alpha.1\n", Settings{KubernetesVersion: "v1.37.0-alpha.1"}, nil},
		{"build", ccHead + "kubernetesVersion: ci/v1.36.1-5+0123456789abcd\n", Settings{KubernetesVersion: "v1.36.1-5+0123456789abcd"}, nil},
		{"label", ccHead + "kubernetesVersion: stable-1\n", Settings{}, []string{"line 3: kubernetesVersion is a label that is not looked up; v1.36.3 is assumed"}},
		{"plain label", ccHead + "kubernetesVersion: latest\n", Settings{}, []string{"is a label"}},
		{"label of this minor", ccHead + "kubernetesVersion: stable-1.36\n", Settings{}, []string{"is a label"}},
		{"CI label", ccHead + "kubernetesVersion: ci/latest\n", Settings{}, []string{"is a label"}},
		{"other directory", ccHead + "certificatesDir: /opt/pki\n", Settings{}, []string{"line 3: certificatesDir is not heeded"}},
		{"phases", initHead + "skipPhases: [addon, certs/etcd-ca, kubeconfig]\n", Settings{}, []string{"line 3: skipPhases is not heeded"}},
		{"dry run", initHead + "dryRun: true\n", Settings{}, []string{"dryRun is not heeded: give --dry-run"}},
		{"feature gate", v3(ccHead) + "featureGates: {PublicKeysECDSA: true}\n", Settings{}, []string{"featureGates.PublicKeysECDSA is not heeded"}},
		{
			"flags", ccHead + "apiServer:\n  extraArgs: [{name: tls-cert-file, value: /a}, {name: v, value: \"4\"}]\n" +
				"controllerManager: {extraArgs: [{value: /b, name: root-ca-file}]}\nscheduler: {extraArgs: [{name: kubeconfig, value: /c}]}\n" +
				"etcd:\n  local:\n    extraArgs: [{name: name, value: d}]\n",
			Settings{},
			[]string{"line 4: apiServer.extraArgs tls-cert-file", "line 5: controllerManager.extraArgs root-ca-file", "line 6: scheduler.extraArgs kubeconfig", "line 9: etcd.local.extraArgs name"},
		},
		{"flags of v1beta3", v3(ccHead) + "apiServer:\n  extraArgs:\n    v: \"4\"\n    secure-port: \"7443\"\n", Settings{}, []string{"line 6: apiServer.extraArgs secure-port"}},
		{"CA of a joining node", joinHead + "caCertPath: /opt/ca.crt\ncontrolPlane: {}\n", Settings{}, []string{"JoinConfiguration alone", "line 3: caCertPath is not heeded"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			checkSettings(t, []byte(test.data), test.want, test.warnings)
		})
	}
}
