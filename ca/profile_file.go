package ca

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// maxProfiles is the size limit of a file of profiles in octets. Real ones have
// a hundredth of it; read as YAML it takes sixty times as much memory.
const maxProfiles = 256 << 10

// Profiles are those of a file. Nil stands for the built-in ones, which are not
// among those of a file.
type Profiles struct {
	file string
	def  string // name of the default; empty: there is none
	list []namedProfile
}

// namedProfile is a profile of a file, or the reason why it cannot be used:
// cfssl's files may hold profiles for what pkictl does otherwise, or not at
// all, beside those that are wanted.
type namedProfile struct {
	name string
	Profile
	err error
}

// LoadProfiles reads a file of profiles of at most 256 KiB, as ParseProfiles
// does.
func LoadProfiles(path string) (*Profiles, error) {
	data, err := store.Read(path, maxProfiles)
	if err != nil {
		return nil, err
	}
	return ParseProfiles(data, path)
}

// ParseProfiles reads profiles in one of two forms: the configuration of cfssl
// (an object with "signing"), or a YAML or JSON document with apiVersion
// pkictl.dev/v1 and kind Profiles. Whatever is not understood is an error of
// kind Usage that names line and column. The name is what errors call the data.
func ParseProfiles(data []byte, name string) (*Profiles, error) {
	d := newDocument(name)
	root, err := d.parse(data)
	if err != nil {
		return nil, err
	}
	p := &Profiles{file: name}
	if root.Kind != yaml.MappingNode {
		return nil, d.ErrorAt(root, documentHint, "there are no profiles")
	}
	if hasField(root, "signing") {
		return p, cfsslConfig{document: d, profiles: p}.read(root)
	}
	return p, p.readOwn(d, root)
}

func hasField(n *yaml.Node, name string) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// Names returns the names of the profiles in their order, the default first.
func (p *Profiles) Names() []string {
	if p == nil {
		return ProfileNames()
	}
	names := nonEmpty(p.def)
	for _, profile := range p.list {
		if profile.name != p.def {
			names = append(names, profile.name)
		}
	}
	return names
}

// Get returns the profile with that name, the default for an empty one.
func (p *Profiles) Get(name string) (Profile, error) {
	if p == nil {
		return BuiltinProfile(name)
	}
	if name == "" && p.def == "" {
		return Profile{}, failure.New(failure.Usage, "choose one with --profile: "+strings.Join(p.Names(), ", "),
			"%q has no default profile", p.file)
	}
	if name == "" {
		name = p.def
	}
	for _, profile := range p.list {
		if profile.name == name {
			return profile.Profile, profile.err
		}
	}
	return Profile{}, failure.New(failure.Usage, failure.Suggest(name, p.Names()), "there is no profile %q in %q", name, p.file)
}

func (p *Profiles) add(name string, profile Profile, err error) {
	profile.file = p.file
	p.list = append(p.list, namedProfile{name, profile, err})
}

// checkProfileName keeps names to what fits into a line of a list.
func checkProfileName(d document, n *yaml.Node, name string) error {
	if name == profileCA {
		return d.ErrorAt(n, "choose another one", "the name %q is that of CA certificates in the inventory", name)
	}
	return d.At(n, checkName("name of a profile", name))
}
