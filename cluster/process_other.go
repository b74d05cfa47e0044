//go:build unix && !linux && !darwin

package cluster

// began is not known: a process is told by its number alone.
func began(int) string { return "" }
