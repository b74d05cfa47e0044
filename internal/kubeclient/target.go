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

// Identity tells clusters apart: the URL of the API server, and what says by
// which CA it is known.
func (t *Target) Identity() string {
	sum := sha256.Sum256(t.cluster.CertificateAuthorityData)
	return t.Server + " " + t.cluster.CertificateAuthority + " " + hex.EncodeToString(sum[:])
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
