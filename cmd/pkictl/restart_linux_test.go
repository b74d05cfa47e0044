package main_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// restartOptions restart all, as fast as a test wants it.
func (n *kubeadmNode) restartOptions(k *standIn, components ...string) cluster.RestartOptions {
	return cluster.RestartOptions{
		Dir: n.dir, Components: components, Timeout: 2 * time.Minute, FileCheck: time.Second, LogDir: k.logs, Now: time.Now(),
		Progress: func(step string) { n.t.Log(step) },
	}
}

var allStaticPods = []string{cluster.ComponentEtcd, cluster.ComponentAPIServer, cluster.ComponentControllerManager, cluster.ComponentScheduler}

// TestRestartStaticPods renews all certificates of a real control plane that
// runs from kubeadm's manifests, and restarts it as a whole.
func TestRestartStaticPods(t *testing.T) {
	t.Parallel()
	n := newKubeadmNode(t)
	foreign := filepath.Join(n.manifests, "foreign.txt")
	ok(t, os.WriteFile(foreign, []byte("no manifest\n"), 0o644))
	k := n.startKubelet()
	n.awaitHealthy(k)
	before := n.manifestsOf()
	k.started()

	n.renewAll()
	n.checkReload()
	result, err := cluster.RestartStaticPods(t.Context(), n.restartOptions(k, allStaticPods...))
	if err != nil {
		t.Fatalf("%v\nkube-apiserver:\n%s", err, k.logOf(cluster.ComponentAPIServer))
	}
	n.checkRestarted(result)
	if got := k.started(); got != "etcd kube-apiserver kube-controller-manager" {
		t.Errorf("started: %s", got)
	}
	if after := n.manifestsOf(); after != before {
		t.Errorf("the manifests were\n%sand are\n%s", before, after)
	}
	n.checkServes(n.ports[0], "etcd/server")
	n.checkServes(n.ports[3], "apiserver")
	n.asAdmin("create namespace after")
	n.asAdmin("wait --for=create serviceaccount/default --namespace=after --timeout=60s") // which the controller manager makes

	t.Run("interrupted", n.testInterrupted(k))
	t.Run("killed", n.testKilled(k))
	t.Run("does not come back", n.testDoesNotComeBack(k))
	if after := n.manifestsOf(); after != before {
		t.Errorf("in the end, the manifests were\n%sand are\n%s", before, after)
	}
}

// awaitHealthy waits for a control plane that was started, by restarting nothing.
func (n *kubeadmNode) awaitHealthy(k *standIn) {
	n.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if _, _, err := n.try(n.kubectl, "--kubeconfig", filepath.Join(n.dir, "super-admin.conf"), "get", "serviceaccount", "default"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("no control plane\netcd:\n%s\nkube-apiserver:\n%s\nkube-controller-manager:\n%s",
				k.logOf(cluster.ComponentEtcd), k.logOf(cluster.ComponentAPIServer), k.logOf(cluster.ComponentControllerManager))
		}
	}
}

// manifestsOf describes the files of the manifests, and what lies beside them.
func (n *kubeadmNode) manifestsOf() string {
	n.t.Helper()
	var all bytes.Buffer
	entries, err := os.ReadDir(n.manifests)
	ok(n.t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		ok(n.t, err)
		data, err := os.ReadFile(filepath.Join(n.manifests, entry.Name()))
		ok(n.t, err)
		stat := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&all, "%s %v %d:%d inode %d of %v, %x\n", entry.Name(), info.Mode(), stat.Uid, stat.Gid, stat.Ino, info.ModTime(), data)
	}
	if _, err := os.Lstat(n.manifests + "-restarting"); !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(&all, "manifests-restarting: %v\n", err)
	}
	return all.String()
}

func (n *kubeadmNode) checkRestarted(result *cluster.RestartResult) {
	n.t.Helper()
	var got []string
	for _, c := range result.Components {
		got = append(got, fmt.Sprintf("%s %s %s", c.Component, c.State, strings.TrimPrefix(c.Serves, n.dir+"/")))
	}
	want := "etcd restarted pki/etcd/server.crt, kube-apiserver restarted pki/apiserver.crt, kube-controller-manager restarted , kube-scheduler skipped "
	if strings.Join(got, ", ") != want {
		n.t.Errorf("the result is\n%s, want\n%s", strings.Join(got, ", "), want)
	}
}

// served returns the certificate that is served on a port.
func (n *kubeadmNode) served(port int) *x509.Certificate {
	n.t.Helper()
	certs, err := kubeclient.Served(n.t.Context(), kubeclient.Endpoint{Address: fmt.Sprintf("127.0.0.1:%d", port), Host: "127.0.0.1"}, 10*time.Second)
	ok(n.t, err)
	return certs[0]
}

func (n *kubeadmNode) inFile(name string) *x509.Certificate {
	n.t.Helper()
	cert, err := ca.ReadCertificate(filepath.Join(n.dir, "pki", name+".crt"))
	ok(n.t, err)
	return cert
}

func (n *kubeadmNode) checkServes(port int, name string) {
	n.t.Helper()
	if !n.served(port).Equal(n.inFile(name)) {
		n.t.Errorf("port %d does not serve %s", port, name)
	}
}

// checkReload checks what RestartOrder says of components that need no restart:
// they serve a renewed certificate by themselves.
func (n *kubeadmNode) checkReload() {
	n.t.Helper()
	n.checkServes(n.ports[0], "etcd/server") // at the very next handshake
	for deadline := time.Now().Add(2 * time.Minute); !n.served(n.ports[3]).Equal(n.inFile("apiserver")); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatal("kube-apiserver did not read its certificate again")
		}
	}
}

// testInterrupted has a Ctrl-C come while a manifest is away, and one while its
// component starts.
func (n *kubeadmNode) testInterrupted(k *standIn) func(*testing.T) {
	return func(t *testing.T) {
		for _, at := range in("away", "starting") {
			before := n.manifestsOf()
			ctx, cancel := context.WithCancel(t.Context())
			o := n.restartOptions(k, cluster.ComponentControllerManager, cluster.ComponentEtcd)
			if at == "away" {
				go func() {
					defer cancel()
					path := filepath.Join(n.manifests, "kube-controller-manager.yaml")
					for ctx.Err() == nil && exists(path) {
						time.Sleep(time.Millisecond)
					}
				}()
			} else {
				o.Progress = func(step string) {
					if strings.Contains(step, "its manifest is back") {
						cancel()
					}
				}
			}
			k.started()
			result, err := cluster.RestartStaticPods(ctx, o)
			cancel()
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "kube-controller-manager was interrupted; its manifest is back") {
				t.Errorf("%s: %v", at, err)
			}
			if result.Components[0].State != cluster.RestartInterrupted || result.Components[1].State != cluster.RestartUntouched {
				t.Errorf("%s: %+v", at, result)
			}
			if after := n.manifestsOf(); after != before {
				t.Errorf("%s: the manifests were\n%sand are\n%s", at, before, after)
			}
			// The kubelet starts it again all the same.
			for deadline := time.Now().Add(time.Minute); !strings.Contains(k.started(), cluster.ComponentControllerManager); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the controller manager was not started again")
				}
			}
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// testKilled kills a restart while the manifest is away: the component stays
// down, until the next restart.
func (n *kubeadmNode) testKilled(k *standIn) func(*testing.T) {
	return func(t *testing.T) {
		before := n.manifestsOf()
		aside := filepath.Join(n.manifests+"-restarting", "kube-controller-manager.yaml")
		for !exists(aside) { // it may be back before it is killed
			cmd := restartProgram(n.dir, cluster.ComponentControllerManager)
			ok(t, cmd.Start())
			for deadline := time.Now().Add(time.Minute); !exists(aside); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the manifest was not moved")
				}
			}
			ok(t, cmd.Process.Kill())
			_ = cmd.Wait() // killed
		}
		left, running, err := cluster.InterruptedRestarts(n.manifests)
		if len(left) != 1 || left[0] != aside || running || err != nil {
			t.Errorf("left are %q, %v, %v", left, running, err)
		}
		result, err := cluster.RestartStaticPods(t.Context(), n.restartOptions(k, cluster.ComponentControllerManager))
		if err != nil || strings.Join(result.PutBack, " ") != "kube-controller-manager.yaml" || result.Components[0].State != cluster.RestartDone {
			t.Errorf("%v, %+v", err, result)
		}
		if after := n.manifestsOf(); after != before {
			t.Errorf("the manifests were\n%sand are\n%s", before, after)
		}
	}
}

// testDoesNotComeBack gives the controller manager a flag that it does not know.
func (n *kubeadmNode) testDoesNotComeBack(k *standIn) func(*testing.T) {
	return func(t *testing.T) {
		path := filepath.Join(n.manifests, "kube-controller-manager.yaml")
		good, err := os.ReadFile(path)
		ok(t, err)
		info, err := os.Stat(path)
		ok(t, err)
		write := func(data []byte) { // in place, as editors do
			ok(t, os.WriteFile(path, data, 0o600))
			ok(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		}
		write(bytes.Replace(good, []byte("--leader-elect=false"), []byte("--no-such-flag=1"), 1))
		before := n.manifestsOf()
		o := n.restartOptions(k, cluster.ComponentControllerManager, cluster.ComponentEtcd)
		o.Timeout = 10 * time.Second
		result, err := cluster.RestartStaticPods(t.Context(), o)
		var failed *cluster.ComponentError
		if !errors.As(err, &failed) || failed.Component != cluster.ComponentControllerManager || !strings.Contains(strings.Join(failed.Tail, "\n"), "no-such-flag") {
			t.Errorf("%v", err)
		}
		if !strings.Contains(failure.HintOf(err), "its manifest is in its place") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%v\n%s", err, failure.HintOf(err))
		}
		if result.Components[0].State != cluster.RestartNotHealthy || result.Components[1].State != cluster.RestartUntouched {
			t.Errorf("%+v", result)
		}
		if after := n.manifestsOf(); after != before {
			t.Errorf("the manifests were\n%sand are\n%s", before, after)
		}
		if strings.Contains(k.started(), cluster.ComponentEtcd) {
			t.Error("etcd was restarted")
		}
		write(good)
		if _, err := cluster.RestartStaticPods(t.Context(), n.restartOptions(k, cluster.ComponentControllerManager)); err != nil {
			t.Errorf("mended, it does not come back: %v", err)
		}
	}
}
