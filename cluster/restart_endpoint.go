package cluster

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// listener is where a static pod listens, and how it is asked for its health.
type listener struct {
	address string // HOST:PORT; the pod is down when that refuses connections
	url     string // of its health
	healthy probe
	// certFlag is the flag that names the certificate it serves, "" if it
	// makes one for itself or speaks no TLS.
	certFlag string
}

// Flags that several components have.
const (
	flagCert         = "tls-cert-file"
	flagKey          = "tls-private-key-file"
	flagEtcdCert     = "cert-file"
	flagEtcdKey      = "key-file"
	flagTrustedCA    = "trusted-ca-file"
	flagSecurePort   = "secure-port"
	flagBindAddress  = "bind-address"
	flagListenClient = "listen-client-urls"
	// flagListenHTTP takes the health from those of flagListenClient, where it is
	// given (server/embed/etcd.go).
	flagListenHTTP = "listen-client-http-urls"
)

// securePod says how a component other than etcd is asked over HTTPS, and on which
// port unless a flag says another (k8s.io/kubernetes/pkg/cluster/ports).
func securePod(component string) (port, path string) {
	switch component {
	case ComponentControllerManager:
		return "10257", "/healthz"
	case ComponentScheduler:
		return "10259", "/healthz"
	}
	return "6443", "/readyz"
}

// listener reads off the manifest where the pod listens. Certificates for asking
// are in dir, a cluster directory.
func (p *staticPod) listener(dir string) (*listener, error) {
	if p.component == ComponentEtcd {
		return p.etcdListener(dir)
	}
	defaultPort, path := securePod(p.component)
	host, port := p.flags[flagBindAddress], p.flags[flagSecurePort]
	if probe := p.probe(); probe != nil { // where the kubelet asks
		host = cmp.Or(host, probe.Host)
		port = cmp.Or(port, p.probePort(probe))
	}
	port = cmp.Or(port, defaultPort)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, p.unclear("port %q is none", port)
	}
	l := &listener{address: net.JoinHostPort(dialHost(host), port)}
	l.url = "https://" + l.address + path
	if _, err := url.Parse(l.url); err != nil {
		return nil, p.unclear("%q is no host", host)
	}
	if p.flags[flagCert] != "" {
		l.certFlag = flagCert
	}
	conf := askingTLS()
	if p.component == ComponentAPIServer {
		// With --anonymous-auth=false it answers clients that it knows alone.
		p.addAPIServerClient(conf, dir)
	}
	l.healthy = httpProbe(conf, l.url)
	return l, nil
}

// etcdListener asks where clients ask: its metrics port answers while those
// who need etcd cannot reach it.
func (p *staticPod) etcdListener(dir string) (*listener, error) {
	// The last is what server/embed/config.go has.
	list := cmp.Or(p.flags[flagListenHTTP], p.flags[flagListenClient], "http://localhost:2379")
	first, _, _ := strings.Cut(list, ",")
	at, err := url.Parse(strings.TrimSpace(first))
	if err != nil || at.Port() == "" || at.Scheme != "https" && at.Scheme != "http" {
		return nil, p.unclear("%q is no URL with a port", first)
	}
	l := &listener{address: net.JoinHostPort(dialHost(at.Hostname()), at.Port())}
	l.url = at.Scheme + "://" + l.address + "/health"
	conf := askingTLS()
	if at.Scheme == "https" {
		l.certFlag = flagEtcdCert
		if !p.addEtcdClient(conf, dir) && p.flags[flagTrustedCA] != "" {
			return nil, failure.New(failure.Failed, "renew etcd/healthcheck-client, or name the cluster directory with --dir",
				"etcd cannot be asked for its health: there is no client certificate etcd/healthcheck-client or apiserver-etcd-client in %q", filepath.Join(dir, "pki"))
		}
	}
	l.healthy = httpProbe(conf, l.url)
	return l, nil
}

// addEtcdClient finds a client certificate that etcd knows.
func (p *staticPod) addEtcdClient(conf *tls.Config, dir string) bool {
	places := []string{filepath.Join(dir, "pki", "etcd", "healthcheck-client"), filepath.Join(dir, "pki", "apiserver-etcd-client")}
	if trusted, ok := p.hostFile(flagTrustedCA); ok {
		places = append(places, filepath.Join(filepath.Dir(trusted), "healthcheck-client"))
	}
	for _, base := range places {
		if addPair(conf, base) {
			return true
		}
	}
	return false
}

// addAPIServerClient takes the client certificate that the API server has for
// kubelets: most often its own CA issued it.
func (p *staticPod) addAPIServerClient(conf *tls.Config, dir string) {
	if certFile, ok := p.hostFile("kubelet-client-certificate"); ok {
		if base, isPair := strings.CutSuffix(certFile, ".crt"); isPair && addPair(conf, base) {
			return
		}
	}
	addPair(conf, filepath.Join(dir, "pki", "apiserver-kubelet-client"))
}

// addPair loads base.crt and base.key where they are.
func addPair(conf *tls.Config, base string) bool {
	return addClientCertificate(conf, base) == nil
}

// askingTLS does not verify who answers, as the kubelet's own probes do not: the
// question carries no secret, and the certificate is compared with the file that
// the manifest names.
func askingTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // see above
}

// dialHost returns where to dial what listens at a host: all addresses include
// loopback, and an empty one means all.
func dialHost(host string) string {
	addr, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && addr.Is4() && addr.IsUnspecified():
		return loopback
	case err == nil && addr.IsUnspecified():
		return "::1"
	}
	return host
}

func (p *staticPod) unclear(format string, args ...any) error {
	return failure.New(failure.Failed, "look at the flags in it", "manifest %q does not say where %s listens: "+format,
		append([]any{p.file, p.component}, args...)...)
}
