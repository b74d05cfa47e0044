package cluster

import (
	"errors"

	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames a file, and never over another, which the kernel sees to.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // an old kernel, or a file system that knows no flags
		return renameLooking(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
