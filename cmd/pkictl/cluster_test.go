package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// shared is one control plane for all tests that do not change it as a whole:
// each has namespaces and users with names of its own.
var shared struct {
	sync.Mutex
	cp  *cluster.ControlPlane
	dir string
}

// realCluster is a running control plane, seen by a test with a directory of
// its own.
type realCluster struct {
	userDir
	url     string // of the API server
	admin   string // path of a kubeconfig of group system:masters
	pki     string // path of the PKI directory with the cluster's CA
	kubectl string // path
}

// sharedCluster returns the control plane that tests share, and starts it for
// the first.
func sharedCluster(t *testing.T) realCluster {
	t.Helper()
	assets, kubectl := peers(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.cp == nil {
		dir, err := os.MkdirTemp(binDir, "cluster-")
		if err != nil {
			t.Fatal(err)
		}
		w := userDir{t, dir}
		w.pkictl("init-ca")
		shared.cp, shared.dir = w.startControlPlaneWith(assets, nil), dir
		w.pkictl("issue --cn kube-admin --group system:masters --kubeconfig admin.conf --server " + shared.cp.URL())
		// What the controllers make once is there before anybody looks.
		w.run(kubectl, "--kubeconfig", "admin.conf", "wait", "--for=create", "configmap/kube-root-ca.crt", "--namespace=default", "--timeout=60s")
	}
	return realCluster{
		userDir: newUserDir(t), url: shared.cp.URL(), kubectl: kubectl,
		admin: filepath.Join(shared.dir, "admin.conf"), pki: filepath.Join(shared.dir, "pki"),
	}
}

// ownCluster starts a control plane for one test, which changes it as a whole.
func ownCluster(t *testing.T) realCluster {
	t.Helper()
	assets, kubectl := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca")
	url := w.startControlPlane(assets).URL()
	w.pkictl("issue --cn kube-admin --group system:masters --kubeconfig admin.conf --server " + url)
	return realCluster{userDir: w, url: url, kubectl: kubectl, admin: filepath.Join(w.dir, "admin.conf"), pki: filepath.Join(w.dir, "pki")}
}

func stopSharedCluster() error {
	if shared.cp == nil {
		return nil
	}
	return shared.cp.Stop()
}

// as runs kubectl with a kubeconfig; no argument has a space in it.
func (c realCluster) as(kubeconfig, line string) string {
	c.t.Helper()
	return c.run(c.kubectl, append([]string{"--kubeconfig", kubeconfig}, strings.Fields(line)...)...)
}

// asAdmin runs kubectl as administrator.
func (c realCluster) asAdmin(line string) string {
	c.t.Helper()
	return c.as(c.admin, line)
}

func TestSharedCluster(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	if out := c.asAdmin("auth whoami -o jsonpath={.status.userInfo.username}"); out != "kube-admin" {
		t.Errorf("the administrator is %q", out)
	}
}
