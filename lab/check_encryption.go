package lab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readEncryptionCheck reads the parameters of a check of an EncryptionConfiguration, as
// kube-apiserver reads it:
//
//	file       the configuration's
//	resource   what is to be encrypted, such as secrets
//	providers  those of which one is to be first
//	identity   last: what was written before can still be read
//	private    true: nobody but the file's owner may read it, for it holds the keys
func readEncryptionCheck(p *params) (grader, error) {
	c := &encryptionCheck{}
	err := p.fields(
		p.file("file", &c.file),
		p.text("resource", &c.resource),
		yamlfile.Key{Name: "providers", Read: func(n *yaml.Node) error {
			return p.List(n, "providers", func(n *yaml.Node, name string) error {
				if !slices.Contains(encryptingProviders(), name) {
					return p.ErrorAt(n, "write some of "+strings.Join(encryptingProviders(), ", "), "no provider with a key of its own is called %q", name)
				}
				c.providers = append(c.providers, name)
				return nil
			})
		}},
		yamlfile.Key{Name: "identity", Read: func(n *yaml.Node) error { c.identityLast = true; return p.constant("last")(n) }},
		yamlfile.Key{Name: "private", Read: func(n *yaml.Node) (err error) { c.private, err = p.Boolean(n, "private"); return err }},
	)
	if err == nil && c.resource == "" {
		err = p.ErrorAt(p.node, "name it, as in resource: secrets", "%s has no field %q", p.what, "resource")
	}
	if err != nil {
		return nil, err
	}
	asked := len(c.providers)
	if c.identityLast || c.private {
		asked++
	}
	return c.grade, p.someOf(asked, c.file)
}

type encryptionCheck struct {
	file, resource        string
	providers             []string
	identityLast, private bool
}

func encryptingProviders() []string { return []string{"aescbc", "aesgcm", "secretbox"} }

// encryptionConfiguration is that of apiserver.config.k8s.io/v1, as far as it is asked
// for here.
type encryptionConfiguration struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Resources  []struct {
		Resources []string                     `json:"resources"`
		Providers []map[string]json.RawMessage `json:"providers"`
	} `json:"resources"`
}

func (c *encryptionCheck) grade(_ context.Context, w *work) finding {
	var wanted []string
	if len(c.providers) > 0 {
		wanted = append(wanted, fmt.Sprintf("%s in %s are encrypted by %s, with a key of %d random bytes", c.resource, c.file, strings.Join(c.providers, " or "), keySize))
	}
	if c.identityLast {
		wanted = append(wanted, "the last provider of "+c.resource+" is identity")
	}
	if c.private {
		wanted = append(wanted, "only its owner may read "+c.file+" (mode 0600)")
	}
	f := finding{wanted: strings.Join(wanted, "; ")}
	f.found = c.fault(w)
	if f.passed = f.found == ""; f.passed {
		f.found = "as wanted"
	}
	return f
}

// fault says what is wrong, empty if nothing is.
func (c *encryptionCheck) fault(w *work) string {
	docs, found := w.documents(c.file)
	if found != "" {
		return found
	}
	if len(docs) != 1 || docs[0].Kind != "EncryptionConfiguration" || docs[0].APIVersion != "apiserver.config.k8s.io/v1" {
		return c.file + " is not one EncryptionConfiguration of apiserver.config.k8s.io/v1"
	}
	config, found := decodeAs[encryptionConfiguration](docs[0])
	if found != "" {
		return found
	}
	providers := config.providersOf(c.resource)
	if len(providers) == 0 {
		return "no providers are given for " + c.resource
	}
	for _, provider := range providers { // kube-apiserver exits with it
		if name := providerName(provider); string(provider[name]) == "null" {
			return fmt.Sprintf("provider %s has no value, and kube-apiserver does not start: write identity: {} where nothing is to be said", name)
		}
	}
	if len(c.providers) > 0 {
		if found := c.first(providers[0]); found != "" {
			return found
		}
	}
	if last := providerName(providers[len(providers)-1]); c.identityLast && (last != "identity" || len(providers) < 2) {
		return fmt.Sprintf("the last of %d providers is %s", len(providers), last)
	}
	return c.readable(w)
}

// readable says who else may read the file.
func (c *encryptionCheck) readable(w *work) string {
	if !c.private || runtime.GOOS == "windows" { // which has no such modes
		return ""
	}
	info, err := w.learner.root.Stat(filepath.FromSlash(c.file))
	if err != nil {
		return c.file + " cannot be read"
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Sprintf("%s has mode %04o", c.file, info.Mode().Perm())
	}
	return ""
}

// providersOf returns those of a resource of the core group. The first that names it
// counts; *. is all of that group, *.* all of all.
func (e *encryptionConfiguration) providersOf(resource string) []map[string]json.RawMessage {
	for _, r := range e.Resources {
		if slices.Contains(r.Resources, resource) || slices.Contains(r.Resources, "*.") || slices.Contains(r.Resources, "*.*") {
			return r.Providers
		}
	}
	return nil
}

func providerName(provider map[string]json.RawMessage) string {
	for name := range provider {
		if len(provider) == 1 {
			return name
		}
	}
	return fmt.Sprintf("one of %d names", len(provider))
}

// keySize is what secretbox takes, and the largest that AES takes, in bytes.
const keySize = 32

// first says what is wrong with the provider that writes.
func (c *encryptionCheck) first(provider map[string]json.RawMessage) string {
	name := providerName(provider)
	if !slices.Contains(c.providers, name) {
		return "what is written is written by the first provider, which is " + name
	}
	var with struct {
		Keys []struct {
			Name   string `json:"name"`
			Secret string `json:"secret"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(provider[name], &with); err != nil || len(with.Keys) == 0 {
		return name + " has no keys"
	}
	key, err := base64.StdEncoding.DecodeString(with.Keys[0].Secret)
	switch {
	case with.Keys[0].Name == "":
		return "the first key of " + name + " has no name"
	case err != nil:
		return "the first key of " + name + " is not base64"
	case len(key) != keySize:
		return fmt.Sprintf("the first key of %s has %d bytes, not %d", name, len(key), keySize)
	case isGuessable(key):
		return "the first key of " + name + " can be guessed: it is text, or one byte again and again"
	}
	return ""
}

// isGuessable tells keys that nobody drew by lot: words, or few bytes again and again.
// Of 32 random bytes all are printable once in ten million million times; digits of
// base 16 are as good as half as many bytes.
func isGuessable(key []byte) bool {
	different := map[byte]bool{}
	isText, isHex := true, len(key) == 32
	for _, b := range key {
		different[b] = true
		isText = isText && b >= ' ' && b <= '~'
		isHex = isHex && strings.IndexByte("0123456789abcdefABCDEF", b) >= 0
	}
	return len(different) < 8 || isText && !isHex
}
