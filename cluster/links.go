package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pkictl/pkictl/internal/shell"
)

// openLinks warns of directories for keys that are symbolic links, as people have
// them who keep /etc/kubernetes/pki on another disk, to where others may look
// in. They are followed: pkictl's own directories are 0700, but the mode of one
// that is there is its owner's choice, and one behind a link is easily
// overlooked. Windows has no such modes.
func openLinks(dir string) []string {
	if runtime.GOOS == "windows" {
		return nil
	}
	var list []string
	for _, path := range []string{dir, PKIDir(dir), filepath.Join(PKIDir(dir), "etcd")} {
		link, err := os.Lstat(path)
		if err != nil || link.Mode().Type() != os.ModeSymlink {
			continue
		}
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue // writing there says it
		}
		info, err := os.Stat(target)
		if err == nil && info.IsDir() && info.Mode().Perm()&0o077 != 0 {
			list = append(list, fmt.Sprintf("%q is a symbolic link to %q, which others may look into (mode %04o); keys in it are 0600; to keep others out: chmod 700 %s",
				path, target, info.Mode().Perm(), shell.Quote(target)))
		}
	}
	return list
}
