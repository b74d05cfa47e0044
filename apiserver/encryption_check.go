package apiserver

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
)

// encryptionFile is an EncryptionConfiguration, as far as it is looked at. The
// keys themselves are not read.
type encryptionFile struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Resources  []struct {
		Resources []string               `yaml:"resources"`
		Providers []map[string]yaml.Node `yaml:"providers"`
	} `yaml:"resources"`
}

// CheckEncryption says whether an encryption configuration that is there
// already, which is never replaced, encrypts what the options ask for with the
// provider that they ask for. name is what errors call it; they are of kind
// Refused and have nothing of its contents but names.
func CheckEncryption(name string, data []byte, o EncryptionOptions) error {
	var file encryptionFile
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&file); err != nil || file.Kind != "EncryptionConfiguration" {
		// The error of the decoder may quote a key.
		return failure.New(failure.Refused, "move it away if it is not needed, or name another with --encryption-provider-config", "%q is there, and is no EncryptionConfiguration", name)
	}
	hint := "what is encrypted with the keys in it would be lost, so it is not replaced: change it by hand, or leave --encrypt out"
	for _, resource := range o.Resources {
		provider := file.provider(resource)
		if provider == "" || provider == "identity" {
			return failure.New(failure.Refused, hint, "%q is there, and does not encrypt %s", name, resource)
		}
		want := o.Provider
		if want == "" && o.KMSEndpoint != "" {
			want = providerKMS
		}
		if provider != cmp.Or(want, provider) {
			return failure.New(failure.Refused, hint, "%q is there, and encrypts %s with %s, not with %s", name, resource, provider, want)
		}
	}
	return nil
}

// provider returns the first provider of a resource, which encrypts it.
func (f encryptionFile) provider(resource string) string {
	for _, entry := range f.Resources {
		if !covers(entry.Resources, resource) || len(entry.Providers) == 0 {
			continue
		}
		for name := range entry.Providers[0] {
			return name
		}
	}
	return ""
}

// covers says whether a list of resources has one: by its name, or by *.GROUP or
// *.* (k8s.io/apiserver/pkg/server/options/encryptionconfig).
func covers(list []string, resource string) bool {
	_, group, _ := strings.Cut(resource, ".")
	return slices.ContainsFunc(list, func(item string) bool {
		return item == resource || item == "*."+group || item == "*.*"
	})
}
