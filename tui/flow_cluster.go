package tui

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// flowCluster makes the PKI of a control plane: pkictl cluster init. What is left
// empty is as the directory has it, or else the default, as it is with flags.
type flowCluster struct {
	w *world

	dir, config string
	cas         string // one of flowClusterCAs
	parent      string

	nodes         string // flowClusterOne, flowClusterSeveral, or empty: as they are
	node, address string // of one
	several       []string
	endpoint      string

	port, serviceCIDR, dnsDomain string
	sans                         []string

	etcd                 string // "true" or "false" for external, or empty: as it is
	etcdSANs             []string
	key                  string
	validity, caValidity string
	version, name        string
	repair               bool

	mu      sync.Mutex // of what follows: it is loaded while the fields are drawn
	reached flowClusterPlace
	base    cluster.BaseSettings
	here    cluster.NodeSettings // this machine
	differs bool                 // the last review found what could be repaired
}

// flowClusterPlace is where settings are read from.
type flowClusterPlace struct{ dir, config string }

// Who signs, beside CAs that are made here.
const (
	flowClusterParent = "parent"
	flowClusterLeaves = string(cluster.RequestLeaves)
	flowClusterCAs    = string(cluster.RequestCAs)
)

// How many nodes, beside those that there are.
const (
	flowClusterOne     = "one"
	flowClusterSeveral = "several"
)

func newFlowCluster(w *world) flow { return &flowCluster{w: w} }

func (f *flowCluster) title() string { return "Cluster PKI" }

func (f *flowCluster) place() string { return cmp.Or(f.dir, f.w.ClusterDir) }

// isSignedHere says whether certificates are made, not requests.
func (f *flowCluster) isSignedHere() bool {
	return f.cas != flowClusterLeaves && f.cas != flowClusterCAs
}

// wishes are the answers as flags would say them: those of fields that are not
// shown do not count.
func (f *flowCluster) wishes() (cluster.Wishes, error) {
	w := cluster.Wishes{
		Config: f.config,
		Settings: cluster.Settings{
			Name: f.name, Endpoint: f.endpoint, ServiceCIDR: f.serviceCIDR, DNSDomain: f.dnsDomain, SANs: slices.Clone(f.sans),
			Key: f.key, KubernetesVersion: f.version,
		},
	}
	switch f.nodes {
	case flowClusterOne:
		w.NodeNames, w.Address = f.oneNode()
	case flowClusterSeveral:
		if w.NodeNames = slices.Clone(f.several); len(f.several) == 0 {
			return w, failure.New(failure.Usage, "write NAME=ADDRESS of each", "no node is named")
		}
	}
	if f.isSignedHere() {
		w.Validity, w.CAValidity = f.validity, f.caValidity
	}
	if f.etcd != "" {
		external := f.etcd == "true"
		w.External, w.ExternalEtcd = &external, external
	}
	if !f.isExternal() {
		w.EtcdSANs = slices.Clone(f.etcdSANs)
	}
	if f.port == "" {
		return w, nil
	}
	var err error
	if w.Port, err = strconv.Atoi(f.port); err != nil {
		err = failure.New(failure.Usage, "a port is a number from 1 to 65535", "port %q does not exist", f.port)
	}
	return w, err
}

// oneNode is a node that is alone, as flags name it.
func (f *flowCluster) oneNode() (names []string, address string) {
	switch {
	case f.node == "":
		return nil, f.address
	case f.address == "":
		return []string{f.node}, ""
	}
	return []string{f.node + "=" + f.address}, ""
}

// isExternal says whether etcd runs elsewhere.
func (f *flowCluster) isExternal() bool {
	if f.etcd != "" {
		return f.etcd == "true"
	}
	return f.found().ExternalEtcd
}

// options are those of cluster.Init, with the settings that the directory has now.
func (f *flowCluster) options(j *job) (o cluster.InitOptions, warnings []string, err error) {
	o = cluster.InitOptions{Dir: f.place(), Now: f.w.Now()}
	if j != nil {
		o.Waiting, o.Passphrase = j.waiting, j.passphrase
	}
	switch f.cas {
	case flowClusterParent:
		o.Parent = cmp.Or(f.parent, f.w.Dir)
	case flowClusterLeaves, flowClusterCAs:
		o.Requests = cluster.Requests(f.cas)
	}
	o.Repair = f.repairs()
	wishes, err := f.wishes()
	if err == nil {
		warnings, err = o.Take(wishes)
	}
	return o, warnings, err
}

func (f *flowCluster) command() []string {
	f.look()
	args := []string{"cluster", "init"}
	if f.place() != cluster.DefaultDir {
		args = append(args, "--dir", f.place())
	}
	w, _ := f.wishes() // what cannot be read is shown as it was typed
	args = slices.Concat(args, flag("config", w.Config), flag("name", w.Name), flag("node", w.NodeNames...),
		flag("advertise-address", w.Address), flag("endpoint", w.Endpoint), flag("port", f.port), flag("service-cidr", w.ServiceCIDR),
		flag("dns-domain", w.DNSDomain), flag("san", w.SANs...), flag("etcd-san", w.EtcdSANs...))
	switch f.etcd {
	case "true":
		args = append(args, "--external-etcd")
	case "false":
		args = append(args, "--external-etcd=false")
	}
	args = slices.Concat(args, flag("key", w.Key), flag("kubernetes-version", w.KubernetesVersion),
		flag("ca-validity", w.CAValidity), flag("validity", w.Validity))
	switch {
	case f.cas == flowClusterParent:
		args = append(args, "--parent", cmp.Or(f.parent, f.w.Dir))
	case !f.isSignedHere():
		args = append(args, "--csr-only="+f.cas)
	}
	if f.repairs() {
		args = append(args, "--repair")
	}
	return append(args, f.w.passphraseFlag()...)
}

func (f *flowCluster) explain(context.Context) (string, error) {
	o, _, err := f.options(nil)
	if err != nil {
		return "", err
	}
	return cluster.ExplainInit(o)
}

// look notes where settings are to be read from, for what is loaded beside the
// fields.
func (f *flowCluster) look() {
	at := flowClusterPlace{f.place(), f.config}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reached != at {
		f.reached, f.differs = at, false
	}
}

// loadBase reads the settings that the answers are laid over.
func (f *flowCluster) loadBase(context.Context) error {
	f.mu.Lock()
	at := f.reached
	f.mu.Unlock()
	base, err := cluster.Wishes{Config: at.config}.Base(at.dir)
	here := cluster.ThisMachine()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.base, f.here = base, here
	return err
}

// found are the settings that there are, empty where there are none.
func (f *flowCluster) found() cluster.Settings {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.base.Settings
}

func (f *flowCluster) machine() cluster.NodeSettings {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.here
}

// repairs says whether what is wrong is to be replaced. An answer counts for the
// directory alone in which something wrong was seen.
func (f *flowCluster) repairs() bool { return f.repair && f.isSignedHere() && f.mayRepair() }

func (f *flowCluster) mayRepair() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.differs
}
