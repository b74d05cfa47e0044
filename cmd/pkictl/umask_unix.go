//go:build unix

package main

import "syscall"

// keepOwnRights takes out of the umask what it takes from the owner: with a
// umask like 0777 we could not use the directories and files that we make. What
// it takes from others it still takes.
func keepOwnRights() {
	mask := syscall.Umask(0o777)
	syscall.Umask(mask &^ 0o700)
}
