//go:build !unix

package store

import (
	"io/fs"
	"os"
)

// keepOwner keeps the mode alone where new files have the rights of their directory.
func keepOwner(f *os.File, _ fs.FileInfo, mode fs.FileMode) error { return f.Chmod(mode) }
