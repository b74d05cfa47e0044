//go:build !unix

package tui

// canSuspend is for systems with job control.
func canSuspend() bool { return false }
