//go:build !unix

package store

import (
	"io/fs"
	"os"
)

// keepOwner does nothing where new files have the rights of their directory.
func keepOwner(*os.File, fs.FileInfo) error { return nil }

// isOwn is not known where modes do not say it.
func isOwn(fs.FileInfo) bool { return true }

// isPrivate is not known where modes do not say it.
func isPrivate(fs.FileInfo) bool { return true }
