package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// probe asks a component once whether it is ready; nil means yes.
type probe func(context.Context) error

// probeTimeout bounds one question. It is generous, for a slow machine: nobody
// waits for it when the process dies.
const probeTimeout = 5 * time.Second

// etcdProbe asks etcd for its health with the client certificate that
// kube-apiserver will use, so a mismatch shows here, by its own name.
func etcdProbe(cfg Config, ports Ports) (probe, error) {
	conf, err := verifiedTLS(cfg.pki("etcd/ca.crt"))
	if err != nil {
		return nil, err
	}
	if err := addClientCertificate(conf, cfg.pki("apiserver-etcd-client")); err != nil {
		return nil, err
	}
	return httpProbe(conf, httpsURL(ports.Etcd)+"/health"), nil
}

// apiServerProbe asks /readyz. That is ok only after the post-start hook
// rbac/bootstrap-roles, whose own path an anonymous client may not read.
func apiServerProbe(cfg Config, ports Ports) (probe, error) {
	conf, err := apiServerTLS(cfg)
	if err != nil {
		return nil, err
	}
	return httpProbe(conf, httpsURL(ports.APIServer)+"/readyz"), nil
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
	err = addClientCertificate(conf, cfg.pki("apiserver-kubelet-client"))
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
func controllerManagerProbe(ports Ports) probe {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // see above
	return httpProbe(conf, httpsURL(ports.ControllerManager)+"/healthz")
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

// addClientCertificate loads base.crt and base.key.
func addClientCertificate(conf *tls.Config, base string) error {
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	if err != nil {
		return fmt.Errorf("client certificate %q: %w", base+".crt", err)
	}
	conf.Certificates = append(conf.Certificates, pair)
	return nil
}

// httpProbe returns a probe that wants status 200 from url.
func httpProbe(conf *tls.Config, url string) probe {
	client := &http.Client{
		Timeout: probeTimeout,
		// No proxy, whatever the environment says, and no connection left
		// open that a component would wait for when it shuts down.
		Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true},
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // only for the message
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		return fmt.Errorf("%s answered %s%s", url, resp.Status, failedChecks(string(body)))
	}
}

// failedChecks picks the checks marked [-] out of an answer of /readyz.
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			failed = append(failed, name)
		}
	}
	if failed == nil {
		return ""
	}
	return ": " + strings.Join(failed, ", ")
}

// permanent says whether an answer is one that no waiting will mend: one side
// does not accept the other's certificate.
func permanent(err error) bool {
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) {
		return true
	}
	// crypto/tls reports an alert of the other side with this Op.
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}
