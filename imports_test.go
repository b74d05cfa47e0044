// Package pkictl_test holds the rules that span packages.
package pkictl_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pkictl/pkictl/"

// mayImport is the house plan of CONTRIBUTING.md: imports point down.
var mayImport = map[string][]string{
	"internal/failure":    {},
	"internal/shell":      {},
	"internal/show":       {},
	"internal/store":      {"internal/failure"},
	"internal/yamlfile":   {"internal/failure"},
	"internal/kubeclient": {"internal/store", "internal/failure"},
	"ca":                  {"internal/yamlfile", "internal/store", "internal/shell", "internal/failure"},
	"kubeconfig":          {"ca", "internal/kubeclient", "internal/yamlfile", "internal/store", "internal/shell", "internal/failure"},
	"csr":                 {"ca", "kubeconfig", "internal/kubeclient", "internal/store", "internal/shell", "internal/failure"},
	"cluster":             {"ca", "kubeconfig", "internal/staticpod", "internal/kubeclient", "internal/yamlfile", "internal/store", "internal/shell", "internal/failure"},
	"internal/staticpod":  {"internal/store", "internal/failure"},
	"apiserver":           {"apiserver/audit", "kubeconfig", "ca", "internal/staticpod", "internal/kubeclient", "internal/yamlfile", "internal/store", "internal/shell", "internal/failure"},
	"apiserver/audit":     {"internal/yamlfile", "internal/store", "internal/shell", "internal/failure"},
	"cmd/pkictl":          {"apiserver", "apiserver/audit", "ca", "cluster", "csr", "kubeconfig", "lab", "tui", "internal/kubeclient", "internal/staticpod", "internal/store", "internal/shell", "internal/show", "internal/failure"},
	"lab/networkpolicy":   {"internal/failure"},
	"lab/seccomp":         {"internal/failure"},
	"lab/apparmor":        {"internal/failure"},
	"lab/falco":           {"internal/yamlfile", "internal/failure"},
	"lab/sshd":            {"internal/failure"},
	"lab/ufw":             {"internal/failure"},
	"lab/modprobe":        {},
	"lab/nginx":           {"internal/failure"},
	"lab/opa":             {},
	"lab":                 {"lab/opa", "lab/networkpolicy", "lab/seccomp", "lab/apparmor", "lab/falco", "lab/sshd", "lab/ufw", "lab/modprobe", "lab/nginx", "examples", "ca", "kubeconfig", "csr", "cluster", "apiserver", "apiserver/audit", "internal/kubeclient", "internal/staticpod", "internal/yamlfile", "internal/store", "internal/shell", "internal/failure"},
	"examples":            {},
	"tui":                 {"lab", "apiserver", "apiserver/audit", "ca", "cluster", "csr", "kubeconfig", "internal/kubeclient", "internal/staticpod", "internal/store", "internal/shell", "internal/show", "internal/failure"},
}

// onlyCommand are the parts of the world that only cmd/pkictl touches; the
// other packages are given them.
var onlyCommand = []string{"Exit", "Args", "Getenv", "LookupEnv", "Environ", "Stdin", "Stdout", "Stderr"}

func TestImports(t *testing.T) {
	t.Parallel()
	checked := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"tools", "demo", "bin"}, path)) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		checked++
		checkFile(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 20 {
		t.Fatalf("found %d files only", checked)
	}
}

func checkFile(t *testing.T, path string) {
	t.Helper()
	folder := filepath.ToSlash(filepath.Dir(path))
	allowed, known := mayImport[folder]
	if !known {
		t.Errorf("%s: folder %s is not in the house plan", path, folder)
		return
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if own, ok := strings.CutPrefix(name, module); ok && !slices.Contains(allowed, own) {
			t.Errorf("%s imports %s; the house plan lets %s import %v", path, own, folder, allowed)
		}
		if folder != "cmd/pkictl" && strings.HasPrefix(name, "github.com/spf13/cobra") {
			t.Errorf("%s imports cobra; only cmd/pkictl does", path)
		}
		if folder != "tui" && strings.HasPrefix(name, "charm.land/") {
			t.Errorf("%s imports %s; only tui does", path, name)
		}
	}
	if folder == "cmd/pkictl" {
		return
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == "os" && slices.Contains(onlyCommand, selector.Sel.Name) {
				t.Errorf("%s uses os.%s; only cmd/pkictl does", path, selector.Sel.Name)
			}
		}
		return true
	})
}
