//go:build unix

package store

import "syscall"

// noFollow has the opening of a symbolic link fail, and that of a pipe not wait.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
