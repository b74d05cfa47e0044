package cluster

import (
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// CheckOptions is what the command cluster check takes.
type CheckOptions struct {
	Dir  string // a cluster directory, the directory pki in it, or that above those of several nodes
	Node string // of several, the one to look at; empty: all
	// Within is the time within which an end counts as found. 0: thirty days, but
	// of what is short-lived on purpose the last third of its life.
	Within time.Duration
	// Owner is whom files and directories have to belong to, as USER or
	// USER:GROUP. Empty: root:root for root, for others who owns the directory.
	Owner       string
	Kubeconfigs []string // whose CAs are compared with that of the cluster
	Live        bool     // ask the components what they show and accept
	// Servers, Etcd and Kubelets are addresses HOST:PORT to ask; none: those that
	// the files say.
	Servers, Etcd, Kubelets []string
	Timeout                 time.Duration // of each connection and request
	Agent                   string        // the User-Agent
	Now                     time.Time
}

// endsSoon says whether what lives from begin to end has little time left.
func (o CheckOptions) endsSoon(begin, end time.Time) bool {
	within := o.Within
	if within == 0 {
		within = min(30*ca.Day, end.Sub(begin)/3)
	}
	return end.Sub(o.Now) < within
}

// Level says whether a finding counts.
type Level string

// The levels of a finding.
const (
	LevelFail Level = "fail" // something is wrong, or will be soon
	LevelNote Level = "note" // worth to know
)

// Finding is something that Check found: what is not as it should be, and what
// to do about it.
type Finding struct {
	Level Level  `json:"level"`
	Node  string `json:"node,omitempty"`
	Difference
	CIS  string `json:"cis,omitempty"` // number of the recommendation in the CIS Kubernetes Benchmark, version 1.12
	Hint string `json:"hint,omitempty"`
}

// CheckedEntry is one line of the layout, as it stands on disk.
type CheckedEntry struct {
	Name       string     `json:"name"`
	File       string     `json:"file"`
	CommonName string     `json:"commonName,omitempty"`
	SignedBy   string     `json:"signedBy,omitempty"` // name of the entry, or of a CA that is elsewhere
	Serial     string     `json:"serial,omitempty"`
	Key        string     `json:"key,omitempty"`
	NotBefore  *time.Time `json:"notBefore,omitempty"`
	NotAfter   *time.Time `json:"notAfter,omitempty"`
	Missing    bool       `json:"missing,omitempty"`
	Unread     bool       `json:"unread,omitempty"` // it may not be read
	Findings   int        `json:"findings"`         // that count

	found *Found
}

// CheckedServer is what a component shows now.
type CheckedServer struct {
	Component string     `json:"component"`
	Address   string     `json:"address"`
	Entry     string     `json:"entry,omitempty"` // that it shows, on disk
	Serial    string     `json:"serial,omitempty"`
	SignedBy  string     `json:"signedBy,omitempty"`
	NotAfter  *time.Time `json:"notAfter,omitempty"`
	Current   bool       `json:"current,omitempty"` // it shows what is on disk
	Error     string     `json:"error,omitempty"`
}

// CheckedNode is the cluster directory of one node.
type CheckedNode struct {
	Node string `json:"node"`
	Dir  string `json:"dir"`
	// FromFiles says that no settings say what the node is made for, so that its
	// files do.
	FromFiles bool            `json:"fromFiles,omitempty"`
	Entries   []CheckedEntry  `json:"entries"`
	Servers   []CheckedServer `json:"servers,omitempty"`

	home  string // the directory with the settings
	node  Node
	local *Ports                         // of the control plane that cluster up runs here; nil: none
	certs map[string][]*x509.Certificate // of CAs, by the name of their entry
}

// CheckReport is what Check found.
type CheckReport struct {
	OK       bool           `json:"ok"` // no finding of LevelFail
	Time     time.Time      `json:"time"`
	Nodes    []*CheckedNode `json:"nodes"`
	Findings []Finding      `json:"findings"`

	// Unread are errors of files that may not be read. What is in them was not
	// looked at.
	Unread []error `json:"-"`
}

// checker is a check under way.
type checker struct {
	o      CheckOptions
	dir    string
	report *CheckReport
	owner  store.Owner
}

// Check looks at the cluster directories of a control plane: what stands in
// them, for how long, whose it is, and with o.Live what the components show.
// What is wrong is in the report; an error means that nothing could be checked.
func Check(ctx context.Context, o CheckOptions) (*CheckReport, error) {
	c := &checker{o: o, dir: resolveDir(o.Dir), report: &CheckReport{Time: o.Now.UTC(), Findings: []Finding{}}}
	nodes, err := c.findNodes()
	if err != nil {
		return nil, err
	}
	c.report.Nodes = nodes
	if c.owner, err = wantedOwner(o.Owner, c.dir); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		c.checkFiles(n)
		c.checkRights(n)
	}
	c.checkShared()
	if err := c.checkKubeconfigs(); err != nil {
		return nil, err
	}
	if o.Live {
		if err := c.checkLive(ctx); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.conclude()
	return c.report, nil
}

// find adds a finding that counts.
func (c *checker) find(n *CheckedNode, d Difference, cis, hint string) {
	c.report.Findings = append(c.report.Findings, Finding{Level: LevelFail, Node: n.Node, Difference: d, CIS: cis, Hint: hint})
}

// note adds a finding that does not count.
func (c *checker) note(n *CheckedNode, d Difference, hint string) {
	c.report.Findings = append(c.report.Findings, Finding{Level: LevelNote, Node: n.Node, Difference: d, Hint: hint})
}

// conclude counts what was found.
func (c *checker) conclude() {
	c.report.OK = true
	for _, f := range c.report.Findings {
		if f.Level != LevelFail {
			continue
		}
		c.report.OK = false
		for _, n := range c.report.Nodes {
			i := slices.IndexFunc(n.Entries, func(e CheckedEntry) bool { return n.Node == f.Node && e.Name == f.Entry })
			if i >= 0 {
				n.Entries[i].Findings++
			}
		}
	}
}

// Checks are the kinds of what Check can find.
func Checks() []Field {
	return []Field{
		FieldFile, FieldCN, FieldO, FieldEKU, FieldSAN, FieldCA, FieldChain, FieldKey, FieldBegin, FieldEnd,
		FieldServer, FieldMode, FieldOwner, FieldShared, FieldServed, FieldTrust,
	}
}
