//go:build unix

package tui

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// canSuspend says whether a shell would notice: a process that is of the first
// group of its session, as in a container or in a window of its own, has none
// that could let it go on, and the kernel does not stop it.
func canSuspend() bool {
	session, err := unix.Getsid(os.Getpid())
	return err == nil && session != syscall.Getpgrp()
}
