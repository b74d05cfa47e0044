package lab

import (
	"bytes"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// startDir is where a lab has the files that a workspace begins with.
const startDir = "start"

// hiddenDir is where a lab has what its checks compare with, and the learner is not
// given.
const hiddenDir = "hidden"

// What a workspace may begin with: a lab from a stranger is not to fill a disk.
const (
	maxGivenFiles = 1000
	maxGivenFile  = store.MaxYAML
	maxGivenAll   = 16 << 20
)

// readGiven reads a file of the lab itself; dir is what errors call its directory.
func readGiven(files fs.FS, name, dir string, max int64) ([]byte, error) {
	shown := path.Join(dir, name)
	info, err := fs.Stat(files, name) // the opening of a pipe would wait
	if err != nil {
		return nil, store.ReadError(err, shown)
	}
	if !info.Mode().IsRegular() {
		return nil, failure.New(failure.Usage, loadHint, "%q is no plain file", shown)
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, store.ReadError(err, shown)
	}
	defer f.Close()
	return store.ReadAll(f, shown, max)
}

// givenFile is a file that a workspace begins with.
type givenFile struct {
	name string // below the workspace, with slashes
	data []byte
}

// mode is 0600 for what holds a private key.
func (g givenFile) mode() fs.FileMode {
	if bytes.Contains(g.data, []byte("PRIVATE KEY-----")) {
		return 0o600
	}
	return 0o644
}

// givenFiles returns the files that a workspace begins with.
func (l *Lab) givenFiles() ([]givenFile, error) {
	if _, err := fs.Stat(l.given, startDir); err != nil {
		return nil, nil //nolint:nilerr // most labs begin with nothing
	}
	var list []givenFile
	all := 0
	bad := func(name, why string) error {
		return failure.New(failure.Usage, loadHint, "lab %q cannot begin with %q: %s", l.ID, name, why)
	}
	err := fs.WalkDir(l.given, startDir, func(name string, entry fs.DirEntry, err error) error {
		below := strings.TrimPrefix(strings.TrimPrefix(name, startDir), "/")
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return bad(below, "it is no plain file")
		case !filepath.IsLocal(filepath.FromSlash(below)) || below == markFile || l.cluster != nil && (isOwnName(below) || l.cluster.staticPods && isNodeFile(below)):
			return bad(below, "the name is not allowed")
		case len(list) == maxGivenFiles:
			return bad(below, "there are too many files")
		}
		data, err := readGiven(l.given, name, l.ID, maxGivenFile)
		if err != nil {
			return err
		}
		if all += len(data); all > maxGivenAll {
			return bad(below, "the files are too large together")
		}
		list = append(list, givenFile{below, data})
		return nil
	})
	return list, err
}

// GivenNames lists the files that a workspace begins with, with slashes.
func (l *Lab) GivenNames() ([]string, error) {
	given, err := l.givenFiles()
	var names []string
	for _, g := range given {
		names = append(names, g.name)
	}
	return names, err
}
