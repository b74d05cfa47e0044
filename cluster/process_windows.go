package cluster

import "syscall"

// childAttributes give the process a group of its own, so that a Ctrl-C in
// the console reaches us alone and we stop the components in order. If we are
// killed, the components live on.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
