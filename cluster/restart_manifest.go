package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// staticPod is a component as a static pod's manifest describes it.
type staticPod struct {
	*staticpod.Component
	file string // name in the directory of manifests
}

// findStaticPods finds the manifests of components in a directory. A component
// that is not there has none. Files that concern none of them are passed over:
// that they are right is the kubelet's concern.
func findStaticPods(dir string, wanted []string) (map[string]*staticPod, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, manifestsError(err, dir)
	}
	found := map[string]*staticPod{}
	for _, entry := range entries {
		// The kubelet passes over the same ones (pkg/kubelet/config/file.go).
		if strings.HasPrefix(entry.Name(), ".") || entry.IsDir() {
			continue
		}
		pods, err := readStaticPods(dir, entry.Name(), wanted)
		if err != nil {
			return nil, err
		}
		for _, pod := range pods {
			if other := found[pod.Name]; other != nil {
				return nil, failure.New(failure.Refused, "the kubelet runs every file there: move the one that is not meant out of the directory",
					"both %q and %q in %q run %s", other.file, pod.file, dir, pod.Name)
			}
			found[pod.Name] = pod
		}
	}
	return found, nil
}

func manifestsError(err error, dir string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return failure.New(failure.Failed, "run it on the node of a control plane, as root; the kubelet's staticPodPath says where the manifests are",
			"there is no directory of manifests %q", dir)
	}
	return failure.Wrap(store.ReadError(err, dir), failure.Failed, "", "manifests of static pods")
}

// readStaticPods returns the components that one file runs. A file that cannot
// be read or decoded is an error only if it has the name of a component.
func readStaticPods(dir, file string, wanted []string) ([]*staticPod, error) {
	var pods []*staticPod
	data, err := store.Read(filepath.Join(dir, file), store.MaxYAML)
	var pod *corev1.Pod
	if err == nil {
		pod, err = staticpod.Parse(data)
	}
	for _, component := range wanted {
		if err != nil {
			if strings.TrimSuffix(file, filepath.Ext(file)) == component {
				return nil, failure.Wrap(err, failure.Failed, "see what the kubelet says of it: journalctl -u kubelet",
					"manifest %q cannot be read", filepath.Join(dir, file))
			}
			continue
		}
		if found := staticpod.Find(pod, component); found != nil {
			pods = append(pods, &staticPod{found, file})
		}
	}
	return pods, nil
}
