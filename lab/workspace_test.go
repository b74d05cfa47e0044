package lab_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

// tree returns all that is below a directory: modes, contents and what links say.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " " + to
		}
		all[strings.TrimPrefix(path, dir)] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name := range after {
		if before[name] != after[name] {
			t.Errorf("%s was %q and is %q", name, before[name], after[name])
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			t.Errorf("%s is gone", name)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func startNamed(t *testing.T, root, id string) *lab.Workspace {
	t.Helper()
	w, err := lab.Start(t.Context(), lab.StartOptions{ID: id, Root: root, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestStart(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "labs")
	w := startNamed(t, root, "admin-credential")
	if w.Resumed || !w.StartedAt.Equal(now) || w.Dir != filepath.Join(root, "admin-credential") {
		t.Errorf("%+v", w)
	}
	for name, mode := range map[string]fs.FileMode{
		".": 0o700 | fs.ModeDir, "pki": 0o700 | fs.ModeDir, "pki/ca.key": 0o600, "pki/ca.crt": 0o644,
	} {
		info, err := os.Stat(filepath.Join(w.Dir, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v, want %v", name, info, err, mode)
		}
	}
	write(t, filepath.Join(w.Dir, "pki/ca.crt"), "mine")
	write(t, filepath.Join(w.Dir, "admin.key"), "half a k")
	before := tree(t, root)

	again, err := lab.Start(t.Context(), lab.StartOptions{ID: "admin-credential", Root: root, Now: now.Add(time.Hour)})
	if err != nil || !again.Resumed || !again.StartedAt.Equal(now) {
		t.Errorf("%+v %v", again, err)
	}
	opened, err := lab.OpenWorkspace(root, named(t, "admin-credential"), nil)
	if err != nil || !opened.StartedAt.Equal(now) {
		t.Errorf("%+v %v", opened, err)
	}
	wantSame(t, before, tree(t, root))
	if _, err := lab.OpenWorkspace(root, named(t, "cluster-ca"), nil); err == nil || failure.HintOf(err) != "start the lab first" {
		t.Errorf("%v", err)
	}
}

// TestStartAtOnce: of several that start a lab one makes it, and the others find it
// whole.
func TestStartAtOnce(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "labs")
	var made atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			w, err := lab.Start(t.Context(), lab.StartOptions{ID: "admin-credential", Root: root, Now: now})
			if err != nil {
				t.Error(err)
				return
			}
			if !w.Resumed {
				made.Add(1)
			}
			if _, err := os.Stat(filepath.Join(w.Dir, "pki", "ca.key")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 {
		t.Errorf("%d have made it", made.Load())
	}
}

// TestStartAfterKill: wherever a process is killed, the next one begins the lab
// properly.
func TestStartAfterKill(t *testing.T) {
	t.Parallel()
	whole := startNamed(t, t.TempDir(), "admin-credential")
	mark, err := os.ReadFile(filepath.Join(whole.Dir, ".pkictl-lab.json"))
	if err != nil {
		t.Fatal(err)
	}
	unfinished := bytes.Replace(mark, []byte(`"startedAt"`), []byte(`"unfinished": true, "startedAt"`), 1)
	for name, left := range map[string]map[string]string{
		"the directory alone":   {},
		"half a mark":           {"..pkictl-lab.json.unfinished": ""},
		"the mark alone":        {".pkictl-lab.json": string(unfinished)},
		"some of the files":     {".pkictl-lab.json": string(unfinished), "pki/ca.crt": "old"},
		"a file not yet in its": {".pkictl-lab.json": string(unfinished), "pki/.ca.key.unfinished": "-----"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir := filepath.Join(root, "admin-credential")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for file, text := range left {
				write(t, filepath.Join(dir, file), text)
			}
			w := startNamed(t, root, "admin-credential")
			if w.Resumed {
				t.Error("it was resumed")
			}
			wantSame(t, tree(t, whole.Dir), tree(t, w.Dir))
		})
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T, dir string){
		"somebody's directory": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "thesis.txt"), "mine") },
		"a file":               func(t *testing.T, dir string) { write(t, dir, "mine") },
		"a link to a directory": func(t *testing.T, dir string) {
			elsewhere := startNamed(t, t.TempDir(), "cluster-ca").Dir
			if err := os.Symlink(elsewhere, dir); err != nil {
				t.Fatal(err)
			}
		},
		"another lab's": func(t *testing.T, dir string) {
			if err := os.Rename(startNamed(t, t.TempDir(), "key-and-csr").Dir, dir); err != nil {
				t.Fatal(err)
			}
		},
		"a mark of nonsense": func(t *testing.T, dir string) { write(t, filepath.Join(dir, ".pkictl-lab.json"), "{") },
		"a mark that is a link out": func(t *testing.T, dir string) {
			mark := filepath.Join(startNamed(t, t.TempDir(), "cluster-ca").Dir, ".pkictl-lab.json")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(mark, filepath.Join(dir, ".pkictl-lab.json")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			make(t, filepath.Join(root, "cluster-ca"))
			before := tree(t, root)
			_, err := lab.Start(t.Context(), lab.StartOptions{ID: "cluster-ca", Root: root, Now: now})
			if err == nil || !strings.Contains(err.Error(), "cluster-ca") || failure.HintOf(err) == "" {
				t.Errorf("%v, hint %q", err, failure.HintOf(err))
			}
			if _, err := lab.OpenWorkspace(root, named(t, "cluster-ca"), nil); err == nil {
				t.Error("it can be opened")
			}
			after := tree(t, root)
			delete(after, "/.lock")
			wantSame(t, before, after)
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "precious"), "precious")
	w := startNamed(t, root, "admin-credential")
	fresh := tree(t, w.Dir)
	write(t, filepath.Join(w.Dir, "admin.key"), "my work")
	write(t, filepath.Join(w.Dir, "pki/ca.crt"), "my own")
	for link, to := range map[string]string{"out": outside, "file": filepath.Join(outside, "precious"), "up": "../.."} {
		if err := os.Symlink(to, filepath.Join(w.Dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, outside)

	later := now.Add(time.Hour)
	moved, err := w.Reset(t.Context(), later, nil)
	if err != nil {
		t.Fatal(err)
	}
	after := tree(t, w.Dir)
	for _, files := range []map[string]string{fresh, after} { // it says when
		delete(files, "/.pkictl-lab.json")
	}
	wantSame(t, fresh, after)
	wantSame(t, before, tree(t, outside))
	if got := tree(t, moved); got["/admin.key"] != "-rw------- my work" || !strings.HasSuffix(got["/pki/ca.crt"], "my own") || !strings.HasSuffix(got["/out"], outside) {
		t.Errorf("moved %v", got)
	}
	if again, err := w.Reset(t.Context(), later, nil); err != nil || again == moved {
		t.Errorf("%q %v", again, err)
	}
	opened, err := lab.OpenWorkspace(root, named(t, "admin-credential"), nil)
	if err != nil || !opened.StartedAt.Equal(later) {
		t.Errorf("%+v %v", opened, err)
	}
}

// TestResetNotThrough: nothing is moved or written through a link that has taken the
// place of the workspace, or of where things are moved to.
func TestResetNotThrough(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cluster-ca", "before-reset"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			w := startNamed(t, root, "cluster-ca")
			write(t, filepath.Join(w.Dir, "ca.csr"), "my work")
			outside := startNamed(t, t.TempDir(), "cluster-ca").Dir
			write(t, filepath.Join(outside, "precious"), "precious")
			_ = os.Rename(filepath.Join(root, name), filepath.Join(root, "old")) // where it is there
			if err := os.Symlink(outside, filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, outside)
			if moved, err := w.Reset(t.Context(), now, nil); err == nil {
				t.Errorf("moved to %q", moved)
			}
			wantSame(t, before, tree(t, outside))
		})
	}
}

func named(t *testing.T, id string) *lab.Lab {
	t.Helper()
	l, err := lab.Named(id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
