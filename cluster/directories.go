package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// directory is the cluster directory of one node, and what it was made for.
type directory struct {
	path string
	home string // the directory with the settings; path where there are none
	name string // of the node, or of its directory where nothing says it
	node *Node  // nil where nothing says what it was made for
	err  error  // why it does not
	// fromFiles says that there are no settings, so that what the files have is
	// taken for what they should have.
	fromFiles bool
}

// findDirectories finds the cluster directory that dir is, or those of several
// nodes below it. Settings, or else the files themselves, say what each was made
// for. The nodes of the settings come first, in their order; one that has no
// directory is among missing.
func findDirectories(dir string) (list []directory, missing []string, err error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, nil, failure.New(failure.Failed, "name a directory like /etc/kubernetes on a node", "%q is not a directory", dir)
	}
	settings, home, err := settingsOf(dir)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := settings.known()
	if err != nil {
		return nil, nil, err
	}
	if isDir(PKIDir(dir)) {
		d := directory{path: dir, home: home}
		for _, n := range nodes {
			if len(nodes) == 1 || (home != dir && n.Name == filepath.Base(dir)) {
				d.name, d.node = n.Name, &n
			}
		}
		d.lookInto()
		return []directory{d}, nil, nil
	}
	entries, err := os.ReadDir(dir) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, failure.Wrap(err, failure.Failed, noDirectoryHint, "cannot look into %q", dir)
	}
	below := map[string]bool{}
	for _, entry := range entries {
		below[entry.Name()] = isDir(PKIDir(filepath.Join(dir, entry.Name())))
	}
	for _, n := range nodes {
		if !below[n.Name] {
			missing = append(missing, n.Name)
			continue
		}
		list = append(list, directory{path: filepath.Join(dir, n.Name), home: dir, name: n.Name, node: &n})
		delete(below, n.Name)
	}
	for _, entry := range entries {
		if below[entry.Name()] {
			d := directory{path: filepath.Join(dir, entry.Name()), home: filepath.Join(dir, entry.Name()), name: entry.Name()}
			d.lookInto()
			list = append(list, d)
		}
	}
	if list == nil {
		return nil, nil, failure.New(failure.Failed, noDirectoryHint, "there is no cluster directory %q: it has no directory pki", dir)
	}
	return list, missing, nil
}

const noDirectoryHint = "make one with: pkictl cluster init; or name another with --dir, as in --dir /etc/kubernetes"

// lookInto reads off the files what no settings say.
func (d *directory) lookInto() {
	if d.node != nil {
		return
	}
	d.home, d.fromFiles = d.path, true
	node, err := NodeFromFiles(d.path)
	if err != nil {
		d.err = err
		return
	}
	d.node = &node
	if d.name == "" {
		d.name = node.Name
	}
}

// known resolves settings, of which there may be none.
func (s Settings) known() ([]Node, error) {
	if len(s.Nodes) == 0 {
		return nil, nil
	}
	return s.Resolve()
}

// settingsOf reads the settings of a cluster directory, and says where they are:
// those of one of several nodes are in the directory above. Without any they are
// empty.
func settingsOf(dir string) (s Settings, home string, err error) {
	s, found, err := ReadSettings(dir)
	if found || err != nil {
		return s, dir, err
	}
	above := filepath.Dir(filepath.Clean(dir))
	isNode := func(n NodeSettings) bool { return n.Name == filepath.Base(dir) }
	if s, found, err := ReadSettings(above); err == nil && found && len(s.Nodes) > 1 && slices.ContainsFunc(s.Nodes, isNode) {
		return s, above, nil
	}
	return Settings{}, dir, nil
}

// resolveDir returns the cluster directory that somebody means who names it, or
// the directory pki in it.
func resolveDir(dir string) string {
	if isDir(PKIDir(dir)) || !isThere(ca.CertPath(dir)) {
		return dir
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return dir
	}
	parent := filepath.Join(real, "..")
	if isSame(PKIDir(parent), dir) {
		return parent
	}
	return dir
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isSame(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
