package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pkictl/pkictl/internal/store"
)

// isFileName says whether a name, with slashes, is one below a workspace, and not
// pkictl's own.
func isFileName(name string) bool {
	return name != "." && name != markFile && filepath.IsLocal(filepath.FromSlash(name)) && !strings.Contains(name, `\`)
}

// learner reads the files of a workspace: those alone, for no link is followed out
// of it; plain files alone, for a pipe could be waited for without end; and up to a
// limit.
type learner struct {
	root    *os.Root
	read    map[string]fileRead // so that all checks see the same file
	decoded map[string]decoded
	rego    map[string]regoAnswer // of each policy
}

func newLearner(root *os.Root) *learner {
	return &learner{root: root, read: map[string]fileRead{}, decoded: map[string]decoded{}, rego: map[string]regoAnswer{}}
}

type fileRead struct {
	data  []byte
	found string // why there is no data, in words
}

// file returns what is in a file, or why there is nothing to grade: a text such as
// "no file". All is read once.
func (l *learner) file(name string, max int64) (data []byte, found string) {
	if r, ok := l.read[name]; ok {
		return r.data, r.found
	}
	data, err := readPlain(l.root, filepath.FromSlash(name), max)
	r := fileRead{data: data}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.found = "no file " + name
	case err != nil:
		r = fileRead{found: name + " " + err.Error()}
	case len(data) == 0:
		r.found = name + " is empty"
	}
	l.read[name] = r
	return r.data, r.found
}

// readPlain reads a plain file of at most max bytes. Errors go on from its name; where
// there is none it is fs.ErrNotExist.
func readPlain(root *os.Root, name string, max int64) ([]byte, error) {
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, notPlain(info)
	}
	if err != nil {
		return nil, causeOf(root, name, err)
	}
	// Another may have taken its place meanwhile.
	f, err := root.OpenFile(name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, causeOf(root, name, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, causeOf(root, name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, notPlain(info)
	}
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, causeOf(root, name, err)
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("is larger than %d KiB", max>>10)
	}
	return data, nil
}

func notPlain(info fs.FileInfo) error {
	if info.IsDir() {
		return errors.New("is a directory")
	}
	return errors.New("is no plain file")
}

// causeOf says why a file cannot be read.
func causeOf(root *os.Root, name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if info, lerr := root.Lstat(name); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return errors.New("is a link to a file that is not there")
		}
		return err
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errors.New("may not be read")
	case errors.Is(err, syscall.ELOOP):
		return errors.New("is a link that leads round in circles")
	}
	if info, lerr := root.Lstat(name); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
		return errors.New("is a link that leads out of the workspace")
	}
	return fmt.Errorf("cannot be read: %w", store.Cause(err))
}

// dir is the workspace.
func (l *learner) dir() string { return l.root.Name() }
