package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// etcdProbe asks etcd for its health with the client certificate that
// kube-apiserver will use, so a mismatch shows here, by its own name.
func etcdProbe(cfg Config, ports Ports) (staticpod.Probe, error) {
	conf, err := verifiedTLS(cfg.pki("etcd/ca.crt"))
	if err != nil {
		return nil, err
	}
	if err := staticpod.AddPair(conf, cfg.pki("apiserver-etcd-client")); err != nil {
		return nil, err
	}
	return staticpod.HTTPProbe(conf, httpsURL(ports.Etcd)+"/health"), nil
}

// apiServerProbe asks /readyz. That is ok only after the post-start hook
// rbac/bootstrap-roles, whose own path an anonymous client may not read.
func apiServerProbe(cfg Config, ports Ports) (staticpod.Probe, error) {
	conf, err := apiServerTLS(cfg)
	if err != nil {
		return nil, err
	}
	return staticpod.HTTPProbe(conf, httpsURL(ports.APIServer)+"/readyz"), nil
}

// apiServerTLS is how to reach the API server.
func apiServerTLS(cfg Config) (*tls.Config, error) {
	conf, err := verifiedTLS(cfg.pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	cert, err := ca.ReadCertificate(cfg.pki("apiserver.crt"))
	if err != nil {
		return nil, err
	}
	if conf.ServerName, err = serverName(cert); err != nil {
		return nil, err
	}
	// Anonymous clients may ask by default. With --anonymous-auth=false a
	// client certificate is needed; any that the API server knows will do.
	err = staticpod.AddPair(conf, cfg.pki("apiserver-kubelet-client"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return conf, nil
}

// serverName returns the name to check an API server's certificate for when it
// is dialled at 127.0.0.1. kubeadm's do not name that, but they do kubernetes.
// It is empty where the address is the only one of both that it names.
func serverName(cert *x509.Certificate) (string, error) {
	switch {
	case cert.VerifyHostname(apiServerName) == nil:
		return apiServerName, nil
	case cert.VerifyHostname(loopback) == nil:
		return "", nil
	}
	return "", failure.New(failure.Failed, repairHint,
		"certificate apiserver.crt names neither %s nor %s, so that nobody can trust an API server on this machine", apiServerName, loopback)
}

// apiServerName is a name in all certificates of API servers that kubeadm makes
// (cmd/kubeadm/app/util/pkiutil: GetAPIServerAltNames).
const apiServerName = "kubernetes"

// controllerManagerProbe asks /healthz, which anonymous clients may do.
// kube-controller-manager makes itself a certificate that nobody can verify.
// Skipping that is harmless here: the question carries no secret, goes to a
// loopback port, and the answer is only believed while our process lives.
func controllerManagerProbe(ports Ports) staticpod.Probe {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // see above
	return staticpod.HTTPProbe(conf, httpsURL(ports.ControllerManager)+"/healthz")
}

// verifiedTLS trusts the certificates in one file and nothing else.
func verifiedTLS(caFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("CA certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA certificate %q: no certificate in it", caFile)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, nil
}
