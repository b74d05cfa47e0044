package cluster

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ranges returns the range of the services and the DNS domain that a PKI is
// made for: those of its settings, else what the API server's certificate says.
func ranges(s Settings, cert *x509.Certificate) (services, domain string) {
	services, domain = s.ServiceCIDR, s.DNSDomain
	if services == "" {
		services = serviceRangeOf(cert)
	}
	if domain == "" {
		domain = domainOf(cert)
	}
	return services, domain
}

const serviceName = "kubernetes.default.svc."

// domainOf returns the DNS domain of the cluster that the certificate of an API
// server is for, empty where it does not say.
func domainOf(cert *x509.Certificate) string {
	for _, name := range cert.DNSNames {
		if domain, is := strings.CutPrefix(name, serviceName); is && domain != "" {
			return domain
		}
	}
	return ""
}

// serviceBits is how many bits of a range are its hosts' where an address does
// not say: 65,536 addresses.
const serviceBits = 16

// serviceRangeOf returns a service range whose first address the certificate of
// an API server names, as clients in the cluster call it by that. It is empty
// where the certificate names none: then any range is as good.
func serviceRangeOf(cert *x509.Certificate) string {
	first := serviceIPOf(cert)
	if !first.IsValid() {
		return ""
	}
	return rangeFrom(first, netip.Addr{}).String()
}

// serviceIPOf returns the address of the service kubernetes, which the
// certificate of an API server has: kubeadm puts it first (GetAPIServerAltNames),
// that of the node next, and it is the first of a range. It is invalid where the
// certificate names none but the others.
func serviceIPOf(cert *x509.Certificate, others ...string) netip.Addr {
	var found netip.Addr
	for _, addr := range addressesOf(cert) {
		switch {
		case slices.Contains(others, addr.String()):
		case addr == firstOf(DefaultServiceCIDR):
			return addr
		case !found.IsValid() && isFirstOfRange(addr):
			found = addr
		}
	}
	return found
}

// isFirstOfRange says whether an address may be the first of a range of
// services: a range begins where its last bits are zero.
func isFirstOfRange(addr netip.Addr) bool {
	start := addr.Prev()
	return !addr.IsLoopback() && !start.IsUnspecified() && !addr.IsMulticast() && zeroBits(start) >= minServiceBits
}

// rangeFrom returns a range of services with that first address, and without
// that of the node, if it is known.
func rangeFrom(first, node netip.Addr) netip.Prefix {
	usual := netip.MustParsePrefix(DefaultServiceCIDR)
	if first == usual.Addr().Next() && !usual.Contains(node) {
		return usual
	}
	start := first.Prev()
	bits := min(zeroBits(start), serviceBits)
	for bits > minServiceBits && netip.PrefixFrom(start, start.BitLen()-bits).Contains(node) {
		bits--
	}
	return netip.PrefixFrom(start, start.BitLen()-bits)
}

// nodesAmongServices warns of nodes whose address a service may be given, too:
// it works until then, and neither kubeadm nor kube-apiserver looks.
func nodesAmongServices(nodes []*nodePlan) []string {
	var list []string
	for _, n := range nodes {
		for _, services := range n.node.services {
			if services.Contains(n.node.Address) {
				list = append(list, fmt.Sprintf("address %s of node %q is in the service range %s: a service that is given the same one takes it from the node; see --service-cidr",
					n.node.Address, n.node.Name, services))
			}
		}
	}
	return list
}

// zeroBits counts the bits at the end of an address that are zero.
func zeroBits(addr netip.Addr) int {
	bits := addr.BitLen()
	for n := range bits {
		if netip.PrefixFrom(addr, bits-n-1).Masked().Addr() != addr {
			return n
		}
	}
	return bits
}
