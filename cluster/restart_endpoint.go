package cluster

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// Flags of etcd.
const (
	flagEtcdCert     = "cert-file"
	flagEtcdKey      = "key-file"
	flagTrustedCA    = "trusted-ca-file"
	flagListenClient = "listen-client-urls"
	// flagListenHTTP takes the health from those of flagListenClient, where it is
	// given (server/embed/etcd.go).
	flagListenHTTP = "listen-client-http-urls"
)

// listener reads off the manifest where the pod listens. Certificates for asking
// are in dir, a cluster directory.
func (p *staticPod) listener(dir string) (*staticpod.Listener, error) {
	var l *staticpod.Listener
	var err error
	switch p.Name {
	case ComponentEtcd:
		return p.etcdListener(dir)
	case ComponentAPIServer:
		l, err = p.APIServer(filepath.Join(dir, "pki", "apiserver-kubelet-client"))
	case ComponentControllerManager: // ports: k8s.io/kubernetes/pkg/cluster/ports
		l, err = p.Secure("10257", "/healthz", staticpod.AskingTLS())
	case ComponentScheduler:
		l, err = p.Secure("10259", "/healthz", staticpod.AskingTLS())
	}
	if err != nil {
		return nil, p.unclear(err)
	}
	return l, nil
}

// etcdListener asks where clients ask: its metrics port answers while those
// who need etcd cannot reach it.
func (p *staticPod) etcdListener(dir string) (*staticpod.Listener, error) {
	// The last is what server/embed/config.go has.
	list := cmp.Or(p.Flags[flagListenHTTP], p.Flags[flagListenClient], "http://localhost:2379")
	first, _, _ := strings.Cut(list, ",")
	at, err := url.Parse(strings.TrimSpace(first))
	if err != nil || at.Port() == "" || at.Scheme != "https" && at.Scheme != "http" {
		return nil, p.unclear(fmt.Errorf("%q is no URL with a port", first))
	}
	l := &staticpod.Listener{Address: net.JoinHostPort(staticpod.DialHost(at.Hostname()), at.Port())}
	l.URL = at.Scheme + "://" + l.Address + "/health"
	conf := staticpod.AskingTLS()
	if at.Scheme == "https" {
		l.CertFlag = flagEtcdCert
		if !p.addEtcdClient(conf, dir) && p.Flags[flagTrustedCA] != "" {
			return nil, failure.New(failure.Failed, "renew etcd/healthcheck-client, or name the cluster directory with --dir",
				"etcd cannot be asked for its health: there is no client certificate etcd/healthcheck-client or apiserver-etcd-client in %q", filepath.Join(dir, "pki"))
		}
	}
	l.Healthy = staticpod.HTTPProbe(conf, l.URL)
	return l, nil
}

// addEtcdClient finds a client certificate that etcd knows.
func (p *staticPod) addEtcdClient(conf *tls.Config, dir string) bool {
	places := []string{filepath.Join(dir, "pki", "etcd", "healthcheck-client"), filepath.Join(dir, "pki", "apiserver-etcd-client")}
	if trusted, ok := p.HostFile(flagTrustedCA); ok {
		places = append(places, filepath.Join(filepath.Dir(trusted), "healthcheck-client"))
	}
	for _, base := range places {
		if staticpod.AddPair(conf, base) == nil {
			return true
		}
	}
	return false
}

func (p *staticPod) unclear(err error) error {
	return failure.Wrap(err, failure.Failed, "look at the flags in it", "manifest %q does not say where %s listens", p.file, p.Name)
}
