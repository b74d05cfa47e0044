package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/opa"
)

// admissionRule is what OPA's webhook for Kubernetes asks a policy for.
const admissionRule = "data.kubernetes.admission.deny"

// readRegoCheck reads the parameters of a check of a policy in Rego, of version 1 or 0,
// which the real opa evaluates:
//
//	file     the policy's
//	rule     the rule that has the messages of what is denied;
//	         data.kubernetes.admission.deny if it is left out
//	data     a hidden file of what is below data, such as the pods that there are
//	reviews  a hidden table of what is asked of the policy:
//	  what     the request in words
//	  input    the input: an AdmissionReview
//	  denied   true or false, or texts of which each is in one of the messages
//	  unnamed  texts that are in none of the messages
func readRegoCheck(p *params) (grader, error) {
	c := &regoCheck{params: p, rule: admissionRule}
	err := p.fields(
		p.file("file", &c.file),
		yamlfile.Key{Name: "rule", Read: func(n *yaml.Node) (err error) {
			if c.rule, err = p.Text(n, "rule"); err == nil && !opa.IsRule(c.rule) {
				err = p.ErrorAt(n, "write it as in "+admissionRule, "%q is no path of a rule", c.rule)
			}
			return err
		}},
		p.hiddenObject("data", &c.dataName, &c.data),
		p.table("reviews", c.row),
	)
	if err != nil {
		return nil, err
	}
	p.lab.regoChecks = append(p.lab.regoChecks, c)
	return c.grade, p.someOf(len(c.rows), c.file)
}

type regoCheck struct {
	*params
	file, rule string
	dataName   string
	data       map[string]any
	rows       []reviewRow
}

// reviewRow is a request, and what a policy is to say about it.
type reviewRow struct {
	what   string
	input  map[string]any
	denied bool
	texts  []string // each in a message
	// unnamed are in none.
	unnamed []string
}

func (c *regoCheck) row(f yamlfile.File, n *yaml.Node) error {
	var row reviewRow
	err := f.Mapping(n, "a review", rowText(f, "what", &row.what), rowObject(f, "input", &row.input),
		row.verdict(f, "denied"), rowTexts(f, "unnamed", &row.unnamed))
	if err == nil && (row.what == "" || row.input == nil || yamlfile.Field(n, "denied") == nil) {
		err = f.ErrorAt(n, "give it what, input and denied", "a review is not complete")
	}
	c.rows = append(c.rows, row)
	return err
}

// verdict reads what a policy is to say.
func (r *reviewRow) verdict(f yamlfile.File, what string) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) {
		if n.Kind == yaml.SequenceNode {
			r.denied = true
			r.texts, err = f.Texts(n, what)
			return err
		}
		r.denied, err = f.Boolean(n, what)
		return err
	}}
}

// hiddenObject reads a hidden file of YAML or JSON with one object.
func (p *params) hiddenObject(what string, name *string, to *map[string]any) yamlfile.Key {
	var data []byte
	key := p.hidden(what, &data)
	open := key.Read
	key.Read = func(n *yaml.Node) error {
		if err := open(n); err != nil {
			return err
		}
		f, root, err := p.hiddenRoot(n.Value, data)
		if err != nil {
			return err
		}
		*name = n.Value
		return rowObject(f, what, to).Read(root)
	}
	return key
}

func (c *regoCheck) grade(ctx context.Context, w *work) finding {
	wanted := "a policy in " + c.file + " that opa evaluates"
	policy, found := w.learner.file(c.file, opa.MaxPolicy)
	if found != "" {
		return finding{wanted: wanted, found: found}
	}
	values, err := c.ask(ctx, w, policy)
	if err != nil {
		return finding{wanted: wanted, found: regoFault(c.file, policy, err)}
	}
	var m missed
	for i, row := range c.rows {
		if values[i] == nil && !slices.ContainsFunc(values, func(v json.RawMessage) bool { return v != nil }) {
			return finding{wanted: "the rule " + c.rule, found: noRule(c.file, policy, c.rule)}
		}
		if values[i] == nil {
			m.add("a set of messages about "+row.what+", which may be empty", c.rule+" has no value")
			continue
		}
		messages, found := denyMessages(values[i])
		if found != "" {
			return finding{wanted: "a set of messages, texts all of them, in " + c.rule, found: found}
		}
		row.compare(messages, &m)
	}
	return m.finding(fmt.Sprintf("all %d requests asked about are denied or admitted as wanted", len(c.rows)))
}

// ask returns the values of the rule for the check's reviews.
func (c *regoCheck) ask(ctx context.Context, w *work, policy []byte) ([]json.RawMessage, error) {
	if w.opa() == "" {
		return nil, errors.New("the program opa is not on PATH")
	}
	var parts []regoPart
	for _, other := range w.lab.regoChecks {
		if other.file == c.file && other.rule == c.rule && other.dataName == c.dataName {
			part := regoPart{check: other}
			for _, row := range other.rows {
				part.inputs = append(part.inputs, row.input)
			}
			parts = append(parts, part)
		}
	}
	request := opa.Request{Program: w.opa(), Policy: policy, Rule: c.rule}
	if c.data != nil {
		request.Data = c.data
	}
	key := strings.Join([]string{c.file, c.rule, c.dataName}, "\n")
	return w.askTogether(ctx, key, request, regoVersions(policy), parts, c)
}

// opa is the path of the program.
func (w *work) opa() string {
	if w.machine == nil {
		return ""
	}
	return w.machine.OPA
}

// regoFault says what opa has against a policy, at which line of the file.
func regoFault(file string, policy []byte, err error) string {
	var bad *opa.Error
	if !errors.As(err, &bad) || bad.Line == 0 {
		return file + ": " + err.Error()
	}
	found := fmt.Sprintf("%s:%d: %s", file, bad.Line, bad.Message)
	if lines := strings.Split(string(policy), "\n"); bad.Line <= len(lines) {
		line := strings.TrimSpace(lines[bad.Line-1])
		if found += ": " + line; strings.HasPrefix(line, "//") {
			found += " (comments in Rego begin with #)"
		}
	}
	return found
}

// noRule says why a rule has no value.
func noRule(file string, policy []byte, rule string) string {
	pkg := rule[len("data."):strings.LastIndex(rule, ".")]
	if is := opa.Package(policy); is != "" && is != pkg {
		return fmt.Sprintf("%s is of package %s, not %s", file, is, pkg)
	}
	return fmt.Sprintf("%s has no rule %s that has a value, whatever the request", file, rule[len("data."):])
}

// denyMessages reads the messages of a rule; or says in found why they are none.
func denyMessages(value json.RawMessage) (messages []string, found string) {
	if err := json.Unmarshal(value, &messages); err != nil {
		return nil, "it is " + string(value)
	}
	return messages, ""
}

// compare holds what a policy said against what it is to say.
func (r *reviewRow) compare(messages []string, m *missed) {
	said := strings.Join(messages, "; ")
	switch {
	case r.denied && len(messages) == 0:
		m.add(r.what+" is denied", "it is admitted")
	case !r.denied && len(messages) > 0:
		m.add(r.what+" is admitted", "it is denied: "+said)
	default:
		for _, text := range r.texts {
			if !strings.Contains(said, text) {
				m.add(r.what+" is denied with a message that names "+text, "the messages are: "+said)
			}
		}
		for _, text := range r.unnamed {
			if strings.Contains(said, text) {
				m.add(r.what+" is denied with messages that do not name "+text, "the messages are: "+said)
			}
		}
	}
}
