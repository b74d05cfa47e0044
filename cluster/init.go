package cluster

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// InitOptions is what the command cluster init takes.
type InitOptions struct {
	Dir      string // the cluster directory; with several nodes, that above theirs
	Settings Settings
	// FromFiles says that the settings rest on what the files in Dir have, as of a
	// directory that kubeadm made. They are then not kept in cluster.yaml: the files
	// go on saying it.
	FromFiles bool
	// Repair replaces what is there and not as it should be. Keys that others
	// rely on, of CAs and of service accounts, are never replaced.
	Repair bool
	// Requests has keys and certificate requests made for CAs that are elsewhere.
	Requests Requests
	// Parent is the PKI directory of a root CA that signs the three CAs. Empty:
	// each is a root.
	Parent     string
	DryRun     bool // do everything but make keys, sign and write
	Now        time.Time
	Waiting    func(dir string) // called when a directory is locked by another; may be nil
	Passphrase ca.Passphrase    // asked when a CA's key is encrypted; may be nil
}

// State is what Init did with an entry, or would do.
type State string

// The states of an entry after Init.
const (
	StateKept     State = "kept"     // it was there, and right
	StateMade     State = "made"     // it was not there
	StateCopied   State = "copied"   // from the directory of another node
	StateRepaired State = "repaired" // it was there, and wrong
	StateWrong    State = "wrong"    // it is there, wrong, and was not touched
	StateMissing  State = "missing"  // it is not there, and was not made, because others are wrong

	StateRequested State = "requested" // its key is there, and a request for its certificate was made
	StateAwaited   State = "awaited"   // both were there
	StateElsewhere State = "elsewhere" // a CA that is to sign requests
	StateLater     State = "later"     // its CA is here, or will be, and signs it then
	StatePlaced    State = "placed"    // its certificate came from elsewhere, and is in its place
)

// EntryResult is one entry of the layout in one cluster directory.
type EntryResult struct {
	Name     string     `json:"name"`
	Files    []string   `json:"files"`
	State    State      `json:"state"`
	CA       string     `json:"ca,omitempty"`      // name of the entry that signs it
	Request  string     `json:"request,omitempty"` // path of the certificate request that is to be signed
	NotAfter *time.Time `json:"notAfter,omitempty"`
	Wrong    []string   `json:"wrong,omitempty"` // differences, in words
	// FingerprintSHA256 is that of a CA's certificate that Finish has put in its
	// place, as ca.Fingerprint has it.
	FingerprintSHA256 string `json:"fingerprintSHA256,omitempty"`
}

// NodeResult is the cluster directory of one node.
type NodeResult struct {
	Node    string        `json:"node"`
	Dir     string        `json:"dir"`
	Entries []EntryResult `json:"entries"`
}

// InitResult is what Init found and did.
type InitResult struct {
	Nodes    []NodeResult `json:"nodes"`
	Warnings []string     `json:"-"`
	// Differences are what is wrong and was not repaired. Where there are any,
	// nothing was written.
	Differences []Difference `json:"differences,omitempty"`
	// Awaited are the requests for certificates that are among the differences.
	Awaited []string `json:"awaited,omitempty"`
	// SettingsFile is the path of cluster.yaml where it was written, or would be;
	// empty where it says the same already, or is not kept.
	SettingsFile string `json:"-"`
}

// NodeDir returns the cluster directory of a node: dir itself where it is alone.
func NodeDir(dir string, nodes []Node, i int) string {
	if len(nodes) == 1 {
		return dir
	}
	return filepath.Join(dir, nodes[i].Name)
}

// Init makes the keys, certificates and kubeconfigs of a control plane, as
// Layout has them, as far as they are not there. What is there and right is not
// touched. If something is wrong, and o.Repair does not say to replace it,
// nothing is written, and the result says what. All of one node's directory is
// written as one step; after a crash the same call completes the rest.
func Init(ctx context.Context, o InitOptions) (*InitResult, error) {
	if err := o.checkTogether(); err != nil {
		return nil, err
	}
	p, err := newInitPlan(o)
	if err != nil {
		return nil, err
	}
	if o.Parent != "" {
		if err := p.makeBelow(ctx); err != nil {
			return nil, err
		}
	}
	if !o.DryRun {
		defer p.unlock()
		if err := p.lock(ctx); err != nil {
			return nil, err
		}
	}
	defer p.close()
	return p.run()
}

// checkTogether refuses options that do not go together.
func (o InitOptions) checkTogether() error {
	switch {
	case o.Requests == "":
		return nil
	case !slices.Contains(RequestsNames(), string(o.Requests)):
		return failure.New(failure.Usage, "choose one of "+strings.Join(RequestsNames(), ", "), "there are no requests %q", o.Requests)
	case o.Repair:
		return failure.New(failure.Usage, "leave one of them out", "repairing and making requests exclude each other")
	case o.Parent != "":
		return failure.New(failure.Usage, "leave one of them out", "a parent that signs and requests for one elsewhere exclude each other")
	}
	return nil
}

// newInitPlan is for the nodes of the settings.
func newInitPlan(o InitOptions) (*initPlan, error) {
	nodes, err := o.Settings.Resolve()
	if err != nil {
		return nil, err
	}
	if err := checkPlaces(o.Dir, nodes); err != nil {
		return nil, err
	}
	if _, _, err := ReadSettings(o.Dir); err != nil { // it would be replaced
		return nil, err
	}
	p := &initPlan{InitOptions: o, authorities: map[string]*authority{}}
	if o.FromFiles {
		// What most files call the cluster is no wish.
		if n, err := NodeFromFiles(o.Dir); err == nil && n.Cluster == o.Settings.Name {
			for i := range nodes {
				nodes[i].isNamed = false
			}
		}
	}
	for i, node := range nodes {
		p.nodes = append(p.nodes, &nodePlan{node: node, dir: NodeDir(o.Dir, nodes, i)})
	}
	return p, nil
}

// lock takes the locks of all PKI directories, in the order of their paths as
// every command does.
func (p *initPlan) lock(ctx context.Context) error {
	for _, n := range sortedByDir(p.nodes) {
		waiting := func() {
			if p.Waiting != nil {
				p.Waiting(n.dir)
			}
		}
		dir, err := store.Create(ctx, PKIDir(n.dir), waiting)
		if err != nil {
			return err
		}
		n.store = dir
	}
	return nil
}

// unlock frees the locks. What was made for a change that was not, such as the
// directories, is taken back.
func (p *initPlan) unlock() {
	for _, n := range p.nodes {
		if n.store != nil {
			n.store.Abandon()
		}
	}
}

// placeWarnings warn of where the nodes are, and where their files go.
func (p *initPlan) placeWarnings() []string {
	list := nodesAmongServices(p.nodes)
	for _, n := range p.nodes {
		list = append(list, openLinks(n.dir)...)
	}
	return list
}

func (p *initPlan) run() (*InitResult, error) {
	if err := p.look(); err != nil {
		return nil, err
	}
	if p.Requests != "" {
		return p.runRequests()
	}
	result := &InitResult{}
	if wrong := p.wrong(); wrong != nil && !p.Repair {
		result.Differences = wrong
		result.Awaited = p.awaited()
		p.leaveMissing()
		result.Nodes = p.results()
		return result, nil
	}
	if err := p.checkPossible(); err != nil {
		return nil, err
	}
	result.Warnings = slices.Concat(p.newAccountKeys(), p.assumedNames(), p.placeWarnings())
	if err := p.noteSettings(result); err != nil {
		return nil, err
	}
	if !p.DryRun {
		if err := p.make(result); err != nil {
			return nil, err
		}
	}
	result.Nodes = p.results()
	return result, nil
}

// noteSettings says in the result whether cluster.yaml is to be written.
func (p *initPlan) noteSettings(result *InitResult) error {
	files, err := p.settingsFile()
	for _, file := range files {
		result.SettingsFile = file.Path
	}
	return err
}
