package lab

import (
	"os"
	"path/filepath"
	"slices"
)

// maxNames is how many names of a learner's directory are looked at.
const maxNames = 1000

// list returns the names in a directory of a workspace, sorted; none where there is no
// such directory, or where it is a link out of the workspace.
func (l *learner) list(dir string) []string {
	name := filepath.FromSlash(dir)
	if name == "" {
		name = "."
	}
	info, err := l.root.Stat(name)
	if err != nil || !info.IsDir() { // a pipe would be waited for
		return nil
	}
	f, err := l.root.OpenFile(name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxNames) // what could be read counts
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return names
}
