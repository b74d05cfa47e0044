// Package kubeconfig writes the files that kubectl and client-go read.
package kubeconfig

import (
	"fmt"
	"net/url"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/tools/clientcmd/api/latest"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// DefaultCluster is the cluster's name where none is given, as kubeadm has it.
const DefaultCluster = "kubernetes"

// Entry is one user of one cluster, and the context that joins them.
type Entry struct {
	Server    string // URL of the API server
	Cluster   string
	User      string
	Namespace string // of the context; may be empty

	CAPEM   []byte
	CertPEM []byte
	KeyPEM  []byte
}

// Context returns the name of the context, USER@CLUSTER as kubeadm has it.
func (e Entry) Context() string { return e.User + "@" + e.Cluster }

// Validate checks the fields that a user writes.
func (e Entry) Validate() error {
	server, err := url.Parse(e.Server)
	switch {
	case e.Server == "":
		return failure.New(failure.Usage, "add --server, as in --server https://10.0.0.10:6443",
			"a kubeconfig needs the URL of the API server")
	case err != nil, server.Host == "", server.User != nil, server.RawQuery != "", server.Fragment != "":
		return failure.New(failure.Usage, "write it like https://10.0.0.10:6443", "%q is not the URL of an API server", e.Server)
	case server.Scheme != "https":
		return failure.New(failure.Usage, "client certificates need TLS; write it like https://10.0.0.10:6443",
			"API server URL %q is not https", e.Server)
	}
	return nil
}

// Marshal returns a kubeconfig with this entry alone, in YAML, all data
// embedded. It holds the private key.
func (e Entry) Marshal() ([]byte, error) {
	config := api.NewConfig()
	config.Clusters[e.Cluster] = &api.Cluster{Server: e.Server, CertificateAuthorityData: e.CAPEM}
	config.AuthInfos[e.User] = &api.AuthInfo{ClientCertificateData: e.CertPEM, ClientKeyData: e.KeyPEM}
	config.Contexts[e.Context()] = &api.Context{Cluster: e.Cluster, AuthInfo: e.User, Namespace: e.Namespace}
	config.CurrentContext = e.Context()
	return runtime.Encode(latest.Codec, config)
}

// CheckReplace refuses to replace the kubeconfig at path with this entry when
// that would lose another one.
func (e Entry) CheckReplace(path string) error {
	config, err := Load(path)
	if err != nil {
		return err
	}
	others := len(config.Clusters) + len(config.AuthInfos) + len(config.Contexts)
	if config.Clusters[e.Cluster] != nil {
		others--
	}
	if config.AuthInfos[e.User] != nil {
		others--
	}
	if config.Contexts[e.Context()] != nil {
		others--
	}
	if others > 0 {
		return failure.New(failure.Failed, "write to a new file, and merge it with: KUBECONFIG=OLD:NEW kubectl config view --flatten",
			"kubeconfig %q holds other entries than %s", path, e.Context())
	}
	return nil
}

// Load reads a kubeconfig. Unknown fields are kept out, as kubectl does.
func Load(path string) (*api.Config, error) {
	data, err := store.Read(path, store.MaxYAML)
	if err != nil {
		return nil, err
	}
	return Parse(data, path)
}

// Parse decodes a kubeconfig in YAML or JSON; name is what errors call it.
func Parse(data []byte, name string) (*api.Config, error) {
	config := api.NewConfig()
	decoded, _, err := latest.Codec.Decode(data, nil, config)
	if err != nil {
		return nil, failure.New(failure.Failed, "a kubeconfig begins with apiVersion: v1 and kind: Config",
			"%q is not a kubeconfig", name)
	}
	config, ok := decoded.(*api.Config)
	if !ok {
		return nil, fmt.Errorf("%q is not a kubeconfig but a %T", name, decoded)
	}
	return config, nil
}
