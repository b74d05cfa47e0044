package audit

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
	internal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit/policy"
)

// APIVersion and Kind are what heads a policy.
const (
	APIVersion = "audit.k8s.io/v1"
	Kind       = "Policy"
)

const policyHint = "a policy has apiVersion: audit.k8s.io/v1, kind: Policy and rules; pkictl audit generate writes one"

// Policy is an audit policy that a kube-apiserver starts with. That it says what
// its author meant is another matter: see Lint.
type Policy struct {
	Name string // what errors call it
	// Policy is what kube-apiserver makes of the file: fields that it does not know
	// are not in it.
	internal.Policy

	root  *yaml.Node   // of the document that counts, nil where there is none
	rules []*yaml.Node // of each rule
	lines []string     // of the file
	more  bool         // documents that do not count
}

// Parse reads a policy as kube-apiserver does (k8s.io/apiserver/pkg/audit/policy,
// LoadPolicyFromBytes): unknown fields are passed over, of a key that stands
// twice the last counts, and of several documents the first, whatever the others
// are. What would keep kube-apiserver from starting is an error.
func Parse(name string, data []byte) (*Policy, error) {
	loaded, err := policy.LoadPolicyFromBytes(data)
	if err != nil {
		return nil, refusal(name, data, err)
	}
	p := &Policy{Name: name, Policy: *loaded, lines: splitLines(data)}
	p.root, p.more = firstDocument(data)
	if rules := field(p.root, "rules"); rules != nil && rules.Kind == yaml.SequenceNode {
		p.rules = rules.Content
	}
	return p, nil
}

// HasMore says whether the file goes on behind the document that counts.
func (p *Policy) HasMore() bool { return p.more }

// Line returns the line on which a rule begins, of which the first is 0. It is 0
// where the policy comes from no file.
func (p *Policy) Line(rule int) int {
	if rule < 0 || rule >= len(p.rules) {
		return 0
	}
	return p.rules[rule].Line
}

// Text returns the lines of a rule as they stand in the file.
func (p *Policy) Text(rule int) []string {
	first := p.Line(rule)
	if first == 0 || first > len(p.lines) {
		return nil
	}
	return p.lines[first-1 : min(lastLine(p.rules[rule]), len(p.lines))]
}

// lastLine returns the last line on which a value of a node begins.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, child := range n.Content {
		last = max(last, lastLine(child))
	}
	return last
}

func splitLines(data []byte) []string {
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return lines
}

// firstDocument returns the root of the first document, nil where this parser
// and that of kube-apiserver differ: lines are then not known. It also says
// whether something follows.
func firstDocument(data []byte) (root *yaml.Node, more bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, next yaml.Node
	if err := decoder.Decode(&first); err != nil || len(first.Content) == 0 {
		return nil, false
	}
	switch err := decoder.Decode(&next); {
	case errors.Is(err, io.EOF):
	case err != nil:
		more = true
	default:
		more = next.Content[0].Tag != "!!null"
	}
	return first.Content[0], more
}

// field returns the value of a key in a mapping, nil if it has none. Of a key
// that stands twice the last counts, as for kube-apiserver.
func field(mapping *yaml.Node, key string) *yaml.Node {
	mapping = target(mapping)
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := len(mapping.Content) - 2; i >= 0; i -= 2 {
		if mapping.Content[i].Value == key {
			return target(mapping.Content[i+1])
		}
	}
	return nil
}

// target returns what an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
