package lab

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// fillCluster gives a cluster that runs what the lab begins with: kubeconfigs of
// administrators for the learner and the grader, objects, and credentials.
func (w *Workspace) fillCluster(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, fillTime)
	defer cancel()
	if err := w.writeAdmin(); err != nil {
		return err
	}
	if err := w.writeGrader(); err != nil {
		return err
	}
	admin, err := kubeclient.Connect(kubeclient.Options{File: filepath.Join(w.clusterPath(), graderFile), Agent: agent})
	if err != nil {
		return err
	}
	if err := settle(ctx, admin); err != nil {
		return err
	}
	if err := w.Lab.cluster.makeObjects(ctx, admin); err != nil {
		return err
	}
	return w.issueAll(now)
}

// writeAdmin writes the learner's kubeconfig.
func (w *Workspace) writeAdmin() error {
	return w.writeLocal(filepath.Join(w.clusterPath(), runDir, adminFile), adminFile, "")
}

// writeGrader writes a kubeconfig whose rights do not rest on objects, which a learner
// may delete: it is in the group system:masters.
func (w *Workspace) writeGrader() error {
	server, _, err := readLocal(filepath.Join(w.clusterPath(), runDir, adminFile))
	if err != nil {
		return err
	}
	return w.writeLocal(filepath.Join(w.clusterPath(), "super-admin.conf"), clusterFile(graderFile), server.Server)
}

// writeLocal writes a kubeconfig of the cluster below the workspace, with another URL
// where that is not empty.
func (w *Workspace) writeLocal(from, to, url string) error {
	server, config, err := readLocal(from)
	if err != nil {
		return err
	}
	if url != "" {
		server.Server = url
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return w.writePrivate(to, data)
}

func apiServerURL(port int) string { return fmt.Sprintf("https://127.0.0.1:%d", port) }

// readLocal reads a kubeconfig of the cluster. The API server's certificate has the
// address that it is dialled at.
func readLocal(path string) (*api.Cluster, *api.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return nil, nil, failure.New(failure.Failed, "reset the lab", "cannot read %q", path)
	}
	chosen := config.Contexts[config.CurrentContext]
	if chosen == nil || config.Clusters[chosen.Cluster] == nil {
		return nil, nil, failure.New(failure.Failed, "reset the lab", "%q has no current context", path)
	}
	server := config.Clusters[chosen.Cluster]
	server.TLSServerName = ""
	return server, config, nil
}

// issueAll makes the credentials that the lab begins with.
func (w *Workspace) issueAll(now time.Time) error {
	if len(w.Lab.cluster.issue) == 0 {
		return nil
	}
	server, _, err := readLocal(filepath.Join(w.clusterPath(), graderFile))
	if err != nil {
		return err
	}
	pki := cluster.PKIDir(w.clusterPath())
	if w.Lab.cluster.staticPods {
		pki = cluster.PKIDir(filepath.Join(w.Dir, filepath.FromSlash(nodeKubernetes)))
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "ca.crt"), filepath.Join(pki, "ca.key"))
	if err != nil {
		return err
	}
	ca := &signer{cert: pair.Leaf, key: pair.PrivateKey}
	other, err := ca.twin(now)
	if err != nil {
		return err
	}
	for _, i := range w.Lab.cluster.issue {
		data, err := i.config(server, ca, other, now)
		if err != nil {
			return failure.Wrap(err, failure.Failed, "", "cannot make the credential %s", i.file)
		}
		if err := w.writePrivate(i.file, data); err != nil {
			return err
		}
	}
	return nil
}

// config returns a credential as a kubeconfig.
func (i issue) config(server *api.Cluster, ca, other *signer, now time.Time) ([]byte, error) {
	signedBy, known := ca, ca
	if i.otherSigner {
		signedBy = other
	}
	if i.otherCA {
		known = other
	}
	certPEM, keyPEM, err := signedBy.client(i, now)
	if err != nil {
		return nil, err
	}
	names := struct{ context, cluster, user string }{i.context, i.cluster, i.name}
	if names.cluster == "" {
		names.cluster = cluster.DefaultName
	}
	if names.user == "" {
		names.user = i.user
	}
	if names.context == "" {
		names.context = names.user + "@" + names.cluster
	}
	url := server.Server
	if i.server != "" {
		url = i.server
	}
	config := api.NewConfig()
	config.Clusters[names.cluster] = &api.Cluster{Server: url, CertificateAuthorityData: pemCertificate(known.cert.Raw)}
	config.AuthInfos[names.user] = &api.AuthInfo{ClientCertificateData: certPEM, ClientKeyData: keyPEM}
	config.Contexts[names.context] = &api.Context{Cluster: names.cluster, AuthInfo: names.user, Namespace: i.namespace}
	config.CurrentContext = names.context
	return clientcmd.Write(*config)
}

// signer is a CA.
type signer struct {
	cert *x509.Certificate
	key  any
}

// twin returns another CA of the same name.
func (s *signer) twin(now time.Time) (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: s.cert.Subject, NotBefore: now.Add(-usualTerm), NotAfter: s.cert.NotAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: s.cert.KeyUsage,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &signer{cert, key}, nil
}

// client makes a key, and the certificate of a user.
func (s *signer) client(i issue, now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := sign(&x509.Certificate{
		Subject:   pkix.Name{CommonName: i.user, Organization: slices.Clone(i.groups)},
		NotBefore: now.Add(i.begins), NotAfter: now.Add(i.ends), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, s.cert, key.Public(), s.key)
	if err != nil {
		return nil, nil, err
	}
	return pemCertificate(cert.Raw), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// sign signs a certificate with a serial number of its own.
func sign(template, parent *x509.Certificate, public, key any) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func pemCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
