package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// readsInput says whether a thread of a process waits for standard input.
func readsInput(t testing.TB, pid int) bool {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	ok(t, err)
	for _, task := range tasks {
		call, _ := os.ReadFile(task) // the thread may be gone
		if strings.HasPrefix(string(call), fmt.Sprintf("%d 0x0 ", syscall.SYS_READ)) {
			return true
		}
	}
	return false
}

// maxMemory runs a command and returns the most memory that it had, in bytes.
// What wait4(2) says of that includes what its parent had when it forked.
func maxMemory(t testing.TB, cmd *exec.Cmd) (outcome, int64) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := outputFiles(t, cmd)
	defer out[0].Close()
	defer out[1].Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	ok(t, cmd.Start())
	pid, most := cmd.Process.Pid, int64(0)
	const optTraceExit, eventExit = 0x40, 6
	for first := true; ; first = false {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, syscall.WALL, nil)
		ok(t, err)
		signal := 0
		switch {
		case status.Exited() || status.Signaled():
			_ = cmd.Process.Release()
			return outcome{status.ExitStatus(), contents(t, out[0]), contents(t, out[1])}, most
		case first:
			ok(t, syscall.PtraceSetOptions(pid, optTraceExit|ptraceOptExitKill))
		case status.TrapCause() == eventExit:
			most = peak(t, pid)
		default:
			signal = int(status.StopSignal())
		}
		ok(t, syscall.PtraceCont(pid, signal))
	}
}

// peak reads the most memory that a process had.
func peak(t testing.TB, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	ok(t, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(rest, "kB", 2)[0]), 10, 64)
	ok(t, err)
	return kilobytes << 10
}
