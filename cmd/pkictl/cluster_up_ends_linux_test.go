package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// checkDeadComponent: where one ends, the others are stopped, and it is said why.
func (r localRun) checkDeadComponent() {
	r.t.Helper()
	ok(r.t, syscall.Kill(r.component("kube-controller-manager").PID, syscall.SIGKILL))
	s, code := r.waitFor(cluster.RunFailed)
	if code != 3 || s.Failure == nil || s.Failure.Component != "kube-controller-manager" || !strings.Contains(s.Failure.Message, "killed") || len(s.Failure.Tail) == 0 {
		r.t.Errorf("exit code %d, %+v", code, s)
	}
	r.checkNothingRuns()
	got := runProgram(r.t, program(r.dir, "cluster", "status"))
	if got.code != 3 || !strings.Contains(got.stdout, "ended by itself: kube-controller-manager ended: signal: killed") || !strings.Contains(got.stdout, s.Failure.Tail[0]) {
		r.t.Errorf("%+v", got)
	}
}

// checkKilledKeeper: nothing is left running, and the next up would work.
func (r localRun) checkKilledKeeper() {
	r.t.Helper()
	s, _ := r.status()
	ok(r.t, syscall.Kill(s.Keeper.PID, syscall.SIGKILL))
	r.checkNothingRuns()
	killed, code := r.waitFor(cluster.RunKilled)
	// A process that has no memory any more may still have its ports.
	for deadline := time.Now().Add(30 * time.Second); slices.ContainsFunc(killed.Components, hasProcess) && time.Now().Before(deadline); {
		killed, code = r.status()
	}
	if code != 3 || len(killed.Components) != 3 {
		r.t.Errorf("exit code %d, %+v", code, killed)
	}
	for _, c := range killed.Components {
		if hasProcess(c) || c.Ready || c.Problem == "" {
			r.t.Errorf("%+v", c)
		}
	}
	for _, c := range s.Components {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", c.Port))
		if err != nil {
			r.t.Errorf("port of %s: %v", c.Name, err)
			continue
		}
		ok(r.t, l.Close())
	}
}

func hasProcess(c cluster.ProcessStatus) bool { return c.PID != 0 }

// checkDown: all ends, and with --delete-data the data goes after a question,
// which nobody is there to answer.
func (r localRun) checkDown() {
	r.t.Helper()
	data := filepath.Join(r.dir, "kubernetes/run/etcd")
	refused := runProgram(r.t, program(r.dir, "cluster", "down", "--delete-data"))
	checkRefusal(r.t, "nobody to ask", refused, 4, "no terminal to ask on: Remove "+data, "--dry-run, then add --yes")
	would := r.pkictl("cluster down --delete-data --dry-run")
	if _, code := r.status(); code != 0 || !strings.Contains(would, "Would end kube-") || !strings.Contains(would, "Would remove "+data) {
		r.t.Errorf("--dry-run: exit code %d, %s", code, would)
	}
	if out := r.pkictl("cluster down --delete-data --yes"); !strings.Contains(out, "kube-apiserver, etcd of kubernetes\nRemoved "+data) {
		r.t.Errorf("down: %s", out)
	}
	r.checkNothingRuns()
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		r.t.Errorf("the data is still there: %v", err)
	}
}

// TestClusterUpInterrupted: whoever is waited for by nobody any more stops what
// it has started, be its parent interrupted or killed; and where it is killed
// itself, that is said.
func TestClusterUpInterrupted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		signal  syscall.Signal
		who     func(r localRun, up *os.Process) int
		code    int
		says    string
		becomes cluster.RunState
	}{
		"interrupted":   {syscall.SIGINT, func(_ localRun, up *os.Process) int { return up.Pid }, 1, "error: interrupted; all that was started is stopped", cluster.RunStopped},
		"killed":        {syscall.SIGKILL, func(_ localRun, up *os.Process) int { return up.Pid }, -1, "", cluster.RunStopped},
		"keeper killed": {syscall.SIGKILL, localRun.keeper, 1, "error: the process that was to run the control plane ended: signal: killed", cluster.RunKilled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLocalRun(t).init("")
			cmd := program(r.dir, "cluster", "up", "--assets", r.assets, "--port", "auto", "--unsafe-no-fsync")
			out := outputFiles(t, cmd)
			ok(t, cmd.Start())
			r.waitForOutput(out, 1, "etcd is ready")
			ok(t, syscall.Kill(tt.who(r, cmd.Process), tt.signal))
			_ = cmd.Wait() // the exit code says it
			r.checkNothingRuns()
			if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.Contains(contents(t, out[1]), tt.says) {
				t.Errorf("exit code %d\n%s", code, contents(t, out[1]))
			}
			if s, code := r.waitFor(tt.becomes); code != 3 {
				t.Errorf("exit code %d, %+v", code, s)
			}
		})
	}
}

// keeper returns the number of the process that starts or runs the others.
func (r localRun) keeper(*os.Process) int {
	r.t.Helper()
	s, _ := r.status()
	if s.Keeper == nil {
		r.t.Fatalf("%+v", s)
	}
	return s.Keeper.PID
}

// TestClusterUpForeground: the process stays, and a signal ends all in order.
func TestClusterUpForeground(t *testing.T) {
	t.Parallel()
	r := newLocalRun(t).init("")
	cmd := program(r.dir, "cluster", "up", "--foreground", "--assets", r.assets, "--port", "auto", "--unsafe-no-fsync")
	out := outputFiles(t, cmd)
	ok(t, cmd.Start())
	r.waitForOutput(out, 0, "export KUBECONFIG=")
	if s, code := r.status(); code != 0 || s.Keeper.PID != cmd.Process.Pid {
		t.Errorf("exit code %d, %+v", code, s)
	}
	ok(t, cmd.Process.Signal(os.Interrupt))
	ok(t, cmd.Wait())
	r.checkNothingRuns()
	said := contents(t, out[1])
	manager, server, etcd := strings.Index(said, "kube-controller-manager is stopped"), strings.Index(said, "kube-apiserver is stopped"), strings.Index(said, "etcd is stopped")
	if manager < 0 || manager > server || server > etcd {
		t.Errorf("it did not end in order:\n%s", said)
	}
}

// waitForOutput waits until a running program has printed a text.
func (r localRun) waitForOutput(out [2]*os.File, stream int, text string) {
	r.t.Helper()
	for ; !strings.Contains(contents(r.t, out[stream]), text); time.Sleep(10 * time.Millisecond) {
		if said := contents(r.t, out[1]); strings.Contains(said, "error: ") {
			r.t.Fatal(said)
		}
	}
}
