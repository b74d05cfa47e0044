//go:build unix

package cluster

import (
	"io/fs"
	"syscall"
)

// idsOf returns the numbers of the user and the group that a file belongs to.
func idsOf(info fs.FileInfo) (uid, gid int) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(stat.Uid), int(stat.Gid)
}
