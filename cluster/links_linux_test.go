package cluster

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

// linkedDir makes a cluster directory in which path is a link to a directory of
// that mode elsewhere.
func linkedDir(t *testing.T, path string, mode fs.FileMode) (dir, target string) {
	t.Helper()
	dir, target = filepath.Join(t.TempDir(), "kubernetes"), t.TempDir()
	link := filepath.Join(dir, filepath.FromSlash(path))
	for _, err := range []error{os.Chmod(target, mode), os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink(target, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, target
}

// TestLinkedDirectories: keys go where a link leads, and where others may look in
// there that is said.
func TestLinkedDirectories(t *testing.T) {
	t.Parallel()
	from := testClusterDir(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bundle.age")
	key := filepath.Join(t.TempDir(), "age.key")
	testWrite(t, key, []byte(identity.String()+"\n"))
	if _, err := MakeBundle(t.Context(), BundleOptions{Dir: from, Recipients: Recipients{Keys: []string{identity.Recipient().String()}}, Out: file, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	restore := func(dir string) ([]string, error) {
		result, err := Restore(t.Context(), RestoreOptions{File: file, Identities: Identities{Files: []string{key}}, Dir: dir, Now: time.Now()})
		if err != nil {
			return nil, err
		}
		return result.Warnings, nil
	}
	initialize := func(dir string) ([]string, error) {
		o := initOptions(dir)
		o.Now = time.Now()
		result, err := Init(t.Context(), o)
		if err != nil {
			return nil, err
		}
		return result.Warnings, nil
	}
	request := func(dir string) ([]string, error) {
		o := initOptions(dir)
		o.Now, o.Requests = time.Now(), RequestLeaves
		result, err := Init(t.Context(), o)
		if err != nil {
			return nil, err
		}
		return result.Warnings, nil
	}
	for name, make := range map[string]func(string) ([]string, error){"restore": restore, "init": initialize, "requests": request} {
		for path, written := range map[string]string{"pki": "sa.key", "pki/etcd": "ca.key"} {
			if name == "requests" {
				written = map[string]string{"pki": "apiserver.key", "pki/etcd": "server.key"}[path]
			}
			for _, mode := range []fs.FileMode{0o700, 0o755, 0o750} {
				dir, target := linkedDir(t, path, mode)
				warnings, err := make(dir)
				if err != nil {
					t.Errorf("%s: %s: %v", name, path, err)
					continue
				}
				text := strings.Join(warnings, "\n")
				if said := strings.Contains(text, "is a symbolic link to"); said != (mode != 0o700) || said && !strings.Contains(text, "chmod 700 "+target) {
					t.Errorf("%s: %s with mode %o: %q", name, path, mode, warnings)
				}
				info, err := os.Stat(filepath.Join(target, written))
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %s: %v (%v)", name, path, info, err)
				}
			}
		}
	}
}
