//go:build pkcs11 && unix

package ca

import (
	"io/fs"
	"os"
	"syscall"
)

// isChangeable says whether somebody but root and the effective user can write
// to a file, or make another of that name in a directory. That others cannot
// remove what is in a directory (the sticky bit) does not keep them from having
// come first.
func isChangeable(info fs.FileInfo) bool {
	stat, isUnix := info.Sys().(*syscall.Stat_t)
	isOwn := isUnix && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
	return !isOwn || info.Mode().Perm()&0o022 != 0
}
