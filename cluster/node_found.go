package cluster

import (
	"cmp"
	"crypto/x509"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// NodeFromFiles finds out what the files of a cluster directory were made for,
// where no settings say it, as in a directory that kubeadm made. Each file that
// can be read has a vote, so that one wrong file is found and does not make the
// others wrong; on a node the manifest of the API server has one too. The version
// of Kubernetes is not in the files: subjects of every version are right for
// such a node. Names beyond those that kubeadm gives by
// itself count as asked for. An error means that there is no PKI of a control
// plane; what nothing in it says is empty, or kubeadm's default.
func NodeFromFiles(dir string) (Node, error) {
	f := nodeFiles{found: map[string]*Found{}}
	for _, e := range Layout() {
		f.found[e.Name] = Find(dir, e)
	}
	if pods, err := findStaticPods(filepath.Join(dir, "manifests"), []string{ComponentAPIServer}); err == nil && pods[ComponentAPIServer] != nil {
		f.flags = pods[ComponentAPIServer].Flags
	}
	if f.none(nameAPIServer, nameEtcdServer, NameSA, NameAdmin, nameControllerManager) {
		return Node{}, failure.New(failure.Failed, "name a directory like /etc/kubernetes on a node of the control plane, or make one with: pkictl cluster init",
			"there is no control plane's PKI in %q", dir)
	}
	n := Node{
		Cluster:  f.clusterName(),
		Validity: DefaultValidity, CAValidity: DefaultCAValidity,
		// kubeadm makes nothing for an etcd that runs elsewhere; some put its CA and
		// the API server's certificate there nevertheless.
		ExternalEtcd: f.none(nameEtcdServer, nameEtcdPeer, nameEtcdHealth),
	}
	n.Address, n.Port = f.address()
	n.Endpoint = f.endpoint(n)
	n.Name = f.nodeName(n)
	n.ServiceIP, n.DNSDomain = f.serviceIP(n), f.dnsDomain()
	if n.assumed = !n.ServiceIP.IsValid() || n.DNSDomain == ""; n.assumed {
		n.DNSDomain = cmp.Or(n.DNSDomain, DefaultDNSDomain)
		if !n.ServiceIP.IsValid() {
			n.ServiceIP = firstOf(DefaultServiceCIDR)
		}
	}
	n.sans = f.moreNames(nameAPIServer, n.apiServerNames(), n.apiServerIPs())
	n.etcdServerSANs = f.moreNames(nameEtcdServer, n.etcdServerNames(), n.etcdServerIPs())
	n.etcdPeerSANs = f.moreNames(nameEtcdPeer, n.etcdPeerNames(), n.etcdPeerIPs())
	return n, nil
}

// SettingsFromFiles returns the settings that NodeFromFiles reads off the files
// of a cluster directory, whose version of Kubernetes is not known; false where
// they do not say of which node they are.
func SettingsFromFiles(dir string) (Settings, bool) {
	n, err := NodeFromFiles(dir)
	if err != nil || n.Name == "" {
		return Settings{}, false
	}
	etcdCA, _ := EntryNamed(NameEtcdCA)
	n.dropForeignNames(dir)
	return Settings{
		Name: n.Cluster, Nodes: []NodeSettings{{Name: n.Name, Address: strings.Join(known(n.Address), "")}},
		Endpoint: n.Endpoint, Port: n.Port, ServiceCIDR: rangeFrom(n.ServiceIP, n.Address).String(), DNSDomain: n.DNSDomain,
		SANs:           slices.Concat(n.sans.dns, n.sans.ips),
		EtcdServerSANs: slices.Concat(n.etcdServerSANs.dns, n.etcdServerSANs.ips),
		EtcdPeerSANs:   slices.Concat(n.etcdPeerSANs.dns, n.etcdPeerSANs.ips),
		// Who has the key of etcd's CA means to sign with it.
		ExternalEtcd: n.ExternalEtcd && !isThere(etcdCA.KeyPath(dir)),
	}, true
}

// dropForeignNames drops the names that somebody else than the node's CA has
// vouched for: who puts a certificate there is not to have it signed.
func (n *Node) dropForeignNames(dir string) {
	for name, names := range map[string]*altNames{nameAPIServer: &n.sans, nameEtcdServer: &n.etcdServerSANs, nameEtcdPeer: &n.etcdPeerSANs} {
		entry, _ := EntryNamed(name)
		issuer, _ := EntryNamed(entry.CA)
		leaf, authority := Find(dir, entry), Find(dir, issuer)
		if leaf.Certificate == nil {
			continue
		}
		isOurs := func(cert *x509.Certificate) bool { return isBelow(leaf.Certificate, leaf.Behind, cert) }
		if authority.Certificate == nil || !isOurs(authority.Certificate) && !slices.ContainsFunc(authority.Behind, isOurs) {
			*names = altNames{}
		}
	}
}

// nodeFiles are what a cluster directory has to say.
type nodeFiles struct {
	found map[string]*Found // by the name of the entry
	flags map[string]string // of the API server, if its manifest is there
}

func (f nodeFiles) none(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !f.found[name].Absent() })
}

func (f nodeFiles) cert(name string) *x509.Certificate { return f.found[name].Certificate }

// votes counts what several files say.
type votes []vote

type vote struct {
	what  string
	count int
}

func (v *votes) add(what string) {
	if what == "" {
		return
	}
	i := slices.IndexFunc(*v, func(other vote) bool { return other.what == what })
	if i < 0 {
		*v = append(*v, vote{what, 1})
		return
	}
	(*v)[i].count++
}

// winner is the first of those with the most votes; empty where there is none.
func (v votes) winner() string {
	var best vote
	for _, candidate := range v {
		if candidate.count > best.count {
			best = candidate
		}
	}
	return best.what
}

func (f nodeFiles) server(name string) *url.URL {
	if f.found[name].Cluster == nil {
		return nil
	}
	server, err := url.Parse(f.found[name].Cluster.Server)
	if err != nil || server.Hostname() == "" {
		return nil
	}
	return server
}

func (f nodeFiles) clusterName() string {
	var v votes
	for _, name := range []string{NameAdmin, nameControllerManager, nameScheduler} {
		v.add(f.found[name].clusterName())
	}
	return cmp.Or(v.winner(), DefaultName)
}

// dnsDomain is empty where nothing says it.
func (f nodeFiles) dnsDomain() string {
	if domain, is := strings.CutPrefix(f.flags["service-account-issuer"], "https://"+serviceName); is {
		return domain
	}
	if cert := f.cert(nameAPIServer); cert != nil {
		return domainOf(cert)
	}
	return ""
}

// address is what the node is dialled at, which the kubeconfigs of its own
// components and the certificates of its etcd say.
func (f nodeFiles) address() (netip.Addr, int) {
	var addresses, ports votes
	addresses.add(f.flags["advertise-address"])
	ports.add(f.flags["secure-port"])
	for _, name := range []string{nameControllerManager, nameScheduler, NameKubelet} {
		server := f.server(name)
		if server == nil {
			continue
		}
		if addr, err := netip.ParseAddr(server.Hostname()); err == nil {
			addresses.add(addr.Unmap().String())
			ports.add(server.Port())
		}
	}
	for _, name := range []string{nameEtcdServer, nameEtcdPeer, nameAPIServer} {
		if f.cert(name) == nil {
			continue
		}
		for _, addr := range addressesOf(f.cert(name)) {
			if !addr.IsLoopback() && (name != nameAPIServer || !isFirstOfRange(addr)) {
				addresses.add(addr.String())
			}
		}
	}
	addr, _ := netip.ParseAddr(addresses.winner())
	port, err := strconv.Atoi(ports.winner())
	if err != nil {
		port = DefaultPort
	}
	return addr, port
}

func addressesOf(cert *x509.Certificate) []netip.Addr {
	var list []netip.Addr
	for _, ip := range cert.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			list = append(list, addr.Unmap())
		}
	}
	return list
}

// endpoint is what the kubeconfigs of people dial where that is not the node
// itself. One that the API server has a name for counts more.
func (f nodeFiles) endpoint(n Node) string {
	var v votes
	for _, name := range []string{NameAdmin, NameSuperAdmin, NameKubelet} {
		server := f.server(name)
		if server == nil || (name == NameKubelet && server.Hostname() == n.Address.String()) {
			continue
		}
		v.add(server.Host)
		if cert := f.cert(nameAPIServer); cert != nil && cert.VerifyHostname(server.Hostname()) == nil {
			v.add(server.Host)
		}
	}
	endpoint := v.winner()
	if "https://"+endpoint == n.localURL() {
		return ""
	}
	return endpoint
}

func (f nodeFiles) nodeName(n Node) string {
	const prefix = "system:node:"
	var v votes
	vouch := func(text string) {
		if name, is := strings.CutPrefix(text, prefix); is {
			v.add(name)
		}
	}
	if cert := f.cert(NameKubelet); cert != nil {
		vouch(cert.Subject.CommonName)
	}
	if config := f.found[NameKubelet].Config; config != nil && config.Contexts[config.CurrentContext] != nil {
		vouch(config.Contexts[config.CurrentContext].AuthInfo)
	}
	for _, name := range []string{nameEtcdServer, nameEtcdPeer} {
		if cert := f.cert(name); cert != nil {
			v.add(cert.Subject.CommonName)
		}
	}
	host, _ := n.endpointHost()
	if cert := f.cert(nameAPIServer); cert != nil {
		for _, name := range cert.DNSNames {
			if name != host && name != "kubernetes" && !strings.HasPrefix(name, "kubernetes.default") {
				v.add(name)
			}
		}
	}
	return v.winner()
}

// serviceIP is the address of the service kubernetes, invalid where nothing says
// it.
func (f nodeFiles) serviceIP(n Node) netip.Addr {
	if addr := firstOf(f.flags["service-cluster-ip-range"]); addr.IsValid() {
		return addr
	}
	host, _ := n.endpointHost()
	if cert := f.cert(nameAPIServer); cert != nil {
		return serviceIPOf(cert, n.Address.String(), host)
	}
	return netip.Addr{}
}

// firstOf is the first address of the first range; invalid where there is none.
func firstOf(ranges string) netip.Addr {
	text, _, _ := strings.Cut(ranges, ",")
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Addr{}
	}
	return prefix.Masked().Addr().Next()
}

// moreNames are those of a certificate that are not in the lists.
func (f nodeFiles) moreNames(name string, dns, ips []string) altNames {
	var more altNames
	cert := f.cert(name)
	if cert == nil {
		return more
	}
	for _, name := range cert.DNSNames {
		if !slices.Contains(dns, name) {
			more.dns = append(more.dns, name)
		}
	}
	for _, addr := range addressesOf(cert) {
		if !slices.Contains(ips, addr.String()) {
			more.ips = append(more.ips, addr.String())
		}
	}
	return more
}
