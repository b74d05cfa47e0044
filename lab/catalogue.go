package lab

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pkictl/pkictl/examples"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// embedded is read when it is first asked for.
var embedded = sync.OnceValues(func() ([]*Lab, error) { return ReadAll(examples.Labs, embeddedDir) })

// embeddedDir is where examples.Labs has the labs.
const embeddedDir = "labs"

// named keeps the labs that Named has read, by ID.
var named sync.Map

// Catalogue returns the labs that pkictl has, in their order.
func Catalogue() ([]*Lab, error) {
	labs, err := embedded()
	return slices.Clone(labs), err
}

// Named returns the lab of the catalogue with that ID. It reads no other.
func Named(id string) (*Lab, error) {
	if l, ok := named.Load(id); ok {
		return l.(*Lab), nil
	}
	l, err := (&Source{files: examples.Labs, below: embeddedDir}).Lab(id)
	if err != nil {
		return nil, err
	}
	l2, _ := named.LoadOrStore(id, l)
	return l2.(*Lab), nil
}

// Source is where labs come from: the catalogue, or a directory of somebody's own.
type Source struct {
	Dir string // of somebody's own, absolute; empty for the catalogue

	files  fs.FS
	root   *os.Root // of somebody's own
	below  string   // where the labs are in files
	single string   // the ID of the only one, which is files itself
}

// CatalogueSource is the source of the labs that pkictl has.
func CatalogueSource() *Source { return &Source{files: examples.Labs, below: embeddedDir} }

// OpenSource opens a directory with labs of somebody's own: that of one lab, or one
// that has directories of labs. No link is followed out of it.
func OpenSource(dir string) (*Source, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		return nil, failure.New(failure.Usage, "name the directory that "+labFile+" is in", "%q is no directory", dir)
	}
	root, err := os.OpenRoot(abs) // the labs read from it as long as the program runs
	if err != nil {
		return nil, store.ReadError(err, dir)
	}
	s := &Source{Dir: abs, files: root.FS(), root: root, below: "."}
	if _, err := fs.Stat(s.files, labFile); err == nil {
		s.single = filepath.Base(abs)
	}
	return s, nil
}

// IDs lists the IDs of the labs by name, and reads none of them.
func (s *Source) IDs() ([]string, error) {
	if s.single != "" {
		return []string{s.single}, nil
	}
	entries, err := fs.ReadDir(s.files, s.below)
	if err != nil {
		return nil, store.ReadError(err, s.Dir)
	}
	var ids []string
	for _, entry := range entries {
		if _, err := fs.Stat(s.files, path.Join(s.below, entry.Name(), labFile)); entry.IsDir() && err == nil {
			ids = append(ids, entry.Name())
		}
	}
	if len(ids) == 0 {
		return nil, failure.New(failure.Usage, "a lab is a directory with a "+labFile, "there is no lab in %q", s.Dir)
	}
	return ids, nil
}

// directory returns the files of a lab, and what to call their directory.
func (s *Source) directory(id string) (files fs.FS, dir string, err error) {
	if id == s.single {
		return s.files, s.Dir, nil
	}
	ids, err := s.IDs()
	if err != nil {
		return nil, "", err
	}
	if !slices.Contains(ids, id) {
		err := failure.New(failure.Usage, failure.Suggest(id, ids), "there is no lab %q", id)
		if s.Dir != "" {
			err = failure.New(failure.Usage, failure.Suggest(id, ids), "there is no lab %q in %q", id, s.Dir)
		}
		return nil, "", err
	}
	if s.root == nil {
		dir = path.Join(s.below, id)
		files, err = fs.Sub(s.files, dir)
		return files, dir, err
	}
	// What fs.Sub returns would open a pipe to look at it, and wait.
	below, err := s.root.OpenRoot(id)
	if err != nil {
		return nil, "", store.ReadError(err, filepath.Join(s.Dir, id))
	}
	return below.FS(), filepath.Join(s.Dir, id), nil
}

// Lab reads the lab with that ID, and no other.
func (s *Source) Lab(id string) (*Lab, error) {
	files, dir, err := s.directory(id)
	if err != nil {
		return nil, err
	}
	l, err := Read(files, id, dir)
	if err == nil && s.Dir != "" {
		l.from = dir
	}
	return l, err
}

// Lint looks for what is wrong with the lab of that ID, see Lint.
func (s *Source) Lint(id string) (*Lab, []LintFinding, error) {
	files, dir, err := s.directory(id)
	if err != nil {
		return nil, nil, err
	}
	l, findings := Lint(files, id, dir)
	return l, findings, nil
}

// Labs reads all labs, in the order of their numbers.
func (s *Source) Labs() ([]*Lab, error) {
	if s.Dir == "" {
		return Catalogue()
	}
	ids, err := s.IDs()
	if err != nil {
		return nil, err
	}
	var labs []*Lab
	for _, id := range ids {
		l, err := s.Lab(id)
		if err != nil {
			return nil, err
		}
		labs = append(labs, l)
	}
	sortLabs(labs)
	return labs, nil
}

// ReadAll reads a directory of labs, in the order of their numbers. A file beside them
// is none of it.
func ReadAll(files fs.FS, dir string) ([]*Lab, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, err
	}
	var labs []*Lab
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		below, err := fs.Sub(files, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		lab, err := Read(below, entry.Name(), path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		labs = append(labs, lab)
	}
	sortLabs(labs)
	return labs, nil
}

func sortLabs(labs []*Lab) {
	slices.SortStableFunc(labs, func(a, b *Lab) int { return cmp.Compare(a.Number, b.Number) })
}

// WorkspaceAt says which workspace a directory is in, if it is in one.
type WorkspaceAt struct {
	Root string // of all workspaces
	Lab  string
	From string // the directory of a lab of somebody's own, or empty
}

// FindWorkspace looks for the workspace that a directory is in, upwards from it; nil
// where there is none.
func FindWorkspace(dir string) *WorkspaceAt {
	for {
		if m, err := readMark(dir); err == nil {
			return &WorkspaceAt{filepath.Dir(dir), m.Lab, m.From}
		}
		above := filepath.Dir(dir)
		if above == dir {
			return nil
		}
		dir = above
	}
}

// readMark reads the mark of a directory as it is.
func readMark(dir string) (*mark, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := readPlain(root, markFile, maxMark)
	if err != nil {
		return nil, err
	}
	m, ok := parseMark(data)
	if !ok || m.Lab != filepath.Base(dir) || !isID(m.Lab) {
		return nil, errors.New("no mark of a workspace")
	}
	return m, nil
}
