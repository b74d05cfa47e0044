package opa

import "golang.org/x/sys/unix"

// limit bounds memory and time of a process that has just begun. Where the system
// does not allow it, evalTime bounds both.
func limit(pid int) {
	_ = unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: maxMemory, Max: maxMemory}, nil)
	_ = unix.Prlimit(pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: maxSeconds, Max: maxSeconds}, nil)
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
}
