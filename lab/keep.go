package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// locked runs a change of what is below root, which is made if it is not there,
// while no other process changes it.
func locked(ctx context.Context, root string, change func() error) error {
	dir, err := store.Create(ctx, root, nil)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		dir.Abandon()
		return err
	}
	dir.Unlock()
	return nil
}

// maxKept is more than anything here needs.
const maxKept = 4 << 20

// kept is a JSON file below the root, which changes as a whole.
type kept struct {
	root, name, kind string
}

// envelope is how it stands in the file.
type envelope[T any] struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Items      T      `json:"items"`
}

func (k kept) path() string { return filepath.Join(k.root, k.name) }

// load reads the file into it. Where there is none the error is fs.ErrNotExist. What
// it does not know it refuses: written again it would be lost.
func load[T any](k kept) (T, error) {
	var e envelope[T]
	root, err := os.OpenRoot(k.root)
	if err != nil {
		return e.Items, store.ReadError(err, k.root)
	}
	defer root.Close()
	data, err := readPlain(root, k.name, maxKept)
	if errors.Is(err, fs.ErrNotExist) {
		return e.Items, err
	}
	if err != nil {
		return e.Items, failure.New(failure.Failed, "move it away; then it begins anew", "%q %v", k.path(), err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&e)
	if err == nil && (e.APIVersion != apiVersion || e.Kind != k.kind) {
		err = errors.New("it is of another kind")
	}
	if err != nil {
		var none T
		return none, failure.Wrap(err, failure.Failed, "if no newer pkictl has written it, move it away; then it begins anew", "cannot read %q", k.path())
	}
	return e.Items, nil
}

// update changes the file, or makes it, while no other process does. An error of
// change leaves it as it is.
func update[T any](ctx context.Context, k kept, change func(items *T, found bool) error) error {
	return locked(ctx, k.root, func() error {
		items, err := load[T](k)
		found := !errors.Is(err, fs.ErrNotExist)
		if found && err != nil {
			return err
		}
		if err := change(&items, found); err != nil {
			return err
		}
		data, err := json.MarshalIndent(envelope[T]{apiVersion, k.kind, items}, "", "  ")
		if err != nil {
			return err
		}
		return store.ReplaceFile(store.File{Path: k.path(), Data: append(data, '\n'), Mode: 0o600})
	})
}
