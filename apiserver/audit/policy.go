package audit

import (
	"go.yaml.in/yaml/v3"
	internal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit/policy"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
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

	rules []*yaml.Node // of each rule
}

// Read reads the policy in a file. See Parse.
func Read(path string) (*Policy, error) {
	data, err := store.Read(path, store.MaxYAML)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse reads a policy as kube-apiserver does (k8s.io/apiserver/pkg/audit/policy,
// LoadPolicyFromBytes): unknown fields are passed over, and of several documents
// the first counts. What would keep kube-apiserver from starting is an error.
func Parse(name string, data []byte) (*Policy, error) {
	file := yamlfile.File{Name: name, Hint: policyHint}
	documents, err := file.Documents(data)
	if err != nil {
		return nil, err
	}
	loaded, err := policy.LoadPolicyFromBytes(data)
	if err != nil {
		return nil, failure.Wrap(err, failure.Usage, "see: pkictl audit lint FILE", "kube-apiserver would not start with the policy %q", name)
	}
	p := &Policy{Name: name, Policy: *loaded}
	if rules := yamlfile.Field(documents[0], "rules"); rules != nil {
		p.rules = rules.Content
	}
	return p, nil
}

// Line returns the line on which a rule begins, of which the first is 0. It is 0
// where the policy comes from no file.
func (p *Policy) Line(rule int) int {
	if rule < 0 || rule >= len(p.rules) {
		return 0
	}
	return p.rules[rule].Line
}
