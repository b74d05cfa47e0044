package lab_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkictl/pkictl/lab"
)

// TestClusterStartKilled: wherever the process is killed that starts a lab, the next
// one begins it properly, and nothing runs that nobody knows.
func TestClusterStartKilled(t *testing.T) {
	t.Parallel()
	root, l := t.TempDir(), readClusterLab(t, clusterObjects)
	limitClusters(t, l)
	if _, err := machine(); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"the certificates", "starting kube-apiserver", "the bindings kubeadm"} {
		cmd := childCommand(t, "start", root, filepath.Join(programs, "pkictl"))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, seen := bufio.NewScanner(out), false
		for !seen && lines.Scan() {
			seen = strings.Contains(lines.Text(), at)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if !seen {
			t.Fatalf("%q was never said", at)
		}
		if _, err := lab.OpenWorkspace(root, l, nil); err == nil {
			t.Error("it can be opened")
		}
	}
	w := startCluster(t, l, root)
	if w.Resumed {
		t.Error("it was resumed")
	}
	wantKubectl(t, w, "web", "get", "pods", "-n", "shop")
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothingRuns(t, root)
}

// TestClusterStartAtOnce: of two that start a lab with a cluster one makes it; and
// without its directory the cluster ends by itself.
func TestClusterStartAtOnce(t *testing.T) {
	t.Parallel()
	root, l := t.TempDir(), readClusterLab(t, clusterObjects)
	limitClusters(t, l)
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	var resumed [2]bool
	var w *lab.Workspace
	var wait sync.WaitGroup
	for i := range resumed {
		wait.Go(func() {
			started, err := lab.Start(t.Context(), lab.StartOptions{Lab: l, Root: root, Now: time.Now(), Machine: m})
			if err != nil {
				t.Error(err)
				return
			}
			if resumed[i] = started.Resumed; !resumed[i] {
				w = started
			}
		})
	}
	wait.Wait()
	if w == nil || resumed[0] == resumed[1] {
		t.Fatalf("resumed %v", resumed)
	}
	stopAfter(t, w)
	wantKubectl(t, w, "web", "get", "pods", "-n", "shop")
	if err := os.Rename(w.Dir, w.Dir+"-moved"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(running(t, root)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("processes %v run", running(t, root))
		}
	}
}
