package cluster

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// testAssets returns the real binaries.
func testAssets(t *testing.T) Assets {
	t.Helper()
	assets, err := FindAssets(filepath.Join("..", "tools", "bin"), func(string) string { return "" })
	if err != nil {
		t.Fatalf("%v; \"make test\" builds the binaries", err)
	}
	if assets.ControllerManager == "" {
		t.Fatalf("no %s in tools/bin; \"make test\" builds the binaries", ComponentControllerManager)
	}
	return assets
}

// binDir makes a directory with empty executables.
func binDir(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindAssets(t *testing.T) {
	t.Parallel()
	all := binDir(t, "etcd", "kube-apiserver", "kube-controller-manager")
	envtest := binDir(t, "etcd", "kube-apiserver", "kubectl")
	onlyEtcd := binDir(t, "etcd")
	onlyServers := binDir(t, "kube-apiserver", "kube-controller-manager", "server")
	stranger := binDir(t, "server")
	paths := strings.Join([]string{"", onlyEtcd, onlyServers}, string(filepath.ListSeparator))

	for _, tt := range []struct {
		name     string
		explicit string
		env      map[string]string
		etcd     string // path, "" for an error
		manager  bool
		err      []string // parts of the message
	}{
		{name: "explicit wins", explicit: all, env: map[string]string{EnvAssets: envtest}, etcd: all + "/etcd", manager: true},
		{name: "PKICTL_ASSETS wins over KUBEBUILDER_ASSETS", env: map[string]string{EnvAssets: all, EnvKubebuilderAssets: envtest}, etcd: all + "/etcd", manager: true},
		{name: "envtest has no controller manager", env: map[string]string{EnvKubebuilderAssets: envtest}, etcd: envtest + "/etcd"},
		{name: "KUBEBUILDER_ASSETS wins over PATH", env: map[string]string{EnvKubebuilderAssets: envtest, "PATH": all}, etcd: envtest + "/etcd"},
		{name: "PATH, from two directories", env: map[string]string{"PATH": paths}, etcd: onlyEtcd + "/etcd", manager: true},
		{name: "etcd built by go build", explicit: onlyServers, etcd: onlyServers + "/server", manager: true},
		{name: "server alone is not etcd", explicit: stranger, err: []string{"etcd and kube-apiserver not found", stranger}},
		{name: "server on PATH is not etcd", env: map[string]string{"PATH": onlyServers}, err: []string{"etcd not found in PATH"}},
		{name: "a named directory is not passed over", explicit: onlyEtcd, env: map[string]string{"PATH": all}, err: []string{"kube-apiserver not found", onlyEtcd}},
		{name: "the variable is named", env: map[string]string{EnvAssets: onlyEtcd}, err: []string{EnvAssets, onlyEtcd}},
		{name: "nothing anywhere", err: []string{"etcd and kube-apiserver not found in PATH"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := FindAssets(tt.explicit, func(key string) string { return tt.env[key] })
			if tt.etcd == "" {
				checkAssetsError(t, err, tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.FromSlash(tt.etcd); strings.TrimSuffix(got.Etcd, ".exe") != want {
				t.Errorf("etcd is %q, want %q", got.Etcd, want)
			}
			if (got.ControllerManager != "") != tt.manager {
				t.Errorf("controller manager is %q", got.ControllerManager)
			}
		})
	}
}

func checkAssetsError(t *testing.T, err error, parts []string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %q", err, part)
		}
	}
	for _, way := range []string{"--assets", EnvAssets, EnvKubebuilderAssets, "PATH"} {
		if !strings.Contains(failure.HintOf(err), way) {
			t.Errorf("hint %q does not name %q", failure.HintOf(err), way)
		}
	}
}

func TestFindAssetsPassesOverWhatCannotRun(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no executable bit")
	}
	dir := binDir(t, "kube-apiserver")
	if err := os.WriteFile(filepath.Join(dir, "etcd"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "server"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := FindAssets(dir, func(string) string { return "" }); err == nil {
		t.Errorf("found %+v", got)
	}
}

func TestFindAssetsReturnsAbsolutePaths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{testAssets(t).Etcd, testAssets(t).APIServer, testAssets(t).ControllerManager} {
		if !filepath.IsAbs(path) {
			t.Errorf("%q is not absolute", path)
		}
	}
}
