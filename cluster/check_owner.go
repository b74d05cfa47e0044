package cluster

import (
	"os"

	"github.com/pkictl/pkictl/internal/store"
)

// wantedOwner reads USER or USER:GROUP, in names or numbers. Without any it is
// root:root for root, as on a node; for others who has a copy of their own it is
// who owns the directory.
func wantedOwner(text, dir string) (store.Owner, error) {
	if text != "" {
		return store.ParseOwner(text)
	}
	if os.Geteuid() == 0 {
		return store.Owner{}, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return store.Owner{}, store.ReadError(err, dir)
	}
	owner := store.OwnerOf(info)
	owner.GID = -1
	return owner, nil
}
