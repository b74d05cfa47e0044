package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	internal "k8s.io/apiserver/pkg/apis/audit"
	yamljson "sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// document is a policy to be written.
type document struct {
	options Options
	preset  Preset
	rules   []rule
	dropped []rule
}

const headText = `# An audit policy for kube-apiserver. Made by:
#   %s
# Of several rules that match a request, the first one counts.
#
# kube-apiserver takes it with --audit-policy-file, and writes to what
# --audit-log-path says. Both must be mounted into its static pod, for which
#   pkictl apiserver flags --audit-policy-from FILE
# makes the flags, volumes and mounts. It reads the file when it starts.
`

const topText = `apiVersion: audit.k8s.io/v1
kind: Policy

# One event for each request, when it is answered, and one more when a watch or
# an exec begins. What is lost: requests that were never answered, for example
# because kube-apiserver was killed meanwhile.
omitStages: [RequestReceived]

# Who wrote which field when is in the objects themselves. In the log it would
# be a large part of each body.
omitManagedFields: true

rules:
`

// write writes a policy, reads it again as kube-apiserver does, and has Lint look
// for names that no request has.
func write(d document) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, headText, commandLine(d.options, d.preset))
	if n := len(d.dropped); n > 0 {
		b.WriteString("#\n")
		comment(&b, "", fmt.Sprintf("Left out: %d of the %d rules of preset %s. Those that were asked for take all their requests.",
			n, len(d.preset.rules()), d.preset.Name))
	}
	b.WriteString("\n" + topText)
	for i, r := range d.rules {
		if i > 0 {
			b.WriteByte('\n')
		}
		comment(&b, "  ", r.why)
		if err := writeRule(&b, &r.PolicyRule); err != nil {
			return nil, err
		}
	}
	const name = "the policy that was generated"
	policy, err := Parse(name, b.Bytes())
	if err != nil {
		return nil, err
	}
	findings, err := Lint(name, b.Bytes())
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		if matchesNothing(f.ID) {
			return nil, failure.New(failure.Usage, f.Mend, "%s: %s", d.askedAt(policy, f.Line), f.Message)
		}
	}
	return b.Bytes(), nil
}

// matchesNothing says whether a finding is about a name that no request has.
func matchesNothing(id string) bool {
	return slices.Contains([]string{
		"no-wildcard", "namespace-name", "group-as-user", "user-as-group", "service-account-name", "url-of-resource", "url-query",
	}, id)
}

// askedAt returns the words that asked for the rule on a line.
func (d *document) askedAt(p *Policy, line int) string {
	asked := ""
	for i, r := range d.rules {
		if p.Line(i) <= line {
			asked = r.from
		}
	}
	return asked
}

// commandLine is the pkictl command that makes the policy again.
func commandLine(o Options, preset Preset) string {
	line := "pkictl audit generate --preset " + preset.Name
	for _, flag := range []struct {
		name  string
		texts []string
	}{{"--log", o.Log}, {"--rule", o.Rules}, {"--ignore", o.Ignore}} {
		for _, text := range flag.texts {
			line += " " + flag.name + " " + shell.Quote(text)
		}
	}
	return line
}

// comment writes a comment in lines of at most 80 columns.
func comment(b *bytes.Buffer, indent, text string) {
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 80 && line != indent+"#" {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// writeRule writes a rule as one of a list.
func writeRule(b *bytes.Buffer, r *internal.PolicyRule) error {
	rule := mapping("level", scalar(string(r.Level)))
	for _, f := range []struct {
		key  string
		list []string
	}{{"users", r.Users}, {"userGroups", r.UserGroups}, {"verbs", r.Verbs}} {
		addList(rule, f.key, f.list)
	}
	if len(r.Resources) > 0 {
		groups := &yaml.Node{Kind: yaml.SequenceNode}
		for _, g := range r.Resources {
			group := mapping("group", scalar(g.Group))
			addList(group, "resources", g.Resources)
			addList(group, "resourceNames", g.ResourceNames)
			groups.Content = append(groups.Content, group)
		}
		rule.Content = append(rule.Content, scalar("resources"), groups)
	}
	addList(rule, "namespaces", r.Namespaces)
	addList(rule, "nonResourceURLs", r.NonResourceURLs)

	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{rule}}); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		b.WriteString("  " + line)
	}
	return nil
}

func mapping(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(key), value}}
}

func scalar(text string) *yaml.Node {
	n := new(yaml.Node)
	n.SetString(text)
	return n
}

// addList adds a list to a mapping, unless it is empty: on one line, where it is
// short.
func addList(m *yaml.Node, key string, texts []string) {
	if len(texts) == 0 {
		return
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	length := 0
	for _, text := range texts {
		list.Content = append(list.Content, scalar(text))
		length += len(text) + 2
	}
	if length < 60 || len(texts) == 1 {
		list.Style = yaml.FlowStyle
	}
	m.Content = append(m.Content, scalar(key), list)
}

// JSON returns a policy without its comments, in JSON, which kube-apiserver reads
// as well.
func JSON(policy []byte) ([]byte, error) {
	data, err := yamljson.YAMLToJSON(policy)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// ConfigMapKey is the key of a policy in a ConfigMap.
const ConfigMapKey = "audit-policy.yaml"

// ConfigMap writes the manifest of a ConfigMap that holds a policy. A namespace
// that is empty is left to kubectl.
func ConfigMap(policy []byte, name, namespace string) ([]byte, error) {
	for _, text := range []string{name, namespace} {
		if text != "" && !isDNSName(text) {
			return nil, failure.New(failure.Usage, "use lower case letters, digits and -", "%q is no name of Kubernetes", text)
		}
	}
	meta := mapping("name", scalar(name))
	if namespace != "" {
		meta.Content = append(meta.Content, scalar("namespace"), scalar(namespace))
	}
	text := scalar(string(policy))
	text.Style = yaml.LiteralStyle
	root := mapping("apiVersion", scalar("v1"))
	root.Content = append(root.Content, scalar("kind"), scalar("ConfigMap"), scalar("metadata"), meta, scalar("data"), mapping(ConfigMapKey, text))
	var b bytes.Buffer
	b.WriteString("# For an API server that runs as a pod of another cluster, which mounts it. A\n# static pod cannot mount a ConfigMap.\n")
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := encoder.Encode(root)
	return b.Bytes(), err
}

// isDNSName says whether a name may be that of a ConfigMap and of a namespace
// (RFC 1123, section 2.1).
func isDNSName(name string) bool {
	return len(name) <= 63 && !slices.Contains([]byte{name[0], name[len(name)-1]}, '-') &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
