//go:build unix

package lab_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkictl/pkictl/lab"
)

// TestBadFiles: whatever stands where a file should, the check of it fails and says
// why, nothing outside is read, and nothing is changed.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	good := startNamed(t, t.TempDir(), "cluster-ca")
	run(t, good, good.Lab.Solution.Tools)
	wantLost(t, grade(t, good), nil)
	ca := filepath.Join(good.Dir, "pki", "ca.crt")
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, found string
		make        func(path string) error
	}{
		{"nothing", "no file pki/ca.crt", func(string) error { return nil }},
		{"empty", "is empty", func(path string) error { return os.WriteFile(path, nil, 0o600) }},
		{"binary", "neither PEM nor", func(path string) error { return os.WriteFile(path, []byte("\x00\x1b[2J\xff\xfe"), 0o600) }},
		{"half", "cannot be read", func(path string) error { return os.WriteFile(path, pem[:len(pem)/2], 0o600) }},
		{"huge", "larger than 1024 KiB", func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 1<<40)
		}},
		{"directory", "is a directory", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"pipe", "is no plain file", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"link out", "leads out of the workspace", func(path string) error { return os.Symlink(ca, path) }},
		{"relative link out", "leads out of the workspace", func(path string) error {
			to, err := filepath.Rel(filepath.Dir(path), ca)
			if err != nil {
				return err
			}
			return os.Symlink(to, path)
		}},
		{"link to a device", "leads out of the workspace", func(path string) error { return os.Symlink("/dev/zero", path) }},
		{"link to nothing", "is a link to a file that is not there", func(path string) error { return os.Symlink("nowhere", path) }},
		{"link to itself", "round in circles", func(path string) error { return os.Symlink("ca.crt", path) }},
		{"a key", "has no certificate, but a private key", func(path string) error {
			key, err := os.ReadFile(filepath.Join(good.Dir, "pki", "ca.key"))
			if err != nil {
				return err
			}
			return os.WriteFile(path, key, 0o600)
		}},
		{"many of other things", "has no certificate, but something else", func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("-----BEGIN X-----\n-----END X-----\n", 20_000)), 0o600)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := startNamed(t, t.TempDir(), "cluster-ca")
			path := filepath.Join(w.Dir, "pki", "ca.crt")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := test.make(path); err != nil {
				t.Fatal(err)
			}
			wantFailed(t, w, "pki/ca.crt", test.found)
		})
	}
}

// wantFailed checks that all checks fail, those of a file because of what is found
// there, and that grading changes nothing.
func wantFailed(t *testing.T, w *lab.Workspace, file, found string) {
	t.Helper()
	before := stats(t, w.Dir)
	result := grade(t, w)
	if result.Points != 0 {
		t.Errorf("%d points", result.Points)
	}
	said := 0
	for _, check := range result.Checks {
		if strings.Contains(check.Name, file) && strings.Contains(check.Found, found) {
			said++
		}
		if strings.ContainsAny(check.Found+check.Wanted, "\n\r\t") || len([]rune(check.Found)) > 500 {
			t.Errorf("%s found %q", check.ID, check.Found)
		}
	}
	if said < 5 {
		t.Errorf("%d of the checks found %q: %+v", said, found, result.Checks)
	}
	wantSame(t, before, stats(t, w.Dir))
}

// stats returns what is below a directory, without reading it.
func stats(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			all[path] = info.Mode().String() + info.ModTime().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLinkWithin: a link to another file of the workspace is as good as the file.
func TestLinkWithin(t *testing.T) {
	t.Parallel()
	w := startNamed(t, t.TempDir(), "cluster-ca")
	run(t, w, w.Lab.Solution.Tools+"\nmv pki made; ln -s made pki; mv pki/ca.crt pki/root.crt; ln -s root.crt pki/ca.crt")
	wantLost(t, grade(t, w), nil)
}

// TestParentIsLink: nor is a link out of the workspace followed on the way to a file.
func TestParentIsLink(t *testing.T) {
	t.Parallel()
	good := startNamed(t, t.TempDir(), "cluster-ca")
	run(t, good, good.Lab.Solution.Tools)
	w := startNamed(t, t.TempDir(), "cluster-ca")
	if err := os.Symlink(filepath.Join(good.Dir, "pki"), filepath.Join(w.Dir, "pki")); err != nil {
		t.Fatal(err)
	}
	wantFailed(t, w, "pki/ca.crt", "pki/ca.crt")
}
