package cluster

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// stranger is a process that Up has not started.
func stranger(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "300")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// testRun is a run directory with that state.
func testRun(t *testing.T, s state) (dir string, run runDir) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "kubernetes")
	run = runDirOf(dir)
	if err := run.make(); err != nil {
		t.Fatal(err)
	}
	lock, err := run.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := run.write(s); err != nil {
		t.Fatal(err)
	}
	return dir, run
}

// TestDownSparesStrangers: whoever got the number of a process is not that.
func TestDownSparesStrangers(t *testing.T) {
	t.Parallel()
	other := stranger(t)
	reused := identity{PID: other.Process.Pid, Began: bootID() + " 1"}
	s := state{Owner: reused, Phase: phaseReady, Processes: []started{{Name: ComponentEtcd, ID: reused}, {Name: ComponentAPIServer, ID: identity{PID: -1}}}}

	dir, run := testRun(t, s)
	result, err := Down(t.Context(), DownOptions{Dir: dir})
	if err != nil || len(result.Ended) != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if left, err := run.read(); left != nil || err != nil {
		t.Errorf("the state is left: %+v, %v", left, err)
	}

	// Somebody runs a control plane, and the state does not say who.
	dir, run = testRun(t, s)
	lock, err := run.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := Down(t.Context(), DownOptions{Dir: dir}); err == nil || !strings.Contains(err.Error(), "does not say which; nothing was changed") || failure.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if _, err := Existing(t.Context(), UpOptions{Dir: dir}, false); err == nil || !strings.Contains(err.Error(), "does not say which") {
		t.Errorf("%v", err)
	}
	if !identify(other.Process.Pid).alive() {
		t.Error("the stranger was killed")
	}
}

// TestDownEndsWhatIsLeft: components of an owner that was killed are ended, where
// the system does not do so.
func TestDownEndsWhatIsLeft(t *testing.T) {
	t.Parallel()
	left := stranger(t)
	done := make(chan struct{})
	go func() { _ = left.Wait(); close(done) }()
	dir, run := testRun(t, state{Owner: identity{PID: -1}, Phase: phaseReady, Processes: []started{{Name: ComponentEtcd, ID: identify(left.Process.Pid)}}})
	status, err := ReadStatus(t.Context(), dir)
	if err != nil || status.State != RunKilled {
		t.Errorf("%+v, %v", status, err)
	}
	dry, err := Down(t.Context(), DownOptions{Dir: dir, DryRun: true})
	if err != nil || len(dry.Ended) != 1 {
		t.Errorf("%+v, %v", dry, err)
	}
	if !identify(left.Process.Pid).alive() {
		t.Error("--dry-run has ended it")
	}
	result, err := Down(t.Context(), DownOptions{Dir: dir})
	if err != nil || len(result.Ended) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it still runs")
	}
	if s, err := run.read(); s != nil || err != nil {
		t.Errorf("the state is left: %+v, %v", s, err)
	}
}

// TestDownInterrupted: who does not wait for the end of a control plane does not
// kill it.
func TestDownInterrupted(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `trap 'echo told' TERM; echo ready; while :; do sleep 0.05; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	id := identify(cmd.Process.Pid)
	p, found := id.find()
	if !found {
		t.Fatal("it is not there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- end(ctx, p, id, time.Minute) }()
	if !lines.Scan() { // it was told
		t.Fatal(lines.Err())
	}
	cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "does so by itself") || failure.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if !id.alive() {
		t.Error("it was killed")
	}
}

// TestDownWithDamagedState: nothing runs, so nothing is lost.
func TestDownWithDamagedState(t *testing.T) {
	t.Parallel()
	dir, run := testRun(t, state{})
	testWrite(t, run.path(runState), []byte("{"))
	if _, err := ReadStatus(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("%v", err)
	}
	for range 2 {
		result, err := Down(t.Context(), DownOptions{Dir: dir})
		if err != nil || len(result.Ended) != 0 {
			t.Errorf("%+v, %v", result, err)
		}
	}
	if _, err := os.Stat(run.path(runState)); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
}

// TestStatusOfAnotherVersion: what another version has written, or somebody has
// edited, is shown as far as it is understood.
func TestStatusOfAnotherVersion(t *testing.T) {
	t.Parallel()
	o := checkableUp(t, Settings{})
	run := runDirOf(o.Dir)
	if err := run.make(); err != nil {
		t.Fatal(err)
	}
	if err := run.write(state{Phase: phaseFailed, Options: o, Processes: []started{{Name: "kube-dns", ID: identify(stranger(t).Process.Pid)}}}); err != nil {
		t.Fatal(err)
	}
	status, err := ReadStatus(t.Context(), o.Dir)
	if err != nil || status.State != RunKilled || status.Components[0].Problem != "there is no such component" {
		t.Errorf("%+v, %v", status, err)
	}
}

// TestRunDirectoryBehindLink: a link leads where only its owner looks, or is
// refused; nothing is changed there.
func TestRunDirectoryBehindLink(t *testing.T) {
	t.Parallel()
	for mode, ok := range map[os.FileMode]bool{0o700: true, 0o755: false} {
		dir, target := t.TempDir(), t.TempDir()
		if err := os.Chmod(target, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, "run")); err != nil {
			t.Fatal(err)
		}
		if err := runDirOf(dir).make(); (err == nil) != ok {
			t.Errorf("%04o: %v", mode, err)
		}
		if info, err := os.Stat(target); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%04o: %v, %v", mode, info.Mode(), err)
		}
	}
}

// TestZombieIsGone: a process that has ended is, whether anybody asked or not.
func TestZombieIsGone(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := identity{PID: cmd.Process.Pid, Began: identify(cmd.Process.Pid).Began}
	if !id.waitGone(context.Background(), 10*time.Second) {
		t.Error("it is taken for alive")
	}
	_ = cmd.Wait()
}

// TestStatusOfStopping: what was told to end is not said to be broken.
func TestStatusOfStopping(t *testing.T) {
	t.Parallel()
	dir, run := testRun(t, state{Owner: identify(os.Getpid()), Phase: phaseReady})
	lock, err := run.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan *Status, 1)
	stop := sync.OnceFunc(func() {
		status, err := ReadStatus(t.Context(), dir)
		if err != nil {
			t.Error(err)
		}
		seen <- status
	})
	// It says so before it ends the first component.
	cp := &ControlPlane{cfg: Config{Progress: func(string, bool) { stop() }}, stopping: make(chan struct{})}
	other := stranger(t)
	p := &process{name: ComponentEtcd, cmd: other, done: make(chan struct{})}
	go func() { _, _ = other.Process.Wait(); close(p.done) }()
	cp.processes = []*process{p}
	r := &Running{run: run, lock: lock, state: state{Owner: identify(os.Getpid()), Phase: phaseReady}, cp: cp}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if s := <-seen; s == nil || s.State != RunStopping || s.Keeper == nil || s.Keeper.Problem != "stopping" || s.Healthy() {
		t.Errorf("%+v", s)
	}
}
