//go:build !unix

package cluster

import "io/fs"

// idsOf is not known here.
func idsOf(fs.FileInfo) (uid, gid int) { return -1, -1 }
