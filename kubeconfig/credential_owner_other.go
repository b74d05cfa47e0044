//go:build !unix

package kubeconfig

import "io/fs"

// isOwn cannot tell: Windows keeps the profile of a user to that user, and says
// nothing of it in a mode.
func isOwn(fs.FileInfo, fs.FileMode) bool { return true }
