package cluster

import "syscall"

// childAttributes give the process a group of its own, so that a Ctrl-C in
// the terminal reaches us alone and we stop the components in order; and have
// the kernel kill it when we die without having stopped it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
