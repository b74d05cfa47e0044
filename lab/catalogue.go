package lab

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/pkictl/pkictl/examples"
	"github.com/pkictl/pkictl/internal/failure"
)

// embedded is read when it is first asked for.
var embedded = sync.OnceValues(func() ([]*Lab, error) { return ReadAll(examples.Labs, "labs") })

// Catalogue returns the labs that pkictl has, in their order.
func Catalogue() ([]*Lab, error) {
	labs, err := embedded()
	return slices.Clone(labs), err
}

// Named returns the lab of the catalogue with that ID.
func Named(id string) (*Lab, error) {
	labs, err := embedded()
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(labs))
	for i, lab := range labs {
		if lab.ID == id {
			return lab, nil
		}
		ids[i] = lab.ID
	}
	return nil, failure.New(failure.Usage, failure.Suggest(id, ids), "there is no lab %q", id)
}

// ReadAll reads a directory of labs, in the order of their numbers.
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
	slices.SortStableFunc(labs, func(a, b *Lab) int { return cmp.Compare(a.Number, b.Number) })
	return labs, nil
}
