package apiserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// checkedPod is a component whose flags are looked at.
type checkedPod struct {
	component string
	file      string // of the manifest; empty: it runs, and its manifest is elsewhere
	node      string // it runs on
	version   string // as the image's tag says; may be empty

	running  *staticpod.Component
	manifest *Manifest    // of kube-apiserver
	words    []*yaml.Node // of others
}

// value returns the value of a flag as the component takes it, and whether it has
// it at all.
func (p *checkedPod) value(flag string) (string, bool) {
	if p.manifest != nil {
		return p.manifest.Value(flag)
	}
	value, found := p.running.Flags[flag]
	return value, found
}

// line returns where a flag stands, 0 where that is not known.
func (p *checkedPod) line(flag string) int {
	if p.file == "" {
		return 0
	}
	if p.manifest != nil {
		for _, f := range slices.Backward(p.manifest.Flags()) {
			if f.Name == flag {
				return f.Line
			}
		}
		return 0
	}
	for _, word := range slices.Backward(p.words) {
		if name, _, _ := strings.Cut(strings.TrimLeft(word.Value, "-"), "="); name == flag && strings.HasPrefix(word.Value, "-") {
			return word.Line
		}
	}
	return 0
}

// isAtLeast says whether the component is known to be of that version or newer.
func (p *checkedPod) isAtLeast(v Version) bool {
	is, err := ParseVersion(p.version)
	return p.version != "" && err == nil && is.AtLeast(v)
}

// errElsewhere says that a file is on another machine.
var errElsewhere = errors.New("it is on the node, and cannot be read from here")

// read reads a file that a flag names, through the mount by which the component
// sees it. The path is that on the host, where it is known.
func (p *checkedPod) read(file string, limit int64) (path string, data []byte, err error) {
	path, found := p.running.HostPath(file)
	switch {
	case !found:
		return file, nil, failure.New(failure.Failed, "mount it: pkictl apiserver patch does", "%q is in the container alone: no hostPath volume is mounted there", file)
	case p.file == "":
		return path, nil, errElsewhere
	}
	data, err = store.Read(path, limit)
	return path, data, err
}

// readPods reads the manifest of kube-apiserver at path, or in the directory
// there, with those of the other components.
func readPods(path string) ([]*checkedPod, error) {
	info, err := os.Stat(path)
	if err != nil {
		err = store.ReadError(err, path)
		if errors.Is(err, fs.ErrNotExist) {
			err = failure.Wrap(err, failure.Failed, "run it on a node of the control plane, or name a manifest or the directory of them", "manifest")
		}
		return nil, err
	}
	if !info.IsDir() {
		manifest, err := ReadManifest(path)
		if err != nil {
			return nil, err
		}
		return []*checkedPod{podOf(manifest, path)}, nil
	}
	return readDirectory(path)
}

func podOf(m *Manifest, path string) *checkedPod {
	return &checkedPod{component: Component, file: path, version: m.Version(), running: m.Component, manifest: m}
}

// readDirectory reads the manifests in a directory by what they run. The kubelet
// passes over names that begin with a dot, and directories.
func readDirectory(dir string) ([]*checkedPod, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, store.ReadError(err, dir)
	}
	found := map[string]*checkedPod{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") || entry.IsDir() {
			continue
		}
		pods, err := readFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		for _, p := range pods {
			if other := found[p.component]; other != nil {
				return nil, failure.New(failure.Failed, "the kubelet runs every file there: move the one that is not meant out of the directory",
					"both %q and %q run %s", other.file, p.file, p.component)
			}
			found[p.component] = p
		}
	}
	if found[Component] == nil {
		return nil, failure.New(failure.Failed, "name the directory of the kubelet's static pods; kubeadm's is /etc/kubernetes/manifests", "no manifest in %q runs %s", dir, Component)
	}
	var pods []*checkedPod
	for _, component := range []string{Component, componentControllerManager, componentScheduler, componentEtcd} {
		if found[component] != nil {
			pods = append(pods, found[component])
		}
	}
	return pods, nil
}

// readFile returns the components that a file runs. What is not meant for the
// kubelet, or is none of them, is passed over, unless it has the name of one.
func readFile(path string) ([]*checkedPod, error) {
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	data, err := store.Read(path, store.MaxYAML)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // a link to nowhere
		}
		return nil, err
	}
	pod, err := staticpod.Parse(data)
	if name == Component || err == nil && staticpod.Find(pod, Component) != nil {
		manifest, err := ParseManifest(path, data)
		if err != nil {
			return nil, err
		}
		return []*checkedPod{podOf(manifest, path)}, nil
	}
	var pods []*checkedPod
	for _, component := range []string{componentControllerManager, componentScheduler, componentEtcd} {
		if err != nil {
			if name == component {
				return nil, failure.Wrap(err, failure.Failed, "see what the kubelet says of it: journalctl -u kubelet", "manifest %q cannot be read", path)
			}
			continue
		}
		if running := staticpod.Find(pod, component); running != nil {
			pods = append(pods, &checkedPod{component: component, file: path, version: imageVersion(running), running: running, words: wordNodes(data)})
		}
	}
	return pods, nil
}

func imageVersion(c *staticpod.Component) string { return (&Manifest{Component: c}).Version() }

// wordNodes returns all texts of a manifest that may be flags.
func wordNodes(data []byte) []*yaml.Node {
	documents, err := yamlfile.File{}.Documents(data)
	if err != nil {
		return nil
	}
	var words []*yaml.Node
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "-") {
			words = append(words, n)
		}
		for _, child := range n.Content {
			visit(child)
		}
	}
	visit(documents[0])
	return words
}
