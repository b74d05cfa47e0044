package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Names of the components, as in log file names and Config.ExtraArgs.
const (
	ComponentEtcd              = "etcd"
	ComponentAPIServer         = "kube-apiserver"
	ComponentControllerManager = "kube-controller-manager"
)

// componentNames lists them in the order of their start.
func componentNames() []string {
	return []string{ComponentEtcd, ComponentAPIServer, ComponentControllerManager}
}

// The environment variables that may name the directory of the binaries.
// KUBEBUILDER_ASSETS is the one that envtest's users have set already.
const (
	EnvAssets            = "PKICTL_ASSETS"
	EnvKubebuilderAssets = "KUBEBUILDER_ASSETS"
)

// Assets are the absolute paths of the control plane's binaries.
type Assets struct {
	Etcd      string
	APIServer string
	// ControllerManager is empty where there is none: envtest ships etcd and
	// kube-apiserver only, and they are enough for many a task.
	ControllerManager string
}

// missingAssets is the error for binaries that are not in a place.
func missingAssets(names []string, where string) error {
	return failure.New(failure.Failed,
		"take them from a Kubernetes release or from setup-envtest, or let \"make test\" build them into tools/bin; "+
			"then name their directory with --assets, "+EnvAssets+" or "+EnvKubebuilderAssets+", or put it on PATH",
		"%s not found in %s", strings.Join(names, " and "), where)
}

// FindAssets looks for the binaries in the directory explicit, else in the
// one that PKICTL_ASSETS or else KUBEBUILDER_ASSETS names, else on PATH.
// The first of them that is set decides: a directory that was named and lacks
// a binary is an error, for another version found elsewhere would be a surprise.
func FindAssets(explicit string, env func(string) string) (Assets, error) {
	for _, place := range []struct{ dir, origin string }{
		{explicit, ""},
		{env(EnvAssets), EnvAssets + " "},
		{env(EnvKubebuilderAssets), EnvKubebuilderAssets + " "},
	} {
		if place.dir != "" {
			return assetsIn(place.dir, place.origin)
		}
	}
	return assetsOnPath(filepath.SplitList(env("PATH")))
}

// assetsIn takes all binaries from one directory.
func assetsIn(dir, origin string) (Assets, error) {
	found := Assets{
		Etcd:              firstExecutable([]string{dir}, ComponentEtcd),
		APIServer:         firstExecutable([]string{dir}, ComponentAPIServer),
		ControllerManager: firstExecutable([]string{dir}, ComponentControllerManager),
	}
	if found.Etcd == "" && found.APIServer != "" {
		// "go build" names etcd's binary after its package, server. So
		// general a name is believed only beside a kube-apiserver.
		found.Etcd = firstExecutable([]string{dir}, "server")
	}
	return found.complete(fmt.Sprintf("%s%q", origin, dir))
}

// assetsOnPath takes each binary from the first directory that has it.
func assetsOnPath(dirs []string) (Assets, error) {
	return Assets{
		Etcd:              firstExecutable(dirs, ComponentEtcd),
		APIServer:         firstExecutable(dirs, ComponentAPIServer),
		ControllerManager: firstExecutable(dirs, ComponentControllerManager),
	}.complete("PATH")
}

// complete returns the assets with absolute paths, or says what they lack.
func (a Assets) complete(where string) (Assets, error) {
	var missing []string
	if a.Etcd == "" {
		missing = append(missing, ComponentEtcd)
	}
	if a.APIServer == "" {
		missing = append(missing, ComponentAPIServer)
	}
	if missing != nil {
		return Assets{}, missingAssets(missing, where)
	}
	for _, path := range []*string{&a.Etcd, &a.APIServer, &a.ControllerManager} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return Assets{}, fmt.Errorf("binary %q: %w", *path, err)
		}
		*path = abs
	}
	return a, nil
}

// FindProgram returns the absolute path of a program on PATH, empty where there is
// none.
func FindProgram(name string, env func(string) string) string {
	path := firstExecutable(filepath.SplitList(env("PATH")), name)
	if abs, err := filepath.Abs(path); path != "" && err == nil {
		return abs
	}
	return ""
}

// firstExecutable returns the path of the first executable file called name,
// or "". exec.LookPath is no help: it reads the process's own environment.
func firstExecutable(dirs []string, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range dirs {
		if dir == "" {
			continue // an empty PATH element means the working directory: never
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0 {
			return path
		}
	}
	return ""
}
