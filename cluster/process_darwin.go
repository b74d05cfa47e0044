package cluster

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// began says when a process began.
func began(pid int) string {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return ""
	}
	start := info.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", start.Sec, start.Usec)
}
