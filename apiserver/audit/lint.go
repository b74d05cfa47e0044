package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	internal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/apis/audit/validation"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// Severity says how much a finding matters.
type Severity string

// Severities. With an error kube-apiserver does not start. With a finding it
// starts, and does something else than the policy says, or leaves out what one
// would expect in it. A note is about cost, or style.
const (
	SeverityError   Severity = "error"
	SeverityFinding Severity = "finding"
	SeverityNote    Severity = "note"
)

// Finding is something to say of a policy.
type Finding struct {
	Line     int      `json:"line"` // of which the first is 1
	Column   int      `json:"column"`
	Severity Severity `json:"severity"`
	ID       string   `json:"id"` // stable, such as unknown-field
	Message  string   `json:"message"`
	Mend     string   `json:"mend,omitempty"`    // what to do about it
	Fixable  bool     `json:"fixable,omitempty"` // Fix mends it

	edit *edit
}

// Fails says whether some of the findings are more than notes.
func Fails(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity != SeverityNote })
}

// linter collects what there is to say of one policy.
type linter struct {
	file     *yamlfile.Text
	source   policySource
	policy   *internal.Policy // as kube-apiserver reads it, or would without the errors
	index    *index
	findings []Finding
	nodes    int // that were read, those behind aliases each time
}

// Lint says all that is wrong with a policy, by line. There is a finding of
// SeverityError if, and only if, kube-apiserver would not start with it. What is
// not YAML is an error of kind Usage.
func Lint(name string, data []byte) ([]Finding, error) {
	var loaded *internal.Policy
	var strict, refused error
	var wait sync.WaitGroup
	wait.Go(func() { loaded, strict, refused = load(data) }) // half of the work
	defer wait.Wait()
	root, second, err := lintDocument(name, data)
	if err != nil {
		return nil, err
	}
	l := &linter{file: yamlfile.NewText(data)}
	if root == nil || root.Tag == "!!null" {
		l.empty(data, root)
		return l.findings, nil
	}
	l.readPolicy(root)
	wait.Wait()
	if l.nodes > maxNodes {
		return nil, failure.New(failure.Usage, "write the values out", "the aliases of %q make it too large", name)
	}
	l.policy = l.source.policy()
	if refused == nil {
		l.policy = loaded
	}
	if len(l.source.rules) == len(l.policy.Rules) { // else it was not understood, and is refused
		l.checkRules()
	}
	l.checkDocuments(root, second)
	l.agree(root, refused, strict)
	slices.SortStableFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(l.findings, func(a, b Finding) bool { // read through aliases
		return a.Line == b.Line && a.Column == b.Column && a.ID == b.ID && a.Message == b.Message
	}), nil
}

// lintDocument returns the first document, which is all that kube-apiserver reads,
// nil if there is none; and the one behind it, which may be no YAML.
func lintDocument(name string, data []byte) (root, second *yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, next yaml.Node
	err = decoder.Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, nil
	case err != nil:
		_, err = yamlfile.File{Name: name, Hint: policyHint}.Documents(data)
		return nil, nil, err
	}
	root = document.Content[0]
	switch err := decoder.Decode(&next); {
	case errors.Is(err, io.EOF):
		return root, nil, nil
	case len(next.Content) == 0: // no YAML, which kube-apiserver does not see
		return root, &yaml.Node{Kind: yaml.ScalarNode}, nil
	}
	return root, next.Content[0], nil
}

// checkRules looks at each rule, and then at what they do together.
func (l *linter) checkRules() {
	l.checkStages()
	for i := range l.policy.Rules {
		l.checkRule(i)
	}
	switch n := len(l.policy.Rules); {
	case n == 0:
		return
	case n > maxRules:
		l.report(l.source.rulesKey, SeverityNote, "many-rules", "write fewer: kube-apiserver goes through them for each request", "there are %d rules, and what they do together is not looked at beyond %d", n, maxRules)
		return
	}
	l.index = newIndex(l.policy.Rules)
	l.checkReach()
	l.checkBodies()
	l.checkGaps()
	l.checkCost()
}

// agree has the findings agree with kube-apiserver about whether it starts, and
// whether it reads all of the policy.
func (l *linter) agree(root *yaml.Node, refused, strict error) {
	isError := func(f Finding) bool { return f.Severity == SeverityError }
	if refused == nil {
		for i := range l.findings {
			if isError(l.findings[i]) {
				l.findings[i].Severity = SeverityFinding
			}
		}
	} else if !slices.ContainsFunc(l.findings, isError) {
		l.report(root, SeverityError, "refused", "", "kube-apiserver would not start: %s", oneLine(reason(refused)))
	}
	if strict != nil && !Fails(l.findings) {
		l.report(root, SeverityFinding, "not-strict", "", "kube-apiserver passes over a part of it: %s", oneLine(strict))
	}
}

// load is LoadPolicyFromBytes of k8s.io/apiserver/pkg/audit/policy, that also tells
// what kube-apiserver passes over with no more than a line in its own log. That one
// reads YAML twice, and more often where it is not strictly right: here it does so
// in that case alone.
func load(data []byte) (p *internal.Policy, strict, refused error) {
	p = new(internal.Policy)
	decoder := serializer.NewCodecFactory(audit.Scheme, serializer.EnableStrict).UniversalDecoder()
	once := data
	if asJSON, err := sigsyaml.YAMLToJSONStrict(data); err == nil && !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		once = asJSON
	}
	_, found, err := decoder.Decode(once, nil, p)
	if err == nil && found.Group+"/"+found.Version == APIVersion && len(p.Rules) > 0 && len(validation.ValidatePolicy(p)) == 0 {
		return p, nil, nil
	}
	if runtime.IsStrictDecodingError(err) {
		strict = err
	}
	p, refused = policy.LoadPolicyFromBytes(data)
	return p, strict, refused
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// report adds a finding at a node.
func (l *linter) report(at *yaml.Node, severity Severity, id, mend, format string, args ...any) *Finding {
	f := Finding{Line: 1, Column: 1, Severity: severity, ID: id, Message: fmt.Sprintf(format, args...), Mend: mend}
	if at != nil && at.Line > 0 {
		f.Line, f.Column = at.Line, at.Column
	}
	l.findings = append(l.findings, f)
	return &l.findings[len(l.findings)-1]
}

// fixedBy says that an edit mends a finding, if the edit can be made.
func (f *Finding) fixedBy(e *edit, t *yamlfile.Text) {
	if _, ok := e.splice(t); ok {
		f.edit, f.Fixable = e, true
	}
}

// ruleName is what findings call a rule, of which the first is 1.
func (l *linter) ruleName(i int) string {
	name := "rule " + strconv.Itoa(i+1)
	if at := l.source.rules[i].node; at != nil && at.Line > 0 {
		name += " (line " + strconv.Itoa(at.Line) + ")"
	}
	return name
}
