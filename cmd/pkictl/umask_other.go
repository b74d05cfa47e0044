//go:build !unix

package main

// keepOwnRights is for systems with a umask.
func keepOwnRights() {}
