package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback lets the system begin to write a file to the disk, so that
// many files are written together before the first is waited for. It promises
// nothing: Sync does.
func startWriteback(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}
