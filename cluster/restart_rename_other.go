//go:build !linux

package cluster

// renameNew renames a file, and not over another.
func renameNew(from, to string) error { return renameLooking(from, to) }
