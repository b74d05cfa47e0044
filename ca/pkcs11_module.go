//go:build pkcs11

package ca

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// maxLinks is how many symbolic links lead to a library at most.
const maxLinks = 40

// checkModule refuses a library that others could have put there: it is run as
// part of this program, and a file says where it is.
func checkModule(path string) error {
	places, err := placesTo(path)
	if errors.Is(err, fs.ErrNotExist) {
		return failure.New(failure.Failed, "install it, or correct module-path", "there is no PKCS#11 library %q", path)
	}
	if err != nil {
		return failure.Wrap(err, failure.Failed, "install it where only root can write, or correct module-path", "cannot look for the PKCS#11 library %q", path)
	}
	for _, place := range slices.Backward(places) {
		if isChangeable(place.info) {
			return failure.New(failure.Failed, "install it where only root can write, or take the right from others with: chown root, and chmod go-w",
				"the PKCS#11 library %q can be changed by others, who may write to %q", path, place.path)
		}
	}
	return nil // what else is wrong shows when it is loaded
}

// place is a file or directory on the way to another.
type place struct {
	path string
	info fs.FileInfo
}

// placesTo returns the file that an absolute path leads to, and before it all
// directories on the way, those of symbolic links as well: who can write to any
// of them, decides what the file is.
func placesTo(path string) ([]place, error) {
	at := filepath.VolumeName(path) + string(filepath.Separator)
	info, err := os.Lstat(at)
	if err != nil {
		return nil, err
	}
	places, rest, links := []place{{at, info}}, steps(path), 0
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		if info, err = os.Lstat(next); err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at, places = next, append(places, place{next, info})
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return nil, err
		}
		if links++; links > maxLinks {
			return nil, errors.New("too many symbolic links")
		}
		if filepath.IsAbs(target) {
			at = filepath.VolumeName(target) + string(filepath.Separator)
		}
		rest = append(steps(target), rest...)
	}
	return places, nil
}

func steps(path string) []string {
	rest := strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(filepath.VolumeName(path)))
	return strings.FieldsFunc(rest, func(r rune) bool { return r == '/' })
}
