package kubeclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"

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
	server := ShowURL(c.Server())
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	var network *net.OpError
	switch {
	case errors.As(err, &unknown):
		return failure.Wrap(cause{err, "its certificate is not signed by the CA in the kubeconfig"}, failure.Failed, checkHint, "cannot trust the API server %s", server)
	case errors.As(err, &host), errors.As(err, &invalid):
		return failure.Wrap(cause{err, reasonOf(err)}, failure.Failed, checkHint, "cannot trust the API server %s", server)
	case errors.As(err, &alert):
		return failure.Wrap(cause{err, reasonOf(err)}, failure.Failed, checkHint, "the API server %s refused the connection as user %q of the kubeconfig", server, c.User)
	case errors.As(err, &network):
		return failure.Wrap(cause{err, network.Err.Error()}, failure.Failed, "check that it runs, and that --kubeconfig and --context name the right cluster",
			"cannot reach the API server %s", server)
	}
	if _, why, found := strings.Cut(err.Error(), "getting credentials: "); found && c.Plugin() != "" {
		return failure.Wrap(cause{err, why}, failure.Failed, "run that command by hand, and see what it says", "user %q of the kubeconfig got no credential", c.User)
	}
	return failure.Wrap(cause{err, reasonOf(err)}, failure.Failed, "look whether it runs, and try again", "cannot call the API server %s", server)
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
		"the API server %s gave no answer within %s", ShowURL(c.Server()), c.timeout)
}

// loadError says why no kubeconfig can be used. The causes of client-go quote
// whole entries, keys included, so they are left out but for what the file
// system says, which client-go turns into text.
func loadError(o Options) error {
	paths := o.Paths
	if o.File != "" {
		paths = []string{o.File}
	}
	for _, path := range paths {
		_, err := os.ReadFile(path)
		isPassedOver := o.File == "" && errors.Is(err, fs.ErrNotExist)
		if err != nil && !isPassedOver {
			return failure.Wrap(err, failure.Failed, "name another with --kubeconfig FILE", "cannot read the kubeconfig")
		}
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
