package cluster

import (
	"bytes"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	corev1 "k8s.io/api/core/v1"
)

// runOn runs a control plane on a cluster directory, on ports of its own.
func runOn(t *testing.T, dir string) *ControlPlane {
	t.Helper()
	free, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(filepath.Join(dir, nameControllerManager))
	if err != nil {
		t.Fatal(err)
	}
	config.Clusters[DefaultName].Server = httpsURL(free[0])
	config.Clusters[DefaultName].TLSServerName = "kubernetes"
	local := filepath.Join(t.TempDir(), "controller-manager.conf")
	if err := clientcmd.WriteToFile(*config, local); err != nil {
		t.Fatal(err)
	}
	cp, err := Start(t.Context(), Config{
		PKI: PKIDir(dir), Dir: filepath.Join(t.TempDir(), "run"), Assets: testAssets(t), UnsafeNoFsync: true,
		ControllerManagerKubeconfig: local, Ports: Ports{APIServer: free[0]},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cp.Stop() })
	return cp
}

// waitForRootCA waits until the controller manager has handed out the CA.
func waitForRootCA(t *testing.T, dir, server string) {
	t.Helper()
	c := &checker{o: CheckOptions{Servers: []string{server}, Timeout: 10 * time.Second}, dir: dir, report: &CheckReport{}}
	n, err := NodeFromFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	node := &CheckedNode{Dir: dir, node: n}
	c.report.Nodes = []*CheckedNode{node}
	c.checkFiles(node)
	client, err := c.client(node, NameSuperAdmin)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := client.Get(t.Context(), pathRootCA, &corev1.ConfigMap{})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestCheckLive(t *testing.T) {
	t.Parallel()
	s := spoiled{t, copyOfKubeadms(t)}
	s.resign(nameAPIServer, nil, func(c *x509.Certificate) { c.IPAddresses = append(c.IPAddresses, net.ParseIP(loopback)) })
	cp := runOn(t, s.dir)
	server, etcd := address(cp.Ports().APIServer), address(cp.Ports().Etcd)
	waitForRootCA(t, s.dir, server)
	controllerManager := address(cp.Ports().ControllerManager)
	live := func(o *CheckOptions) {
		// The controller manager shows what kubelets do: a certificate of its own.
		o.Live, o.Servers, o.Etcd, o.Kubelets = true, []string{server}, []string{etcd}, []string{controllerManager}
	}

	report := check(t, s.dir, live)
	checkFindings(t, report)
	if notes := found(report, LevelNote); !slices.Equal(notes, []string{"served"}) {
		t.Errorf("notes: %q", notes)
	}
	checkServers(t, report)
	if data, err := report.Metrics(); err != nil || !bytes.Contains(data, []byte(`pkictl_cluster_served_not_after_seconds{address="`+etcd+`",component="etcd",node="cp-1"`)) {
		t.Errorf("%v\n%s", err, data)
	}

	t.Run("drift", func(t *testing.T) {
		s := spoiled{t, s.copy(t)}
		s.resign(nameAPIServer, s.newKey(), nil)
		report := check(t, s.dir, live)
		checkFindings(t, report, "apiserver served")
		if hint := report.Findings[0].Hint; !strings.Contains(hint, "restart kube-apiserver") && !strings.Contains(report.Findings[1].Hint, "restart kube-apiserver") {
			t.Errorf("%+v", report.Findings)
		}
	})
	t.Run("etcd's clients by another CA", func(t *testing.T) {
		s := spoiled{t, s.copy(t)}
		cert, key := s.otherCA(NameEtcdCA)
		s.resignBy(nameEtcdHealth, nil, cert, key, nil)
		checkFindings(t, check(t, s.dir, live), "etcd/healthcheck-client CA", "etcd/server served")
	})
	t.Run("another cluster", func(t *testing.T) {
		s := spoiled{t, filepath.Join(t.TempDir(), "other")}
		settings := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}}
		if _, err := Init(t.Context(), InitOptions{Dir: s.dir, Settings: settings, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
		report := check(t, s.dir, live)
		checkFindings(t, report, "apiserver served", "etcd/server served")
		if notes := found(report, LevelNote); !slices.Equal(notes, []string{"ca trust", "served"}) {
			t.Errorf("notes: %q", notes)
		}
	})
	t.Run("CA that the cluster hands out", func(t *testing.T) {
		s := spoiled{t, s.copy(t)}
		cert, _ := s.otherCA(NameCA)
		s.write("pki/ca.crt", append(s.read("pki/ca.crt"), certPEM(cert)...))
		checkFindings(t, check(t, s.dir, live), "ca trust")
	})
	t.Run("nobody answers", func(t *testing.T) {
		free, err := FreePorts(2)
		if err != nil {
			t.Fatal(err)
		}
		report := check(t, s.dir, live, func(o *CheckOptions) { o.Servers, o.Etcd = []string{address(free[0])}, []string{address(free[1])} })
		checkFindings(t, report, "apiserver served", "etcd/server served")
		for _, f := range report.Findings[:1] {
			if !strings.Contains(f.Found, "connection refused") {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("no address", func(t *testing.T) {
		for _, wrong := range []string{"10.0.0.1", ":6443", "x:0", "x:y", "https://x:6443/"} {
			if _, err := Check(t.Context(), CheckOptions{Dir: s.dir, Live: true, Servers: []string{wrong}, Timeout: time.Second, Now: time.Now()}); err == nil {
				t.Errorf("%q is taken", wrong)
			}
		}
	})
}

// copy returns another cluster directory with the same files.
func (s spoiled) copy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kubernetes")
	if err := os.MkdirAll(filepath.Join(dir, "pki", "etcd"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, e := range Layout() {
		for _, path := range e.Paths(s.dir) {
			name, err := filepath.Rel(s.dir, path)
			s.do(err)
			testWrite(t, filepath.Join(dir, name), s.read(name))
		}
	}
	return dir
}

func checkServers(t *testing.T, report *CheckReport) {
	t.Helper()
	servers := report.Nodes[0].Servers
	if len(servers) != 3 {
		t.Fatalf("%+v", servers)
	}
	for i, want := range []string{ComponentAPIServer, ComponentEtcd, "kubelet"} {
		if s := servers[i]; s.Component != want || s.NotAfter == nil || s.Current != (i < 2) {
			t.Errorf("%+v", s)
		}
	}
}
