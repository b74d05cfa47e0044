package cluster

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
)

// What kubeadm makes of a configuration is what the settings read from it
// ask for: names, groups, keys, periods and servers.
func TestKubeadmConfigMeaning(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v1beta4", "v1beta3", "external"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			config, warnings := kubeadmMakes(t, name, dir)
			settings, said, err := ParseSettings(config, "kubeadm.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(said, "\n"), "certificatesDir is not heeded") {
				t.Errorf("kubeadm said %s, we %q", warnings, said)
			}
			nodes, err := settings.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			compareMade(t, dir, nodes[0], settings.Key != "")
		})
	}
}

// kubeadmMakes lets kubeadm make a cluster directory for a configuration of
// testdata, which it returns as it was given to kubeadm.
func kubeadmMakes(t *testing.T, name, dir string) (config []byte, said string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "kubeadm", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	place := "\ncertificatesDir: " + filepath.ToSlash(PKIDir(dir)) + "\n"
	if strings.Contains(text, "\ncertificatesDir: ") {
		text = strings.Replace(text, "\ncertificatesDir: /etc/kubernetes/pki\n", place, 1)
	} else {
		text = strings.Replace(text, "\nkind: ClusterConfiguration\n", "\nkind: ClusterConfiguration"+place, 1)
	}
	if name == "external" { // says nothing of the node
		text += "---\n" + initHead + "nodeRegistration: {name: cp-1}\nlocalAPIEndpoint: {advertiseAddress: 10.0.0.11}\n"
	}
	file := filepath.Join(t.TempDir(), "kubeadm.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"certs", "all"}, {"kubeconfig", "all", "--kubeconfig-dir", dir}} {
		out, err := kubeadm(t, append(append([]string{"init", "phase"}, args...), "--config", file)...)
		if err != nil {
			t.Fatal(out)
		}
		said += out
	}
	return []byte(text), said
}

func compareMade(t *testing.T, dir string, node Node, keyGiven bool) {
	t.Helper()
	issuers := map[string]*x509.Certificate{}
	now := time.Now()
	entries := EntriesFor(node)
	for _, entry := range entries {
		found := Find(dir, entry)
		if found.Missing != nil {
			t.Errorf("kubeadm made no %v", found.Missing)
			continue
		}
		for _, difference := range found.Differences(node, issuers[entry.CA], now) {
			t.Error(difference)
		}
		if found.Certificate == nil { // sa
			continue
		}
		validity := node.Validity
		if entry.Kind == KindCA {
			issuers[entry.Name] = found.Certificate
			validity = node.CAValidity
		}
		if wrong := found.Certificate.NotAfter.Sub(now) - validity; wrong.Abs() > time.Hour {
			t.Errorf("%s: valid until %s, wanted %s from now", entry.Name, found.Certificate.NotAfter, validity)
		}
		if kind := strings.ToLower(strings.ReplaceAll(ca.KeyName(found.Key), " ", "-")); keyGiven && kind != string(node.Key) {
			t.Errorf("%s: key %s, wanted %s", entry.Name, kind, node.Key)
		}
	}
	made := 0
	for _, entry := range Layout() {
		if !Find(dir, entry).Absent() {
			made++
		}
	}
	if made != len(entries) {
		t.Errorf("kubeadm made %d entries of the layout, wanted %d", made, len(entries))
	}
}

// Before v1.36 kubeadm had the kubelet of a control plane dial the endpoint.
func TestKubeletServer(t *testing.T) {
	t.Parallel()
	settings := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, Endpoint: "k8s.example.com"}
	nodes, err := settings.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := EntryNamed(NameKubelet)
	for server, want := range map[string]int{
		"https://10.0.0.11:6443": 0, "https://k8s.example.com:6443": 0, "https://10.0.0.12:6443": 1, "": 1,
	} {
		found := &Found{Entry: entry, Cluster: &api.Cluster{Server: server}}
		if got := found.Differences(nodes[0], nil, time.Now()); len(got) != want {
			t.Errorf("%q: %v", server, got)
		}
	}
}
