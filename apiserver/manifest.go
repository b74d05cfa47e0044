package apiserver

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

const manifestHint = "name the manifest of kube-apiserver's static pod; kubeadm's is /etc/kubernetes/manifests/kube-apiserver.yaml"

// Manifest is the manifest of kube-apiserver's static pod as text, and what it
// means.
type Manifest struct {
	Name string // what errors call it
	// Component is kube-apiserver as the kubelet reads it out of the manifest.
	Component *staticpod.Component

	data      []byte
	root      *yaml.Node
	text      *yamlfile.Text
	container *yaml.Node // the mapping of Component.Container
	index     int        // of the container in spec.containers
	words     []word     // of command and args
}

// ReadManifest reads the manifest in a file. See ParseManifest.
func ReadManifest(file string) (*Manifest, error) {
	data, err := store.Read(file, store.MaxYAML)
	if err != nil {
		return nil, err
	}
	return ParseManifest(file, data)
}

// ParseManifest reads a manifest in YAML or JSON, as the kubelet does
// (k8s.io/kubernetes/pkg/kubelet/config/common.go). What is no Pod that runs
// kube-apiserver, or has a form that cannot be edited in place, is an error of
// kind Usage. Fields that this program does not know are passed over.
func ParseManifest(name string, data []byte) (*Manifest, error) {
	m := &Manifest{Name: name, data: data, text: yamlfile.NewText(data)}
	if err := m.readRoot(); err != nil {
		return nil, err
	}
	pod, err := staticpod.Parse(data)
	if err != nil {
		return nil, failure.Wrap(err, failure.Usage, manifestHint, "%q is not what the kubelet takes for a Pod", name)
	}
	if err := m.findContainer(pod); err != nil {
		return nil, err
	}
	return m, m.readWords()
}

func (m *Manifest) file() yamlfile.File { return yamlfile.File{Name: m.Name, Hint: manifestHint} }

// readRoot reads the nodes of the one document.
func (m *Manifest) readRoot() error {
	if bytes.HasPrefix(m.data, []byte("\xef\xbb\xbf")) {
		return failure.New(failure.Usage, "save it as UTF-8 without one", "%q begins with a byte order mark", m.Name)
	}
	documents, err := m.file().Documents(m.data)
	if err != nil {
		return err
	}
	if len(documents) > 1 {
		return m.file().ErrorAt(documents[1], "give each manifest a file of its own", "a second document begins; the kubelet reads the first alone")
	}
	m.root = documents[0]
	if err := m.file().Check(m.root); err != nil {
		return err
	}
	if m.root.Kind == yaml.ScalarNode && m.root.Tag == "!!null" {
		return m.file().Empty()
	}
	if m.root.Kind != yaml.MappingNode {
		return m.file().ErrorAt(m.root, manifestHint, "it is no Pod")
	}
	if err := m.checkKeys(m.root); err != nil {
		return err
	}
	return m.checkKind()
}

// checkKeys refuses a key that stands twice: readers differ in which counts.
func (m *Manifest) checkKeys(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if line := seen[key.Value]; line > 0 {
				return m.file().ErrorAt(key, "keep the one that is meant", "%q stands here again, after line %d", key.Value, line)
			}
			seen[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		if err := m.checkKeys(child); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manifest) checkKind() error {
	value := func(key string) string {
		if node := yamlfile.Field(m.root, key); node != nil {
			return node.Value
		}
		return ""
	}
	switch kind, group := value("kind"), value("apiVersion"); {
	case kind == "" && group == "":
		return failure.New(failure.Usage, manifestHint, "%q is no Pod: it has neither apiVersion nor kind", m.Name)
	case strings.HasSuffix(kind, "List"):
		return failure.New(failure.Usage, "give the Pod a file of its own", "%q is a %s; the kubelet takes one Pod in each file", m.Name, kind)
	case kind != "Pod":
		return failure.New(failure.Usage, manifestHint, "%q is a %s and not a Pod, so that no kubelet runs it", m.Name, orNone(kind))
	case group != "v1":
		return failure.New(failure.Usage, "write apiVersion: v1", "%q is a Pod of apiVersion %q, which there is none of", m.Name, group)
	}
	return nil
}

func orNone(kind string) string {
	if kind == "" {
		return "file without kind"
	}
	return kind
}

// findContainer finds the container of kube-apiserver, as the kubelet and as the
// text has it.
func (m *Manifest) findContainer(pod *corev1.Pod) error {
	if len(pod.Spec.Containers) == 0 {
		return failure.New(failure.Usage, manifestHint, "%q is a Pod without containers", m.Name)
	}
	m.Component = staticpod.Find(pod, Component)
	if m.Component == nil {
		return failure.New(failure.Usage, manifestHint, "%q runs no %s: its containers are %s", m.Name, Component, containerNames(pod))
	}
	m.index = slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == m.Component.Container.Name })
	containers := yamlfile.Field(yamlfile.Field(m.root, "spec"), "containers")
	if containers == nil || m.index >= len(containers.Content) || &pod.Spec.Containers[m.index] != m.Component.Container {
		return failure.New(failure.Usage, "give each container a name of its own", "%q has containers of the same name", m.Name)
	}
	m.container = containers.Content[m.index]
	return nil
}

func containerNames(pod *corev1.Pod) string {
	var names []string
	for _, c := range pod.Spec.Containers {
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	return strings.Join(names, ", ")
}

// Version returns the version that the tag of the image names, as v1.36.3; "" if
// it names none.
func (m *Manifest) Version() string {
	image, _, _ := strings.Cut(path.Base(m.Component.Container.Image), "@")
	_, tag, _ := strings.Cut(image, ":")
	if _, err := version.ParseSemantic(tag); err != nil {
		return ""
	}
	return tag
}
