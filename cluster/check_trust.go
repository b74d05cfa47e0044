package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// askEtcd has etcd say that it is healthy, with the certificate that its probe
// has. Its key is used with nobody but a server that the CA on disk vouches for.
func (c *checker) askEtcd(ctx context.Context, call *call) error {
	n := call.node
	roots := n.certs[NameEtcdCA]
	health, _ := EntryNamed(nameEtcdHealth)
	if roots == nil || !c.isBy(call, roots) {
		return nil // that has been found
	}
	pair, err := readPair(health.CertPath(n.Dir), health.KeyPath(n.Dir))
	if err != nil {
		return nil // likewise
	}
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	// The name is one that etcd always has: the address may be another, of a tunnel.
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: "localhost", MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+call.address+"/health", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return answer.Body.Close() // what is not health is for others to find
}

func readPair(certPath, keyPath string) (tls.Certificate, error) {
	cert, err := store.Read(certPath, store.MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := store.Read(keyPath, store.MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// handedOut is what the cluster gives others as its CA.
type handedOut struct {
	rootCA, clusterInfo []*x509.Certificate
	why                 string // nothing is known
}

// Where a cluster keeps its CA for others. kubeadm join reads cluster-info.
const (
	pathRootCA      = "/api/v1/namespaces/default/configmaps/kube-root-ca.crt"
	pathClusterInfo = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
)

// askHandedOut reads both, with the first of the cluster's own credentials that
// may.
func (c *checker) askHandedOut(ctx context.Context, h *handedOut) {
	n := c.report.Nodes[0]
	if n.certs[NameCA] == nil {
		h.why = "the CA on disk cannot be read"
		return
	}
	h.why = "no client certificate of the directory may read it; nothing else that its kubeconfigs log in with is used"
	for _, name := range []string{NameAdmin, NameSuperAdmin} {
		client, err := c.client(n, name)
		if err != nil || client == nil {
			continue
		}
		var object corev1.ConfigMap
		err = client.Get(ctx, pathRootCA, &object)
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			continue
		}
		if err != nil {
			h.why = err.Error()
			return
		}
		h.why = ""
		h.rootCA = certificatesIn([]byte(object.Data["ca.crt"]))
		var info corev1.ConfigMap
		if client.Get(ctx, pathClusterInfo, &info) == nil { // a cluster that kubeadm did not make has none
			h.clusterInfo = clusterInfoCA(info.Data["kubeconfig"])
		}
		return
	}
}

func certificatesIn(data []byte) []*x509.Certificate {
	items, err := ca.Decode(data, "the API server's answer")
	if err != nil {
		return nil
	}
	return ca.Certificates(items)
}

func clusterInfoCA(text string) []*x509.Certificate {
	config, err := kubeconfig.Parse([]byte(text), "cluster-info")
	if err != nil {
		return nil
	}
	for _, cluster := range config.Clusters {
		return certificatesIn(cluster.CertificateAuthorityData)
	}
	return nil
}

// client calls the API server as the user of a kubeconfig in the directory. It
// trusts the CA on disk and no other.
func (c *checker) client(n *CheckedNode, name string) (*kubeclient.Client, error) {
	found := n.found(name)
	if found == nil || found.User == nil {
		return nil, nil
	}
	server, err := url.Parse(found.Cluster.Server)
	if err != nil {
		return nil, err
	}
	cluster := &api.Cluster{Server: "https://" + hostOf(server), TLSServerName: server.Hostname()}
	if address, other := c.otherServer(n); other {
		cluster.Server, cluster.TLSServerName = "https://"+address, apiServerName
	}
	cluster.CertificateAuthorityData = ca.EncodeCertificates(n.certs[NameCA]...)
	user := certificateUser(found.User)
	if user == nil {
		return nil, nil
	}
	for _, path := range []*string{&user.ClientCertificate, &user.ClientKey} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path, _ = filepath.Abs(filepath.Join(n.Dir, *path))
		}
	}
	config := api.Config{
		Clusters: map[string]*api.Cluster{"c": cluster}, AuthInfos: map[string]*api.AuthInfo{"u": user},
		Contexts: map[string]*api.Context{"x": {Cluster: "c", AuthInfo: "u"}}, CurrentContext: "x",
	}
	return kubeclient.FromConfig(config, kubeclient.Options{Context: "x", Timeout: c.o.Timeout, Agent: c.o.Agent})
}

// otherServer is the API server to ask where that is not the one in the
// kubeconfigs.
func (c *checker) otherServer(n *CheckedNode) (hostPort string, other bool) {
	switch {
	case c.o.Servers != nil:
		return c.o.Servers[0], true
	case n.local != nil:
		return address(n.local.APIServer), true
	}
	return "", false
}

func (c *checker) judgeHandedOut(h *handedOut) {
	n := c.report.Nodes[0]
	d := Difference{Entry: NameCA, File: "configmap kube-root-ca.crt", Field: FieldTrust}
	if h.why != "" {
		d.Wanted, d.Found = "the CA that the cluster hands out", "it could not be read: "+h.why
		c.note(n, d, "see: kubectl get configmap kube-root-ca.crt -o yaml")
		return
	}
	c.compareTrusted(n, d, h.rootCA, "the controller manager writes it from its --root-ca-file: restart it with the CA on disk")
	if h.clusterInfo != nil {
		d.File = "configmap kube-public/cluster-info"
		c.compareTrusted(n, d, h.clusterInfo, "kubeadm join trusts it; write it anew with: kubeadm init phase bootstrap-token")
	}
}

// compareTrusted compares the CAs that somebody was given with that on disk.
// While it is being replaced there is more than one.
func (c *checker) compareTrusted(n *CheckedNode, d Difference, trusted []*x509.Certificate, hint string) {
	certs := n.certs[NameCA]
	if certs == nil {
		return
	}
	for _, cert := range certs {
		if slices.ContainsFunc(trusted, cert.Equal) {
			continue
		}
		d.Wanted, d.Found = "trust in "+showCA(cert), "trust in no CA"
		if len(trusted) > 0 {
			d.Found = "trust in " + showCA(trusted[0])
		}
		c.find(n, d, "", hint)
		return
	}
	for _, cert := range trusted {
		if !slices.ContainsFunc(certs, cert.Equal) {
			d.Wanted, d.Found = "trust in the CA on disk alone", "trust in "+showCA(cert)+" too"
			c.note(n, d, "take it out once nobody needs it")
			return
		}
	}
}

// checkKubeconfigs compares the CAs of the kubeconfigs that were named. Of one
// with several clusters those count that dial this one; where none does, that of
// the current context.
func (c *checker) checkKubeconfigs() error {
	for _, path := range c.o.Kubeconfigs {
		config, err := kubeconfig.Load(path)
		if err != nil {
			return err
		}
		reader := kubeconfig.Reader{Config: config, Name: path, Dir: filepath.Dir(path)}
		n := c.report.Nodes[0]
		names := c.clustersOf(config)
		if len(names) == 0 {
			return failure.New(failure.Failed, "name a kubeconfig of this cluster", "kubeconfig %q has no cluster at an address of this one, and no current context", path)
		}
		for _, name := range names {
			d := Difference{Entry: NameCA, File: path, Field: FieldTrust}
			hint := "after you have made sure of the CA: kubectl config set-cluster " + shell.Quote(name) + " --kubeconfig " + shell.Quote(path) +
				" --embed-certs --certificate-authority " + shell.Quote(filepath.Join(PKIDir(n.Dir), "ca.crt"))
			part := reader.ClusterCA(config.Clusters[name])
			switch {
			case part == nil:
				d.Wanted, d.Found = "trust in the CA on disk", "no CA for cluster "+name
				c.find(n, d, "", hint)
			case part.Err != nil:
				d.Field, d.Wanted, d.Found = FieldFile, "what can be read", part.Err.Error()
				c.find(n, d, "", hint)
			default:
				c.compareTrusted(n, d, ca.Certificates(part.Items), hint)
			}
		}
	}
	return nil
}

// clustersOf are the names of the clusters in a kubeconfig to look at.
func (c *checker) clustersOf(config *api.Config) []string {
	var names []string
	for name, cluster := range config.Clusters {
		server, err := url.Parse(cluster.Server)
		if err == nil && server.Hostname() != "" && c.isOurs(hostOf(server)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if context := config.Contexts[config.CurrentContext]; names == nil && context != nil && config.Clusters[context.Cluster] != nil {
		return []string{context.Cluster}
	}
	return names
}

// isOurs says whether an address is that of an API server of the cluster.
func (c *checker) isOurs(address string) bool {
	if slices.Contains(c.o.Servers, address) {
		return true
	}
	return slices.ContainsFunc(c.report.Nodes, func(n *CheckedNode) bool {
		return address == n.node.Endpoint || slices.Contains(n.at(n.node.Port), address)
	})
}
