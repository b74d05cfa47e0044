package cluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// childAttributes give the process a group of its own, so that a Ctrl-C in
// the terminal reaches us alone and we stop the components in order; and have
// the kernel kill it when we die without having stopped it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// bootID is another one each time that the machine starts.
var bootID = sync.OnceValue(func() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without one the ticks have to do
	return strings.TrimSpace(string(id))
})

// began says when a process began, in ticks since the machine did (proc(5),
// field 22 of stat). It is empty for one that has ended.
func began(pid int) string {
	state, start := statOf(fmt.Sprintf("/proc/%d/stat", pid))
	if start == "" || hasEnded(state) && !hasThreads(pid) {
		return ""
	}
	return bootID() + " " + start
}

// statOf reads the state of a process or thread, and when it began.
func statOf(path string) (state, start string) {
	stat, err := os.ReadFile(path)
	if err != nil {
		return "", ""
	}
	// The name in brackets may hold anything, brackets included. What is left
	// begins with field 3.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= 22-3 {
		return "", ""
	}
	return fields[0], fields[22-3]
}

// hasEnded tells a zombie, for which its parent need not care.
func hasEnded(state string) bool { return state == "Z" || state == "X" }

// hasThreads says whether a thread of a process is left. A process that is being
// killed is a zombie while others of its threads still hold its ports.
func hasThreads(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		if state, start := statOf(thread); start != "" && !hasEnded(state) {
			return true
		}
	}
	return false
}

// isAlive says whether a process is there, whoever it is.
func isAlive(p *os.Process) bool { return began(p.Pid) != "" }

// memory returns the resident memory of a process in bytes, 0 if it is not known.
func memory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "\nVmRSS:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kilobytes, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
