package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// rule is what the CIS Kubernetes Benchmark, version 1.12, has for a file.
type rule struct {
	mode          fs.FileMode // at most
	modeID, owner string      // numbers of its recommendations
}

// ruleFor returns the rule for a file of an entry.
func ruleFor(e Entry, path string) rule {
	switch {
	case e.Name == NameAdmin || e.Name == NameSuperAdmin:
		return rule{0o600, "1.1.13", "1.1.14"}
	case e.Name == nameScheduler:
		return rule{0o600, "1.1.15", "1.1.16"}
	case e.Name == nameControllerManager:
		return rule{0o600, "1.1.17", "1.1.18"}
	case e.Name == NameKubelet:
		return rule{0o600, "4.1.5", "4.1.6"}
	case strings.HasSuffix(path, ".crt"):
		return rule{0o644, "1.1.20", "1.1.19"}
	case strings.HasSuffix(path, ".key"):
		return rule{0o600, "1.1.21", "1.1.19"}
	}
	return rule{0o644, "", "1.1.19"} // a public key; kubeadm makes it 0600
}

// checkRights finds what others may do with files and directories, and whose
// they are. Windows has no such modes.
func (c *checker) checkRights(n *CheckedNode) {
	if runtime.GOOS == "windows" {
		return
	}
	owner := c.checkDirectories(n)
	for _, entry := range n.Entries {
		e := entry.found.Entry
		for _, path := range e.sharedPaths(n.Dir) {
			info, err := os.Lstat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue // that has been found
			}
			rule := ruleFor(e, path)
			if mode := info.Mode().Perm(); mode&^rule.mode != 0 {
				c.find(n, Difference{Entry: e.Name, File: path, Field: FieldMode, Wanted: fmt.Sprintf("%04o or stricter", rule.mode), Found: fmt.Sprintf("%04o", mode)},
					rule.modeID, fmt.Sprintf("chmod %o %s", rule.mode, shell.Quote(path)))
			}
			c.checkOwner(n, e.Name, path, info, owner, rule.owner)
		}
	}
}

// checkDirectories looks at the directories: who may write there replaces every
// file. It returns the owner to go on with: nobody where the cluster directory
// itself belongs to somebody else, for one finding says so, and one command.
func (c *checker) checkDirectories(n *CheckedNode) store.Owner {
	owner := c.owner
	for i, path := range []string{n.Dir, PKIDir(n.Dir), filepath.Join(PKIDir(n.Dir), "etcd")} {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			continue
		}
		if mode := info.Mode().Perm(); mode&0o022 != 0 {
			c.find(n, Difference{File: path, Field: FieldMode, Wanted: "a directory that only its owner may write to", Found: fmt.Sprintf("%04o", mode)},
				"", "chmod go-w "+shell.Quote(path))
		}
		if !c.checkOwner(n, "", path, info, owner, "1.1.19") && i == 0 {
			last := &c.report.Findings[len(c.report.Findings)-1]
			last.Hint = strings.Replace(last.Hint, "chown ", "chown -R ", 1)
			owner = store.Owner{UID: -1, GID: -1}
		}
	}
	return owner
}

// checkOwner says whether a file belongs to whom it should.
func (c *checker) checkOwner(n *CheckedNode, entry, path string, info fs.FileInfo, want store.Owner, cis string) bool {
	found := store.OwnerOf(info)
	if found.Is(want) {
		return true
	}
	if want.GID < 0 {
		found.GID = -1
	}
	c.find(n, Difference{Entry: entry, File: path, Field: FieldOwner, Wanted: want.String(), Found: found.String()}, cis, "chown "+want.String()+" "+shell.Quote(path))
	return false
}
