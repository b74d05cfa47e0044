// Package kubeconfig writes the files that kubectl and client-go read.
package kubeconfig

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/clientcmd/api"
	v1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
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

	// CAFile, CertFile and KeyFile are absolute paths that stand in the
	// kubeconfig in place of what is in the files.
	CAFile, CertFile, KeyFile string
	// TLSServerName is the name that the server's certificate is checked for,
	// empty where that is the host of Server.
	TLSServerName string
	// ProxyURL is the proxy between, empty where the environment says which.
	ProxyURL string
}

// EntryFor returns an entry with all that says how a client reaches its API
// server, but for the CA.
func EntryFor(c *kubeclient.Client) Entry {
	return Entry{
		Server: c.Server(), Cluster: cmp.Or(c.Cluster, DefaultCluster), TLSServerName: c.ServerName(), ProxyURL: c.ProxyURL(),
	}
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
	case err != nil, server.Hostname() == "":
		return failure.New(failure.Usage, "write it like https://10.0.0.10:6443", "%q is not the URL of an API server", kubeclient.ShowURL(e.Server))
	case server.User != nil, server.RawQuery != "", server.Fragment != "":
		return failure.New(failure.Usage, "write it like https://10.0.0.10:6443",
			"the URL of the API server %q has a user name, a query or a fragment", kubeclient.ShowURL(e.Server))
	case server.Scheme != "https":
		return failure.New(failure.Usage, "client certificates need TLS; write it like https://10.0.0.10:6443",
			"API server URL %q is not https", kubeclient.ShowURL(e.Server))
	case e.proxyHoldsSecret():
		return failure.New(failure.Refused, "name a kubeconfig without them with --kubeconfig, or set HTTPS_PROXY where it is used",
			"the proxy %s is used with a user name or password, which are not passed on", kubeclient.ShowURL(e.ProxyURL))
	case e.Cluster == "":
		return failure.New(failure.Usage, "leave it out for "+DefaultCluster, "the name of the cluster is empty")
	case !isPrintable(e.Cluster):
		return failure.New(failure.Usage, "choose another name", "cluster name %q has a character that cannot be printed", e.Cluster)
	case !isPrintable(e.User):
		return failure.New(failure.Usage, "choose another name", "user name %q has a character that cannot be printed", e.User)
	case e.Namespace != "" && len(validation.IsDNS1123Label(e.Namespace)) > 0:
		return failure.New(failure.Usage, "write lower-case letters, digits and '-', at most 63",
			"%q is not the name of a namespace", e.Namespace)
	}
	return nil
}

// proxyHoldsSecret says whether the URL of the proxy logs somebody in.
func (e Entry) proxyHoldsSecret() bool {
	proxy, err := url.Parse(e.ProxyURL)
	return err != nil || proxy.User != nil
}

func isPrintable(s string) bool {
	notPrintable := func(r rune) bool { return !unicode.IsPrint(r) }
	return utf8.ValidString(s) && !strings.ContainsFunc(s, notPrintable)
}

// Marshal returns a kubeconfig with this entry alone, in YAML, all data
// embedded that no file is named for. It holds the private key.
func (e Entry) Marshal() ([]byte, error) {
	user := v1.AuthInfo{ClientCertificate: e.CertFile, ClientKey: e.KeyFile}
	if e.CertFile == "" {
		user.ClientCertificateData, user.ClientKeyData = e.CertPEM, e.KeyPEM
	}
	return e.marshal(user)
}

// marshal returns a kubeconfig with that credential alone.
func (e Entry) marshal(user v1.AuthInfo) ([]byte, error) {
	cluster := v1.Cluster{Server: e.Server, TLSServerName: e.TLSServerName, ProxyURL: e.ProxyURL, CertificateAuthority: e.CAFile}
	if e.CAFile == "" {
		cluster.CertificateAuthorityData = e.CAPEM
	}
	context := v1.Context{Cluster: e.Cluster, AuthInfo: e.User, Namespace: e.Namespace}
	return yaml.Marshal(v1.Config{
		APIVersion:     "v1",
		Kind:           "Config",
		Clusters:       []v1.NamedCluster{{Name: e.Cluster, Cluster: cluster}},
		AuthInfos:      []v1.NamedAuthInfo{{Name: e.User, AuthInfo: user}},
		Contexts:       []v1.NamedContext{{Name: e.Context(), Context: context}},
		CurrentContext: e.Context(),
	})
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
		return failure.New(failure.Failed, "write to a new file, and bring it in with: pkictl kubeconfig merge NEW --into OLD",
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

// Parse decodes a kubeconfig in YAML or JSON as kubectl does, which is by the
// exact case of fields; name is what errors call it. Causes of an error that may
// quote an entry, with its keys, are left out.
func Parse(data []byte, name string) (*api.Config, error) {
	config, err := load(data)
	if err != nil {
		return nil, decodeError(err, name)
	}
	if saysNothing(config) && !isConfig(data) {
		return nil, noConfig(name)
	}
	return config, nil
}

func saysNothing(config *api.Config) bool {
	return len(config.Clusters)+len(config.AuthInfos)+len(config.Contexts) == 0
}

// isConfig tells a kubeconfig from other YAML, which kubectl takes for one that
// is empty. One with entries needs no version and kind.
func isConfig(data []byte) bool {
	var head metav1.TypeMeta
	err := yaml.Unmarshal(data, &head)
	return err == nil && head == metav1.TypeMeta{APIVersion: "v1", Kind: "Config"}
}

// Certificates returns the certificates that are embedded for a user, none
// where there are none or they cannot be read.
func Certificates(user *api.AuthInfo) []*x509.Certificate {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(user.ClientCertificateData); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil
		}
		certs = append(certs, cert)
	}
	return certs
}
