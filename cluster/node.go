package cluster

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// Node is what the PKI of one node of the control plane is made for: settings
// that were checked, with the defaults filled in.
type Node struct {
	Cluster    string // what kubeconfigs call it
	Name       string
	Address    netip.Addr
	Port       int
	Endpoint   string // HOST:PORT that clients dial; empty: Address and Port
	ServiceIP  netip.Addr
	DNSDomain  string
	Key        ca.KeyKind
	CAValidity time.Duration
	Validity   time.Duration
	// ExternalEtcd says that etcd runs elsewhere, with a PKI of its own.
	ExternalEtcd bool

	kubernetes                         *version.Version
	services                           []netip.Prefix // nil where no settings say them
	sans, etcdServerSANs, etcdPeerSANs altNames
	// assumed says that nothing says ServiceIP or DNSDomain, which are then
	// kubeadm's defaults (see NodeFromFiles).
	assumed bool
	// isNamed says that somebody has said what the cluster is called.
	isNamed bool
}

// Validity that kubeadm gives (cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go).
const (
	DefaultValidity   = ca.Year
	DefaultCAValidity = 10 * ca.Year
)

// Resolve checks the settings and returns the nodes of the control plane, the
// first of them first. Errors are of kind Usage and name the setting.
func (s Settings) Resolve() ([]Node, error) {
	base, err := s.base()
	if err != nil {
		return nil, err
	}
	settings := s.Nodes
	if len(settings) == 0 {
		settings = []NodeSettings{{}}
	}
	var nodes []Node
	for _, own := range settings {
		node, err := base.named(own)
		if err != nil {
			return nil, err
		}
		for _, other := range nodes {
			switch {
			case other.Name == node.Name:
				return nil, failure.New(failure.Usage, "name each node once", "node %q is given twice", node.Name)
			case other.Address == node.Address:
				return nil, failure.New(failure.Usage, "write it as NAME=ADDRESS, as in cp-1=10.0.0.11",
					"nodes %q and %q have the same address %s", other.Name, node.Name, node.Address)
			}
		}
		nodes = append(nodes, node)
	}
	if len(nodes) > 1 && base.Endpoint == "" {
		return nil, failure.New(failure.Usage, "give the load balancer's or a DNS name with --endpoint, as in k8s.example.com:6443",
			"%d nodes have no endpoint in common", len(nodes))
	}
	return nodes, checkNames(nodes)
}

// Check checks the settings but for those of the nodes: those that are empty are
// no mistake.
func (s Settings) Check() error {
	_, err := s.base()
	return err
}

// Check checks the name and the address of a node, as far as they are given.
func (n NodeSettings) Check() error {
	base := Node{ServiceIP: netip.IPv4Unspecified()} // of the family of the address, whatever the services are
	if addr, err := netip.ParseAddr(n.Address); err == nil && addr.Unmap().Is6() {
		base.ServiceIP = netip.IPv6Unspecified()
	}
	own := NodeSettings{Name: cmp.Or(n.Name, "node"), Address: cmp.Or(n.Address, "192.0.2.1")} // RFC 5737: in no use
	_, err := base.named(own)
	return err
}

// ThisMachine returns the node that serves where none is named: the name of this
// machine, and the address of the interface with the default route. What is not
// known is empty.
func ThisMachine() NodeSettings {
	n, err := Node{ServiceIP: netip.IPv4Unspecified()}.named(NodeSettings{Address: "192.0.2.1"})
	own := NodeSettings{Name: n.Name}
	if err != nil {
		own.Name = ""
	}
	if ip, err := utilnet.ChooseHostInterface(); err == nil {
		own.Address = ip.String()
	}
	return own
}

// base is what all nodes have in common.
func (s Settings) base() (Node, error) {
	n := Node{
		Cluster: cmp.Or(s.Name, DefaultName), isNamed: s.Name != "", Port: cmp.Or(s.Port, DefaultPort),
		DNSDomain: cmp.Or(s.DNSDomain, DefaultDNSDomain), ExternalEtcd: s.ExternalEtcd,
		Validity: DefaultValidity, CAValidity: DefaultCAValidity,
	}
	if n.Port < 1 || n.Port > 65535 {
		return n, failure.New(failure.Usage, "a port is a number from 1 to 65535", "port %d does not exist", n.Port)
	}
	if problems := validation.IsDNS1123Subdomain(n.DNSDomain); problems != nil {
		return n, failure.New(failure.Usage, "write it like cluster.local", "DNS domain %s is not a DNS name", shown(n.DNSDomain))
	}
	for _, set := range []func(*Node) error{s.setName, s.setKey, s.setVersion, s.setValidity, s.setEndpoint, s.setServiceIP, s.setSANs} {
		if err := set(&n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// maxName is how long a cluster's name may be: kubeadm knows no limit, but people
// have to read it.
const maxName = 253

// setName checks what becomes the name of a cluster and part of that of a
// context. kubeadm takes anything; some call theirs like prod_eu.
func (s Settings) setName(n *Node) error {
	isPlain := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-._", r) }
	if len(n.Cluster) > maxName || strings.ContainsFunc(n.Cluster, func(r rune) bool { return !isPlain(r) }) {
		return failure.New(failure.Usage, "write letters, digits, '-', '_' and '.'", "cluster name %s cannot be used", shown(n.Cluster))
	}
	return nil
}

func (s Settings) setKey(n *Node) error {
	var err error
	n.Key, err = ca.ParseKeyKind(s.Key)
	hint := "choose one of " + strings.Join(KeyKindNames(), ", ")
	switch {
	case err != nil:
		return failure.New(failure.Usage, hint, "unknown key kind %s", shown(s.Key))
	case n.Key == ca.Ed25519:
		return failure.New(failure.Usage, hint, "an Ed25519 key cannot serve a control plane: kubeadm and parts of Kubernetes do not load it")
	}
	return nil
}

// KeyKindNames are the kinds of keys that all parts of Kubernetes can load.
func KeyKindNames() []string {
	return slices.DeleteFunc(ca.KeyKindNames(), func(kind string) bool { return kind == string(ca.Ed25519) })
}

func (s Settings) setVersion(n *Node) error {
	if s.KubernetesVersion == "" {
		return nil // the newest
	}
	v, err := version.ParseSemantic(s.KubernetesVersion)
	if err != nil || v.Major() != 1 {
		return failure.New(failure.Usage, "write it like v1.36.3", "Kubernetes version %q cannot be read", s.KubernetesVersion)
	}
	n.kubernetes = v
	return nil
}

func (s Settings) setValidity(n *Node) error {
	for _, period := range []struct {
		text string
		into *time.Duration
	}{{s.CAValidity, &n.CAValidity}, {s.Validity, &n.Validity}} {
		if period.text == "" {
			continue
		}
		d, err := ca.ParseValidity(period.text)
		if err != nil {
			return err
		}
		*period.into = d
	}
	if n.Validity > n.CAValidity {
		return failure.New(failure.Usage, "give the CAs a longer one with --ca-validity, or the others a shorter one with --validity",
			"certificates of %s would outlive their CA of %s", ca.FormatValidity(n.Validity), ca.FormatValidity(n.CAValidity))
	}
	return nil
}

// setEndpoint reads HOST or HOST:PORT, of which an IPv6 address may stand in
// brackets.
func (s Settings) setEndpoint(n *Node) error {
	if s.Endpoint == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(s.Endpoint)
	isBracketed := strings.HasPrefix(s.Endpoint, "[")
	if err != nil {
		host, port = s.Endpoint, strconv.Itoa(n.Port)
		if isBracketed && strings.HasSuffix(host, "]") {
			host = host[1 : len(host)-1]
		}
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case isBracketed && strings.Contains(s.Endpoint, "]") && !addr.Is6(): // only such an address has colons of its own
		return failure.New(failure.Usage, "leave the brackets out: they are for IPv6 addresses", "endpoint %s is no IPv6 address", shown(s.Endpoint))
	case err == nil && (addr.Unmap().IsUnspecified() || addr.IsMulticast()):
		return failure.New(failure.Usage, "give the address that clients dial, as in 10.0.0.10:6443", "endpoint %s cannot be dialled", shown(s.Endpoint))
	case err == nil && addr.Zone() == "":
		host = addr.Unmap().String()
	case strings.Contains(s.Endpoint, "/") || validation.IsDNS1123Subdomain(host) != nil || isLikeAddress(host):
		return failure.New(failure.Usage, "write it like k8s.example.com:6443 or 10.0.0.10:6443, without https://; a DNS name is in lower case and has at most 253 characters",
			"endpoint %s is neither a DNS name nor an IP address", shown(s.Endpoint))
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return failure.New(failure.Usage, "a port is a number from 1 to 65535", "endpoint %s has the port %s", shown(s.Endpoint), shown(port))
	}
	n.Endpoint = net.JoinHostPort(host, strconv.FormatUint(number, 10))
	return nil
}

// isLikeAddress says whether a name can only be a misspelt address, as 10.0.0.300,
// though it has the form of a DNS name.
func isLikeAddress(name string) bool {
	return strings.Contains(name, ".") && strings.Trim(name, "0123456789.") == ""
}

// shown quotes what a user wrote, not all of what is too long to read.
func shown(text string) string {
	if len(text) > 80 {
		return fmt.Sprintf("%q… (%d characters)", text[:80], len(text))
	}
	return strconv.Quote(text)
}

// The sizes that kubeadm allows for the range of services
// (cmd/kubeadm/app/constants: MinimumAddressesInServiceSubnet,
// MaximumBitsForServiceSubnet).
const (
	minServiceAddresses = 10
	minServiceBits      = 4 // 16 addresses, the fewest that hold so many
	maxServiceBits      = 20
)

// setServiceIP finds the address of the service kubernetes: the first of the
// first range.
func (s Settings) setServiceIP(n *Node) error {
	text := cmp.Or(s.ServiceCIDR, DefaultServiceCIDR)
	var ranges []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		prefix, err := netip.ParsePrefix(part)
		if err != nil || prefix.Addr().Is4In6() {
			return failure.New(failure.Usage, "write it like 10.96.0.0/12, or with a second range of the other family, 10.96.0.0/12,fd00:96::/112",
				"service range %s cannot be read", shown(part))
		}
		switch bits := prefix.Addr().BitLen() - prefix.Bits(); {
		case bits < minServiceBits:
			return failure.New(failure.Usage, fmt.Sprintf("kubeadm asks for at least %d addresses", minServiceAddresses),
				"service range %s has too few addresses: %d", shown(part), 1<<bits)
		case bits > maxServiceBits:
			return failure.New(failure.Usage, fmt.Sprintf("kube-apiserver allows /%d at the widest", prefix.Addr().BitLen()-maxServiceBits),
				"service range %s is too large", shown(part))
		}
		prefix = prefix.Masked()
		if addr := prefix.Addr(); addr.IsUnspecified() || addr.IsLoopback() || addr.IsMulticast() {
			return failure.New(failure.Usage, "take a private range that nothing else uses, as "+DefaultServiceCIDR,
				"service range %s has no addresses that can be dialled", shown(part))
		}
		ranges = append(ranges, prefix)
	}
	if len(ranges) > 2 || (len(ranges) == 2 && ranges[0].Addr().Is4() == ranges[1].Addr().Is4()) {
		return failure.New(failure.Usage, "write one range, or one of IPv4 and one of IPv6", "service ranges %s do not go together", shown(text))
	}
	n.services, n.ServiceIP = ranges, ranges[0].Addr().Next()
	return nil
}

// named completes what is common with what is a node's own.
func (n Node) named(own NodeSettings) (Node, error) {
	n.Name = own.Name
	if n.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return n, failure.Wrap(err, failure.Failed, "name the node with --node", "this machine's name is not known")
		}
		n.Name = strings.ToLower(host) // as the kubelet does
	}
	if problems := validation.IsDNS1123Subdomain(n.Name); problems != nil {
		return n, failure.New(failure.Usage, "write lower-case letters, digits, '-' and '.', as in cp-1", "node name %s cannot be used", shown(n.Name))
	}
	if isLikeAddress(n.Name) {
		return n, failure.New(failure.Usage, "give name and address, as in cp-1=10.0.0.11", "node name %s is no name of a host", shown(n.Name))
	}
	// system:node:NAME is a common name (RFC 5280, appendix A.1: ub-common-name).
	if len(n.Name) > 64-len("system:node:") {
		return n, failure.New(failure.Usage, fmt.Sprintf("X.509 leaves %d characters for it", 64-len("system:node:")),
			"node name %s has %d characters", shown(n.Name), len(n.Name))
	}
	if own.Address == "" {
		ip, err := utilnet.ChooseHostInterface()
		if err != nil {
			return n, failure.Wrap(err, failure.Usage, "give the address with --advertise-address, or as --node NAME=ADDRESS",
				"node %q has no address", n.Name)
		}
		own.Address = ip.String()
	}
	addr, err := netip.ParseAddr(own.Address)
	if err != nil || addr.Zone() != "" {
		return n, failure.New(failure.Usage, "write it like 10.0.0.10 or fd00::10", "address %s of node %q is not an IP address", shown(own.Address), n.Name)
	}
	// VerifyAPIServerBindAddress in cmd/kubeadm/app/util/config/common.go.
	if addr = addr.Unmap(); !addr.IsGlobalUnicast() {
		return n, failure.New(failure.Usage, "give the address that other nodes dial, as in 10.0.0.10",
			"address %s of node %q cannot be dialled from other nodes", addr, n.Name)
	}
	// validatePublicIPServiceClusterIPRangeIPFamilies in
	// cmd/kube-apiserver/app/options/validation.go.
	if addr.Is4() != n.ServiceIP.Is4() {
		return n, failure.New(failure.Usage, "begin --service-cidr with a range of the address's family: kube-apiserver does not start otherwise",
			"address %s of node %q and the first service range, with %s, are of different families", addr, n.Name, n.ServiceIP)
	}
	if addr == n.ServiceIP {
		return n, failure.New(failure.Usage, "give another --service-cidr, one without addresses of nodes",
			"address %s of node %q is that of the service kubernetes", addr, n.Name)
	}
	n.Address = addr
	return n, nil
}

func (n Node) name() string { return n.Name }

func (n Node) hasEtcd() bool { return !n.ExternalEtcd }

// isAtLeast compares the Kubernetes version; one that is not known is the newest.
func (n Node) isAtLeast(v string) bool {
	return n.kubernetes == nil || n.kubernetes.AtLeast(version.MustParseSemantic(v))
}

// hasSuperAdmin: before v1.29 admin.conf was in system:masters itself.
func (n Node) hasSuperAdmin() bool { return n.isAtLeast("v1.29.0") }

func (n Node) adminGroups() []string {
	if n.hasSuperAdmin() {
		return []string{GroupClusterAdmins}
	}
	return []string{ca.GroupMasters}
}

func (n Node) kubeletClientGroups() []string {
	if n.isAtLeast("v1.36.1") {
		return nil // a ClusterRoleBinding names the user
	}
	return n.adminGroups()
}

func (n Node) localURL() string {
	return "https://" + hostPort(n.Address, n.Port)
}

// hostPort is an address with a port, as URLs have it.
func hostPort(addr netip.Addr, port int) string {
	return net.JoinHostPort(addr.String(), strconv.Itoa(port))
}

func (n Node) endpointURL() string {
	if n.Endpoint == "" {
		return n.localURL()
	}
	return "https://" + n.Endpoint
}
