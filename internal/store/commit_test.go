package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// place is where the files of a test's Commits go: a PKI directory, and one
// beside it for what is written elsewhere, such as a kubeconfig.
type place struct {
	t     *testing.T
	pki   string
	paths []string
	rows  [][2]string // of the certificates that a commit publishes
}

func newPlace(t *testing.T, elsewhere string) place {
	t.Helper()
	root := t.TempDir()
	if elsewhere == "" {
		elsewhere = filepath.Join(root, "elsewhere")
	}
	pki := filepath.Join(root, "pki")
	for _, dir := range []string{pki, elsewhere} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return place{t: t, pki: pki, paths: []string{
		filepath.Join(pki, "jane.key"), filepath.Join(pki, "jane.crt"), filepath.Join(elsewhere, "jane.conf"),
	}}
}

var modes = []fs.FileMode{0o600, 0o644, 0o600}

// files are the files of one Commit; each says which generation it is of.
func (p place) files(generation string) []File {
	var files []File
	for i, path := range p.paths {
		files = append(files, File{Path: path, Data: []byte(fmt.Sprintf("%s of file %d", generation, i)), Mode: modes[i]})
	}
	return files
}

// write puts a generation in place by hand, file i only where has[i].
func (p place) write(generation string, has [3]bool) {
	p.t.Helper()
	for i, f := range p.files(generation) {
		if has[i] {
			if err := os.WriteFile(f.Path, f.Data, f.Mode); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// read returns the generation of each file, as any reader sees it; "" where
// there is none.
func (p place) read() []string {
	p.t.Helper()
	var found []string
	for i, path := range p.paths {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.t.Fatal(err)
		}
		generation, isWhole := strings.CutSuffix(string(data), fmt.Sprintf(" of file %d", i))
		if !isWhole && len(data) > 0 {
			p.t.Fatalf("%s holds %q", path, data)
		}
		found = append(found, generation)
	}
	return found
}

// checkTidy checks that the files are plain ones of the right mode, and that
// nothing else was left anywhere.
func (p place) checkTidy() {
	p.t.Helper()
	for i, path := range p.paths {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || info.Mode() != modes[i] {
			p.t.Errorf("%s: mode %v (%v), want %v", path, info.Mode(), err, modes[i])
		}
	}
	var unexpected []string
	for _, root := range []string{p.pki, filepath.Dir(p.paths[2])} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rest, inStaging := strings.CutPrefix(path, filepath.Join(p.pki, stagingName))
			known := path == root || slices.Contains(p.paths, path) || path == filepath.Join(p.pki, lockName) ||
				inStaging && slices.Contains([]string{"", "/new", "/old", "/" + manifestName}, filepath.ToSlash(rest))
			if !known {
				unexpected = append(unexpected, path)
			}
			return nil
		})
		if err != nil {
			p.t.Fatal(err)
		}
	}
	if unexpected != nil {
		p.t.Errorf("left behind: %q", unexpected)
	}
}

func (p place) lock() *Dir {
	p.t.Helper()
	dir, err := Lock(context.Background(), p.pki, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return dir
}

func same(list []string, want ...string) bool {
	for i := range list {
		if list[i] != want[i%len(want)] {
			return false
		}
	}
	return true
}

func TestCommit(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "")
	dir := p.lock()
	defer dir.Unlock()
	for i := range 3 {
		generation := strconv.Itoa(i)
		if err := dir.Commit(p.files(generation), i > 0, nil); err != nil {
			t.Fatal(err)
		}
		if got := p.read(); !same(got, generation) {
			t.Errorf("after commit %d: %q", i, got)
		}
		p.checkTidy()
	}
	// A file that is new among others that are replaced.
	if err := os.Remove(p.paths[2]); err != nil {
		t.Fatal(err)
	}
	if err := dir.Commit(p.files("mixed"), true, nil); err != nil {
		t.Fatal(err)
	}
	if got := p.read(); !same(got, "mixed") {
		t.Errorf("mixed: %q", got)
	}
	p.checkTidy()
}

// TestCommitRefuses has one bad file among good ones: nothing may change.
func TestCommitRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		spoil   func(p place) []File
		replace bool
		says    string
		hint    string
	}{
		{"file exists", func(p place) []File { return p.files("new") }, false, "exists", ""},
		{"symbolic link", func(p place) []File {
			target := filepath.Join(p.pki, "target")
			check(p.t, os.Rename(p.paths[1], target))
			check(p.t, os.Symlink("target", p.paths[1]))
			p.paths[1] = target
			return append(p.files("new")[:1], File{Path: filepath.Join(p.pki, "jane.crt"), Mode: 0o644})
		}, true, "is a symbolic link", "remove the link"},
		{"dangling link", func(p place) []File {
			check(p.t, os.Symlink("nowhere", filepath.Join(p.pki, "other.key")))
			return append(p.files("new"), File{Path: filepath.Join(p.pki, "other.key"), Mode: 0o600})
		}, true, "is a symbolic link", "remove the link"},
		{"directory", func(p place) []File {
			check(p.t, os.Mkdir(filepath.Join(p.pki, "other.key"), 0o700))
			return append(p.files("new"), File{Path: filepath.Join(p.pki, "other.key"), Mode: 0o600})
		}, true, "is not a file", "--out"},
		{"no such directory", func(p place) []File {
			return append(p.files("new"), File{Path: filepath.Join(p.pki, "none", "other.key"), Mode: 0o600})
		}, true, "no such file or directory", "make the directory"},
		{"a file for a directory", func(p place) []File {
			return append(p.files("new"), File{Path: filepath.Join(p.paths[0], "other.key"), Mode: 0o600})
		}, true, "not a directory", "--out"},
		{"one path twice", func(p place) []File {
			twice := filepath.Join(p.pki, "..", filepath.Base(p.pki), "jane.key")
			return append(p.files("new"), File{Path: twice, Mode: 0o600})
		}, true, "two things", "different names"},
		{"in the staging directory", func(p place) []File {
			dir := p.lock()
			check(p.t, dir.Commit(p.files("old"), true, nil)) // it makes the directory
			dir.Unlock()
			check(p.t, os.Symlink(filepath.Join(stagingName, "new"), filepath.Join(p.pki, "link")))
			return append(p.files("new"), File{Path: filepath.Join(p.pki, "link", "x"), Mode: 0o600})
		}, true, "keeps its own files", "another name"},
		{"inventory", func(p place) []File {
			return append(p.files("new"), File{Path: filepath.Join(p.pki, inventoryName), Mode: 0o600})
		}, true, "keeps its own files", "another name"},
		{"name too long", func(p place) []File {
			return append(p.files("new"), File{Path: filepath.Join(p.pki, strings.Repeat("n", 240)), Mode: 0o600})
		}, true, "name too long", "shorter name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "")
			p.write("old", [3]bool{true, true, true})
			files := test.spoil(p)
			dir := p.lock()
			defer dir.Unlock()
			before := names(t, p.pki)
			err := dir.Commit(files, test.replace, nil)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) {
				t.Errorf("error %v, hint %q; want %q, %q", err, failure.HintOf(err), test.says, test.hint)
			}
			var target *TargetError
			if !errors.As(err, &target) || target.Path != files[len(files)-1].Path && test.name != "file exists" {
				t.Errorf("the file to blame is not known: %+v", target)
			}
			if got := p.read(); !same(got, "old") {
				t.Errorf("files are %q", got)
			}
			if after := names(t, p.pki); !slices.Equal(before, after) {
				t.Errorf("%q became %q", before, after)
			}
		})
	}
}

// TestCommitBelowStaging: a directory above may have any name.
func TestCommitBelowStaging(t *testing.T) {
	t.Parallel()
	pki := filepath.Join(t.TempDir(), stagingName, "new")
	check(t, os.MkdirAll(pki, 0o700))
	dir, err := Lock(context.Background(), pki, nil)
	check(t, err)
	defer dir.Unlock()
	path := filepath.Join(pki, "x")
	check(t, CheckTargets(false, path))
	check(t, dir.Commit([]File{{Path: path, Mode: 0o600}}, false, nil))
	for _, path := range []string{filepath.Join(pki, ".Staging", "x"), filepath.Join(pki, lockName)} {
		if err := CheckTargets(true, path); failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// names lists the entries of a directory and what links say.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var list []string
	for _, entry := range entries {
		target, _ := os.Readlink(filepath.Join(dir, entry.Name()))
		list = append(list, entry.Name()+" "+target)
	}
	return list
}

// TestCommitMeanwhile checks that what runs beside the writing counts.
func TestCommitMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "")
	p.write("old", [3]bool{true, true, true})
	dir := p.lock()
	defer dir.Unlock()
	broken := errors.New("row not written")
	err := dir.Commit(p.files("new"), true, func() error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got := p.read(); !same(got, "old") {
		t.Errorf("files are %q", got)
	}
	p.checkTidy()
	if dir.changed {
		t.Error("counts as changed")
	}
}

// TestCommitPending fails after the switch was turned: the files are new, though
// in part links, and the next lock completes it.
func TestCommitPending(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "")
	p.write("old", [3]bool{true, true, true})
	dir := p.lock()
	obstacle := ""
	err := dir.Commit(p.files("new"), true, func() error {
		// The name beside the last file is made a directory, which cannot take
		// the place of a file.
		for range 1000 {
			found, err := filepath.Glob(filepath.Join(filepath.Dir(p.paths[2]), ".jane.conf.*"))
			if err != nil {
				return err
			}
			if len(found) == 1 {
				obstacle = found[0]
				return errors.Join(os.Remove(obstacle), os.Mkdir(obstacle, 0o700))
			}
			time.Sleep(time.Millisecond)
		}
		return errors.New("no name beside")
	})
	var pending *PendingError
	if !errors.As(err, &pending) || failure.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, hint %q", err, failure.HintOf(err))
	}
	if got := p.read(); !same(got, "new") {
		t.Errorf("files are %q", got)
	}
	dir.Abandon()
	check(t, os.Remove(obstacle))
	check(t, Recover(context.Background(), p.pki, nil))
	if got := p.read(); !same(got, "new") {
		t.Errorf("recovered files are %q", got)
	}
	p.checkTidy()
}

// TestCommitFails puts something in the way of each step.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	obstacles := map[string]func(c *commit) string{
		"the first name beside": func(c *commit) string { return c.beside(0) },
		"the last name beside":  func(c *commit) string { return c.beside(2) },
		"the first link":        func(c *commit) string { return c.beside(0) + ".link" },
		"the last link":         func(c *commit) string { return c.beside(2) + ".link" },
		"a new file":            func(c *commit) string { return c.new(1) },
		"an old file":           func(c *commit) string { return c.old(2) },
		"the switch":            func(c *commit) string { return filepath.Join(c.staging, switchName) },
		"the next switch":       func(c *commit) string { return filepath.Join(c.staging, "next") },
	}
	for name, obstacle := range obstacles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "")
			p.write("old", [3]bool{true, true, true})
			dir := p.lock()
			defer dir.Unlock()
			c := p.commit()
			path := obstacle(c)
			check(t, os.MkdirAll(path, 0o700))
			err := c.run(p.files("new"), nil)
			if err == nil {
				t.Fatal("no error")
			}
			if got := p.read(); !same(got, "old") {
				t.Errorf("after the error: %q", got)
			}
			check(t, c.undo())
			check(t, os.RemoveAll(path))
			if got := p.read(); !same(got, "old") {
				t.Errorf("after undo: %q", got)
			}
			p.checkTidy()
			if err := dir.Commit(p.files("new"), true, nil); err != nil {
				t.Errorf("the next commit: %v", err)
			}
		})
	}
}

func (p place) commit() *commit {
	return &commit{ID: "TEST", Paths: p.paths, Rows: p.rows, staging: filepath.Join(p.pki, stagingName)}
}

// stageAll is what run does before the switch.
func (c *commit) stageAll(files []File) error {
	if len(files) == 0 { // it died before the first
		manifest, err := c.manifest()
		if err == nil {
			_, err = c.makeStaging()
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(c.staging, manifestName), manifest, 0o600)
		}
		return err
	}
	open, err := c.begin(files[0])
	if err != nil {
		return err
	}
	return c.stage(files, open)
}

// TestAbsentWhileReplaced asks for a file that another process replaces just
// now: its link into the staging directory is not the user's to remove.
func TestAbsentWhileReplaced(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "")
	p.write("old", [3]bool{true, true, true})
	dir := p.lock()
	c := p.commit()
	check(t, c.stageAll(p.files("new")))
	check(t, c.linkOld())
	for _, path := range p.paths {
		var exists *ExistsError
		if err := CheckAbsent(path); !errors.As(err, &exists) {
			t.Errorf("%s: %v", path, err)
		}
	}
	dir.Unlock()
	p.lock().Unlock()
	if err := CheckAbsent(filepath.Join(p.pki, "none")); err != nil {
		t.Error(err)
	}
}
