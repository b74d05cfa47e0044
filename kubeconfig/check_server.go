package kubeconfig

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/shell"
)

// workers is how many servers are called at once.
const workers = 8

// served is what a server presents. Each is dialled once.
type served struct {
	endpoint kubeclient.Endpoint
	certs    []*x509.Certificate
	err      error
}

// checkClusters looks at what clusters say, without calling anybody.
func (c *checker) checkClusters(v *view) {
	for _, name := range slices.Sorted(maps.Keys(v.clusters)) {
		cluster := v.clusters[name]
		c.checkClusterCA(cluster)
		cluster.usable = c.checkURL(cluster) && cluster.usable
		cluster.usable = c.checkProxy(cluster) && cluster.usable
	}
}

// checkURL says whether the server can be called.
func (c *checker) checkURL(cluster *clusterState) bool {
	entry, file := cluster.entry, cluster.entry.LocationOfOrigin
	hint := "set it with: kubectl config set-cluster " + shell.Quote(cluster.name) + " --server https://HOST:6443"
	server, err := url.Parse(entry.Server)
	switch {
	case entry.Server == "":
		c.find(file, cluster.contexts, "server", hint, "cluster %q names no server", cluster.name)
	case err != nil, server.Hostname() == "":
		c.find(file, cluster.contexts, "server", hint, "the server of cluster %q is not a URL", cluster.name)
	case server.Scheme != "https":
		c.find(file, cluster.contexts, "server", hint, "%s is not https: whoever is between reads and changes all, and client certificates are not sent", kubeclient.ShowURL(entry.Server))
	default:
		return true
	}
	return false
}

// checkProxy says whether the proxy that a cluster names can be used. Where it
// cannot, nobody is called without it.
func (c *checker) checkProxy(cluster *clusterState) bool {
	if cluster.entry.ProxyURL == "" {
		return true
	}
	_, err := kubeclient.ParseProxy(cluster.entry.ProxyURL)
	if err != nil {
		c.find(cluster.entry.LocationOfOrigin, cluster.contexts, "server",
			"set it with: kubectl config set-cluster "+shell.Quote(cluster.name)+" --proxy-url http://HOST:3128",
			"the proxy-url of cluster %q cannot be used: %v", cluster.name, err)
	}
	return err == nil
}

// checkClusterCA reads the CA of a cluster.
func (c *checker) checkClusterCA(cluster *clusterState) {
	entry, file := cluster.entry, cluster.entry.LocationOfOrigin
	const hint = "set it with: kubectl config set-cluster NAME --certificate-authority FILE --embed-certs"
	if entry.InsecureSkipTLSVerify {
		c.find(file, cluster.contexts, "server", hint, "insecure-skip-tls-verify: whoever is between is taken for the server")
		return // and nothing is sent to it
	}
	cluster.usable = true
	part := Reader{Name: file}.ClusterCA(entry)
	if part == nil {
		return // the system's
	}
	if part.File != "" {
		c.checkWritable(file, cluster.contexts, "the CA "+part.File, part.File)
	}
	cluster.trusts = ca.Certificates(part.Items)
	switch {
	case part.Err != nil:
		c.find(file, cluster.contexts, "CA", hint, "%v", part.Err)
		cluster.usable = false
	case len(cluster.trusts) == 0:
		c.find(file, cluster.contexts, "CA", hint, "there is no certificate in the CA of cluster %q", cluster.name)
		cluster.usable = false
	default:
		c.checkEnd(cluster, latest(cluster.trusts), "CA", "the CA of the cluster", "get the new one from who runs the cluster")
	}
}

// latest returns the certificate that ends last.
func latest(certs []*x509.Certificate) *x509.Certificate {
	return slices.MaxFunc(certs, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
}

// checkEnd checks that a certificate is valid and stays so for a while; it
// returns whether it is valid.
func (c *checker) checkEnd(cluster *clusterState, cert *x509.Certificate, check, what, hint string) bool {
	find := func(format string, args ...any) {
		c.find(cluster.entry.LocationOfOrigin, cluster.contexts, check, hint, what+" "+format, args...)
	}
	switch now := c.o.Now; {
	case now.Before(cert.NotBefore):
		find("is not valid before %s", day(cert.NotBefore))
	case now.After(cert.NotAfter):
		find("expired on %s", day(cert.NotAfter))
	case c.o.endsSoon(cert.NotBefore, cert.NotAfter):
		find("ends in %s, on %s", ca.FormatValidity(cert.NotAfter.Sub(now)), day(cert.NotAfter))
		return true
	default:
		return true
	}
	return false
}

// callServers gets the certificate of each server once, many at a time, and
// checks it as the clients of each cluster do.
func (c *checker) callServers(ctx context.Context) {
	servers := map[[3]string]*served{}
	for _, cluster := range c.usableClusters() {
		target, _ := url.Parse(cluster.entry.Server) // it was read before
		e := kubeclient.Endpoint{Address: addressOf(target), Host: cluster.entry.TLSServerName, Proxy: http.ProxyFromEnvironment}
		if e.Host == "" {
			e.Host = target.Hostname()
		}
		if cluster.entry.ProxyURL != "" {
			proxy, _ := kubeclient.ParseProxy(cluster.entry.ProxyURL) // likewise
			e.Proxy = http.ProxyURL(proxy)
		}
		key := [3]string{e.Address, e.Host, cluster.entry.ProxyURL}
		if servers[key] == nil {
			servers[key] = &served{endpoint: e}
		}
		cluster.server = servers[key]
	}
	list := slices.Collect(maps.Values(servers))
	c.inParallel(ctx, len(list), func(i int) {
		list[i].certs, list[i].err = kubeclient.Served(ctx, list[i].endpoint, c.o.Timeout)
	})
	for _, cluster := range c.usableClusters() {
		cluster.trusted = c.checkServed(cluster)
	}
}

// usableClusters returns the clusters that can be called, in order.
func (c *checker) usableClusters() []*clusterState {
	var usable []*clusterState
	for _, v := range c.views {
		for _, name := range slices.Sorted(maps.Keys(v.clusters)) {
			if v.clusters[name].usable {
				usable = append(usable, v.clusters[name])
			}
		}
	}
	return usable
}

func addressOf(server *url.URL) string {
	port := server.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(server.Hostname(), port)
}

// checkServed checks what a server presented, and says whether clients of the
// cluster would go on.
func (c *checker) checkServed(cluster *clusterState) bool {
	file, server := cluster.entry.LocationOfOrigin, cluster.server
	if server.err != nil {
		c.find(file, cluster.contexts, "server", failure.HintOf(server.err), "cannot reach %s: %s", kubeclient.ShowURL(cluster.entry.Server), reasonOf(server.err))
		return false
	}
	cert := server.certs[0]
	ok := c.checkServedChain(cluster, server.certs)
	ok = c.checkEnd(cluster, cert, "server certificate", "the certificate of the server", "whoever runs the cluster has to renew it; see: kubeadm certs check-expiration") && ok
	for _, check := range []ca.Check{ca.CheckUsage(cert, ca.PurposeServer), ca.CheckHost(cert, server.endpoint.Host)} {
		if check.Status == ca.CheckFailed {
			c.find(file, cluster.contexts, "server certificate", check.Hint, "wanted %s; found %s", check.Wanted, check.Found)
			ok = false
		}
	}
	return ok
}

// reasonOf returns the cause of an error whose own line names the server.
func reasonOf(err error) string {
	if cause := errors.Unwrap(err); cause != nil {
		return cause.Error()
	}
	return err.Error()
}

func (c *checker) checkServedChain(cluster *clusterState, certs []*x509.Certificate) bool {
	file := cluster.entry.LocationOfOrigin
	const hint = "compare the CA with who runs the cluster before you change it with: kubectl config set-cluster NAME --certificate-authority FILE --embed-certs"
	if len(cluster.trusts) > 0 { // no names, so that many clusters are one finding
		roots := ca.Roots{Name: "the kubeconfig", Certificates: cluster.trusts}
		_, check := roots.Check(certs[0], certs[1:], c.o.Now)
		if check.Status == ca.CheckFailed {
			c.find(file, cluster.contexts, "server certificate", hint, "the certificate of the server is not by the CA of the kubeconfig: wanted %s; found %s", check.Wanted, check.Found)
		}
		return check.Status == ca.CheckOK
	}
	pool := x509.NewCertPool()
	for _, cert := range certs[1:] {
		pool.AddCert(cert)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Intermediates: pool, CurrentTime: c.o.Now})
	if err != nil {
		c.find(file, cluster.contexts, "server certificate", hint, "no CA of the system signed the certificate of the server, and the kubeconfig names none: %v", err)
	}
	return err == nil
}

// inParallel does n things, a few at a time, and shows how far it is.
func (c *checker) inParallel(ctx context.Context, n int, do func(i int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	done := 0
	for range min(n, workers) {
		wait.Go(func() {
			for i := range next {
				do(i)
				c.progress.Lock()
				done++
				if c.o.Progress != nil {
					c.o.Progress(done, n)
				}
				c.progress.Unlock()
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wait.Wait()
}

// sameCertificates says whether two lists hold the same, and what each has
// that the other has not.
func sameCertificates(a, b []*x509.Certificate) (onlyA, onlyB []*x509.Certificate) {
	return without(a, b), without(b, a)
}

func without(list, others []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(list), func(cert *x509.Certificate) bool {
		return slices.ContainsFunc(others, func(other *x509.Certificate) bool { return bytes.Equal(cert.Raw, other.Raw) })
	})
}

// showCA names a CA beyond doubt.
func showCA(cert *x509.Certificate) string {
	return fmt.Sprintf("%s, SHA-256 %.23s..., until %s", ca.FormatName(cert.RawSubject), ca.Fingerprint(cert), cert.NotAfter.UTC().Format(time.DateOnly))
}
