package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	check(t, os.WriteFile(path, []byte("12345678"), 0o600))
	if data, err := Read(path, 8); err != nil || string(data) != "12345678" {
		t.Errorf("a file of the largest size: %q, %v", data, err)
	}
	_, err := Read(path, 7)
	if err == nil || !strings.Contains(err.Error(), "larger than 7 bytes") || failure.HintOf(err) == "" {
		t.Errorf("a larger one: %v", err)
	}
	big := filepath.Join(dir, "big")
	check(t, os.WriteFile(big, nil, 0o600))
	check(t, os.Truncate(big, 1<<40)) // sparse; to read it all would take minutes
	if _, err = Read(big, MaxPEM); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a terabyte: %v", err)
	}
	if runtime.GOOS == "linux" {
		if _, err = Read("/dev/zero", MaxYAML); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
			t.Errorf("an endless file: %v", err)
		}
	}
	for name, path := range map[string]string{"none": filepath.Join(dir, "none"), "directory": dir, "below a file": filepath.Join(path, "x")} {
		_, err := Read(path, 8)
		if err == nil || !strings.Contains(err.Error(), path) || failure.HintOf(err) == "" {
			t.Errorf("%s: error %v, hint %q", name, err, failure.HintOf(err))
		}
		if got := errors.Is(err, fs.ErrNotExist); got != (name == "none") {
			t.Errorf("%s: does not exist: %v", name, got)
		}
	}
}
