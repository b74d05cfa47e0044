package tui

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	return args
}

func (f *flowCluster) explain(context.Context) (string, error) {
	o, _, err := f.options(nil)
	if err != nil {
		return "", err
	}
	return cluster.ExplainInit(o)
}

func (f *flowCluster) review(ctx context.Context, j *job) (*review, error) {
	o, warnings, err := f.options(j)
	if err != nil {
		return nil, err
	}
	o.DryRun = true
	j.begin("looking at what is there")
	result, err := cluster.Init(ctx, o)
	if err != nil {
		return nil, err
	}
	f.noteDifferences(result)
	r := &review{warnings: append(warnings, result.Warnings...), question: "Make them?"}
	if r.rows, err = f.rows(o); err != nil {
		return nil, err
	}
	if result.Differences != nil {
		f.reviewDifferences(r, o, result)
		return r, nil
	}
	for _, node := range result.Nodes {
		r.writes = append(r.writes, flowClusterFiles(node, o.Parent != "")...)
	}
	if result.SettingsFile != "" {
		r.writes = append(r.writes, fileToBe{path: result.SettingsFile, mode: 0o644, what: "these settings, for the next command"})
	}
	r.rows = append(r.rows, someRows(row{"there", flowClusterKept(result)})...)
	if r.writes == nil {
		r.nothing = "Everything is there, and as it should be."
	}
	return r, nil
}

// noteDifferences has the step with the question whether to repair shown, or not.
func (f *flowCluster) noteDifferences(result *cluster.InitResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.differs = result.MayRepair() || f.differs && result.Differences == nil
}

// reviewDifferences says what is wrong, and what can be done.
func (f *flowCluster) reviewDifferences(r *review, o cluster.InitOptions, result *cluster.InitResult) {
	var lines []string
	for _, d := range result.Differences {
		lines = append(lines, d.String())
	}
	r.preview = strings.Join(lines, "\n")
	r.nothing = "Nothing would be written, for this is not as it should be."
	switch {
	case result.MayRepair() && o.Requests == "":
		r.nothing += " Go back one step to have it replaced."
	case result.Awaited != nil || o.Requests == "":
		r.warnings = append(r.warnings, result.Remedy(o.Dir))
	}
}

// rows say what the PKI is for.
func (f *flowCluster) rows(o cluster.InitOptions) ([]row, error) {
	nodes, err := o.Settings.Resolve()
	if err != nil {
		return nil, err
	}
	first := nodes[0]
	var names []string
	for _, n := range nodes {
		names = append(names, fmt.Sprintf("%s (%s)", n.Name, n.Address))
	}
	etcd := "on the nodes"
	if first.ExternalEtcd {
		etcd = "elsewhere: put its CA, and the API servers' certificate for it, where kubeadm's etcd.external says"
	}
	return someRows(
		row{"nodes", strings.Join(names, ", ")}, row{"endpoint", first.Endpoint},
		row{"services", cmp.Or(o.Settings.ServiceCIDR, cluster.DefaultServiceCIDR) + ", " + first.DNSDomain},
		row{"more names", strings.Join(o.Settings.SANs, ", ")}, row{"etcd", etcd},
		row{"CAs", f.signers(o)}, row{"keys", string(first.Key)},
	), nil
}

func (f *flowCluster) signers(o cluster.InitOptions) string {
	switch {
	case o.Parent != "":
		return "three, signed by the root CA in " + o.Parent
	case o.Requests == cluster.RequestCAs:
		return "three, whose requests a root CA elsewhere signs"
	case o.Requests == cluster.RequestLeaves:
		return "elsewhere: they sign the requests"
	}
	return "three roots of its own: of the cluster, of etcd, of the front proxy"
}

// flowClusterFiles are those that a node gets. A CA that another signs has its
// chain beside it.
func flowClusterFiles(node cluster.NodeResult, isBelow bool) []fileToBe {
	var files []fileToBe
	for _, e := range node.Entries {
		entry, _ := cluster.EntryNamed(e.Name)
		what := entry.Purpose
		paths := e.Files
		switch e.State {
		case cluster.StateMade, cluster.StateRepaired:
		case cluster.StateCopied:
			what = "copied: " + what
		case cluster.StateRequested:
			what, paths = "request: "+what, []string{e.Request, entry.KeyPath(node.Dir)}
		default:
			continue
		}
		if entry.Kind == cluster.KindCA && isBelow {
			paths = append(slices.Clone(paths), entry.ChainPath(node.Dir))
		}
		for i, path := range paths {
			if i > 0 {
				what = flowClusterBeside(path)
			}
			files = append(files, fileToBe{path: path, mode: uint32(cluster.FileMode(path)), what: what, replaces: e.State == cluster.StateRepaired})
		}
	}
	return files
}

// flowClusterBeside says what a file is that belongs to the one before.
func flowClusterBeside(path string) string {
	switch filepath.Ext(path) {
	case ".key":
		return "its key"
	case ".pub":
		return "its public key"
	case ".crt":
		return "it, and the CAs above it"
	}
	return "the kubeconfig, with its key"
}

// flowClusterKept says how much of it is there already.
func flowClusterKept(result *cluster.InitResult) string {
	kept, all := 0, 0
	for _, node := range result.Nodes {
		for _, e := range node.Entries {
			all++
			if e.State == cluster.StateKept {
				kept++
			}
		}
	}
	if kept == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d are there already, and stay as they are", kept, all)
}

func (f *flowCluster) run(ctx context.Context, j *job) (*outcome, error) {
	o, warnings, err := f.options(j)
	if err != nil {
		return nil, err
	}
	j.begin("making keys and certificates")
	result, err := cluster.Init(ctx, o)
	if err != nil {
		return nil, err
	}
	if result.Differences != nil { // another has changed it since the review
		return nil, failure.New(failure.Failed, result.Remedy(o.Dir), "nothing was written, for this is not as it should be: %s", result.Differences[0])
	}
	j.done("keys and certificates made")
	out := &outcome{headline: "Made the PKI of the control plane", warnings: append(warnings, result.Warnings...)}
	for _, node := range result.Nodes {
		out.rows = append(out.rows, row{node.Node, flowClusterDone(node) + " in " + node.Dir})
	}
	program := []string{f.w.Program, "cluster"}
	var dir []string
	if o.Dir != cluster.DefaultDir {
		dir = []string{"--dir", o.Dir}
	}
	if o.Requests != "" {
		out.headline = "Made keys and certificate requests"
		out.text = strings.Trim(strings.Join(result.RequestLines(o), "\n"), "\n")
		out.next = []nextStep{{why: "Bring in what was signed", args: slices.Concat(program, []string{"finish"}, dir, []string{"--certs", "DIR"})}}
		return out, nil
	}
	out.text = strings.Join(result.Places(), "\n")
	out.next = []nextStep{
		{why: "Try it here: a control plane on these files", args: slices.Concat(program, []string{"up"}, dir)},
		{why: "Check it at any time", args: slices.Concat(program, []string{"check"}, dir)},
	}
	return out, nil
}

// flowClusterDone counts what became of the entries of a node.
func flowClusterDone(node cluster.NodeResult) string {
	var order []cluster.State
	count := map[cluster.State]int{}
	for _, e := range node.Entries {
		if count[e.State] == 0 {
			order = append(order, e.State)
		}
		count[e.State]++
	}
	var parts []string
	for _, state := range order {
		parts = append(parts, fmt.Sprintf("%d %s", count[state], state))
	}
	return strings.Join(parts, ", ")
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
