package staticpod

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// Listener is where a component listens, and how it is asked for its health.
type Listener struct {
	Address string // HOST:PORT; the component is down when that refuses connections
	URL     string // of its health
	Healthy Probe
	// CertFlag is the flag that names the certificate it serves, "" if it
	// makes one for itself or speaks no TLS.
	CertFlag string

	conf *tls.Config // to ask with
}

// Flags that several components have.
const (
	FlagCert        = "tls-cert-file"
	FlagKey         = "tls-private-key-file"
	flagSecurePort  = "secure-port"
	flagBindAddress = "bind-address"
)

// APIServer reads off the manifest where kube-apiserver listens. With
// --anonymous-auth=false it answers clients that it knows alone: it is asked with
// the certificate that the manifest gives it for kubelets, for most often its own
// CA issued that, or else with the first of pairs that is there: paths of a
// certificate and its key without .crt and .key.
func (c *Component) APIServer(pairs ...string) (*Listener, error) {
	conf := AskingTLS()
	if certFile, ok := c.HostFile("kubelet-client-certificate"); ok {
		if pair, isPair := strings.CutSuffix(certFile, ".crt"); isPair {
			pairs = append([]string{pair}, pairs...)
		}
	}
	for _, pair := range pairs {
		if AddPair(conf, pair) == nil {
			break
		}
	}
	return c.Secure("6443", "/readyz", conf)
}

// Secure reads off the manifest where a component listens that has the flags of
// Kubernetes' secure serving. It is asked for path, and on port unless a flag or
// a probe says another.
func (c *Component) Secure(port, path string, conf *tls.Config) (*Listener, error) {
	host, said := c.Flags[flagBindAddress], c.Flags[flagSecurePort]
	if probe := c.probe(); probe != nil { // where the kubelet asks
		host = cmp.Or(host, probe.Host)
		said = cmp.Or(said, c.probePort(probe))
	}
	port = cmp.Or(said, port)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("port %q is none", port)
	}
	l := &Listener{Address: net.JoinHostPort(DialHost(host), port)}
	l.URL = "https://" + l.Address + path
	if _, err := url.Parse(l.URL); err != nil {
		return nil, fmt.Errorf("%q is no host", host)
	}
	if c.Flags[FlagCert] != "" {
		l.CertFlag = FlagCert
	}
	l.Healthy, l.conf = HTTPProbe(conf, l.URL), conf
	return l, nil
}

// Down says why a component is not, as far as its address shows: one that is
// down refuses connections. Any other error may be that of a server under load.
func (l *Listener) Down(ctx context.Context) error {
	dialer := net.Dialer{Timeout: ProbeTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", l.Address)
	switch {
	case err == nil:
		_ = conn.Close() // nothing was sent
		return fmt.Errorf("it accepts connections on %q", l.Address)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	}
	return err
}

// AskingTLS does not verify who answers, as the kubelet's own probes do not: the
// question carries no secret. Who trusts the answer for more compares the
// certificate with the file that the manifest names.
func AskingTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // see above
}

// AddPair has a client certificate shown: base.crt with base.key.
func AddPair(conf *tls.Config, base string) error {
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	if err != nil {
		return fmt.Errorf("client certificate %q: %w", base+".crt", err)
	}
	conf.Certificates = append(conf.Certificates, pair)
	return nil
}

// DialHost returns where to dial what listens at a host: all addresses include
// loopback, and an empty one means all.
func DialHost(host string) string {
	addr, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && addr.Is4() && addr.IsUnspecified():
		return "127.0.0.1"
	case err == nil && addr.IsUnspecified():
		return "::1"
	}
	return host
}
