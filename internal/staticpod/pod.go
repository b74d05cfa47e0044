// Package staticpod reads the manifests of components that the kubelet runs as
// static pods: which container runs a component, with which flags, what of the
// host it sees, where it is asked for its health and where its logs are.
package staticpod

import (
	"errors"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// Component is a program, such as kube-apiserver, as a pod runs it.
type Component struct {
	Name      string
	Pod       *corev1.Pod
	Container *corev1.Container // the one of Pod that runs it
	// Flags are those of the program, without dashes, the last of each name. One
	// without a value has "". Variables ETCD_NAME of the environment count as flags,
	// as they do for etcd.
	Flags map[string]string
}

// Parse decodes a Pod in YAML or JSON. Fields that this program does not know
// are passed over, as they are for the kubelet's API server.
func Parse(data []byte) (*corev1.Pod, error) {
	pod := new(corev1.Pod)
	if err := yaml.Unmarshal(data, pod); err != nil {
		return nil, err
	}
	if pod.Kind != "Pod" {
		return nil, errors.New("it is no Pod")
	}
	return pod, nil
}

// Find returns a component as a pod runs it, nil if none of its containers does:
// in the one that is called so, or else in the one whose program is.
func Find(pod *corev1.Pod, component string) *Component {
	container := containerOf(pod, component)
	if container == nil {
		return nil
	}
	return &Component{Name: component, Pod: pod, Container: container, Flags: flagsOf(container)}
}

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
		flags[strings.ReplaceAll(name, "_", "-")] = value // the same to Kubernetes' own programs
	}
	return flags
}

// HostFile returns where the file that a flag names is on the host, and whether
// it is there at all; see HostPath.
func (c *Component) HostFile(flag string) (string, bool) { return c.HostPath(c.Flags[flag]) }

// HostPath returns where a file of the container is on the host, and whether it
// is there at all: through the mount of a hostPath volume that is nearest to it.
// A path that is not absolute is nowhere on the host.
func (c *Component) HostPath(file string) (string, bool) {
	if !path.IsAbs(file) {
		return "", false
	}
	file = path.Clean(file)
	at := c.MountOf(file)
	if at < 0 || c.Container.VolumeMounts[at].SubPathExpr != "" {
		return "", false
	}
	mount := c.Container.VolumeMounts[at]
	below := strings.TrimPrefix(file, path.Clean("/"+mount.MountPath))
	for _, volume := range c.Pod.Spec.Volumes {
		if volume.Name == mount.Name && volume.HostPath != nil {
			return filepath.FromSlash(path.Join(volume.HostPath.Path, mount.SubPath, below)), true
		}
	}
	return "", false
}

// MountOf returns which mount of the container shows a path, the nearest one; -1
// if none does.
func (c *Component) MountOf(file string) int {
	best, longest := -1, -1
	for i, mount := range c.Container.VolumeMounts {
		if at := path.Clean("/" + mount.MountPath); IsBelow(file, at) && len(at) > longest {
			best, longest = i, len(at)
		}
	}
	return best
}

// IsBelow says whether a path is that of a directory or one below it.
func IsBelow(file, dir string) bool {
	return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// probe is the manifest's own question to a component, the one for readiness
// before the others.
func (c *Component) probe() *corev1.HTTPGetAction {
	for _, probe := range []*corev1.Probe{c.Container.ReadinessProbe, c.Container.StartupProbe, c.Container.LivenessProbe} {
		if probe != nil && probe.HTTPGet != nil {
			return probe.HTTPGet
		}
	}
	return nil
}

// probePort resolves the port of a probe, which may be a name; "" if it is none.
func (c *Component) probePort(probe *corev1.HTTPGetAction) string {
	for _, port := range c.Container.Ports {
		if probe.Port.Type == intstr.String && port.Name == probe.Port.StrVal {
			return strconv.Itoa(int(port.ContainerPort))
		}
	}
	if _, err := strconv.ParseUint(probe.Port.String(), 10, 16); err != nil {
		return ""
	}
	return probe.Port.String()
}
