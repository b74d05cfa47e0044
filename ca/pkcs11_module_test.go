//go:build pkcs11 && unix

package ca_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// TestPKCS11ModulePlace: a library is not loaded where others could have put
// it: the nearest such place is named. One that only root can change is.
func TestPKCS11ModulePlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path, changeable string // below the test's directory
		mode             os.FileMode
	}{
		"the file":                       {"a/b/m.so", "a/b/m.so", 0o666},
		"the file, by its group":         {"a/b/m.so", "a/b/m.so", 0o620},
		"its directory":                  {"a/b/m.so", "a/b", 0o777},
		"a sticky directory":             {"a/b/m.so", "a/b", 0o1777},
		"a directory above":              {"a/b/m.so", "a", 0o770},
		"the target of a link":           {"c/link.so", "a/b/m.so", 0o666},
		"the directory of a link":        {"c/link.so", "c", 0o777},
		"that of a link to a link":       {"d/link.so", "c", 0o777},
		"the directory behind a link":    {"e/m.so", "a", 0o777},
		"the directory behind dots":      {"c/dots.so", "a", 0o777},
		"the directory of such a target": {"d/link.so", "a/b", 0o1777},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := must(filepath.EvalSymlinks(t.TempDir()))
			for _, sub := range []string{"a", "a/b", "c", "d"} {
				must(0, os.Mkdir(filepath.Join(dir, sub), 0o700))
			}
			must(0, os.WriteFile(filepath.Join(dir, "a/b/m.so"), []byte("no library"), 0o600))
			for link, target := range map[string]string{
				"c/link.so": "../a/b/m.so", "d/link.so": "../c/link.so", "e": filepath.Join(dir, "a/b"), "c/dots.so": "../a/../a/b/m.so",
			} {
				must(0, os.Symlink(target, filepath.Join(dir, link)))
			}
			must(0, os.Chmod(filepath.Join(dir, test.changeable), test.mode))
			wantPlace(t, filepath.Join(dir, test.path), filepath.Join(dir, test.changeable))
		})
	}
}

// wantPlace checks that the library is refused for a place that others can
// write to.
func wantPlace(t *testing.T, module, place string) {
	t.Helper()
	uri := "pkcs11:token=pki;object=ca?module-path=" + module
	_, err := ca.Init(context.Background(), ca.InitOptions{Dir: filepath.Join(t.TempDir(), "pki"), PKCS11: uri, Now: now, Passphrase: nobody(t)})
	if err == nil || !strings.HasSuffix(err.Error(), "who may write to \""+place+"\"") {
		t.Errorf("%v, want one about %s", err, place)
	}
}

// TestPKCS11ModuleOwner: a file belongs to root or to the user who runs this.
func TestPKCS11ModuleOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 { // who has no file of somebody else, and can use root's
		uri := "pkcs11:token=pki;object=ca?module-path=/etc/passwd"
		_, err := ca.Init(context.Background(), ca.InitOptions{Dir: filepath.Join(t.TempDir(), "pki"), PKCS11: uri, Now: now, Passphrase: nobody(t)})
		if err == nil || !strings.Contains(err.Error(), "cannot load") {
			t.Errorf("%v", err)
		}
		return
	}
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	module := filepath.Join(dir, "m.so")
	must(0, os.WriteFile(module, []byte("no library"), 0o600))
	must(0, os.Chown(module, 65534, 65534))
	wantPlace(t, module, module)
	must(0, os.Chown(module, 0, 0))
	must(0, os.Chown(dir, 65534, 65534))
	wantPlace(t, module, dir)
}
