package cluster

import (
	"crypto/x509"
	"slices"

	"github.com/pkictl/pkictl/ca"
)

// Kind says what an Entry of the layout is.
type Kind int

// The kinds of entries.
const (
	KindCA         Kind = iota // a CA: NAME.crt and NAME.key
	KindLeaf                   // a certificate with its key: NAME.crt and NAME.key
	KindKeyPair                // keys without a certificate: NAME.key and NAME.pub
	KindKubeconfig             // a kubeconfig with a client certificate in it, beside the directory pki
)

// Names of entries that others refer to.
const (
	NameCA           = "ca"
	NameFrontProxyCA = "front-proxy-ca"
	NameEtcdCA       = "etcd/ca"
	NameSA           = "sa"
	NameAdmin        = "admin.conf"
	NameSuperAdmin   = "super-admin.conf"
	NameKubelet      = "kubelet.conf"

	nameAPIServer         = "apiserver"
	nameKubeletClient     = "apiserver-kubelet-client"
	nameAPIServerEtcd     = "apiserver-etcd-client"
	nameEtcdServer        = "etcd/server"
	nameEtcdPeer          = "etcd/peer"
	nameEtcdHealth        = "etcd/healthcheck-client"
	nameControllerManager = "controller-manager.conf"
	nameScheduler         = "scheduler.conf"
)

// Groups that kubeadm's certificates are in.
const (
	GroupClusterAdmins = "kubeadm:cluster-admins"
	groupNodes         = "system:nodes"
)

// Entry is one line of the layout: what stands in which files, for whom, and
// who signs it.
type Entry struct {
	// Name is that of its files below pki, with slashes and without suffix, as in
	// etcd/server; a kubeconfig's is its file name.
	Name    string
	Kind    Kind
	Purpose string // what it is for, in words
	CA      string // name of the entry that signs it; empty: itself, or nobody
	Profile string // of the certificate, as in ca.BuiltinProfile

	commonName func(Node) string
	groups     func(Node) []string
	dns, ips   func(Node) []string
	server     func(Node) string // URL in a kubeconfig
	isIn       func(Node) bool   // nil: always
}

// Layout is what kubeadm v1.36.3 makes for a node of the control plane, in the
// order in which it can be made
// (cmd/kubeadm/app/phases/certs/certlist.go, phases/kubeconfig/kubeconfig.go).
// All that makes, checks, renews or describes the PKI reads it here.
func Layout() []Entry {
	return []Entry{
		{
			Name: NameCA, Kind: KindCA, Purpose: "signs what the API server accepts and shows",
			commonName: always("kubernetes"), dns: alwaysIn("kubernetes"),
		},
		{
			Name: nameAPIServer, Kind: KindLeaf, CA: NameCA, Profile: ca.ProfileServer,
			Purpose:    "the API server shows it to everybody",
			commonName: always("kube-apiserver"), dns: Node.apiServerNames, ips: Node.apiServerIPs,
		},
		{
			Name: nameKubeletClient, Kind: KindLeaf, CA: NameCA, Profile: ca.ProfileClient,
			Purpose:    "the API server shows it to kubelets",
			commonName: always("kube-apiserver-kubelet-client"), groups: Node.kubeletClientGroups,
		},
		{
			Name: NameFrontProxyCA, Kind: KindCA, Purpose: "signs what aggregated API servers accept",
			commonName: always("front-proxy-ca"), dns: alwaysIn("front-proxy-ca"),
		},
		{
			Name: "front-proxy-client", Kind: KindLeaf, CA: NameFrontProxyCA, Profile: ca.ProfileClient,
			Purpose: "the API server shows it to aggregated API servers", commonName: always("front-proxy-client"),
		},
		{
			Name: NameEtcdCA, Kind: KindCA, Purpose: "signs what etcd accepts and shows", isIn: Node.hasEtcd,
			commonName: always("etcd-ca"), dns: alwaysIn("etcd-ca"),
		},
		{
			Name: nameEtcdServer, Kind: KindLeaf, CA: NameEtcdCA, Profile: ca.ProfilePeer, isIn: Node.hasEtcd,
			Purpose:    "etcd shows it to its clients",
			commonName: Node.name, dns: Node.etcdServerNames, ips: Node.etcdServerIPs,
		},
		{
			Name: nameEtcdPeer, Kind: KindLeaf, CA: NameEtcdCA, Profile: ca.ProfilePeer, isIn: Node.hasEtcd,
			Purpose:    "etcd shows it to other members",
			commonName: Node.name, dns: Node.etcdPeerNames, ips: Node.etcdPeerIPs,
		},
		{
			Name: nameEtcdHealth, Kind: KindLeaf, CA: NameEtcdCA, Profile: ca.ProfileClient, isIn: Node.hasEtcd,
			Purpose: "etcd's liveness probe shows it", commonName: always("kube-etcd-healthcheck-client"),
		},
		{
			Name: nameAPIServerEtcd, Kind: KindLeaf, CA: NameEtcdCA, Profile: ca.ProfileClient, isIn: Node.hasEtcd,
			Purpose: "the API server shows it to etcd", commonName: always("kube-apiserver-etcd-client"),
		},
		{Name: NameSA, Kind: KindKeyPair, Purpose: "signs and verifies tokens of service accounts"},
		{
			Name: NameAdmin, Kind: KindKubeconfig, CA: NameCA, Profile: ca.ProfileClient,
			Purpose:    "administrators, by way of a ClusterRoleBinding",
			commonName: always("kubernetes-admin"), groups: Node.adminGroups, server: Node.endpointURL,
		},
		{
			Name: NameSuperAdmin, Kind: KindKubeconfig, CA: NameCA, Profile: ca.ProfileClient, isIn: Node.hasSuperAdmin,
			Purpose:    "emergencies: it passes every authorizer; keep it away from the nodes",
			commonName: always("kubernetes-super-admin"), groups: alwaysIn(ca.GroupMasters), server: Node.endpointURL,
		},
		{
			// runKubeConfigFile in cmd/kubeadm/app/cmd/phases/init/kubeconfig.go unsets the endpoint.
			Name: NameKubelet, Kind: KindKubeconfig, CA: NameCA, Profile: ca.ProfileClient, Purpose: "the node's kubelet",
			commonName: func(n Node) string { return "system:node:" + n.Name }, groups: alwaysIn(groupNodes), server: Node.localURL,
		},
		{
			Name: nameControllerManager, Kind: KindKubeconfig, CA: NameCA, Profile: ca.ProfileClient,
			Purpose: "kube-controller-manager", commonName: always("system:kube-controller-manager"), server: Node.localURL,
		},
		{
			Name: nameScheduler, Kind: KindKubeconfig, CA: NameCA, Profile: ca.ProfileClient,
			Purpose: "kube-scheduler", commonName: always("system:kube-scheduler"), server: Node.localURL,
		},
	}
}

func always(name string) func(Node) string         { return func(Node) string { return name } }
func alwaysIn(names ...string) func(Node) []string { return func(Node) []string { return names } }

// EntriesFor returns the lines of the layout that a node has.
func EntriesFor(n Node) []Entry {
	return slices.DeleteFunc(Layout(), func(e Entry) bool { return e.isIn != nil && !e.isIn(n) })
}

// EntryNamed returns the line of that name; false where there is none.
func EntryNamed(name string) (Entry, bool) {
	entries := Layout()
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// IsShared says whether all nodes of a control plane have the same.
func (e Entry) IsShared() bool { return e.Kind == KindCA || e.Kind == KindKeyPair }

// CommonName is the one that the certificate of a node has.
func (e Entry) CommonName(n Node) string { return e.commonName(n) }

// Groups are the organizations of a node's certificate.
func (e Entry) Groups(n Node) []string {
	if e.groups == nil {
		return nil
	}
	return e.groups(n)
}

// allowedGroups are the sets of groups that are right for a certificate: those
// of kubeadm's every version where the cluster's is not known.
func (e Entry) allowedGroups(n Node) [][]string {
	allowed := [][]string{e.Groups(n)}
	if e.Name == nameKubeletClient {
		// A newer kubeadm than the control plane gives it none, and a binding.
		allowed = append(allowed, nil)
	}
	if n.kubernetes == nil && e.Name == NameAdmin {
		allowed = append(allowed, []string{ca.GroupMasters})
	}
	if n.kubernetes == nil && e.Name == nameKubeletClient {
		allowed = append(allowed, []string{GroupClusterAdmins}, []string{ca.GroupMasters})
	}
	if (e.Name == nameAPIServerEtcd || e.Name == nameEtcdHealth) && (n.kubernetes == nil || !n.isAtLeast("v1.29.0")) {
		// kubeadm put them there before v1.29 (kubernetes/kubernetes#119859 and
		// #120521), and renews them so. etcd does not look at them.
		allowed = append(allowed, []string{ca.GroupMasters})
	}
	return allowed
}

// SANs are the alternative names of a node's certificate.
func (e Entry) SANs(n Node) (ca.SANs, error) {
	var dns, ips []string
	if e.dns != nil {
		dns = e.dns(n)
	}
	if e.ips != nil {
		ips = e.ips(n)
	}
	return ca.ParseSANs(dns, ips, nil, nil)
}

// extKeyUsages are the extended key usages (RFC 5280, 4.2.1.12) of the certificate.
func (e Entry) extKeyUsages() []x509.ExtKeyUsage {
	switch e.Profile {
	case ca.ProfileServer:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case ca.ProfileClient:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case ca.ProfilePeer:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	return nil
}

// Usages are the extended key usages of the certificate, in the words of ca.Purpose.
func (e Entry) Usages() []string { return usageNames(e.extKeyUsages()) }

// Server is the URL in a node's kubeconfig.
func (e Entry) Server(n Node) string { return e.server(n) }

// Request is what the certificate of a node is asked to hold. A KindLeaf or
// KindKubeconfig has one.
func (e Entry) Request(n Node) (ca.Request, error) {
	req := ca.Request{CommonName: e.CommonName(n), Groups: e.Groups(n), Key: n.Key, Validity: n.Validity}
	var err error
	if req.Profile, err = ca.BuiltinProfile(e.Profile); err != nil {
		return req, err
	}
	req.SANs, err = e.SANs(n)
	return req, err
}
