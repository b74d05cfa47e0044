package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// kubeadmDir has kubeadm make a cluster directory; DIR in the configuration is
// the place of the PKI.
func kubeadmDir(t *testing.T, dir, config string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeadm.yaml")
	testWrite(t, file, []byte(strings.ReplaceAll(config, "DIR", filepath.Join(dir, "pki"))))
	for _, args := range [][]string{
		{"init", "phase", "certs", "all", "--config", file},
		{"init", "phase", "kubeconfig", "all", "--config", file, "--kubeconfig-dir", dir},
	} {
		if out, err := kubeadm(t, args...); err != nil {
			t.Fatalf("kubeadm %q: %v\n%s", args, err, out)
		}
	}
}

const kubeadmConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: %s, bindPort: %d}
nodeRegistration: {name: %s}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
certificatesDir: DIR
%s
`

// check checks a directory; options are changed by the functions.
func check(t *testing.T, dir string, change ...func(*CheckOptions)) *CheckReport {
	t.Helper()
	o := CheckOptions{Dir: dir, Now: time.Now(), Timeout: 10 * time.Second}
	for _, f := range change {
		f(&o)
	}
	report, err := Check(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Unread != nil {
		t.Errorf("not read: %v", report.Unread)
	}
	return report
}

// failures are the findings that count, as ENTRY FIELD, sorted.
func failures(report *CheckReport) []string { return found(report, LevelFail) }

func found(report *CheckReport, level Level) []string {
	list := []string{}
	for _, f := range report.Findings {
		if f.Level == level {
			list = append(list, strings.TrimSpace(f.Entry+" "+string(f.Field)))
		}
	}
	slices.Sort(list)
	return list
}

func checkFindings(t *testing.T, report *CheckReport, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := failures(report); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
		for _, f := range report.Findings {
			t.Logf("%s: %s (%s)", f.Level, f.Difference, f.Hint)
		}
	}
	if report.OK != (len(want) == 0) {
		t.Errorf("OK is %v", report.OK)
	}
	for _, f := range report.Findings {
		if f.Hint == "" || f.Wanted == "" || f.Found == "" {
			t.Errorf("not all is said: %+v", f)
		}
	}
}

// What kubeadm makes is right, whatever it is made for.
func TestCheckKubeadm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, address string
		port          int
		node, cluster string
		endpoint      string
		service       string
		domain        string
		external      bool
	}{
		{name: "RSA", address: "10.0.0.11", port: 6443, node: "cp-1"},
		{name: "ECDSA", address: "10.0.0.11", port: 6443, node: "cp-1", cluster: "encryptionAlgorithm: ECDSA-P384"},
		{name: "names", address: "10.0.0.11", port: 7443, node: "cp-1.example.com", endpoint: "k8s.example.com:6443", domain: "corp.internal", service: "172.20.0.1",
			cluster: `encryptionAlgorithm: ECDSA-P256
clusterName: prod
controlPlaneEndpoint: k8s.example.com:6443
apiServer: {certSANs: [api.example.com, "*.example.org", 192.168.7.1, "fd00:7::1"]}
networking: {dnsDomain: corp.internal, serviceSubnet: 172.20.0.0/16}
etcd: {local: {serverCertSANs: [etcd.example.com, 10.1.0.1], peerCertSANs: [peer.example.com]}}`},
		{name: "address as endpoint", address: "10.0.0.11", port: 6443, node: "cp-1", endpoint: "10.0.0.1:6443",
			cluster: "encryptionAlgorithm: ECDSA-P256\ncontrolPlaneEndpoint: 10.0.0.1:6443"},
		{name: "first address of a range", address: "10.0.0.1", port: 6443, node: "cp-1", cluster: "encryptionAlgorithm: ECDSA-P256"},
		{name: "endpoint is the node", address: "10.0.0.11", port: 6443, node: "cp-1", cluster: "encryptionAlgorithm: ECDSA-P256\ncontrolPlaneEndpoint: 10.0.0.11:6443"},
		{name: "IPv6", address: "fd00::11", port: 6443, node: "cp-1", service: "fd00:96::1", cluster: "encryptionAlgorithm: ECDSA-P256\nnetworking: {serviceSubnet: \"fd00:96::/112\"}"},
		{name: "dual-stack", address: "10.0.0.11", port: 6443, node: "cp-1", service: "10.97.0.1",
			cluster: "encryptionAlgorithm: ECDSA-P256\nnetworking: {serviceSubnet: \"10.97.0.0/16,fd00:96::/112\", podSubnet: \"10.244.0.0/16,fd00:244::/56\"}"},
		{name: "external etcd", address: "10.0.0.11", port: 6443, node: "cp-1", external: true,
			cluster: "encryptionAlgorithm: ECDSA-P256\netcd: {external: {endpoints: [\"https://10.0.0.21:2379\"], caFile: /e/ca.crt, certFile: /e/c.crt, keyFile: /e/c.key}}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			kubeadmDir(t, dir, fmt.Sprintf(kubeadmConfig, quoted(test.address), test.port, test.node, test.cluster))
			report := check(t, dir)
			checkFindings(t, report)
			if notes := found(report, LevelNote); len(notes) > 0 {
				t.Errorf("notes: %q", notes)
			}
			n := report.Nodes[0].node
			service, domain := "10.96.0.1", "cluster.local"
			if test.service != "" {
				service = test.service
			}
			if test.domain != "" {
				domain = test.domain
			}
			if n.Name != test.node || n.Address.String() != test.address || n.Port != test.port || n.Endpoint != test.endpoint ||
				n.ServiceIP.String() != service || n.DNSDomain != domain || n.ExternalEtcd != test.external {
				t.Errorf("the files are taken for %+v", n)
			}
			checkReadOff(t, report.Nodes[0])
			compareExpirations(t, dir, report)
		})
	}
}

func quoted(text string) string { return fmt.Sprintf("%q", text) }

// checkReadOff has the settings that cluster init goes by where there are none
// say the same as the files.
func checkReadOff(t *testing.T, n *CheckedNode) {
	t.Helper()
	settings, known := SettingsFromFiles(n.Dir)
	resolved, err := settings.Resolve()
	if err != nil || !known {
		t.Fatalf("%+v (%t): %v", settings, known, err)
	}
	for _, e := range n.Entries {
		if list := e.found.Differences(resolved[0], n.issuer(e.found), time.Now()); len(list) > 0 {
			t.Errorf("%+v would repair what is right: %v", settings, list)
		}
	}
}

// compareExpirations compares ends with those that kubeadm lists; it reads no
// kubeconfigs but those of /etc/kubernetes.
func compareExpirations(t *testing.T, dir string, report *CheckReport) {
	t.Helper()
	out, err := exec.Command(kubeadmBinary(t), "certs", "check-expiration", "--cert-dir", filepath.Join(dir, "pki"), "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	type expiration struct {
		Name           string
		ExpirationDate time.Time
		Missing        bool
	}
	var list struct{ Certificates, CertificateAuthorities []expiration }
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	ends := map[string]time.Time{}
	for _, e := range report.Nodes[0].Entries {
		if e.NotAfter != nil {
			ends[strings.ReplaceAll(e.Name, "/", "-")] = *e.NotAfter
		}
	}
	compared := 0
	for _, e := range append(list.Certificates, list.CertificateAuthorities...) {
		if e.Missing {
			continue
		}
		compared++
		if !ends[e.Name].Equal(e.ExpirationDate) {
			t.Errorf("%s ends %s, kubeadm says %s", e.Name, ends[e.Name], e.ExpirationDate)
		}
	}
	want := 10
	if report.Nodes[0].node.ExternalEtcd {
		want = 5
	}
	if compared != want {
		t.Errorf("kubeadm lists %d, want %d: %s", compared, want, out)
	}
}

// pristine is a directory of kubeadm's that tests copy.
var pristine struct {
	sync.Once
	dir string
}

// copyOfKubeadms returns a cluster directory like the one that kubeadm has made.
func copyOfKubeadms(t *testing.T) string {
	t.Helper()
	pristine.Do(func() {
		dir, err := os.MkdirTemp("", "kubeadm-")
		if err != nil {
			t.Fatal(err)
		}
		kubeadmDir(t, dir, fmt.Sprintf(kubeadmConfig, "10.0.0.11", 6443, "cp-1",
			"encryptionAlgorithm: ECDSA-P256\ncontrolPlaneEndpoint: k8s.example.com:6443\napiServer: {certSANs: [api.example.com]}"))
		pristine.dir = dir
	})
	if pristine.dir == "" {
		t.Fatal("kubeadm did not make a directory")
	}
	dir := filepath.Join(t.TempDir(), "kubernetes")
	if out, err := exec.Command("cp", "-a", pristine.dir, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}
