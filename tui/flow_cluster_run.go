package tui

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

func (f *flowCluster) review(ctx context.Context, j *job) (*review, error) {
	o, warnings, err := f.options(j)
	if err != nil {
		return nil, err
	}
	asked := ""
	o.DryRun, o.Passphrase = true, f.w.askLater(j, &asked)
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
	r.rows = append(r.rows, laterRow(asked)...)
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
	var wrong []row
	for _, d := range result.Differences {
		path, err := filepath.Rel(o.Dir, d.File)
		if err != nil {
			path = d.File
		}
		wrong = append(wrong, row{string(d.Field), fmt.Sprintf("%s: wanted %s; found %s", path, d.Wanted, d.Found)})
	}
	r.rows = append(wrong, r.rows...)
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
