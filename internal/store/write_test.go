package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pkictl/pkictl/internal/store"
)

// TestWriteNew: of many writers one makes the file, and it is whole.
func TestWriteNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.key")
	var wrote atomic.Int32
	var won atomic.Value
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			data := "writer " + strconv.Itoa(i)
			err := store.WriteNew(path, []byte(data), 0o600)
			var exists *store.ExistsError
			switch {
			case err == nil:
				wrote.Add(1)
				won.Store(data)
			case !errors.As(err, &exists) || exists.Path != path:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	data, err := os.ReadFile(path)
	if err != nil || wrote.Load() != 1 || string(data) != won.Load() {
		t.Errorf("%d wrote it, and it holds %q (%v)", wrote.Load(), data, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("there are %v (%v)", entries, err)
	}
	if err := store.WriteNew(filepath.Join(dir, "none", "x"), nil, 0o600); err == nil {
		t.Error("wrote where there is no directory")
	}
}
