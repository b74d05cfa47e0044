package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	validation "k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// lintHint names the command that says all that is wrong with a policy.
func lintHint(name string) string { return "see: pkictl audit lint " + shell.Quote(name) }

// refusal says in words why kube-apiserver does not start with a policy: its own
// errors speak of Go types and of no line.
func refusal(name string, data []byte, cause error) error {
	file := yamlfile.File{Name: name, Hint: policyHint}
	root, _ := firstDocument(data)
	if list := utilerrors.Aggregate(nil); errors.As(cause, &list) {
		return invalid(file, root, list.Errors())
	}
	documents, err := file.Documents(data)
	switch {
	case root == nil && err != nil: // no YAML, or nothing in it
		return err
	case root == nil:
		return otherRefusal(name, cause)
	case root.Tag == "!!null" && len(documents) > 1:
		return file.ErrorAt(root, "remove the line --- above the policy", "the first document is empty, and kube-apiserver reads no other")
	case root.Tag == "!!null":
		return file.Empty()
	case strings.Contains(cause.Error(), "json parse error") && root.Kind == yaml.MappingNode:
		return failure.Wrap(reason(cause), failure.Usage, "what begins with { is read as JSON: write it as such, or as YAML without the outer braces",
			"%q is not valid JSON", name)
	}
	if err := headError(file, root); err != nil {
		return err
	}
	if file.Check(root) == nil { // aliases can make it endless
		if err := misfitError(file, root); err != nil {
			return err
		}
	}
	if strings.Contains(cause.Error(), "0 rules") {
		return failure.New(failure.Usage, "the rule \"- level: Metadata\" alone logs who did what; pkictl audit generate writes more",
			"%q has no rules, and with none kube-apiserver does not start", name)
	}
	return otherRefusal(name, cause)
}

// headError is for a document that is no policy.
func headError(file yamlfile.File, root *yaml.Node) error {
	version, kind := field(root, "apiVersion"), field(root, "kind")
	switch {
	case root.Kind != yaml.MappingNode:
		return file.ErrorAt(root, policyHint, "it is no policy, but %s", describe(root))
	case kind != nil && kind.Value == "PolicyList":
		return file.ErrorAt(kind, "put the rules of all into one policy: the first that matches a request decides", "kube-apiserver reads one policy, and no PolicyList")
	case kind != nil && kind.Value != Kind && kind.Value != "":
		return file.ErrorAt(kind, policyHint, "the kind is %q, and not %s", kind.Value, Kind)
	case version == nil || version.Value == "":
		return file.ErrorAt(root, "write: apiVersion: "+APIVersion, "the policy has no apiVersion")
	case version.Value != APIVersion:
		hint := "write: apiVersion: " + APIVersion
		if version.Value == "audit.k8s.io/v1beta1" || version.Value == "audit.k8s.io/v1alpha1" {
			hint += "; the fields are the same"
		}
		return file.ErrorAt(version, hint, "kube-apiserver takes %s alone, and not %q", APIVersion, version.Value)
	}
	return nil
}

// misfitError is for the first value of a wrong kind.
func misfitError(file yamlfile.File, root *yaml.Node) error {
	_, misfits := policyShape().compare(root, "")
	if len(misfits) == 0 {
		return nil
	}
	m := misfits[0]
	key := m.path[strings.LastIndex(m.path, ".")+1:]
	hint := policyHint
	switch {
	case m.shape.kind == yaml.SequenceNode && m.shape.item.kind == yaml.ScalarNode && m.node.Kind == yaml.ScalarNode:
		hint = "write: " + key + ": " + asList(m.node.Value)
	case m.shape.tag == "!!str" && m.node.Kind == yaml.ScalarNode:
		hint = fmt.Sprintf("write it in quotes: %q", m.node.Value)
	case m.shape.tag == "!!bool":
		hint = "write: " + key + ": true"
	}
	return file.ErrorAt(m.node, hint, "%s is to be %s, and is %s", m.path, m.shape.what, describe(m.node))
}

// asList writes a text with commas or blanks as the list that is meant.
func asList(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	for i, word := range words {
		words[i] = strconv.Quote(word)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// describe says what a node is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!str" && !isTruth(n) {
		return fmt.Sprintf("the text %q", n.Value)
	}
	return strconv.Quote(n.Value)
}

// invalid is for the first of those errors that kube-apiserver's validation has
// found, which name rules by their index.
func invalid(file yamlfile.File, root *yaml.Node, list []error) error {
	more := ""
	if n := len(list) - 1; n > 0 {
		more = fmt.Sprintf("; and %d more", n)
	}
	var first *validation.Error
	if !errors.As(list[0], &first) {
		return otherRefusal(file.Name, list[0])
	}
	hint := lintHint(file.Name)
	if strings.HasSuffix(first.Field, ".level") {
		hint = "the levels are None, Metadata, Request and RequestResponse, written so"
	}
	text := first.Error() + more
	if at := ruleOf(root, first.Field); at != nil {
		return file.ErrorAt(at, hint, "kube-apiserver would not start: %s", text)
	}
	return failure.New(failure.Usage, hint, "kube-apiserver would not start with the policy %q: %s", file.Name, text)
}

// ruleOf returns the rule that a path such as rules[0].level is in.
func ruleOf(root *yaml.Node, path string) *yaml.Node {
	rest, ok := strings.CutPrefix(path, "rules[")
	if !ok {
		return nil
	}
	index, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(index)
	rules := field(root, "rules")
	if err != nil || rules == nil || i >= len(rules.Content) {
		return nil
	}
	return rules.Content[i]
}

func otherRefusal(name string, cause error) error {
	return failure.Wrap(reason(cause), failure.Usage, lintHint(name), "kube-apiserver would not start with the policy %q", name)
}

// reason is the innermost cause.
func reason(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}
