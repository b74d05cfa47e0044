package store

import (
	"errors"
	"io/fs"
	"os"

	"github.com/pkictl/pkictl/internal/failure"
)

// ReadOwn is Read for a file that is trusted because only its owner could write
// it: a plain file, and no symbolic link, of whoever runs this process, with no
// rights for anybody else. Where there is none the error is fs.ErrNotExist.
func ReadOwn(path string, max int64) ([]byte, error) {
	bad := func(why string) error {
		return failure.New(failure.Refused, "see who made it, and move it away", "%q is not trusted: it %s", path, why)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		if info, lstatErr := os.Lstat(path); lstatErr == nil && !info.Mode().IsRegular() {
			return nil, bad("is no plain file")
		}
		return nil, ReadError(err, path)
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened: another may take its place
	switch {
	case err != nil:
		return nil, ReadError(err, path)
	case !info.Mode().IsRegular():
		return nil, bad("is no plain file")
	case !isOwn(info):
		return nil, bad("belongs to another user")
	case !isPrivate(info):
		return nil, bad("is open to other users")
	}
	data, err := ReadAll(f, path, max)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return nil, ReadError(err, path)
	}
	return data, err
}
