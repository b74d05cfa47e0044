//go:build unix

package kubeconfig

import (
	"io/fs"
	"syscall"
)

// ownerOf returns the number of the user whom a file belongs to.
func ownerOf(info fs.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
