//go:build !unix

package store

import (
	"io/fs"
	"os"
)

// isOwn is not known where modes do not say it.
func isOwn(fs.FileInfo) bool { return true }

// isPrivate is not known where modes do not say it.
func isPrivate(fs.FileInfo) bool { return true }

// keepOwner keeps the mode alone where new files have the rights of their directory.
func keepOwner(f *os.File, _ fs.FileInfo, mode fs.FileMode) error { return f.Chmod(mode) }

// ownerOf is not known here.
func ownerOf(fs.FileInfo) Owner { return Owner{-1, -1} }
