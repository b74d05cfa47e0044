//go:build pkcs11 && !unix

package ca

import "io/fs"

// isChangeable is for systems whose modes say who can write.
func isChangeable(fs.FileInfo) bool { return false }
