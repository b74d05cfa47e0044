//go:build unix

package main_test

import (
	"os/exec"
	"syscall"
)

// detach takes from a program the terminal from which the tests were started.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}
