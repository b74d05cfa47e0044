package kubeclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// Endpoint is a TLS server.
type Endpoint struct {
	Address string // HOST:PORT
	Host    string // the name that is asked for
	// Proxy says which proxy is between, as that of http.Transport does; nil: none.
	Proxy func(*http.Request) (*url.URL, error)
}

// Served returns the certificates that a server presents, its own first. They
// are not verified: those that fail are the ones people want to look at, and
// nothing is sent over the connection. The timeout is for connection and
// handshake together.
func Served(ctx context.Context, e Endpoint, timeout time.Duration) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	seen := make(chan []*x509.Certificate, 1)
	config := &tls.Config{
		ServerName:         e.Host,
		InsecureSkipVerify: true, //nolint:gosec // see above: it is looked at, not trusted
		// A server that insists on a client certificate ends the handshake,
		// but presents its own before.
		VerifyConnection: func(state tls.ConnectionState) error {
			seen <- state.PeerCertificates
			return nil
		},
	}
	err := e.shake(ctx, config)
	select {
	case certs := <-seen:
		if len(certs) > 0 {
			return certs, nil
		}
	default:
	}
	return nil, servedError(ctx, err, e.Address, timeout)
}

// shake makes the handshake and ends the connection.
func (e Endpoint) shake(ctx context.Context, config *tls.Config) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+e.Address, http.NoBody)
	if err != nil {
		return err
	}
	var proxy *url.URL
	if e.Proxy != nil {
		if proxy, err = e.Proxy(request); err != nil {
			return errors.New(reasonOf(err))
		}
	}
	if proxy == nil {
		dialer := tls.Dialer{Config: config}
		conn, err := dialer.DialContext(ctx, "tcp", e.Address)
		if err == nil {
			_ = conn.Close() // nothing was sent
		}
		return err
	}
	look := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		_ = look(state)
		return errSeen // before the request is sent
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: config, DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err == nil {
		_ = answer.Body.Close() // of a proxy that ends TLS itself; there is no certificate
	}
	return err
}

var errSeen = errors.New("the certificate was seen")

func servedError(ctx context.Context, err error, address string, timeout time.Duration) error {
	hint := "check host and port; an API server mostly listens on 6443"
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = errors.New("no answer within " + timeout.String())
	case errors.As(err, &record):
		hint = "something else than TLS listens on that port"
	case errors.As(err, &op):
		err = op.Err
	}
	return failure.Wrap(err, failure.Failed, hint, "cannot get the certificate of %q", address)
}
