package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

// kubectl runs it in a workspace.
func kubectl(w *lab.Workspace, args ...string) (string, error) {
	path, err := filepath.Abs("../tools/bin/kubectl")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = w.Dir
	cmd.Env = []string{"KUBECONFIG=admin.conf", "HOME=" + filepath.Join(w.Dir, "..")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func wantKubectl(t *testing.T, w *lab.Workspace, want string, args ...string) {
	t.Helper()
	if out, err := kubectl(w, args...); err != nil || !strings.Contains(out, want) {
		t.Errorf("kubectl %s: %v\n%s\nwant %q", strings.Join(args, " "), err, out, want)
	}
}

func wantKubectlFails(t *testing.T, w *lab.Workspace, want string, args ...string) {
	t.Helper()
	if out, err := kubectl(w, args...); err == nil || !strings.Contains(out, want) {
		t.Errorf("kubectl %s: %v\n%s\nwant %q", strings.Join(args, " "), err, out, want)
	}
}

// running lists the processes that have a directory in their command line.
func running(t *testing.T, dir string) []int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range lines {
		data, err := os.ReadFile(path)
		var pid int
		if err == nil && bytes.Contains(data, []byte(dir+"/")) {
			if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func wantNothingRuns(t *testing.T, dir string) {
	t.Helper()
	if pids := running(t, dir); len(pids) > 0 {
		t.Errorf("processes %v run", pids)
	}
}

func startCluster(t *testing.T, l *lab.Lab, root string) *lab.Workspace {
	t.Helper()
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	w, err := lab.Start(t.Context(), lab.StartOptions{Lab: l, Root: root, Now: time.Now(), Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, w)
	return w
}

// TestCluster: a lab's cluster has what the lab says, is stopped and goes on with its
// data, survives the end of its keeper, and begins anew.
func TestCluster(t *testing.T) {
	t.Parallel()
	root, l := t.TempDir(), readClusterLab(t, clusterObjects)
	limitClusters(t, l)
	w := startCluster(t, l, root)
	if _, err := w.Check(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	if w.Touched() {
		t.Error("it is touched")
	}
	stamp := w.Stamp()

	wantKubectl(t, w, "web", "get", "pods", "-n", "shop")
	wantKubectl(t, w, "automountServiceAccountToken: false", "get", "serviceaccount", "default", "-n", "shop", "-o", "yaml")
	wantKubectl(t, w, "yes", "auth", "can-i", "*", "*")
	wantKubectl(t, w, "web", "--kubeconfig", "kube/jane.conf", "get", "pods") // in its namespace
	wantKubectl(t, w, "c", "--kubeconfig", "kube/jane.conf", "config", "get-contexts", "-o", "name")
	wantKubectlFails(t, w, "Forbidden", "--kubeconfig", "kube/jane.conf", "get", "secrets")
	wantKubectlFails(t, w, "logged in", "--kubeconfig", "old.conf", "get", "pods")
	wantKubectlFails(t, w, "unknown authority", "--kubeconfig", "distrusts.conf", "get", "pods")
	wantKubectlFails(t, w, "logged in", "--kubeconfig", "stranger.conf", "get", "pods")
	wantKubectlFails(t, w, "refused", "--kubeconfig", "nowhere.conf", "get", "pods")
	port, err := kubectl(w, "get", "service", "hook", "-o", "jsonpath={.spec.ports[0].port}")
	if err != nil || port == "" {
		t.Errorf("%q %v", port, err)
	}
	wantKubectl(t, w, "created", "create", "configmap", "mine")
	admin, err := os.ReadFile(filepath.Join(w.Dir, "admin.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if w.Stamp() != stamp {
		t.Error("what the cluster writes changes the stamp")
	}

	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothingRuns(t, root)
	wantPortRefused(t, w, l, root)
	if _, err := w.Check(t.Context(), time.Now()); err == nil || !strings.Contains(failure.HintOf(err), "start the lab again") {
		t.Errorf("%v, hint %q", err, failure.HintOf(err))
	}
	if w = startCluster(t, l, root); !w.Resumed {
		t.Error("it is not resumed")
	}
	wantKubectl(t, w, "mine", "get", "configmap", "mine")
	if again, err := os.ReadFile(filepath.Join(w.Dir, "admin.conf")); err != nil || !bytes.Equal(admin, again) {
		t.Error("the kubeconfig has changed")
	}

	// Also one that runs though its lab was never completed, as a kill leaves it, can be
	// ended.
	mark := filepath.Join(w.Dir, ".pkictl-lab.json")
	whole, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	write(t, mark, strings.Replace(string(whole), "{", `{"unfinished": true,`, 1))
	if dir, err := lab.StopLab(t.Context(), root, l); err != nil || dir != w.Dir {
		t.Errorf("%q %v", dir, err)
	}
	wantNothingRuns(t, root)
	write(t, mark, string(whole))
	w = startCluster(t, l, root)

	killKeeper(t, w)
	if w = startCluster(t, l, root); !w.Resumed {
		t.Error("it is not resumed")
	}
	wantKubectl(t, w, "mine", "get", "configmap", "mine")

	write(t, filepath.Join(w.Dir, "work"), "mine")
	moved, err := w.Reset(t.Context(), time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(moved, "cluster")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old cluster was kept: %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(moved, "work")); err != nil || string(data) != "mine" {
		t.Errorf("%q %v", data, err)
	}
	wantKubectlFails(t, w, "NotFound", "get", "configmap", "mine")
	wantKubectl(t, w, "web", "get", "pods", "-n", "shop")
}

// killKeeper kills the process that runs the cluster, and waits until all is gone.
func killKeeper(t *testing.T, w *lab.Workspace) {
	t.Helper()
	status, err := cluster.ReadStatus(t.Context(), filepath.Join(w.Dir, "cluster"))
	if err != nil || status.Keeper == nil {
		t.Fatalf("%+v %v", status, err)
	}
	if err := syscall.Kill(status.Keeper.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, err := w.Check(t.Context(), time.Now())
		if err != nil && strings.Contains(failure.HintOf(err), "start the lab again") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the keeper was killed, and the check says %v", err)
		}
	}
}

// TestClusterFails: a start that fails or is interrupted leaves nothing running, and
// the next one begins the lab properly.
func TestClusterFails(t *testing.T) {
	t.Parallel()
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	broken := readClusterLab(t, strings.Replace(clusterObjects, "containers:", "container:", 1))
	limitClusters(t, broken)
	_, err = lab.Start(t.Context(), lab.StartOptions{Lab: broken, Root: root, Now: time.Now(), Machine: m})
	if err == nil || !strings.Contains(err.Error(), "Pod shop/web of cluster/objects.yaml") || !strings.Contains(err.Error(), "container") {
		t.Errorf("%v", err)
	}
	wantNothingRuns(t, root)
	if _, err := lab.OpenWorkspace(root, broken, m); err == nil {
		t.Error("it can be opened")
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	good := readClusterLab(t, clusterObjects)
	_, err = lab.Start(ctx, lab.StartOptions{Lab: good, Root: root, Now: time.Now(), Machine: m, Progress: func(step string, done bool) {
		if strings.Contains(step, "kube-apiserver") && !done {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	wantNothingRuns(t, root)

	noProgram := *m
	noProgram.Assets.Etcd = "/bin/false"
	_, err = lab.Start(t.Context(), lab.StartOptions{Lab: good, Root: root, Now: time.Now(), Machine: &noProgram})
	var component *cluster.ComponentError
	if !errors.As(err, &component) || component.Component != cluster.ComponentEtcd {
		t.Errorf("%v", err)
	}
	wantNothingRuns(t, root)
	w := startCluster(t, good, root)
	if w.Resumed {
		t.Error("it was resumed")
	}
	wantKubectl(t, w, "web", "get", "pods", "-n", "shop")
}
