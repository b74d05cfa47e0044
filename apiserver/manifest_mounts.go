package apiserver

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/failure"
)

// mountEdit is what a change does to the volumes of a pod and to the mounts of
// the container.
type mountEdit struct {
	volumes  []Volume // added
	mounts   []Volume // added, of volumes with these names
	writable []int    // mounts that were read-only
	// What is added to a list in flow style comes before what is there.
	volumesFirst, mountsFirst bool
}

// mount has the container see a path of the host, unless it does.
func (e *edit) mount(v Volume) error {
	for _, added := range e.mounts.mounts {
		if added.Path == v.Path {
			return nil
		}
	}
	at := e.Component.MountOf(v.Path)
	if at >= 0 && e.Component.Container.VolumeMounts[at].ReadOnly && !v.ReadOnly && !isAt(e.mountAt(at), v.Path) {
		at = -1 // a mount of its own, in the one that is read-only
	}
	if at < 0 {
		return e.addMount(v)
	}
	mount := e.mountAt(at)
	source := e.hostPathOf(mount.Name)
	switch {
	case source != nil && mount.SubPathExpr == "":
		if mount.ReadOnly && !v.ReadOnly {
			e.mounts.writable = append(e.mounts.writable, at)
		}
		return nil
	case isAt(mount, v.Path):
		return failure.New(failure.Refused, "choose another path, or take that mount out",
			"in %q volume %q, which is not a path of the host, is mounted at %q", e.Name, mount.Name, v.Path)
	}
	return e.addMount(v)
}

func (m *Manifest) mountAt(i int) corev1.VolumeMount { return m.Component.Container.VolumeMounts[i] }

func isAt(mount corev1.VolumeMount, file string) bool {
	return path.Clean("/"+mount.MountPath) == file
}

func (e *edit) hostPathOf(name string) *corev1.HostPathVolumeSource {
	for _, volume := range e.Component.Pod.Spec.Volumes {
		if volume.Name == name {
			return volume.HostPath
		}
	}
	return nil
}

// addMount adds a mount, of a volume that there is for that path or of a new one.
func (e *edit) addMount(v Volume) error {
	for _, volume := range e.Component.Pod.Spec.Volumes {
		if source := volume.HostPath; source != nil && path.Clean(source.Path) == v.Path && takes(source.Type, v.Type) {
			v.Name = volume.Name
			e.mounts.mounts = append(e.mounts.mounts, v)
			return nil
		}
	}
	v.Name = e.freeName(v.Name)
	e.mounts.volumes = append(e.mounts.volumes, v)
	e.mounts.mounts = append(e.mounts.mounts, v)
	return nil
}

// takes says whether what has one type of host path may be wanted with another:
// a directory is none that is to be a file.
func takes(have *corev1.HostPathType, want HostPathType) bool {
	if have == nil || *have == corev1.HostPathUnset {
		return true
	}
	isFile := func(t string) bool { return strings.HasPrefix(t, "File") }
	return isFile(string(*have)) == isFile(string(want))
}

// freeName returns a name that no volume of the pod has.
func (e *edit) freeName(name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(e.mounts.volumes, func(v Volume) bool { return v.Name == name }) ||
			slices.ContainsFunc(e.Component.Pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	}
	const maxLabel = 63 // RFC 1123
	free := name
	for n := 2; taken(free); n++ {
		end := fmt.Sprintf("-%d", n)
		free = name[:min(len(name), maxLabel-len(end))] + end
	}
	return free
}

// HostPath returns where a path that kube-apiserver sees is on the host, and
// whether it sees any of the host there.
func (m *Manifest) HostPath(file string) (string, bool) { return m.Component.HostPath(file) }
