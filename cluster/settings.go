package cluster

// Settings are what a cluster's PKI is made for, as people write it: in flags,
// in cluster.yaml, or in a configuration of kubeadm. Empty fields have defaults.
type Settings struct {
	// Name is what kubeconfigs call the cluster.
	Name string `json:"name,omitempty"`
	// Nodes are those of the control plane; the first is the one that is set up first.
	Nodes []NodeSettings `json:"nodes,omitempty"`
	// Endpoint is what clients dial: a host name or IP address, with or without
	// a port. Empty: the first address of each node.
	Endpoint string `json:"endpoint,omitempty"`
	// Port is the API server's on each node.
	Port int `json:"port,omitempty"`
	// ServiceCIDR is the range of the services, like 10.96.0.0/12; with a second
	// one of the other family after a comma.
	ServiceCIDR string `json:"serviceCIDR,omitempty"`
	DNSDomain   string `json:"dnsDomain,omitempty"`
	// SANs are more names and addresses of the API servers, those of etcd's
	// serving and peer certificates.
	SANs           []string `json:"sans,omitempty"`
	EtcdServerSANs []string `json:"etcdServerSANs,omitempty"`
	EtcdPeerSANs   []string `json:"etcdPeerSANs,omitempty"`
	// ExternalEtcd says that etcd runs elsewhere, with a PKI of its own.
	ExternalEtcd bool `json:"externalEtcd,omitempty"`
	// Key is the name of a ca.KeyKind, any but Ed25519.
	Key string `json:"key,omitempty"`
	// KubernetesVersion is that of the control plane, like v1.36.3. The subjects
	// of some certificates follow it.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// CAValidity and Validity are lengths of time as ca.ParseValidity reads them.
	CAValidity string `json:"caValidity,omitempty"`
	Validity   string `json:"validity,omitempty"`
}

// NodeSettings are those of one node.
type NodeSettings struct {
	Name string `json:"name"`
	// Address is the one that its API server and etcd are dialled at.
	Address string `json:"address,omitempty"`
}

// Defaults of Settings, as kubeadm has them
// (cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go).
const (
	DefaultDir               = "kubernetes"
	DefaultName              = "kubernetes"
	DefaultPort              = 6443
	DefaultServiceCIDR       = "10.96.0.0/12"
	DefaultDNSDomain         = "cluster.local"
	DefaultKubernetesVersion = "v1.36.3"
)
