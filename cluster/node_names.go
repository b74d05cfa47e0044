package cluster

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// altNames are names as they were written, in two kinds.
type altNames struct{ dns, ips []string }

func (a altNames) with(dns, ips []string) (allDNS, allIPs []string) {
	return unique(append(dns, a.dns...)), unique(append(ips, a.ips...))
}

// unique drops names that come again, for two reasons for one name are no
// mistake, and one that is not known.
func unique(names []string) []string {
	var list []string
	for _, name := range names {
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (s Settings) setSANs(n *Node) error {
	for _, list := range []struct {
		names []string
		into  *altNames
	}{{s.SANs, &n.sans}, {s.EtcdServerSANs, &n.etcdServerSANs}, {s.EtcdPeerSANs, &n.etcdPeerSANs}} {
		for _, name := range list.names {
			if addr, err := netip.ParseAddr(name); err == nil && addr.Zone() == "" {
				list.into.ips = append(list.into.ips, addr.Unmap().String())
				continue
			}
			if len(name) > validation.DNS1123SubdomainMaxLength {
				return failure.New(failure.Usage, "a DNS name has at most 253 characters", "%s is not a DNS name", shown(name))
			}
			if isLikeAddress(name) || strings.Contains(name, "%") {
				return failure.New(failure.Usage, "write it like 10.0.0.10 or fd00::10, without a zone", "%s is neither a DNS name nor an IP address", shown(name))
			}
			if _, err := ca.ParseSANs([]string{name}, nil, nil, nil); err != nil {
				return err
			}
			list.into.dns = append(list.into.dns, name)
		}
	}
	return nil
}

// checkNames refuses what would only be found when a certificate is made, such
// as a DNS domain that is too long for the names in it.
func checkNames(nodes []Node) error {
	for _, n := range nodes {
		for _, entry := range EntriesFor(n) {
			if _, err := entry.SANs(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n Node) apiServerNames() []string {
	dns := []string{n.Name, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + n.DNSDomain}
	if host, isIP := n.endpointHost(); host != "" && !isIP {
		dns = append(dns, host)
	}
	dns, _ = n.sans.with(dns, nil)
	return dns
}

func (n Node) apiServerIPs() []string {
	ips := known(n.ServiceIP, n.Address)
	if host, isIP := n.endpointHost(); isIP {
		ips = append(ips, host)
	}
	_, ips = n.sans.with(nil, ips)
	return ips
}

func (n Node) endpointHost() (host string, isIP bool) {
	host, _, err := net.SplitHostPort(n.Endpoint)
	if err != nil {
		return "", false
	}
	_, err = netip.ParseAddr(host)
	return host, err == nil
}

func (n Node) etcdNames(more altNames) (dns, ips []string) {
	return more.with([]string{n.Name, "localhost"}, append(known(n.Address), loopback, "::1"))
}

// known leaves out an address that nobody has said, as in a directory of which
// files are missing.
func known(addresses ...netip.Addr) []string {
	var list []string
	for _, addr := range addresses {
		if addr.IsValid() {
			list = append(list, addr.String())
		}
	}
	return list
}

func (n Node) etcdServerNames() []string { dns, _ := n.etcdNames(n.etcdServerSANs); return dns }
func (n Node) etcdServerIPs() []string   { _, ips := n.etcdNames(n.etcdServerSANs); return ips }
func (n Node) etcdPeerNames() []string   { dns, _ := n.etcdNames(n.etcdPeerSANs); return dns }
func (n Node) etcdPeerIPs() []string     { _, ips := n.etcdNames(n.etcdPeerSANs); return ips }
