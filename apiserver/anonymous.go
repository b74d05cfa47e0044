package apiserver

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// anonymousAccess is what an AuthenticationConfiguration says of requests without
// credentials (k8s.io/apiserver/pkg/apis/apiserver/v1, AnonymousAuthConfig).
type anonymousAccess struct {
	Enabled    bool `json:"enabled"`
	Conditions []struct {
		Path string `json:"path"`
	} `json:"conditions"`
}

// readAnonymous returns what a configuration says, nil if that is nothing.
func readAnonymous(data []byte) *anonymousAccess {
	var config struct {
		Anonymous *anonymousAccess `json:"anonymous"`
	}
	if yaml.Unmarshal(data, &config) != nil {
		return nil
	}
	return config.Anonymous
}

// allows says whether a path is served to anybody.
func (a *anonymousAccess) allows(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	return a.Enabled && (len(a.Conditions) == 0 || slices.Contains(a.paths(), path))
}

func (a *anonymousAccess) paths() []string {
	var paths []string
	for _, condition := range a.Conditions {
		paths = append(paths, condition.Path)
	}
	return paths
}

// endingProbes returns the paths that the kubelet asks without a credential, and
// ends the container if it is refused.
func endingProbes(container *corev1.Container) []string {
	var paths []string
	for _, probe := range []*corev1.Probe{container.LivenessProbe, container.StartupProbe} {
		if probe != nil && probe.HTTPGet != nil && !slices.ContainsFunc(probe.HTTPGet.HTTPHeaders, isCredential) {
			paths = append(paths, "/"+strings.TrimPrefix(probe.HTTPGet.Path, "/"))
		}
	}
	return paths
}

func isCredential(h corev1.HTTPHeader) bool { return strings.EqualFold(h.Name, "Authorization") }
