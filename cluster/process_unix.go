//go:build unix && !linux

package cluster

import "syscall"

// childAttributes give the process a group of its own, so that a Ctrl-C in
// the terminal reaches us alone and we stop the components in order. These
// systems have no parent-death signal: if we are killed with SIGKILL, the
// components live on.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
