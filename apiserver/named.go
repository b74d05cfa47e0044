package apiserver

import (
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Keys of files that kube-apiserver reads whose values are paths again.
var (
	// k8s.io/client-go/tools/clientcmd/api/v1
	kubeconfigKeys = []string{"certificate-authority", "client-certificate", "client-key", "tokenFile"}
	// k8s.io/apiserver/pkg/apis/apiserver/v1, and the configurations of plugins
	admissionKeys = []string{"path", "kubeConfigFile"}
)

// keysOfPaths returns the keys that name paths in the file of a flag.
func keysOfPaths(flag string) []string {
	switch flag {
	case "admission-control-config-file":
		return admissionKeys
	case "audit-webhook-config-file", "authorization-webhook-config-file", "authentication-token-webhook-config-file":
		return kubeconfigKeys
	case "authorization-config":
		return []string{"kubeConfigFile"}
	case "encryption-provider-config":
		return []string{"endpoint"} // of a KMS plugin
	case "egress-selector-config-file":
		return []string{"udsName", "caBundle", "clientKey", "clientCert"}
	}
	return nil
}

// namedPaths returns the paths that kube-apiserver uses because the file of a flag
// names them, or a file that is named there: a container has to see them, too.
// Paths that are not absolute are below the directory of the file. read returns
// what is in a file; one that it cannot read, or that makes no sense, names none.
func namedPaths(flag, file string, read func(string) ([]byte, error)) []usedPath {
	var paths []usedPath
	seen := map[string]bool{}
	var look func(file string, keys []string)
	look = func(file string, keys []string) {
		data, err := read(file)
		if seen[file] || err != nil || keys == nil {
			return
		}
		seen[file] = true
		var object any
		if yaml.Unmarshal(data, &object) != nil {
			return
		}
		eachText(object, keys, func(key, value string) {
			named, use := value, PathFile
			if key == "endpoint" || key == "udsName" {
				named, use = strings.TrimPrefix(value, "unix://"), PathSocket
			}
			if named == "" || isAbstract(named) {
				return
			}
			if !path.IsAbs(named) {
				named = path.Join(path.Dir(file), named)
			}
			paths = append(paths, usedPath{flag, path.Clean(named), use})
			switch key {
			case "kubeConfigFile":
				look(named, kubeconfigKeys)
			case "path":
				look(named, admissionKeys)
			}
		})
	}
	look(file, keysOfPaths(flag))
	return paths
}

// eachText visits the texts below the keys, wherever these are.
func eachText(object any, keys []string, visit func(key, value string)) {
	switch object := object.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(object)) {
			value := object[key]
			if text, isText := value.(string); isText && slices.Contains(keys, key) {
				visit(key, text)
			}
			eachText(value, keys, visit)
		}
	case []any:
		for _, item := range object {
			eachText(item, keys, visit)
		}
	}
}
