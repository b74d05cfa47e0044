package apiserver

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pkictl/pkictl/internal/store"
)

// wantedOwner is whom manifests have to belong to: root:root for root, as on a
// node; for others who have a copy of their own it is who owns its directory.
func wantedOwner(o CheckOptions) (store.Owner, error) {
	switch {
	case o.Owner != "":
		return store.ParseOwner(o.Owner)
	case os.Geteuid() == 0:
		return store.Owner{}, nil
	}
	info, err := os.Stat(o.Path)
	if err == nil && !info.IsDir() {
		info, err = os.Stat(filepath.Dir(o.Path))
	}
	if err != nil {
		return store.Owner{}, store.ReadError(err, o.Path)
	}
	owner := store.OwnerOf(info)
	owner.GID = -1
	return owner, nil
}

// judgeMode looks at who else may read and write the manifest.
func judgeMode(_ *cisChecker, p *checkedPod) finding {
	info, err := os.Stat(p.file)
	switch {
	case runtime.GOOS == "windows":
		return unknown("Windows has no such modes", "")
	case err != nil:
		return unknown(store.ReadError(err, p.file).Error(), "")
	}
	mode := info.Mode().Perm()
	f := finding{status: StatusPass, found: fmt.Sprintf("%04o", mode)}
	if mode&^0o600 != 0 {
		f.status, f.mend = StatusFail, fixMode(p.file)
	}
	return f
}

func judgeOwner(c *cisChecker, p *checkedPod) finding {
	info, err := os.Stat(p.file)
	switch {
	case runtime.GOOS == "windows":
		return unknown("Windows has no such owners", "")
	case err != nil:
		return unknown(store.ReadError(err, p.file).Error(), "")
	}
	is := store.OwnerOf(info)
	f := finding{status: StatusPass, found: is.String()}
	if !is.Is(c.owner) {
		f.status, f.mend = StatusFail, fixOwner(p.file, c.owner)
	}
	return f
}
