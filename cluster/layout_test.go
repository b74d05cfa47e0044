package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// contract is what kubeadm v1.36.3 makes, written down apart from the layout:
// file, CA, common name, groups, usage, names, and the server of a kubeconfig.
const contract = `
ca|self|kubernetes|||kubernetes|
apiserver|ca|kube-apiserver||server|cp-1,kubernetes,kubernetes.default,kubernetes.default.svc,kubernetes.default.svc.k8s.test,k8s.example.com,api.example.com,10.97.0.1,10.0.0.11,192.0.2.1|
apiserver-kubelet-client|ca|kube-apiserver-kubelet-client||client||
front-proxy-ca|self|front-proxy-ca|||front-proxy-ca|
front-proxy-client|front-proxy-ca|front-proxy-client||client||
etcd/ca|self|etcd-ca|||etcd-ca|
etcd/server|etcd/ca|cp-1||server,client|cp-1,localhost,etcd.example.com,10.0.0.11,127.0.0.1,::1|
etcd/peer|etcd/ca|cp-1||server,client|cp-1,localhost,10.0.0.11,127.0.0.1,::1,192.0.2.2|
etcd/healthcheck-client|etcd/ca|kube-etcd-healthcheck-client||client||
apiserver-etcd-client|etcd/ca|kube-apiserver-etcd-client||client||
admin.conf|ca|kubernetes-admin|kubeadm:cluster-admins|client||https://k8s.example.com:8443
super-admin.conf|ca|kubernetes-super-admin|system:masters|client||https://k8s.example.com:8443
kubelet.conf|ca|system:node:cp-1|system:nodes|client||https://10.0.0.11:7443
controller-manager.conf|ca|system:kube-controller-manager||client||https://10.0.0.11:7443
scheduler.conf|ca|system:kube-scheduler||client||https://10.0.0.11:7443
`

func contractSettings() Settings {
	return Settings{
		Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, Port: 7443, Endpoint: "k8s.example.com:8443", ServiceCIDR: "10.97.0.0/16,fd00:97::/112",
		DNSDomain: "k8s.test", SANs: []string{"api.example.com", "192.0.2.1"}, EtcdServerSANs: []string{"etcd.example.com"}, EtcdPeerSANs: []string{"192.0.2.2"},
	}
}

// TestContract compares what is made with the contract, line by line.
func TestContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testInit(t, InitOptions{Dir: dir, Settings: contractSettings(), Now: initNow})
	var lines []string
	for _, entry := range Layout() {
		found := Find(dir, entry)
		for _, path := range entry.Paths(dir) {
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			want := fs.FileMode(0o600)
			if strings.HasSuffix(path, ".crt") {
				want = 0o644
			}
			if info.Mode() != want {
				t.Errorf("%s has the mode %v", path, info.Mode())
			}
		}
		if entry.Kind == KindKeyPair {
			if !ca.EqualKeys(found.Key, found.Public[0]) {
				t.Error("sa.pub is not that of sa.key")
			}
			continue
		}
		cert, issuer, server := found.Certificate, "self", ""
		if entry.CA != "" {
			issuer = entry.CA
			signer := Find(dir, entryOf(t, issuer)).Certificate
			if err := cert.CheckSignatureFrom(signer); err != nil {
				t.Errorf("%s: %v", entry.Name, err)
			}
			if end := initNow.Add(DefaultValidity); !cert.NotAfter.Equal(end) || cert.NotBefore.Before(signer.NotBefore) {
				t.Errorf("%s: from %s to %s", entry.Name, cert.NotBefore, cert.NotAfter)
			}
		} else if !cert.NotAfter.Equal(initNow.Add(DefaultCAValidity)) || !cert.IsCA {
			t.Errorf("%s: until %s", entry.Name, cert.NotAfter)
		}
		if found.Cluster != nil {
			server = found.Cluster.Server
		}
		lines = append(lines, strings.Join([]string{
			entry.Name, issuer, cert.Subject.CommonName, strings.Join(cert.Subject.Organization, ","),
			strings.Join(usageNames(cert.ExtKeyUsage), ","), strings.Join(ca.SANsOf(cert).Strings(), ","), server,
		}, "|"))
		items, err := ca.Decode(ca.EncodeCertificates(cert), entry.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range ca.Lint(items, ca.LintOptions{Now: initNow}) {
			if isMeant := entry.Name == NameSuperAdmin && finding.Lint == "k8s_masters"; !isMeant && finding.Severity != "info" && finding.Severity != "notice" {
				t.Errorf("%s: %+v", entry.Name, finding)
			}
		}
	}
	if got := strings.Join(lines, "\n"); got != strings.TrimSpace(contract) {
		t.Errorf("got\n%s\nwant%s", got, contract)
	}
}

// TestContractOfVersions: groups and files follow the version of Kubernetes.
func TestContractOfVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.28.15": "system:masters; system:masters; false",
		"v1.29.0":  "kubeadm:cluster-admins; kubeadm:cluster-admins; true",
		"1.36.0":   "kubeadm:cluster-admins; kubeadm:cluster-admins; true",
		"v1.36.1":  "; kubeadm:cluster-admins; true",
		"v1.99.0":  "; kubeadm:cluster-admins; true",
		"":         "; kubeadm:cluster-admins; true",
	} {
		dir := t.TempDir()
		s := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, KubernetesVersion: version}
		testInit(t, InitOptions{Dir: dir, Settings: s, Now: initNow})
		organizations := func(name string) string {
			return strings.Join(Find(dir, entryOf(t, name)).Certificate.Subject.Organization, ",")
		}
		got := fmt.Sprintf("%s; %s; %t", organizations(nameKubeletClient), organizations(NameAdmin), !Find(dir, entryOf(t, NameSuperAdmin)).Absent())
		if got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

// TestExternalEtcd: nothing is made for an etcd that runs elsewhere.
func TestExternalEtcd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := contractSettings()
	s.ExternalEtcd = true
	result := testInit(t, InitOptions{Dir: dir, Settings: s, Now: initNow})
	made := states(result, StateMade)
	if len(made) != 11 || slices.ContainsFunc(made, func(name string) bool { return strings.Contains(name, "etcd") }) {
		t.Errorf("made %q", made)
	}
	if _, err := os.Lstat(filepath.Join(dir, "pki", "etcd")); err == nil {
		t.Error("there is a directory etcd")
	}
}
