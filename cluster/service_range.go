package cluster

import (
	"crypto/x509"
	"net/netip"
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

// domainOf returns the DNS domain of the cluster that the certificate of an API
// server is for, empty where it does not say.
func domainOf(cert *x509.Certificate) string {
	for _, name := range cert.DNSNames {
		if domain, found := strings.CutPrefix(name, "kubernetes.default.svc."); found {
			return domain
		}
	}
	return ""
}

const (
	// fewestServiceBits is how many bits of a range are its hosts' at least:
	// kubeadm refuses fewer (app/apis/kubeadm/validation).
	fewestServiceBits = 3
	// serviceBits is how many are taken where an address does not say: 65,536.
	serviceBits = 16
)

// serviceRangeOf returns a service range whose first address the certificate of
// an API server names, as clients in the cluster call it by that. It is empty
// where the certificate names none: then any range is as good.
//
// Of the addresses the first is that of the service (kubeadm's GetAPIServerAltNames),
// the next that of the node. A range begins where its last bits are zero.
func serviceRangeOf(cert *x509.Certificate) string {
	first := netip.MustParsePrefix(DefaultServiceCIDR).Addr().Next()
	var guess netip.Prefix
	for _, ip := range cert.IPAddresses {
		addr, _ := netip.AddrFromSlice(ip)
		addr = addr.Unmap()
		if addr == first {
			return DefaultServiceCIDR
		}
		if guess.IsValid() || addr.IsLoopback() || !addr.IsValid() {
			continue
		}
		if hosts := min(zeroBits(addr.Prev()), serviceBits); hosts >= fewestServiceBits {
			guess = netip.PrefixFrom(addr.Prev(), addr.BitLen()-hosts)
		}
	}
	if !guess.IsValid() {
		return ""
	}
	return guess.String()
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
