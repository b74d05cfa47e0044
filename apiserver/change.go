// Package apiserver makes flags of kube-apiserver with the files and mounts that
// they need, changes the static pod that runs it, sees that it comes back, and
// checks it by the CIS Kubernetes Benchmark.
package apiserver

// Component is the name of the container, and of the program that it runs.
const Component = "kube-apiserver"

// Flag is a flag of kube-apiserver, without its dashes.
type Flag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Add says that Value is a list, with commas, of what is added to the list
	// that is there; where there is none it is the list.
	Add bool   `json:"add,omitempty"`
	Why string `json:"why,omitempty"` // one line, for a comment
}

// String returns the flag as it stands in a command: --name=value.
func (f Flag) String() string { return "--" + f.Name + "=" + f.Value }

// HostPathType is what the kubelet wants to find at the path of a volume before
// it starts the pod (k8s.io/api/core/v1).
type HostPathType string

// Types of host paths.
const (
	HostPathFile              HostPathType = "File"
	HostPathDirectory         HostPathType = "Directory"
	HostPathDirectoryOrCreate HostPathType = "DirectoryOrCreate"
)

// Volume is a path of the host that kube-apiserver sees at the same path.
type Volume struct {
	Name     string       `json:"name"` // DNS label
	Path     string       `json:"path"` // absolute
	Type     HostPathType `json:"type"`
	ReadOnly bool         `json:"readOnly"`
}

// Change is what a kube-apiserver is to be started with, beside what it has.
type Change struct {
	Set     []Flag   `json:"set,omitempty"`
	Remove  []string `json:"remove,omitempty"` // names of flags
	Volumes []Volume `json:"volumes,omitempty"`
}
