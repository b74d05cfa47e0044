package cluster

import (
	"bytes"
	"context"

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

// local returns the kubeconfig of that name, which was checked; nil where there
// is none.
func (c *runCheck) local(name string) (*localConfig, error) {
	f := c.found[name]
	if f == nil {
		return nil, nil
	}
	config, path := f.Config.DeepCopy(), f.Entry.CertPath(c.dir)
	if err := api.MinifyConfig(config); err != nil {
		return nil, failure.New(failure.Failed, repairHint, "kubeconfig %q has no current context with a user and a cluster", path)
	}
	for _, user := range config.AuthInfos {
		user.LocationOfOrigin = path
	}
	for _, server := range config.Clusters {
		server.LocationOfOrigin = path
	}
	local := &localConfig{path, config}
	user := certificateUser(local.user())
	if user == nil {
		return nil, failure.New(failure.Failed, repairHint, "kubeconfig %q has no client certificate for its user; plugins, tokens and passwords are not used", path)
	}
	config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo] = user
	err := clientcmd.ResolveLocalPaths(config)
	if err == nil {
		err = api.FlattenConfig(config)
	}
	if err != nil { // it names the file, and quotes nothing of the others
		return nil, failure.Wrap(err, failure.Failed, repairHint, "kubeconfig %q names files that cannot be read", path)
	}
	return local, nil
}

// certificateUser is the user with his client certificate alone, nil without
// one: a kubeconfig of a cluster directory may be another's, and must neither run
// a program nor send what another file holds. Of data and file the data counts,
// as in client-go.
func certificateUser(user *api.AuthInfo) *api.AuthInfo {
	only := &api.AuthInfo{
		LocationOfOrigin:  user.LocationOfOrigin,
		ClientCertificate: user.ClientCertificate, ClientCertificateData: user.ClientCertificateData,
		ClientKey: user.ClientKey, ClientKeyData: user.ClientKeyData,
	}
	if only.ClientCertificate == "" && len(only.ClientCertificateData) == 0 || only.ClientKey == "" && len(only.ClientKeyData) == 0 {
		return nil
	}
	return only
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
		Dir: PKIDir(c.dir), CommonName: name, Groups: []string{group}, Validity: validity, Now: c.now,
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
