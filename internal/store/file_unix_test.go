//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// swapped are what another process may put in a file's place.
var swapped = map[string]func(t *testing.T, path string){
	"symbolic link": func(t *testing.T, path string) {
		secret := path + "-secret"
		check(t, os.WriteFile(secret, []byte("secret"), 0o600))
		check(t, os.Symlink(secret, path))
	},
	"pipe":      func(t *testing.T, path string) { check(t, syscall.Mkfifo(path, 0o600)) },
	"directory": func(t *testing.T, path string) { check(t, os.Mkdir(path, 0o700)) },
}

// TestCopySwapped: neither a link nor a copy is made of what is not a file.
func TestCopySwapped(t *testing.T) {
	t.Parallel()
	for name, swap := range swapped {
		from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
		swap(t, from)
		for how, do := range map[string]func(string, string) error{"link": linkOrCopy, "copy": copyFile} {
			if err := do(from, to); err == nil || failure.HintOf(diskError(err, "write %q", to)) == "" {
				t.Errorf("%s of a %s: %v", how, name, err)
			}
			if _, err := os.Lstat(to); err == nil {
				t.Errorf("%s of a %s was made", how, name)
			}
		}
	}
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	check(t, os.WriteFile(from, []byte("data"), 0o640))
	check(t, copyFile(from, to))
	info, err := os.Lstat(to)
	check(t, err)
	if data, _ := os.ReadFile(to); string(data) != "data" || info.Mode() != 0o640 {
		t.Errorf("%q, mode %v", data, info.Mode())
	}
}

// TestKeepSwapped: mode and owner are not those of what a link leads to.
func TestKeepSwapped(t *testing.T) {
	t.Parallel()
	for name, swap := range swapped {
		p := newPlace(t, "")
		dir := p.lock()
		c := p.commit()
		check(t, os.MkdirAll(filepath.Join(c.staging, "new"), 0o700))
		swap(t, c.Paths[0])
		f, err := c.create(0, File{Path: c.Paths[0], Mode: 0o600, Keep: true})
		if f != nil || !errors.Is(err, errNotPlain) || !strings.Contains(err.Error(), c.Paths[0]) {
			t.Errorf("%s: %v", name, err)
		}
		dir.Unlock()
	}
}
