package cluster

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// checkableUp makes a cluster directory, and returns the options to run it with
// binaries that nobody has started yet.
func checkableUp(t *testing.T, settings Settings) UpOptions {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kubernetes")
	if settings.Nodes == nil {
		settings.Nodes = []NodeSettings{{Name: "cp-1", Address: "10.0.0.10"}}
	}
	if _, err := Init(t.Context(), InitOptions{Dir: dir, Settings: settings, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return UpOptions{Dir: dir, Now: time.Now(), Assets: Assets{Etcd: "/e", APIServer: "/a", ControllerManager: "/c"}}
}

// TestCheckUp: what would keep a component from running is said before any is
// started, with the name of the file.
func TestCheckUp(t *testing.T) {
	t.Parallel()
	good, other := checkableUp(t, Settings{}), checkableUp(t, Settings{})
	from := func(path string) func(*testing.T, string) { // the file of another cluster
		return func(t *testing.T, dir string) { testCopy(t, filepath.Join(other.Dir, path), filepath.Join(dir, path)) }
	}
	swap := func(source, path string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { testCopy(t, filepath.Join(dir, source), filepath.Join(dir, path)) }
	}
	gone := func(paths ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, path := range paths {
				if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	const init, check = "pkictl cluster init", "pkictl cluster check"
	for _, tt := range []struct {
		name       string
		spoil      func(t *testing.T, dir string)
		change     func(o *UpOptions)
		says, hint string // empty: it is right
	}{
		{name: "as it is made"},
		{name: "no optional parts", spoil: gone("admin.conf", "super-admin.conf", "kubelet.conf", "scheduler.conf", "pki/front-proxy-ca.crt", "pki/front-proxy-ca.key",
			"pki/front-proxy-client.crt", "pki/front-proxy-client.key", "pki/etcd/peer.crt", "pki/etcd/peer.key", "pki/etcd/healthcheck-client.crt",
			"pki/apiserver-kubelet-client.crt", "pki/apiserver-kubelet-client.key")},
		{name: "no keys of CAs", spoil: gone("pki/ca.key", "pki/front-proxy-ca.key", "pki/etcd/ca.key")},
		{name: "nothing there", spoil: gone("pki"), says: "there is no PKI in", hint: init},
		{name: "no CA", spoil: gone("pki/ca.crt"), says: `pki/ca.crt" is missing`, hint: init},
		{name: "no certificate", spoil: gone("pki/apiserver.crt"), says: `pki/apiserver.crt" is missing`, hint: init},
		{name: "no key", spoil: gone("pki/etcd/server.key"), says: `pki/etcd/server.key" is missing`, hint: init},
		{name: "half an optional pair", spoil: gone("pki/etcd/peer.key"), says: `pki/etcd/peer.key" is missing`, hint: init},
		{name: "no etcd", spoil: gone("pki/etcd"), says: `pki/etcd/ca.crt" is missing`, hint: init},
		{name: "no sa.pub", spoil: gone("pki/sa.pub"), says: `pki/sa.pub" is missing`, hint: init},
		{name: "no controller-manager.conf", spoil: gone("controller-manager.conf"), says: `controller-manager.conf" is missing`, hint: init},
		{name: "none needed", spoil: gone("controller-manager.conf"), change: func(o *UpOptions) { o.WithoutControllerManager = true }},
		{name: "key of another", spoil: swap("pki/apiserver.key", "pki/apiserver-etcd-client.key"), says: `apiserver-etcd-client.key" does not belong to`, hint: check},
		{name: "CA's key of another", spoil: from("pki/ca.key"), says: `pki/ca.key" does not belong to`, hint: check},
		{name: "sa.pub of another", spoil: from("pki/sa.pub"), says: `sa.key" does not belong to`, hint: check},
		{name: "certificate by another CA", spoil: func(t *testing.T, dir string) {
			from("pki/etcd/server.crt")(t, dir)
			from("pki/etcd/server.key")(t, dir)
		},
			says: `etcd/server.crt" is not by the CA`, hint: check},
		{name: "CA of another", spoil: func(t *testing.T, dir string) { from("pki/ca.crt")(t, dir); from("pki/ca.key")(t, dir) },
			says: `apiserver.crt" is not by the CA`, hint: check},
		{name: "client's certificate for a server", spoil: func(t *testing.T, dir string) {
			swap("pki/apiserver-kubelet-client.crt", "pki/apiserver.crt")(t, dir)
			swap("pki/apiserver-kubelet-client.key", "pki/apiserver.key")(t, dir)
		}, says: `apiserver.crt" is of no use for a server`, hint: check},
		{name: "kubeconfig of another", spoil: from("controller-manager.conf"), says: `controller-manager.conf" is not by the CA`, hint: check},
		{name: "damaged kubeconfig", spoil: func(t *testing.T, dir string) { testWrite(t, filepath.Join(dir, "admin.conf"), []byte("noise")) },
			says: `admin.conf" is not a kubeconfig`},
		{name: "damaged certificate", spoil: func(t *testing.T, dir string) { testWrite(t, filepath.Join(dir, "pki/ca.crt"), []byte("noise")) },
			says: `pki/ca.crt`},
		{name: "expired", change: func(o *UpOptions) { o.Now = o.Now.AddDate(2, 0, 0) }, says: `pki/apiserver.crt" cannot be used: expired on`, hint: "pkictl cluster renew"},
		{name: "CA expired", change: func(o *UpOptions) { o.Now = o.Now.AddDate(20, 0, 0) }, says: `pki/ca.crt" cannot be used: expired on`, hint: "again"},
		{name: "clock before", change: func(o *UpOptions) { o.Now = o.Now.AddDate(-1, 0, 0) }, says: `pki/ca.crt" cannot be used: not yet valid`, hint: "clock"},
		{name: "no controller manager", change: func(o *UpOptions) { o.Assets.ControllerManager = "" }, says: "kube-controller-manager not found", hint: "--without-controller-manager"},
		{name: "a port twice", change: func(o *UpOptions) { o.Ports = Ports{Etcd: 2379, APIServer: 2379} }, says: "port 2379 is meant for both etcd and kube-apiserver", hint: "its own"},
		{name: "damaged settings", spoil: func(t *testing.T, dir string) { testWrite(t, filepath.Join(dir, "cluster.yaml"), []byte("a: b\n")) }, says: "cluster.yaml"},
		{name: "data of another CA", spoil: func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "run", "etcd"), 0o700); err != nil {
				t.Fatal(err)
			}
			testWrite(t, filepath.Join(dir, "run", "etcd-ca"), []byte("another\n"))
		}, says: "is of a cluster with another CA", hint: "pkictl cluster down --delete-data"},
		{name: "no data of another CA", spoil: func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "run"), 0o700); err != nil {
				t.Fatal(err)
			}
			testWrite(t, filepath.Join(dir, "run", "etcd-ca"), []byte("another\n"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := good
			o.Dir = filepath.Join(t.TempDir(), "kubernetes")
			if out, err := exec.Command("cp", "-a", good.Dir, o.Dir).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			if tt.spoil != nil {
				tt.spoil(t, o.Dir)
			}
			if tt.change != nil {
				tt.change(&o)
			}
			err := CheckUp(o)
			if tt.says == "" {
				if err != nil {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(failure.HintOf(err), tt.hint) {
				t.Errorf("%v\nhint: %s\nwant %q and %q", err, failure.HintOf(err), tt.says, tt.hint)
			}
		})
	}
}

// TestCheckUpPlaces: several nodes, external etcd, a port that is taken.
func TestCheckUpPlaces(t *testing.T) {
	t.Parallel()
	o := checkableUp(t, Settings{ServiceCIDR: "10.50.0.0/16", Endpoint: "api.example.com", Nodes: []NodeSettings{{Name: "cp-1", Address: "10.0.0.11"}, {Name: "cp-2", Address: "10.0.0.12"}}})
	if err := CheckUp(o); err == nil || !strings.Contains(err.Error(), "of 2 nodes") || !strings.Contains(failure.HintOf(err), "--dir "+filepath.Join(o.Dir, "cp-1")) {
		t.Errorf("%v, hint %q", err, failure.HintOf(err))
	}
	o.Dir = filepath.Join(o.Dir, "cp-2")
	p, err := newPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	if p.services != "10.50.0.0/16" || p.serverName != "kubernetes" {
		t.Errorf("services %q, server name %q", p.services, p.serverName)
	}

	l, err := net.Listen("tcp4", address(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o.Ports.ControllerManager = l.Addr().(*net.TCPAddr).Port
	err = CheckUp(o)
	if err == nil || !strings.Contains(err.Error(), portString(o.Ports.ControllerManager)+" on 127.0.0.1, meant for kube-controller-manager, cannot be used: address already in use") ||
		!strings.Contains(failure.HintOf(err), "--port auto") {
		t.Errorf("%v, hint %q", err, failure.HintOf(err))
	}
	o.WithoutControllerManager = true
	if err := CheckUp(o); err != nil {
		t.Errorf("a port that is not needed: %v", err)
	}

	external := checkableUp(t, Settings{ExternalEtcd: true})
	if err := CheckUp(external); err == nil || !strings.Contains(err.Error(), "runs elsewhere") {
		t.Errorf("external etcd: %v", err)
	}
}

func testCopy(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	testWrite(t, to, data)
}
