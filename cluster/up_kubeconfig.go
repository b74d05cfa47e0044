package cluster

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// localConfig is a kubeconfig of the cluster directory, with the user of its
// current context alone, and all data embedded.
type localConfig struct {
	path   string // that it was read from
	config *api.Config
}

// readLocal reads a kubeconfig and checks that the components will take what it
// holds. It returns nil where there is none.
func (c *runCheck) readLocal(path string) (*localConfig, error) {
	config, err := kubeconfig.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	const hint = "see what is wrong with: pkictl kubeconfig check"
	if err := api.MinifyConfig(config); err != nil {
		return nil, failure.New(failure.Failed, hint, "kubeconfig %q has no current context with a user and a cluster", path)
	}
	for _, user := range config.AuthInfos {
		user.LocationOfOrigin = path
	}
	for _, server := range config.Clusters {
		server.LocationOfOrigin = path
	}
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return nil, failure.New(failure.Failed, hint, "kubeconfig %q names files that cannot be found", path)
	}
	// Its error quotes the file that cannot be read, and nothing of the others.
	if err := api.FlattenConfig(config); err != nil {
		return nil, failure.Wrap(err, failure.Failed, hint, "kubeconfig %q names files that cannot be read", path)
	}
	local := &localConfig{path, config}
	return local, c.checkLocal(local)
}

func (l *localConfig) user() *api.AuthInfo {
	return l.config.AuthInfos[l.config.Contexts[l.config.CurrentContext].AuthInfo]
}

func (l *localConfig) cluster() *api.Cluster {
	return l.config.Clusters[l.config.Contexts[l.config.CurrentContext].Cluster]
}

// groups returns those that the client certificate puts the user in.
func (l *localConfig) groups() []string {
	if certs := kubeconfig.Certificates(l.user()); len(certs) > 0 {
		return certs[0].Subject.Organization
	}
	return nil
}

// checkLocal checks the client certificate, where the user has one, and that the
// API server's is trusted.
func (c *runCheck) checkLocal(l *localConfig) error {
	user := l.user()
	if len(user.ClientCertificateData) > 0 {
		if err := c.checkClient(l, user); err != nil {
			return err
		}
	}
	trusted := l.cluster().CertificateAuthorityData
	items, err := ca.Decode(trusted, "certificate-authority-data in "+l.path)
	if err != nil {
		return err
	}
	roots := ca.Roots{Name: l.path, Certificates: ca.Certificates(items)}
	if _, check := roots.Check(c.server[0], c.server[1:], c.now); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, repairHint, "kubeconfig %q does not trust %q: %s", l.path, c.path("apiserver.crt"), check.Found)
	}
	return nil
}

func (c *runCheck) checkClient(l *localConfig, user *api.AuthInfo) error {
	certs := kubeconfig.Certificates(user)
	if len(certs) == 0 {
		return failure.New(failure.Failed, repairHint, "the client certificate in kubeconfig %q cannot be read", l.path)
	}
	if check := ca.CheckTime(certs[0], nil, c.now); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, "renew it with: pkictl cluster renew", "the client certificate in kubeconfig %q is %s", l.path, check.Found)
	}
	if _, check := c.cas["ca"].Check(certs[0], certs[1:], c.now); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, repairHint, "the client certificate in kubeconfig %q is not by the CA %q: %s", l.path, c.path("ca.crt"), check.Found)
	}
	items, err := ca.Decode(user.ClientKeyData, "client-key-data in "+l.path)
	if err != nil {
		return err
	}
	if key := ca.PrivateKey(items); key == nil || key.Public == nil || !ca.EqualKeys(key.Public, certs[0].PublicKey) {
		return failure.New(failure.Failed, repairHint, "the key in kubeconfig %q does not belong to its client certificate", l.path)
	}
	return nil
}

// at returns the kubeconfig for an API server on this machine: its URL, and the
// name to check its certificate for. It holds the private key.
func (l *localConfig) at(url, serverName string) ([]byte, error) {
	server := l.cluster()
	server.Server, server.TLSServerName = url, serverName
	server.ProxyURL, server.InsecureSkipTLSVerify = "", false
	return clientcmd.Write(*l.config)
}

// mint makes a credential that the cluster directory lacks, with the CA's key,
// and returns it as a kubeconfig. The inventory of the PKI directory knows it.
func (c *runCheck) mint(ctx context.Context, name, group, validity string) (*localConfig, error) {
	credential, _, err := ca.Mint(ctx, ca.IssueOptions{
		Dir: c.pki, CommonName: name, Groups: []string{group}, Validity: validity, Now: c.now,
	})
	if err != nil {
		return nil, err
	}
	entry := kubeconfig.Entry{
		Server: httpsURL(DefaultPort), Cluster: DefaultName, User: name,
		CAPEM: credential.CAPEM, CertPEM: credential.CertPEM, KeyPEM: credential.KeyPEM,
	}
	data, err := entry.Marshal()
	if err != nil {
		return nil, err
	}
	config, err := kubeconfig.Parse(data, name)
	if err != nil {
		return nil, err
	}
	return &localConfig{path: name, config: config}, nil
}

// writeConfig writes a kubeconfig of the run, if it says something new.
func writeConfig(path string, data []byte) error {
	if old, err := store.Read(path, store.MaxYAML); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return store.ReplaceFile(store.File{Path: path, Data: data, Mode: 0o600})
}

// confPath returns the path of a kubeconfig of the cluster directory.
func (o UpOptions) confPath(name string) string { return filepath.Join(o.Dir, name) }
