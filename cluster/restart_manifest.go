package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// staticPod is a component as a static pod's manifest describes it.
type staticPod struct {
	component string
	file      string // name in the directory of manifests
	pod       *corev1.Pod
	container *corev1.Container // the one that runs the component
	flags     map[string]string // of the component, the last of each name
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
			if other := found[pod.component]; other != nil {
				return nil, failure.New(failure.Refused, "the kubelet runs every file there: move the one that is not meant out of the directory",
					"both %q and %q in %q run %s", other.file, pod.file, dir, pod.component)
			}
			found[pod.component] = pod
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
		pod, err = parsePod(data)
	}
	for _, component := range wanted {
		if err != nil {
			if strings.TrimSuffix(file, filepath.Ext(file)) == component {
				return nil, failure.Wrap(err, failure.Failed, "see what the kubelet says of it: journalctl -u kubelet",
					"manifest %q cannot be read", filepath.Join(dir, file))
			}
			continue
		}
		if container := containerOf(pod, component); container != nil {
			pods = append(pods, &staticPod{component: component, file: file, pod: pod, container: container, flags: flagsOf(container)})
		}
	}
	return pods, nil
}

// parsePod decodes a Pod in YAML or JSON. Fields that this program does not know
// are passed over, as they are for the kubelet's API server.
func parsePod(data []byte) (*corev1.Pod, error) {
	pod := new(corev1.Pod)
	if err := yaml.Unmarshal(data, pod); err != nil {
		return nil, err
	}
	if pod.Kind != "Pod" {
		return nil, errors.New("it is no Pod")
	}
	return pod, nil
}

// containerOf returns the container of a pod that runs a component, nil if none
// does: the one that is called so, or else whose program is.
func containerOf(pod *corev1.Pod, component string) *corev1.Container {
	for i, c := range pod.Spec.Containers {
		if c.Name == component {
			return &pod.Spec.Containers[i]
		}
	}
	for i, c := range pod.Spec.Containers {
		if len(c.Command) > 0 && path.Base(c.Command[0]) == component {
			return &pod.Spec.Containers[i]
		}
	}
	return nil
}

// flagsOf reads flags of the forms --name=value, --name value and --name, and,
// as etcd takes them too, variables of the environment that begin with ETCD_.
func flagsOf(container *corev1.Container) map[string]string {
	flags := map[string]string{}
	for _, variable := range container.Env {
		if name, ok := strings.CutPrefix(variable.Name, "ETCD_"); ok {
			flags[strings.ToLower(strings.ReplaceAll(name, "_", "-"))] = variable.Value
		}
	}
	words := append(append([]string{}, container.Command...), container.Args...)
	for i, word := range words {
		if !strings.HasPrefix(word, "-") {
			continue
		}
		name, value, isWhole := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if !isWhole && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			value = words[i+1]
		}
		flags[name] = value
	}
	return flags
}

// hostFile returns where a file of a flag is on the host, and whether it is
// there at all: through the mount of a hostPath volume that is nearest to it.
func (p *staticPod) hostFile(flag string) (string, bool) {
	file := p.flags[flag]
	if !path.IsAbs(file) {
		return "", false
	}
	file = path.Clean(file)
	var mount *corev1.VolumeMount
	below := ""
	for i, m := range p.container.VolumeMounts {
		rest, isBelow := cutDir(file, path.Clean("/"+m.MountPath))
		if isBelow && (mount == nil || len(path.Clean(m.MountPath)) > len(path.Clean(mount.MountPath))) {
			mount, below = &p.container.VolumeMounts[i], rest
		}
	}
	if mount == nil || mount.SubPathExpr != "" {
		return "", false
	}
	for _, volume := range p.pod.Spec.Volumes {
		if volume.Name == mount.Name && volume.HostPath != nil {
			return filepath.FromSlash(path.Join(volume.HostPath.Path, mount.SubPath, below)), true
		}
	}
	return "", false
}

// cutDir returns what of a path is below a directory, and whether it is.
func cutDir(file, dir string) (string, bool) {
	if file == dir {
		return "", true
	}
	return strings.CutPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// probe is the manifest's own question to a component, the one for readiness
// before the others.
func (p *staticPod) probe() *corev1.HTTPGetAction {
	for _, probe := range []*corev1.Probe{p.container.ReadinessProbe, p.container.StartupProbe, p.container.LivenessProbe} {
		if probe != nil && probe.HTTPGet != nil {
			return probe.HTTPGet
		}
	}
	return nil
}

// probePort resolves the port of a probe, which may be a name; "" if it is none.
func (p *staticPod) probePort(probe *corev1.HTTPGetAction) string {
	for _, port := range p.container.Ports {
		if probe.Port.Type == intstr.String && port.Name == probe.Port.StrVal {
			return strconv.Itoa(int(port.ContainerPort))
		}
	}
	if _, err := strconv.ParseUint(probe.Port.String(), 10, 16); err != nil {
		return ""
	}
	return probe.Port.String()
}
