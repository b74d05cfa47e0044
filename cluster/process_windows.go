package cluster

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// childAttributes give the process a group of its own, so that a Ctrl-C in
// the console reaches us alone and we stop the components in order. If we are
// killed, the components live on, until the next Up or Down.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// detachedProcess is DETACHED_PROCESS: it has no console (CreateProcess).
const detachedProcess = 0x8

// detach takes a process away from the console.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detachedProcess, HideWindow: true}
}

// endProcess ends a process: Windows knows no way to ask for it.
func endProcess(p *os.Process) error { return p.Kill() }

// queryLimited is PROCESS_QUERY_LIMITED_INFORMATION.
const queryLimited = 0x1000

// began says when a process began; it is empty for one that has ended.
func began(pid int) string {
	handle, err := syscall.OpenProcess(queryLimited, false, uint32(pid)) //nolint:gosec // numbers of processes are positive
	if err != nil {
		return ""
	}
	defer func() { _ = syscall.CloseHandle(handle) }()
	var created, exited, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(handle, &created, &exited, &kernel, &user); err != nil || exited.Nanoseconds() > created.Nanoseconds() {
		return ""
	}
	return strconv.FormatInt(created.Nanoseconds(), 10)
}

func isAlive(p *os.Process) bool { return began(p.Pid) != "" }

// memory is not known.
func memory(int) int64 { return 0 }
