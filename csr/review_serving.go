package csr

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// concernsOfServing holds the names that a kubelet wants to serve under against
// the addresses of its node. The signer signs any: with those of the API server,
// whose certificate is of the same CA, a node could pose as it. These are never
// let pass, as a node says itself which addresses it has.
func (v *Reviewer) concernsOfServing(ctx context.Context, r *Review) ([]string, error) {
	if r.Signer != SignerKubelet || r.request == nil || len(r.request.DNSNames)+len(r.request.IPAddresses) == 0 {
		return nil, nil
	}
	var concerns []string
	services, err := v.service(ctx)
	switch {
	case apierrors.IsForbidden(err) && len(r.request.IPAddresses) > 0:
		concerns = append(concerns, "whether its IP addresses are those of the API server is not known: reading the service kubernetes is not allowed")
	case err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err):
		return nil, err
	}
	if posing := r.namesOfServer(append(services, v.serverNames()...)); posing != nil {
		concerns = append(concerns, fmt.Sprintf("its holder could pose as the API server: it asks for %s", strings.Join(posing, ", ")))
	}
	name := strings.TrimPrefix(r.CommonName, prefixNode)
	node, err := v.node(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		concerns = append(concerns, fmt.Sprintf("there is no node %q whose addresses its names could be", name))
	case apierrors.IsForbidden(err):
		concerns = append(concerns, fmt.Sprintf("whether its names are addresses of the node %q is not known: reading it is not allowed", name))
	case err != nil:
		return nil, err
	default:
		if strange := r.namesBeside(node.Status.Addresses); strange != nil {
			concerns = append(concerns, fmt.Sprintf("it asks for names that are no addresses of the node %q: %s", name, strings.Join(strange, ", ")))
		}
	}
	return concerns, nil
}

// serverNames returns the names by which the kubeconfig knows the API server.
func (v *Reviewer) serverNames() []string {
	names := []string{v.client.ServerName()}
	if server, err := url.Parse(v.client.Server()); err == nil {
		names = append(names, server.Hostname())
	}
	return names
}

// namesOfServer returns the names in a request by which clients know the API
// server: those of its service, those given, and those of whatever runs on the
// same host.
func (r *Review) namesOfServer(known []string) []string {
	var found []string
	for _, name := range r.request.DNSNames {
		plain := plainName(name)
		if plain == "kubernetes" || strings.HasPrefix(plain, "kubernetes.") || plain == "localhost" || strings.HasSuffix(plain, ".localhost") ||
			strings.Contains(plain, "*") || slices.ContainsFunc(known, func(k string) bool { return plainName(k) == plain }) {
			found = append(found, name)
		}
	}
	for _, ip := range r.request.IPAddresses {
		if ip.IsLoopback() || ip.IsUnspecified() || slices.ContainsFunc(known, func(k string) bool { return ip.Equal(net.ParseIP(k)) }) {
			found = append(found, ip.String())
		}
	}
	return found
}

// namesBeside returns the names in a request that are not among the addresses.
func (r *Review) namesBeside(addresses []corev1.NodeAddress) []string {
	var strange []string
	for _, name := range r.request.DNSNames {
		if !slices.ContainsFunc(addresses, func(a corev1.NodeAddress) bool { return plainName(a.Address) == plainName(name) }) {
			strange = append(strange, name)
		}
	}
	for _, ip := range r.request.IPAddresses {
		if !slices.ContainsFunc(addresses, func(a corev1.NodeAddress) bool { return ip.Equal(net.ParseIP(a.Address)) }) {
			strange = append(strange, ip.String())
		}
	}
	return strange
}

// plainName returns a DNS name as it is compared (RFC 4343), without the dot of
// the root.
func plainName(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// serviceIPs reads the IP addresses of the service by which pods reach the API
// server.
func serviceIPs(ctx context.Context, client *kubeclient.Client) ([]string, error) {
	var service corev1.Service
	if err := client.Get(ctx, kubeclient.Namespaces+"/default/services/kubernetes", &service); err != nil {
		return nil, err
	}
	return append([]string{service.Spec.ClusterIP}, service.Spec.ClusterIPs...), nil
}
