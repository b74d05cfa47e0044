//go:build unix

package cluster

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives a process a session of its own: the end of the terminal does not
// reach it, nor Ctrl-C.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// endProcess asks a process to end.
func endProcess(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
