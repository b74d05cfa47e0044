package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// readNetworkPolicyCheck reads the parameters of a check of the NetworkPolicies in
// files, all of which are applied to a cluster that the learner knows in part:
//
//	file     the file of the policies, or
//	files    [FILE, ...], as applied one after the other
//	cluster  the hidden file that describes the cluster: see network_cluster.go
//	wanted   what is right, in words
//	flows    a recording that the lab begins with, each connection of which is to be
//	         possible: see network_flows.go
//	allowed  rows of connections that are to be possible: see network_matrix.go
//	denied   rows of connections that are to be impossible
//	side     ingress or egress: what is to be possible is judged at this end alone, so
//	         that a mistake at the other end costs the check of that end and no more
//
// All other objects in the files are left aside.
func readNetworkPolicyCheck(p *params) (grader, error) {
	c := &networkPolicyCheck{}
	var file, flows string
	var description []byte
	var allowed, denied *yaml.Node
	err := p.fields(
		p.file("file", &file),
		yamlfile.Key{Name: "files", Read: func(n *yaml.Node) error { return p.fileList(n, &c.files) }},
		p.hidden("cluster", &description),
		yamlfile.Key{Name: "wanted", Read: p.line("wanted", &c.wanted)},
		p.given("flows", &flows),
		yamlfile.Key{Name: "allowed", Read: func(n *yaml.Node) error { allowed = n; return nil }},
		yamlfile.Key{Name: "denied", Read: func(n *yaml.Node) error { denied = n; return nil }},
		yamlfile.Key{Name: "side", Read: func(n *yaml.Node) (err error) { c.side, err = readSide(p, n); return err }},
	)
	if err != nil {
		return nil, err
	}
	if file != "" {
		c.files = append(c.files, file)
	}
	if err := p.someOf(len(c.files), strings.Join(c.files, "")); err != nil {
		return nil, err
	}
	if err := p.need(p.node, p.what, "cluster", "wanted"); err != nil {
		return nil, err
	}
	if c.cluster, err = readNetworkCluster(description, p.lab.ID); err != nil {
		return nil, p.At(p.node, err)
	}
	return c.grade, c.readConnections(p, flows, allowed, denied)
}

// fileList reads the names of files in the workspace.
func (p *params) fileList(n *yaml.Node, to *[]string) error {
	return p.List(n, "files", func(n *yaml.Node, _ string) error {
		var name string
		err := p.file("files", &name).Read(n)
		*to = append(*to, name)
		return err
	})
}

type networkPolicyCheck struct {
	files   []string
	wanted  string
	side    string
	cluster *networkCluster
	matrix  []probe
}

// probe is a connection with what is to become of it.
type probe struct {
	networkpolicy.Connection
	open bool
}

func (c *networkPolicyCheck) grade(ctx context.Context, w *work) finding {
	f := finding{wanted: c.wanted}
	policies, refused, found := c.policies(w)
	if found != "" {
		f.found = found
		return f
	}
	evaluator, err := networkpolicy.New(c.cluster.Cluster, policies)
	if err != nil {
		f.found = err.Error()
		return f
	}
	var differ []string
	seen := map[bool]int{} // open and closed
	for _, probe := range c.matrix {
		if ctx.Err() != nil {
			f.found = "there was no time to look at all connections"
			return f
		}
		verdict := c.atSide(probe, evaluator.Evaluate(probe.Connection))
		if verdict.Allowed() == probe.open {
			continue
		}
		// The first of each sort tells more than the first of all.
		if seen[probe.open]++; seen[probe.open] == 1 {
			differ = append(differ, c.inWords(probe, verdict))
		}
	}
	if len(differ) == 0 {
		f.passed, f.found = true, "as wanted"
		return f
	}
	f.found = strings.Join(differ, "; ")
	if count := seen[true] + seen[false]; count > len(differ) {
		f.found = fmt.Sprintf("%d of %d connections are not so: %s", count, len(c.matrix), f.found)
	}
	if refused != "" { // it explains more than what the others let through
		f.found = refused + "; without it " + f.found
	}
	f.found += notes(policies)
	return f
}

// readSide reads an end of a connection.
func readSide(p *params, n *yaml.Node) (string, error) {
	side, err := p.Text(n, "side")
	if err == nil && side != "ingress" && side != "egress" {
		err = p.ErrorAt(n, "write ingress or egress", "a connection has no side %q", side)
	}
	return side, err
}

// atSide leaves the other end aside where a connection is to be possible.
func (c *networkPolicyCheck) atSide(p probe, v networkpolicy.Verdict) networkpolicy.Verdict {
	switch {
	case p.open && c.side == "ingress":
		v.Egress.Allowed = true
	case p.open && c.side == "egress":
		v.Ingress.Allowed = true
	}
	return v
}

// inWords says what is wrong with a connection, and why it is so.
func (c *networkPolicyCheck) inWords(p probe, verdict networkpolicy.Verdict) string {
	if p.open {
		return fmt.Sprintf("%s does not reach %s, which is to be open: %s", c.cluster.call(p.From), c.cluster.target(p.Connection), verdict.Why())
	}
	return fmt.Sprintf("%s reaches %s, which is to be closed: %s", c.cluster.call(p.From), c.cluster.target(p.Connection), verdict.Why())
}

// notes says what of the policies explains much that does not work.
func notes(policies []networkingv1.NetworkPolicy) string {
	for _, p := range policies {
		if p.Namespace == "" {
			return fmt.Sprintf(" (NetworkPolicy %s names no namespace, and goes to default)", p.Name)
		}
	}
	return ""
}

// policies returns the NetworkPolicies in the files as they stand in the cluster once
// all are applied: one of the same name replaces the one before. One that the API server
// refuses keeps none of the others away; refused is the first of those.
func (c *networkPolicyCheck) policies(w *work) (list []networkingv1.NetworkPolicy, refused, found string) {
	var others []string
	for _, name := range c.files {
		docs, found := w.documents(name)
		if found != "" {
			return nil, "", found
		}
		for _, d := range docs {
			if d.Kind != "NetworkPolicy" {
				others = append(others, d.String())
				continue
			}
			policy, found := c.policy(d)
			if found != "" {
				if refused == "" {
					refused = found
				}
				continue
			}
			list = slices.DeleteFunc(list, func(other networkingv1.NetworkPolicy) bool {
				return namespaceOf(&other) == namespaceOf(policy) && other.Name == policy.Name
			})
			list = append(list, *policy)
		}
	}
	switch {
	case len(list) > 0:
		return list, refused, ""
	case refused != "":
		return nil, "", refused
	}
	return nil, "", fmt.Sprintf("there is no NetworkPolicy in %s, but %s", strings.Join(c.files, ", "), strings.Join(others, ", "))
}

func namespaceOf(p *networkingv1.NetworkPolicy) string {
	if p.Namespace == "" {
		return metav1.NamespaceDefault
	}
	return p.Namespace
}

// policy reads a policy as the API server of the cluster would.
func (c *networkPolicyCheck) policy(d document) (*networkingv1.NetworkPolicy, string) {
	if version := networkingv1.SchemeGroupVersion.String(); d.APIVersion != version {
		return nil, fmt.Sprintf("%s in %s has apiVersion %s: Kubernetes serves it in %s alone", d, d.file, d.APIVersion, version)
	}
	policy, found := decodeAs[networkingv1.NetworkPolicy](d)
	if found != "" {
		return nil, found
	}
	if namespace := namespaceOf(policy); !c.cluster.hasNamespace(namespace) {
		return nil, fmt.Sprintf("%s in %s: the cluster has no namespace %s", d, d.file, namespace)
	}
	if faults := networkpolicy.Validate(policy); len(faults) > 0 {
		return nil, fmt.Sprintf("%s in %s: the API server refuses it: %v", d, d.file, faults[0])
	}
	return policy, ""
}
