//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file owner, group and mode of another. Who may not give it
// that group gives it their own, without rights.
func keepOwner(f *os.File, like fs.FileInfo, mode fs.FileMode) error {
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return f.Chmod(mode)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	have, ok := info.Sys().(*syscall.Stat_t)
	if ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return f.Chmod(mode)
	}
	err = f.Chown(int(want.Uid), int(want.Gid))
	if ok && errors.Is(err, fs.ErrPermission) {
		if have.Uid != want.Uid {
			return errOwner
		}
		mode, err = mode&^0o070, nil
	}
	if err != nil {
		return err
	}
	return f.Chmod(mode)
}

// isOwn says whether a file belongs to whoever runs this process.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// isPrivate says whether nobody but its owner has rights to a file.
func isPrivate(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }

func ownerOf(info fs.FileInfo) Owner {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Owner{-1, -1}
	}
	return Owner{int(stat.Uid), int(stat.Gid)}
}
