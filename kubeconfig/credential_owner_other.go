//go:build !unix

package kubeconfig

import "io/fs"

// isMine cannot tell: Windows keeps the profile of a user to that user, and says
// nothing of it in a mode.
func isMine(fs.FileInfo, fs.FileMode) bool { return true }
