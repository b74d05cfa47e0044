package lab_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkictl/pkictl/lab"
)

// A stamp tells every change of a learner apart, and changes with nothing else.
func TestStamp(t *testing.T) {
	t.Parallel()
	l, err := lab.Named("admin-credential")
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, l)
	before := w.Stamp()
	if w.Touched() {
		t.Error("a lab that was just begun was worked on")
	}
	grade(t, w)
	if w.Stamp() != before {
		t.Error("checking has changed the workspace")
	}
	file := filepath.Join(w.Dir, "admin.key")
	seen := map[string]bool{before: true}
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"a file", func() error { return os.WriteFile(file, []byte("a"), 0o600) }},
		{"a longer file", func() error { return os.WriteFile(file, []byte("ab"), 0o600) }},
		{"another mode", func() error { return os.Chmod(file, 0o400) }},
		{"another time", func() error { return os.Chtimes(file, time.Time{}, time.Now().Add(time.Second)) }},
		{"a directory", func() error { return os.Mkdir(filepath.Join(w.Dir, "sub"), 0o700) }},
		{"a file below it", func() error { return os.WriteFile(filepath.Join(w.Dir, "sub", "x"), nil, 0o600) }},
		{"a link to nowhere", func() error { return os.Symlink("nowhere", filepath.Join(w.Dir, "link")) }},
		{"nothing at all", func() error { return os.RemoveAll(w.Dir) }},
	} {
		if err := change.do(); err != nil {
			t.Fatal(err)
		}
		if !w.Touched() {
			t.Errorf("%s: not worked on", change.name)
		}
		stamp := w.Stamp()
		if seen[stamp] {
			t.Errorf("%s: not seen", change.name)
		}
		seen[stamp] = true
	}
}
