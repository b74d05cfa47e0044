package kubeconfig

import (
	"encoding/base64"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// reference is a path in an entry, and where it is in the YAML.
type reference struct {
	keys []string // below the entry
	path *string
	// What the file holds may stand in this field in its place.
	dataKey string
	data    *[]byte
}

// references returns the paths of an entry that kubectl takes relative to the
// kubeconfig: GetClusterFileReferences and GetAuthInfoFileReferences in
// clientcmd/loader.go.
func references(value any) []reference {
	switch v := value.(type) {
	case *api.Cluster:
		return []reference{{[]string{"certificate-authority"}, &v.CertificateAuthority, "certificate-authority-data", &v.CertificateAuthorityData}}
	case *api.AuthInfo:
		list := []reference{
			{[]string{"client-certificate"}, &v.ClientCertificate, "client-certificate-data", &v.ClientCertificateData},
			{[]string{"client-key"}, &v.ClientKey, "client-key-data", &v.ClientKeyData},
			{[]string{"tokenFile"}, &v.TokenFile, "", nil},
		}
		if v.Exec != nil && strings.ContainsRune(v.Exec.Command, filepath.Separator) {
			list = append(list, reference{[]string{"exec", "command"}, &v.Exec.Command, "", nil})
		}
		return list
	}
	return nil
}

// copyOf returns a copy that can be changed.
func copyOf(value any) any {
	switch v := value.(type) {
	case *api.Cluster:
		return v.DeepCopy()
	case *api.AuthInfo:
		return v.DeepCopy()
	case *api.Context:
		return v.DeepCopy()
	}
	return value
}

// absolute returns an entry with absolute paths.
func absolute(value any, file string) any {
	refs := references(value)
	relative := false
	for _, ref := range refs {
		relative = relative || *ref.path != "" && !filepath.IsAbs(*ref.path)
	}
	if !relative {
		return value
	}
	value = copyOf(value)
	for _, ref := range references(value) {
		_ = clientcmd.ResolvePaths([]*string{ref.path}, directory(file)) // it has no error
	}
	return value
}

// resolve makes the paths of an entry absolute, in the YAML as well, or has the
// files take their place.
func (p *plan) resolve(e *entry, value any) error {
	e.value = copyOf(absolute(value, e.source.path))
	body := valueOf(e.node, e.noun)
	for _, ref := range references(e.value) {
		if *ref.path == "" {
			continue
		}
		if !p.Embed || ref.data == nil {
			continue
		}
		if len(*ref.data) > 0 {
			return failure.New(failure.Failed, "remove one of them", "%s %q of %q has both %s and %s", e.noun, e.was, e.source.path, ref.keys[0], ref.dataKey)
		}
		data, err := store.Read(*ref.path, store.MaxPEM)
		if err != nil {
			return err
		}
		*ref.path, *ref.data = "", data
		removeKey(body, ref.keys[0])
		setValue(body, ref.dataKey, base64.StdEncoding.EncodeToString(data))
	}
	return nil
}

// relative returns an entry as it is written to a file, with its YAML: a path
// that leads to below the file's directory is relative to that, as kubectl has
// it (RelativizePathWithNoBacksteps in clientcmd/loader.go); others are
// absolute. So are commands: without a slash they would be looked for in PATH.
func relative(e *entry, file string) any {
	value := copyOf(e.value)
	for _, ref := range references(value) {
		if *ref.path == "" {
			continue
		}
		object := valueOf(e.node, e.noun)
		for _, key := range ref.keys[:len(ref.keys)-1] {
			object = valueOf(object, key)
		}
		key := ref.keys[len(ref.keys)-1]
		if key != "command" {
			if short, err := filepath.Rel(directory(file), *ref.path); err == nil && filepath.IsLocal(short) {
				*ref.path = short
			}
		}
		if node := valueOf(object, key); node == nil || node.Value != *ref.path {
			setValue(object, key, *ref.path)
		}
	}
	return value
}
