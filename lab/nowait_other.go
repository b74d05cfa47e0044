//go:build !unix

package lab

// noWait is nothing where the system knows no such thing.
const noWait = 0
