//go:build unix

package kubeconfig

import (
	"io/fs"
	"os"
	"syscall"
)

// isMine says whether a file belongs to whoever runs this process, and nobody
// else has the rights in mask.
func isMine(info fs.FileInfo, mask fs.FileMode) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&mask == 0
}
