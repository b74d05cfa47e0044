package kubeclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/internal/failure"
)

const checkHint = "see what is wrong with: pkictl kubeconfig check"

// explain turns an error of a request into one line and a hint. It keeps the
// cause: apierrors.IsNotFound and its like work on the result.
func (c *Client) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return c.explainStatus(err)
	}
	server := c.Server()
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	var network *net.OpError
	switch {
	case errors.As(err, &unknown):
		return failure.Wrap(cause{err, "its certificate is not signed by the CA in the kubeconfig"}, failure.Failed, checkHint, "cannot trust the API server %s", server)
	case errors.As(err, &host), errors.As(err, &invalid):
		return failure.Wrap(err, failure.Failed, checkHint, "cannot trust the API server %s", server)
	case errors.As(err, &alert):
		return failure.Wrap(err, failure.Failed, checkHint, "the API server %s refused the connection as user %q of the kubeconfig", server, c.User)
	case errors.As(err, &network):
		return failure.Wrap(cause{err, network.Err.Error()}, failure.Failed, "check that it runs, and that --kubeconfig and --context name the right cluster",
			"cannot reach the API server %s", server)
	}
	return failure.Wrap(err, failure.Failed, "look whether it runs, and try again", "cannot call the API server %s", server)
}

// explainStatus says what an answer of the API server means.
func (c *Client) explainStatus(err error) error {
	switch {
	case apierrors.IsUnauthorized(err):
		return failure.Wrap(cause{err, "401 Unauthorized"}, failure.Failed, "its credential may have ended; "+checkHint,
			"the API server does not know user %q of the kubeconfig", c.User)
	case apierrors.IsForbidden(err):
		return failure.Wrap(err, failure.Refused, "use a kubeconfig or --context that may, or have an administrator grant it", "the API server refused")
	case apierrors.IsTooManyRequests(err):
		return failure.Wrap(err, failure.Failed, "try again in a minute", "the API server is overloaded")
	case apierrors.IsInternalError(err), apierrors.IsServiceUnavailable(err), apierrors.IsServerTimeout(err):
		return failure.Wrap(err, failure.Failed, "look at its log, and try again", "the API server failed")
	}
	return failure.Wrap(err, failure.Failed, "correct what it names; where somebody else changed the same, try again", "the API server answered")
}

func (c *Client) noAnswer() error {
	return failure.Wrap(context.DeadlineExceeded, failure.Failed, "raise --request-timeout if it is slow",
		"the API server %s gave no answer within %s", c.Server(), c.timeout)
}

// loadError says why no kubeconfig can be used. The causes of client-go quote
// whole entries, keys included, so they are left out but for what a file
// system says.
func loadError(err error, o Options) error {
	var file *os.PathError
	if errors.As(err, &file) {
		return failure.Wrap(file, failure.Failed, "", "cannot read the kubeconfig")
	}
	return failure.New(failure.Failed, checkHint, "cannot use the kubeconfig %s", o.names())
}

// cause stands for an error under a shorter text.
type cause struct {
	err  error
	text string
}

func (c cause) Error() string { return c.text }
func (c cause) Unwrap() error { return c.err }
