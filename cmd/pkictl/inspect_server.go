package main

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// fetchTimeout is for the connection and the handshake together.
const fetchTimeout = 10 * time.Second

// server is what was dialled.
type server struct {
	Address string `json:"address"`
	Host    string `json:"host"`
}

func (a *app) inspectServer(ctx context.Context, arg string, result *inspection) error {
	target, err := parseServer(arg)
	if err != nil {
		return err
	}
	certs, err := kubeclient.Served(ctx, kubeclient.Endpoint{Address: target.Address, Host: target.Host}, fetchTimeout)
	if err != nil {
		return err
	}
	result.Server = target
	for _, cert := range certs {
		item, err := ca.DescribeCertificate(cert)
		if err != nil {
			return failure.Wrap(err, failure.Failed, "", "cannot use the certificate of %q", target.Address)
		}
		result.Items = append(result.Items, inspectedItem{Item: item})
	}
	result.Checks, err = a.checkServed(certs, target.Host)
	return err
}

func parseServer(arg string) (*server, error) {
	target, err := url.Parse(arg)
	if err != nil || target.Scheme != "https" || target.Hostname() == "" || target.User != nil {
		return nil, failure.New(failure.Usage, "write it like https://10.0.0.10:6443",
			"%q is not an https URL of a server", kubeclient.ShowURL(arg))
	}
	port := target.Port()
	if port == "" {
		port = "443"
	}
	return &server{Address: net.JoinHostPort(target.Hostname(), port), Host: target.Hostname()}, nil
}

// checkServed checks what a client with the CA in the PKI directory would.
func (a *app) checkServed(certs []*x509.Certificate, host string) ([]ca.Check, error) {
	var checks []ca.Check
	authority, err := ca.Open(a.dir)
	switch {
	case err == nil:
		roots := ca.Roots{Name: ca.CertPath(a.dir), Certificates: []*x509.Certificate{authority.Certificate}}
		chain, check := roots.Check(certs[0], certs[1:], a.now())
		checks = append(checks, check, ca.CheckTime(certs[0], ca.IssuerIn(chain), a.now()))
	case noCA(a.dir):
		checks = append(checks, ca.SkippedCheck("chain", "there is no CA in "+a.dir), ca.CheckTime(certs[0], nil, a.now()))
	default:
		return nil, err
	}
	return append(checks, ca.CheckUsage(certs[0], ca.PurposeServer), ca.CheckHost(certs[0], host)), nil
}

func noCA(dir string) bool {
	_, err := os.Stat(ca.CertPath(dir))
	return errors.Is(err, fs.ErrNotExist)
}
