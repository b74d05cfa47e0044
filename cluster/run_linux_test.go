package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// childVariable holds a victim in JSON. With it the test binary starts a
// control plane for TestControlPlane and waits to be killed.
const childVariable = "CLUSTER_TEST_VICTIM"

// victim is the part of Config that JSON can carry.
type victim struct {
	PKI, Dir string
	Assets   Assets
	Ports    Ports
}

func TestMain(m *testing.M) {
	if config := os.Getenv(childVariable); config != "" {
		fmt.Println(runVictim(config))
		select {} // until killed
	}
	code := m.Run()
	_ = os.RemoveAll(pristine.dir) // that tests have copied
	os.Exit(code)
}

// runVictim starts a control plane and returns the numbers of its processes.
func runVictim(encoded string) string {
	var v victim
	if err := json.Unmarshal([]byte(encoded), &v); err != nil {
		return err.Error()
	}
	cp, err := Start(context.Background(), Config{
		PKI: v.PKI, Dir: v.Dir, Assets: v.Assets, Ports: v.Ports, UnsafeNoFsync: true,
	})
	if err != nil {
		return err.Error()
	}
	pids := "started"
	for _, p := range cp.processes {
		pids += fmt.Sprintf(" %d", p.cmd.Process.Pid)
	}
	return pids
}

// The real thing: a control plane whose owner is killed leaves no process, and
// another one, complete this time, continues with its data and its ports.
func TestControlPlane(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pki := filepath.Join(dir, "pki")
	testPKI(t, pki)
	free, err := FreePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		PKI: pki, Dir: filepath.Join(dir, "run"), Assets: testAssets(t), UnsafeNoFsync: true,
		Ports: Ports{APIServer: free[0], Etcd: free[1], EtcdPeer: free[2]},
	}
	killOwner(t, cfg)

	cfg.ControllerManagerKubeconfig = testKubeconfig(t, pki, "controller-manager", free[0])
	cfg.Progress = func(step string, _ bool) { t.Log(step) }
	cp, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cp.Stop() })
	checkRunning(t, cp)
	checkWait(t, cp)
	checkStop(t, cp)
}

// killOwner starts a control plane in a process of its own, kills that, and
// waits until the components are gone.
func killOwner(t *testing.T, cfg Config) {
	t.Helper()
	encoded, err := json.Marshal(victim{PKI: cfg.PKI, Dir: cfg.Dir, Assets: cfg.Assets, Ports: cfg.Ports})
	if err != nil {
		t.Fatal(err)
	}
	var etcd, apiServer int
	said := runAndKill(t, string(encoded))
	if n, _ := fmt.Sscanf(said, "started %d %d", &etcd, &apiServer); n != 2 {
		t.Fatalf("the control plane did not start: %s", said)
	}
	for deadline := time.Now().Add(10 * time.Second); alive(etcd) || alive(apiServer); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left running: etcd %v, kube-apiserver %v", alive(etcd), alive(apiServer))
		}
	}
}

// runAndKill runs the test binary as the victim, kills it with SIGKILL when it
// has printed a line, and returns the line.
func runAndKill(t *testing.T, encoded string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+encoded)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Should this test die first, the victim dies too; see process.run.
	cmd.SysProcAttr = childAttributes()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it reports the kill, as it should
	return line
}

// alive says whether a thread of the process still runs. The process itself
// may stay as a zombie, for its new parent in a container seldom cares, and its
// first thread is one already while others hold the ports.
func alive(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			continue // ended since
		}
		_, state, _ := strings.Cut(string(stat), ") ")
		if !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X") {
			return true
		}
	}
	return false
}

func checkRunning(t *testing.T, cp *ControlPlane) {
	t.Helper()
	if want := fmt.Sprintf("https://127.0.0.1:%d", cp.Ports().APIServer); cp.URL() != want {
		t.Errorf("URL is %q, want %q", cp.URL(), want)
	}
	modes := map[string]os.FileMode{
		cp.cfg.Dir:                          0o700 | os.ModeDir,
		cp.Logs(ComponentEtcd):              0o600,
		cp.Logs(ComponentAPIServer):         0o600,
		cp.Logs(ComponentControllerManager): 0o600,
	}
	for path, want := range modes {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("%q has mode %v, want %v", path, info.Mode(), want)
		}
	}
}

// checkWait has Wait return for a done context and for a component that dies.
func checkWait(t *testing.T, cp *ControlPlane) {
	t.Helper()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cp.Wait(done); err != nil {
		t.Errorf("Wait with a done context: %v", err)
	}
	if err := cp.processes[2].cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	var failed *ComponentError
	if err := cp.Wait(t.Context()); !errors.As(err, &failed) || failed.Component != ComponentControllerManager {
		t.Errorf("Wait with a dead component: %v", err)
	}
}

func checkStop(t *testing.T, cp *ControlPlane) {
	t.Helper()
	for range 2 {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	}
	for _, p := range cp.processes {
		if !p.ended() {
			t.Errorf("%s is still running", p.name)
		}
	}
	if err := cp.Wait(t.Context()); err != nil {
		t.Errorf("Wait after Stop: %v", err)
	}
}

// The kernel kills a child when the thread that forked it ends
// (golang.org/issue/27505). The caller's thread must not matter.
func TestProcessOutlivesCallersThread(t *testing.T) {
	t.Parallel()
	for _, p := range startFromDyingThreads(t) {
		select {
		case <-p.done:
			t.Errorf("%s was killed with the thread: %v", p.name, p.err)
		case <-time.After(200 * time.Millisecond):
		}
		if err := p.stop(stopGrace); err != nil {
			t.Error(err)
		}
	}
}

// startFromDyingThreads starts processes from goroutines whose threads end
// with them. Go never ends the main thread, so one goroutine could prove
// nothing; of two that hold their threads at the same time, one thread ends.
func startFromDyingThreads(t *testing.T) []*process {
	t.Helper()
	const callers = 2
	processes := make([]*process, callers)
	errs := make([]error, callers)
	var locked, ended sync.WaitGroup
	locked.Add(callers)
	for i := range callers {
		c := component{name: fmt.Sprintf("sleeper-%d", i), binary: testScript(t, "echo up; exec sleep 60")}
		log := filepath.Join(t.TempDir(), "log")
		ended.Go(func() {
			runtime.LockOSThread() // never unlocked: so Go ends the thread
			locked.Done()
			locked.Wait()
			processes[i], errs[i] = startProcess(c, log)
			waitForLog(t.Context(), log)
		})
	}
	ended.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return processes
}
