package audit

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Unread is a key in a policy that kube-apiserver does not read.
type Unread struct {
	Line  int    `json:"line"`
	Field string `json:"field"` // as in rules[0].namespace
}

// shape is what may stand in a place of a policy.
type shape struct {
	what   string           // in words
	kind   yaml.Kind        // 0: anything
	tag    string           // of a scalar
	fields map[string]shape // of a mapping
	item   *shape           // of a list
}

// policyShape is that of Policy in k8s.io/apiserver/pkg/apis/audit/v1.
func policyShape() shape {
	text := shape{what: "a text", kind: yaml.ScalarNode, tag: "!!str"}
	boolean := shape{what: "true or false", kind: yaml.ScalarNode, tag: "!!bool"}
	texts := shape{what: "a list of texts", kind: yaml.SequenceNode, item: &text}
	resource := shape{what: "a group with its resources", kind: yaml.MappingNode, fields: map[string]shape{
		"group": text, "resources": texts, "resourceNames": texts,
	}}
	rule := shape{what: "a rule with its fields", kind: yaml.MappingNode, fields: map[string]shape{
		"level": text, "users": texts, "userGroups": texts, "verbs": texts,
		"resources":  {what: "a list of groups with their resources", kind: yaml.SequenceNode, item: &resource},
		"namespaces": texts, "nonResourceURLs": texts, "omitStages": texts, "omitManagedFields": boolean,
	}}
	return shape{what: "a policy with its fields", kind: yaml.MappingNode, fields: map[string]shape{
		"apiVersion": text, "kind": text, "metadata": {what: "metadata", kind: yaml.MappingNode},
		"rules":      {what: "a list of rules", kind: yaml.SequenceNode, item: &rule},
		"omitStages": texts, "omitManagedFields": boolean,
	}}
}

// misfit is a value of the wrong kind.
type misfit struct {
	node  *yaml.Node
	path  string
	shape shape
}

// compare walks over a document and returns the keys that are not known, in
// order, and the values that kube-apiserver cannot decode.
func (s shape) compare(n *yaml.Node, path string) (unread []Unread, misfits []misfit) {
	n = target(n)
	switch {
	case s.kind == 0 || n.Tag == "!!null": // left empty
		return nil, nil
	case n.Kind != s.kind || s.tag == "!!bool" && !isTruth(n) || s.tag == "!!str" && (n.Tag != s.tag || isTruth(n)):
		return nil, []misfit{{n, path, s}}
	}
	add := func(s shape, n *yaml.Node, path string) {
		u, m := s.compare(n, path)
		unread, misfits = append(unread, u...), append(misfits, m...)
	}
	switch {
	case s.item != nil:
		for i, child := range n.Content {
			add(*s.item, child, path+"["+strconv.Itoa(i)+"]")
		}
	case s.fields != nil:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			at := key.Value
			if path != "" {
				at = path + "." + at
			}
			known, ok := s.fields[key.Value]
			switch {
			case key.Tag == "!!merge":
				add(s, value, path)
			case ok:
				add(known, value, at)
			default:
				unread = append(unread, Unread{key.Line, at})
			}
		}
	}
	return unread, misfits
}

// isTruth says whether kube-apiserver, whose YAML is of version 1.1, takes a
// scalar for true or false (https://yaml.org/type/bool.html).
func isTruth(n *yaml.Node) bool {
	return n.Tag == "!!bool" || n.Style == 0 && slices.Contains([]string{"y", "yes", "on", "n", "no", "off"}, strings.ToLower(n.Value))
}

// Unread returns the keys of the policy that kube-apiserver passes over, by line:
// what they say is without effect.
func (p *Policy) Unread() []Unread {
	if p.root == nil {
		return nil
	}
	unread, _ := policyShape().compare(p.root, "")
	slices.SortStableFunc(unread, func(a, b Unread) int { return a.Line - b.Line })
	return unread
}
