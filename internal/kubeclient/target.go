package kubeclient

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Target is where kubeconfigs point to.
type Target struct {
	Context, Cluster, User string // names in the kubeconfig
	Server                 string // URL of the API server

	cluster *api.Cluster
	user    *api.AuthInfo // nil: the kubeconfig lacks it
}

// Locate reads the kubeconfigs as Connect does, and makes no client.
func Locate(o Options) (*Target, error) {
	raw, err := (&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.File, Precedence: o.Paths}).Load()
	if err != nil {
		return nil, loadError(o)
	}
	name, chosen, err := chooseContext(*raw, o)
	if err != nil {
		return nil, err
	}
	cluster := raw.Clusters[chosen.Cluster]
	return &Target{
		Context: name, Cluster: chosen.Cluster, User: chosen.AuthInfo, Server: cluster.Server,
		cluster: cluster, user: raw.AuthInfos[chosen.AuthInfo],
	}, nil
}

// Identity tells clusters apart: the URL of the API server, how it is reached,
// and by which CA and name it is known. Nothing can be read from it.
func (t *Target) Identity() string {
	data := t.cluster.CertificateAuthorityData
	if path := t.CAFile(); path != "" {
		data, _ = store.Read(path, store.MaxPEM) // otherwise who calls the server says what is wrong
	}
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(t.Server), []byte(t.cluster.ProxyURL), []byte(t.cluster.TLSServerName), data} {
		digest := sha256.Sum256(part)
		sum.Write(digest[:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// CAFile returns the path of the file with the CA of the cluster, empty where
// the CA is embedded or the system's.
func (t *Target) CAFile() string {
	if len(t.cluster.CertificateAuthorityData) > 0 { // which go before, as in client-go
		return ""
	}
	return t.cluster.CertificateAuthority
}

// Certificate returns the client certificate of the user, which need not be in
// force. A user who logs in by other means is an error.
func (t *Target) Certificate() (*x509.Certificate, error) {
	if t.user == nil {
		return nil, failure.New(failure.Failed, checkHint, "context %q names the user %q, which is not in the kubeconfig", t.Context, t.User)
	}
	data := t.user.ClientCertificateData
	if path := t.user.ClientCertificate; len(data) == 0 && path != "" {
		var err error
		if data, err = store.Read(path, store.MaxPEM); err != nil {
			return nil, err
		}
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, failure.New(failure.Failed, "", "user %q of the kubeconfig has no client certificate", t.User)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, failure.New(failure.Failed, checkHint, "the client certificate of user %q of the kubeconfig is damaged", t.User)
	}
	return cert, nil
}
