//go:build !unix

package nginx

import (
	"context"
	"crypto/x509"
	"errors"
)

// ErrNotServed says that nginx itself was not run.
var ErrNotServed = errors.New("nginx was not run")

// Running is nginx, which is not run here.
type Running struct{}

// Serve runs nothing here.
func (c *Config) Serve(context.Context, string, Files) (*Running, error) { return nil, ErrNotServed }

// Close has nothing to end.
func (r *Running) Close() {}

// Get asks nobody.
func (r *Running) Get(bool, string, string) (*Response, error) { return nil, ErrNotServed }

// Certificates asks nobody.
func (r *Running) Certificates(string, uint16) ([]*x509.Certificate, error) {
	return nil, ErrNotServed
}
