//go:build unix && !linux

package cluster

import (
	"errors"
	"os"
	"syscall"
)

// childAttributes give the process a group of its own, so that a Ctrl-C in
// the terminal reaches us alone and we stop the components in order. These
// systems have no parent-death signal: if we are killed with SIGKILL, the
// components live on, until the next Up or Down.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func isAlive(p *os.Process) bool {
	err := p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, syscall.EPERM)
}

// memory is not known.
func memory(int) int64 { return 0 }
