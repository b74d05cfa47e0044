package cluster

import (
	"os/exec"
	"syscall"
)

// Detach gives a process that is about to be started a session of its own, so that
// neither the end of the terminal nor Ctrl-C reaches it.
func Detach(cmd *exec.Cmd) { detach(cmd) }

// ChildAttributes are those of a process that this one ends in order, and that on
// Linux the kernel ends where this one is killed. There the thread that starts it must
// live on (golang.org/issue/27505).
func ChildAttributes() *syscall.SysProcAttr { return childAttributes() }
