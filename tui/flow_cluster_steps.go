package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

func (f *flowCluster) steps() []step {
	return []step{f.directoryStep(), f.nodesStep(), f.namesStep(), f.etcdStep(), f.timeStep(), f.repairStep()}
}

func (f *flowCluster) directoryStep() step {
	return step{
		title: "Directory and CAs",
		intro: "A control plane has three CAs, and some ten certificates and kubeconfigs with names that its parts expect: those of kubeadm. What is there and right is kept.",
		fields: []field{
			{
				key: "dir", title: "Cluster directory", text: &f.dir, check: typedCheck(nil), fallback: func() string { return f.w.ClusterDir },
				help: "What /etc/kubernetes will be on a node. If it holds a PKI already, that is completed, and its settings are the defaults of what follows.",
			},
			{
				title: "CAs", choice: &f.cas, options: f.signersToChoose,
				help: "Who signs the certificates.",
			},
			{
				key: "parent", title: "Root CA's directory", text: &f.parent, check: typedCheck(nil), hidden: func() bool { return f.cas != flowClusterParent },
				fallback: func() string { return f.w.Dir }, help: "One that pkictl init-ca has made. Its key signs the three CAs, and is not needed after that.",
			},
			{
				key: "config", title: "Settings from a file", text: &f.config, check: typedCheck(nil),
				help: "None is needed. A cluster.yaml, or a configuration of kubeadm (v1beta3 or v1beta4). What is answered here comes before it.",
			},
		},
		check: func() error { f.look(); return nil },
	}
}

func (f *flowCluster) signersToChoose() []option {
	return []option{
		{"", "made here", "Three root CAs of this cluster alone, with their keys in the directory."},
		{flowClusterParent, "below a root CA of mine", "Three intermediate CAs that a root CA in a PKI directory signs."},
		{flowClusterCAs, "below a root CA elsewhere", "Keys and requests for the three CAs; others sign them, and cluster finish brings them in."},
		{flowClusterLeaves, "elsewhere", "Keys and requests for every certificate; the CAs and their keys stay where they are."},
	}
}

func (f *flowCluster) nodesStep() step {
	isOne := func() bool { return f.nodes == flowClusterOne }
	isSeveral := func() bool { return f.nodes == flowClusterSeveral }
	return step{
		title: "Nodes",
		intro: "Certificates name the nodes of the control plane and their addresses; workers need none of these.",
		fields: []field{
			{
				key: "node", title: "Control plane", choice: &f.nodes, options: f.nodesToChoose,
				help: "With several, each gets a directory of its own; all share the CAs.",
			},
			{
				key: "node", title: "Name", text: &f.node, hidden: func() bool { return !isOne() }, check: flowClusterCheckName,
				fallback: func() string { return f.machine().Name },
				help:     "The name that the node's kubelet has, as in cp-1.",
			},
			{
				key: "advertise-address", title: "Address", text: &f.address, hidden: func() bool { return !isOne() }, check: flowClusterCheckAddress,
				fallback: func() string { return f.machine().Address },
				help:     "At which other nodes dial its API server and etcd, as in 10.0.0.11.",
			},
			{
				key: "node", title: "Nodes", list: &f.several, required: true, hidden: func() bool { return !isSeveral() }, check: flowClusterCheckNode,
				help: "NAME=ADDRESS of each, with commas between, as in cp-1=10.0.0.11, cp-2=10.0.0.12, cp-3=10.0.0.13. etcd wants an odd number.",
			},
			{
				key: "endpoint", title: "Endpoint", text: &f.endpoint, check: flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{Endpoint: v} }),
				fallback: func() string { return f.found().Endpoint },
				help:     "What clients dial: the load balancer's or a DNS name, as in k8s.example.com:6443. Several nodes need one; one alone has its own address for it, and can have no other join it later.",
			},
		},
		load:  f.loadBase,
		check: f.checkTogether,
	}
}

func (f *flowCluster) nodesToChoose() []option {
	here := f.machine()
	first := option{"", "this machine alone", "Its name and the address of the interface with the default route."}
	if here.Name != "" {
		first.label = fmt.Sprintf("this machine alone: %s (%s)", text(here.Name), text(cmp.Or(here.Address, "no address")))
	}
	if there := f.found().Nodes; len(there) > 0 {
		var names []string
		for _, n := range there {
			names = append(names, text(n.Name))
		}
		first = option{"", "as it is: " + strings.Join(names, ", "), "The nodes that the settings name."}
	}
	return []option{
		first,
		{flowClusterOne, "one node", "With a name and an address that you type."},
		{flowClusterSeveral, "several nodes", "Three or five, so that one may fail."},
	}
}

func flowClusterCheckName(value string) error {
	return cluster.NodeSettings{Name: value}.Check()
}

func flowClusterCheckAddress(value string) error {
	return cluster.NodeSettings{Address: value}.Check()
}

func flowClusterCheckNode(value string) error { return cluster.ParseNode(value).Check() }

// flowClusterCheck judges one setting by itself.
func flowClusterCheck(with func(value string) cluster.Settings) func(string) error {
	return func(value string) error {
		if value == "" {
			return nil
		}
		return with(value).Check()
	}
}

// checkTogether judges all answers so far, over what was found.
func (f *flowCluster) checkTogether() error {
	wishes, err := f.wishes()
	if err != nil {
		return err
	}
	s, err := wishes.Over(f.found())
	if err != nil {
		return err
	}
	here := f.machine()
	s.Nodes = slices.Clone(s.Nodes)
	if len(s.Nodes) == 0 {
		s.Nodes = []cluster.NodeSettings{{}}
	}
	for i, n := range s.Nodes {
		s.Nodes[i] = cluster.NodeSettings{Name: cmp.Or(n.Name, here.Name), Address: cmp.Or(n.Address, here.Address)}
	}
	_, err = s.Resolve()
	return err
}

func (f *flowCluster) namesStep() step {
	return step{
		title: "Names and addresses",
		intro: "The certificate of the API servers names all by which they are dialled. What is forgotten here fails later with: certificate is valid for …, not …",
		fields: []field{
			{
				key: "san", title: "More names", list: &f.sans, check: flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{SANs: []string{v}} }),
				fallback: func() string { return strings.Join(f.found().SANs, ", ") },
				help:     "More DNS names and addresses of the API servers, with commas between, as in api.example.com, 203.0.113.7. Those that are there stay.",
			},
			{
				key: "port", title: "Port", text: &f.port, check: flowClusterCheckPort,
				fallback: func() string { return strconv.Itoa(cmp.Or(f.found().Port, cluster.DefaultPort)) }, help: "Of the API server on each node.",
			},
			{
				key: "service-cidr", title: "Services", text: &f.serviceCIDR,
				check:    flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{ServiceCIDR: v} }),
				fallback: func() string { return cmp.Or(f.found().ServiceCIDR, cluster.DefaultServiceCIDR) },
				help:     "The range of services, which nothing else uses: its first address is in the certificate. Dual stack: 10.96.0.0/12,fd00:96::/112.",
			},
			{
				key: "dns-domain", title: "DNS domain", text: &f.dnsDomain,
				check:    flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{DNSDomain: v} }),
				fallback: func() string { return cmp.Or(f.found().DNSDomain, cluster.DefaultDNSDomain) }, help: "Of the services in the cluster.",
			},
			{
				key: "name", title: "Name of the cluster", text: &f.name, check: flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{Name: v} }),
				fallback: func() string { return cmp.Or(f.found().Name, cluster.DefaultName) },
				help:     "What kubeconfigs call it. With several clusters in one kubeconfig it tells them apart.",
			},
		},
		check: f.checkTogether,
	}
}

func flowClusterCheckPort(value string) error {
	if value == "" {
		return nil
	}
	port, err := strconv.Atoi(value)
	if err != nil || port == 0 {
		return failure.New(failure.Usage, "a port is a number from 1 to 65535", "port %q does not exist", value)
	}
	return cluster.Settings{Port: port}.Check()
}

func (f *flowCluster) etcdStep() step {
	return step{
		title: "etcd",
		intro: "etcd holds all of the cluster's state, secrets included: who has a certificate of its CA reads and writes everything.",
		fields: []field{
			{
				title: "etcd runs", choice: &f.etcd, options: f.etcdToChoose,
				help: "kubeadm runs it on the nodes unless told otherwise.",
			},
			{
				key: "etcd-san", title: "More names of etcd", list: &f.etcdSANs, hidden: f.isExternal,
				check:    flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{EtcdServerSANs: []string{v}} }),
				fallback: func() string { return strings.Join(f.found().EtcdServerSANs, ", ") },
				help:     "More DNS names and addresses in its serving and peer certificates, with commas between. Few need any.",
			},
		},
	}
}

// etcdToChoose has what is there first: an empty answer leaves it as it is, unless
// the same was chosen when something else was there.
func (f *flowCluster) etcdToChoose() []option {
	onNodes := option{"false", "on the nodes (stacked)", "Its CA and certificates are made too."}
	elsewhere := option{"true", "elsewhere, with a PKI of its own", "Nothing is made for it. Its CA, and the certificate that it takes from API servers, are for you to put there."}
	list := []option{onNodes, elsewhere}
	if f.found().ExternalEtcd {
		list = []option{elsewhere, onNodes}
	}
	if f.etcd != list[0].value {
		list[0].value = ""
	}
	return list
}

func (f *flowCluster) timeStep() step {
	notHere := func() bool { return !f.isSignedHere() }
	return step{
		title: "Keys and time",
		intro: "When these certificates end, the cluster stands still: " + f.w.Program + " cluster renew renews them in time. A CA is replaced, with all that it has signed.",
		fields: []field{
			{
				key: "key", title: "Keys", choice: &f.key, options: f.keysToChoose,
				help: "Ed25519 is not offered: parts of Kubernetes do not load it.",
			},
			{
				key: "validity", title: "Valid for", text: &f.validity, hidden: notHere,
				check:    flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{Validity: v, CAValidity: "200y"} }),
				fallback: func() string { return cmp.Or(f.found().Validity, flowClusterYears(cluster.DefaultValidity)) },
				help:     "How long certificates are valid, as in 90d or 1y. Shorter is safer if renewing is a habit.",
			},
			{
				key: "ca-validity", title: "CAs valid for", text: &f.caValidity, hidden: notHere,
				check:    flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{Validity: "1s", CAValidity: v} }),
				fallback: f.caValidityThere, help: "As in 10y. None outlives the CA above it.",
			},
			{
				key: "kubernetes-version", title: "Kubernetes", text: &f.version,
				check:    flowClusterCheck(func(v string) cluster.Settings { return cluster.Settings{KubernetesVersion: v} }),
				fallback: func() string { return cmp.Or(f.found().KubernetesVersion, cluster.DefaultKubernetesVersion) },
				help:     "The version of the control plane, as in v1.36.3: some subjects differ before v1.29 and v1.36.1.",
			},
		},
		check: f.checkTogether,
	}
}

func (f *flowCluster) caValidityThere() string {
	otherwise := cluster.DefaultCAValidity
	if f.cas == flowClusterParent {
		otherwise = ca.DefaultIntermediateValidity
	}
	return cmp.Or(f.found().CAValidity, flowClusterYears(otherwise))
}

func flowClusterYears(d time.Duration) string { return fmt.Sprintf("%dy", d/ca.Year) }

// keysToChoose has the kind that is there first: an empty answer leaves it so.
func (f *flowCluster) keysToChoose() []option {
	there := cmp.Or(f.found().Key, string(ca.ECDSAP256))
	help := "The default: small, fast, and known to all parts of Kubernetes."
	if f.found().Key != "" {
		help = "As the settings that are there have it."
	}
	list := []option{{"", there, help}}
	for _, kind := range cluster.KeyKindNames() {
		if kind != there || kind == f.key {
			list = append(list, option{value: kind, label: kind})
		}
	}
	return list
}

func (f *flowCluster) repairStep() step {
	return step{
		title:  "Repair",
		intro:  "Some of what is there is not as it should be. Nothing is written unless it is replaced. CAs and the keys of service accounts are never replaced.",
		hidden: func() bool { return !f.mayRepair() || !f.isSignedHere() },
		fields: []field{{
			key: "repair", title: "Replace them", yes: &f.repair,
			help: "New keys and certificates take the places of those that are wrong: what holds the old ones has to be given the new.",
		}},
	}
}
