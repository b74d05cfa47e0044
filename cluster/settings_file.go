package cluster

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

const (
	// SettingsFile is the name of the settings in a cluster directory.
	SettingsFile = "cluster.yaml"

	settingsAPIVersion = "pkictl.dev/v1"
	settingsKind       = "Cluster"
	settingsHint       = "begin with apiVersion: " + settingsAPIVersion + " and kind: " + settingsKind + ", or give a configuration of kubeadm"
	settingsComment    = "# What this cluster's PKI is made for. pkictl cluster reads it; it holds no secret.\n"
)

// typeMeta says what a document is.
type typeMeta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// settingsDocument is the form that Settings have in a file.
type settingsDocument struct {
	typeMeta
	Settings
}

// ReadSettings reads the settings of a cluster directory, DIR/cluster.yaml, of
// at most 4 MiB. False: there are none, as in a directory that kubeadm made.
func ReadSettings(dir string) (Settings, bool, error) {
	path := filepath.Join(dir, SettingsFile)
	data, err := store.Read(path, store.MaxYAML)
	if errors.Is(err, fs.ErrNotExist) {
		return Settings{}, false, nil
	}
	if err != nil {
		return Settings{}, false, err
	}
	s, err := parseOwnSettings(data, path)
	return s, err == nil, err
}

// parseOwnSettings reads what Marshal has written, and nothing else.
func parseOwnSettings(data []byte, path string) (Settings, error) {
	file := newSettingsFile(path)
	documents, err := file.documents(data)
	if err != nil {
		return Settings{}, err
	}
	meta, err := file.meta(documents[0])
	if err != nil {
		return Settings{}, err
	}
	if strings.HasPrefix(meta.APIVersion, kubeadmGroup) {
		return Settings{}, file.ErrorAt(documents[0], "move it elsewhere, and name it with --config",
			"it is a configuration of kubeadm; this place is for what pkictl writes")
	}
	return file.own(documents, meta)
}

// Marshal returns the settings as cluster.yaml has them: YAML with a comment
// on top, which ParseSettings reads. Empty fields are left out.
func (s Settings) Marshal() ([]byte, error) {
	fields, err := kyaml.Marshal(s)
	if err != nil {
		return nil, err
	}
	head := settingsComment + "apiVersion: " + settingsAPIVersion + "\nkind: " + settingsKind + "\n"
	if string(fields) == "{}\n" {
		return []byte(head), nil
	}
	return append([]byte(head), fields...), nil
}

// ParseSettings reads settings in one of two forms: that of Marshal
// (apiVersion pkictl.dev/v1, kind Cluster), or a configuration of kubeadm
// (kubeadm.k8s.io/v1beta3 or v1beta4; documents of kinds ClusterConfiguration,
// InitConfiguration and JoinConfiguration, beside which those of kubelet and
// kube-proxy are passed over). Types and names of fields are checked, values
// are not. Whatever is not understood is an error of kind Usage that names line
// and column. Warnings say what a configuration of kubeadm asks for and
// Settings cannot hold, a line each. The name is what errors and warnings call
// the data.
func ParseSettings(data []byte, name string) (s Settings, warnings []string, err error) {
	file := newSettingsFile(name)
	documents, err := file.documents(data)
	if err != nil {
		return Settings{}, nil, err
	}
	meta, err := file.meta(documents[0])
	if err != nil {
		return Settings{}, nil, err
	}
	if strings.HasPrefix(meta.APIVersion, "pkictl.dev/") {
		s, err = file.own(documents, meta)
		return s, nil, err
	}
	return file.kubeadm(documents)
}

// Over returns the settings with those of base where they are empty: what
// flags say over what a file says.
func (s Settings) Over(base Settings) Settings {
	over, under := reflect.ValueOf(&s).Elem(), reflect.ValueOf(base)
	for i := range over.NumField() {
		if over.Field(i).IsZero() {
			over.Field(i).Set(under.Field(i))
		}
	}
	return s
}

// WithNamesOf returns the settings over those of a file, whose more names stay:
// certificates that were made with them keep them, and those of the next node
// need them, too.
func (s Settings) WithNamesOf(file Settings) Settings {
	for _, list := range []struct {
		to   *[]string
		more []string
	}{{&s.SANs, file.SANs}, {&s.EtcdServerSANs, file.EtcdServerSANs}, {&s.EtcdPeerSANs, file.EtcdPeerSANs}} {
		names := slices.Clone(list.more)
		for _, name := range *list.to {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		*list.to = names
	}
	return s.Over(file)
}

// meta returns what a document says it is.
func (f settingsFile) meta(root *yaml.Node) (typeMeta, error) {
	var meta typeMeta
	if root.Kind != yaml.MappingNode {
		return meta, f.ErrorAt(root, settingsHint, "there are no settings")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Kind != yaml.ScalarNode || scalarTag(value) != "!!str" {
			continue // there is none that counts
		}
		switch key.Value {
		case "apiVersion":
			meta.APIVersion = value.Value
		case "kind":
			meta.Kind = value.Value
		}
	}
	if meta.APIVersion == "" || meta.Kind == "" {
		missing := "apiVersion"
		if meta.APIVersion != "" {
			missing = "kind"
		}
		return meta, f.ErrorAt(root, settingsHint, "there is no %s", missing)
	}
	return meta, nil
}

// own reads the form of pkictl itself.
func (f settingsFile) own(documents []*yaml.Node, meta typeMeta) (Settings, error) {
	root := documents[0]
	if meta.APIVersion != settingsAPIVersion || meta.Kind != settingsKind {
		hint := "write apiVersion: " + settingsAPIVersion + " and kind: " + settingsKind
		if similar := failure.Closest(meta.Kind, []string{settingsKind}); similar != "" && meta.Kind != settingsKind {
			hint = "did you mean kind: " + similar + "?"
		}
		return Settings{}, f.ErrorAt(root, hint, "%s of kind %s is not what this version of pkictl reads here", shown(meta.APIVersion), shown(meta.Kind))
	}
	if len(documents) > 1 {
		return Settings{}, f.ErrorAt(documents[1], "put one document into a file", "a second document begins")
	}
	d := strictDecoder{settingsFile: f, kind: settingsKind}
	var document settingsDocument
	if err := d.decode(root, &document); err != nil {
		return Settings{}, err
	}
	return document.Settings, nil
}
