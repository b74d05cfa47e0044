package cluster

import (
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Wishes are the settings that somebody asks Init for, as flags or answers say
// them: they come before those that a file or the directory has.
type Wishes struct {
	Settings // ExternalEtcd counts only where it is true
	// NodeNames are nodes as NAME or NAME=ADDRESS, behind those of Settings.
	NodeNames []string
	// Address is that of a node that is alone.
	Address string
	// EtcdSANs are more names of etcd, for its serving and peer certificates.
	EtcdSANs []string
	// External is Settings.ExternalEtcd where that it is false is said, too.
	External *bool
	// Config is a file with settings, in place of what the directory has: as
	// cluster.yaml, or kubeadm's.
	Config string
}

// BaseSettings are settings that wishes are laid over.
type BaseSettings struct {
	Settings  Settings
	FromFiles bool // see InitOptions
	Warnings  []string
}

// Base reads the settings that wishes for a cluster directory are laid over:
// those of the file Config, or else those in the directory, or else what the
// files in it were made for. A directory that has nothing is no error.
func (w Wishes) Base(dir string) (BaseSettings, error) {
	if w.Config == "" {
		base, isThere, err := ReadSettings(dir)
		if err != nil || isThere {
			return BaseSettings{Settings: base}, err
		}
		base, fromFiles := SettingsFromFiles(dir)
		return BaseSettings{Settings: base, FromFiles: fromFiles}, nil
	}
	data, err := store.Read(w.Config, store.MaxYAML)
	if err != nil {
		return BaseSettings{}, err
	}
	base, warnings, err := ParseSettings(data, w.Config)
	return BaseSettings{Settings: base, Warnings: warnings}, err
}

// Over returns the settings of the wishes over those of a file.
func (w Wishes) Over(base Settings) (Settings, error) {
	s := w.Settings
	s.EtcdServerSANs, s.EtcdPeerSANs = w.EtcdSANs, w.EtcdSANs
	for _, text := range w.NodeNames {
		s.Nodes = append(s.Nodes, ParseNode(text))
	}
	s = s.WithNamesOf(base)
	if w.External != nil {
		s.ExternalEtcd = *w.External
	}
	if w.Address == "" {
		return s, nil
	}
	if len(s.Nodes) > 1 {
		return s, failure.New(failure.Usage, "write each as --node NAME=ADDRESS", "--advertise-address is for one node, and there are %d", len(s.Nodes))
	}
	node := NodeSettings{Address: w.Address}
	if len(s.Nodes) == 1 {
		node.Name = s.Nodes[0].Name
	}
	s.Nodes = []NodeSettings{node} // not in the list of the base, which is another's
	return s, nil
}

// Take fills in the settings of o from wishes and what is in o.Dir. The
// warnings are those of the file.
func (o *InitOptions) Take(w Wishes) (warnings []string, err error) {
	base, err := w.Base(o.Dir)
	if err != nil {
		return nil, err
	}
	o.FromFiles = base.FromFiles
	o.Settings, err = w.Over(base.Settings)
	return base.Warnings, err
}

// ParseNode reads NAME or NAME=ADDRESS. Neither is checked.
func ParseNode(text string) NodeSettings {
	name, address, _ := strings.Cut(text, "=")
	return NodeSettings{Name: name, Address: address}
}
