package kubeclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/pkictl/pkictl/internal/failure"
)

// Pods is the path of the pods in a namespace.
func Pods(namespace string) string { return Namespaces + "/" + namespace + "/pods" }

// Anonymous returns a client of the same API server without a credential.
func (c *Client) Anonymous() (*Client, error) {
	other := *c
	other.config = rest.AnonymousClientConfig(c.config)
	prepare(other.config)
	return &other, other.dial()
}

// Status returns the HTTP status with which the API server answers a GET at path.
// It is no error if that is one.
func (c *Client) Status(ctx context.Context, path string) (int, error) {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var code int
	result := c.rest.Get().AbsPath(path).Do(timed)
	result.StatusCode(&code)
	err := result.Error()
	var status apierrors.APIStatus
	switch {
	case code != 0:
		return code, nil
	case errors.As(err, &status): // of an answer that is no JSON
		return int(status.Status().Code), nil
	case err != nil && ctx.Err() == nil && timed.Err() != nil:
		return 0, c.noAnswer()
	default:
		return 0, c.explain(ctx, err)
	}
}

// Offer is what a client offers in a handshake.
type Offer struct {
	Min, Max uint16   // versions of TLS
	Suites   []uint16 // of TLS 1.2 and below
}

// Negotiate makes a handshake with the API server and ends the connection. It
// returns what the two agree on; not ok means that the server refuses the offer.
// A proxy of the kubeconfig is not gone through.
func (c *Client) Negotiate(ctx context.Context, o Offer) (state tls.ConnectionState, ok bool, err error) {
	server, err := url.Parse(c.config.Host)
	if err != nil {
		return state, false, failure.New(failure.Failed, checkHint, "the server of cluster %q of the kubeconfig is not a URL", c.Cluster)
	}
	config := &tls.Config{
		ServerName: c.config.ServerName,
		// Which certificate it shows depends on the suites that are offered: one of
		// its own, for loopback, is among them.
		InsecureSkipVerify: true, //nolint:gosec // nothing is sent over the connection
		MinVersion:         o.Min, MaxVersion: o.Max, CipherSuites: o.Suites,
	}
	address := server.Host
	if server.Port() == "" {
		address = net.JoinHostPort(server.Hostname(), "443")
	}
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(timed, "tcp", address)
	var alert tls.AlertError
	switch {
	case errors.As(err, &alert), isAlert(err):
		return state, false, nil
	case err != nil && ctx.Err() == nil && timed.Err() != nil:
		return state, false, c.noAnswer()
	case err != nil:
		return state, false, c.explain(ctx, err)
	}
	state = conn.(*tls.Conn).ConnectionState()
	_ = conn.Close() // nothing was sent
	return state, true, nil
}

// isAlert says whether a server ended a handshake with an alert: crypto/tls wraps
// it as that of the remote side.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// IsDirect says whether no proxy is between.
func (c *Client) IsDirect() bool {
	request, err := http.NewRequest(http.MethodGet, c.config.Host, http.NoBody)
	if err != nil || c.config.Proxy == nil {
		return c.proxy == ""
	}
	proxy, err := c.config.Proxy(request)
	return err == nil && proxy == nil
}
