package kubeclient

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"time"

	"k8s.io/client-go/rest"

	"github.com/pkictl/pkictl/internal/failure"
)

// Answer is how an API server answers a probe.
type Answer struct {
	Version string        // as in v1.35.0; empty where it does not say
	Took    time.Duration // with what the first connection takes
	// Anonymous says that no credential was sent, so that nothing is known of it.
	Anonymous bool
	// Refused says that the API server does not know the credential.
	Refused bool
}

// Probe asks the API server for its version, within a time. The credential of the
// kubeconfig goes along, but for one that a plugin would have to be run for, and
// to no server that is not verified.
func (c *Client) Probe(ctx context.Context, within time.Duration) (Answer, error) {
	var answer Answer
	caller := c
	if c.Plugin() != "" || !c.Verified() {
		anonymous, err := c.Anonymous()
		if err != nil {
			return answer, err
		}
		caller, answer.Anonymous = anonymous, true
	}
	timed, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	begun := time.Now()
	result := caller.rest.Get().AbsPath("/version").Do(timed)
	answer.Took = time.Since(begun)
	var code int
	result.StatusCode(&code)
	data, err := result.Raw()
	var info struct {
		GitVersion string `json:"gitVersion"`
	}
	switch {
	case err == nil:
		_ = json.Unmarshal(data, &info) // what is no version is shown as none
		answer.Version = info.GitVersion
	case code == http.StatusUnauthorized:
		answer.Refused = !answer.Anonymous
	case code == http.StatusForbidden: // it knows who asks
	case ctx.Err() == nil && timed.Err() != nil:
		return answer, failure.Wrap(context.DeadlineExceeded, failure.Failed, "check that it runs", "no answer within %s", within)
	default:
		return answer, c.explain(ctx, err)
	}
	return answer, nil
}

// ErrNoCertificate says that a user of a kubeconfig has no client certificate.
var ErrNoCertificate = errors.New("the user has no client certificate")

// ClientCertificate returns the certificate that the kubeconfig has for its user,
// or ErrNoCertificate.
func (c *Client) ClientCertificate() (*x509.Certificate, error) {
	config := rest.CopyConfig(c.config)
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, failure.Wrap(cause{err, "a file that it names cannot be read"}, failure.Failed, checkHint, "cannot read the credential of user %q", c.User)
	}
	if len(config.CertData) == 0 {
		return nil, ErrNoCertificate
	}
	block, _ := pem.Decode(config.CertData)
	if block == nil {
		return nil, failure.New(failure.Failed, checkHint, "the client certificate of user %q is damaged", c.User)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, failure.New(failure.Failed, checkHint, "the client certificate of user %q is damaged", c.User)
	}
	return cert, nil
}
