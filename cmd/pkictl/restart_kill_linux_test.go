package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// schedulerManifest is as little as the kubelet takes.
const schedulerManifest = `apiVersion: v1
kind: Pod
metadata: {name: kube-scheduler, namespace: kube-system}
spec:
  containers:
  - name: kube-scheduler
    command: [kube-scheduler, --bind-address=127.0.0.1, --secure-port=%d]
`

// restartProgram returns a run of the test binary that restarts a component of a
// cluster directory.
func restartProgram(dir, component string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], component)
	cmd.Dir = dir
	cmd.Env = []string{restartVariable + "=" + dir}
	return cmd
}

// TestRestartBrokenAtEverySystemCall kills a restart before every one of its
// system calls that change anything, and has each of them fail: no manifest is
// ever lost, and what follows puts it back.
func TestRestartBrokenAtEverySystemCall(t *testing.T) {
	t.Parallel()
	ports, err := cluster.FreePorts(1)
	ok(t, err)
	manifest := fmt.Sprintf(schedulerManifest, ports[0])
	for name, fault := range map[string]syscall.Errno{"killed": killed, "EIO": syscall.EIO, "EIO, and happened": syscall.EIO | happened} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			away, n := 0, 1
			for ; breakRestart(t, manifest, n, fault, &away); n++ {
			}
			t.Logf("%d calls, away after %d", n-1, away)
			if n < 4 || fault == killed && away < 3 {
				t.Errorf("broken at %d calls, the manifest was away %d times: that misses the point", n-1, away)
			}
		})
	}
}

// breakRestart breaks a restart at its nth system call, and checks that it is
// recovered from. It says whether there was such a call.
func breakRestart(t *testing.T, manifest string, n int, fault syscall.Errno, away *int) bool {
	t.Helper()
	dir := t.TempDir()
	manifests := filepath.Join(dir, "manifests")
	ok(t, os.Mkdir(manifests, 0o700))
	path, aside := filepath.Join(manifests, "kube-scheduler.yaml"), filepath.Join(manifests+"-restarting", "kube-scheduler.yaml")
	ok(t, os.WriteFile(path, []byte(manifest), 0o640))
	before, err := os.Stat(path)
	ok(t, err)
	_, reached := breakAt(t, restartProgram(dir, cluster.ComponentScheduler), n, fault)

	_, pathErr := os.Stat(path)
	_, asideErr := os.Stat(aside)
	if (pathErr == nil) == (asideErr == nil) {
		t.Errorf("at %d: in its place: %v; aside: %v", n, pathErr, asideErr)
	}
	left, running, err := cluster.InterruptedRestarts(manifests)
	if err != nil || running || (len(left) == 1) != (asideErr == nil) {
		t.Errorf("at %d: left are %q, %v, %v", n, left, running, err)
	}
	*away += len(left)
	if n%2 == 0 {
		ok(t, restartProgram(dir, cluster.ComponentScheduler).Run())
	} else {
		names, err := cluster.PutManifestsBack(t.Context(), manifests, nil)
		if err != nil || len(names) != len(left) {
			t.Errorf("at %d: put back %q, %v", n, names, err)
		}
	}
	got, err := os.ReadFile(path)
	ok(t, err)
	after, err := os.Stat(path)
	ok(t, err)
	if string(got) != manifest || !os.SameFile(before, after) || before.Mode() != after.Mode() {
		t.Errorf("at %d: the manifest is %v\n%s", n, after.Mode(), got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("at %d: left are %v, %v", n, entries, err)
	}
	ok(t, os.RemoveAll(dir))
	return reached
}
