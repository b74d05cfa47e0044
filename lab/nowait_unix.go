//go:build unix

package lab

import "syscall"

// noWait has the opening of a pipe not wait for who writes to it.
const noWait = syscall.O_NONBLOCK
