package audit

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
)

// knownShape is policyShape, made once.
var knownShape = sync.OnceValue(policyShape)

// otherNames are what people write for the fields of a rule and of a group of
// resources: those of RBAC, or singular.
func otherNames(of, name string) string {
	switch of + " " + strings.ToLower(name) {
	case "rule group", "rule groups", "rule usergroup", "rule user_groups":
		return "userGroups"
	case "rule nonresourceurl", "rule url", "rule urls", "rule paths":
		return "nonResourceURLs"
	case "rule omitstage", "rule stages", "policy omitstage":
		return "omitStages"
	case "rule levels", "rule auditlevel":
		return "level"
	case "group of resources groups", "group of resources apigroup", "group of resources apigroups":
		return "group"
	case "group of resources resourcename", "group of resources name", "group of resources names":
		return "resourceNames"
	}
	return ""
}

// elsewhere are fields that belong in another place.
func elsewhere(of, name string) string {
	switch of + " " + strings.ToLower(name) {
	case "rule apigroup", "rule apigroups", "rule resourcename", "rule resourcenames":
		return `it belongs into an item of resources: {group: "", resources: ["pods"], resourceNames: ["web"]}`
	case "group of resources namespace", "group of resources namespaces", "group of resources verb", "group of resources verbs", "group of resources level", "group of resources users":
		return "it belongs into the rule, beside resources"
	case "policy level":
		return "it belongs into a rule: - level: Metadata"
	case "policy spec":
		return "a policy has no spec: write rules at the left margin"
	}
	return ""
}

// unknownField reports a key that kube-apiserver passes over, with what the key
// may be meant for. The rule then matches more than it says.
func (l *linter) unknownField(p pair, present map[string]pair, s shape, of string) {
	name := p.key.Value
	if mend := elsewhere(of, name); mend != "" {
		l.report(p.key, SeverityFinding, "unknown-field", mend, "a %s has no field %q, and kube-apiserver passes over it", of, name)
		return
	}
	known := slices.Sorted(maps.Keys(s.fields))
	meant := otherNames(of, name)
	if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); i >= 0 {
		meant = known[i]
	}
	if meant == "" {
		meant = failure.Closest(name, known)
	}
	mend := "known are " + strings.Join(known, ", ")
	if meant != "" {
		mend = "write " + meant
	}
	if meant == "group" && strings.TrimSpace(p.value.Value) == "" && p.value.Kind == yaml.ScalarNode {
		mend = `write group: ""`
	}
	_, taken := present[meant]
	f := l.report(p.key, SeverityFinding, "unknown-field", mend, "a %s has no field %q, and kube-apiserver passes over it%s", of, name, widened(meant, taken))
	if meant == "" || taken {
		return
	}
	for other := range present { // that are meant for the same
		if _, isKnown := s.fields[other]; !isKnown && other != name && (otherNames(of, other) == meant || strings.EqualFold(other, meant) || failure.Closest(other, known) == meant) {
			return
		}
	}
	if fits(p.value, s.fields[meant]) {
		f.fixedBy(&edit{kind: replace, node: p.key, value: meant}, l.file)
	}
}

// widened says what a rule matches without a field.
func widened(field string, taken bool) string {
	what := map[string]string{
		"namespaces": "every namespace", "users": "every user", "userGroups": "every user", "verbs": "every verb",
		"group": "the core group", "resources": "every resource", "resourceNames": "every name", "nonResourceURLs": "every path",
	}[field]
	if what == "" || taken {
		return ""
	}
	return ": it matches " + what
}

// fits says whether a value can stand in a place, as it is or once it is mended.
func fits(n *yaml.Node, s shape) bool {
	switch {
	case s.kind == yaml.SequenceNode && s.item.kind == yaml.ScalarNode:
		return n.Kind == yaml.SequenceNode && !slices.ContainsFunc(n.Content, func(item *yaml.Node) bool { return !isText(item) }) ||
			isText(n) && !strings.ContainsAny(n.Value, ", ")
	case s.kind == yaml.ScalarNode && s.tag == "!!str":
		return isText(n) || n.Kind == yaml.SequenceNode && len(n.Content) == 1 && isText(n.Content[0]) && n.Style&yaml.FlowStyle != 0
	case s.tag == "!!bool":
		return n.Kind == yaml.ScalarNode && n.Tag == "!!bool"
	}
	return false
}

func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!str" && !isTruth(n)
}

// checkHead reports what makes a document no policy. It is not read further where
// it is something else.
func (l *linter) checkHead(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		l.report(root, SeverityError, "no-policy", policyHint, "this is no policy, but %s", describe(root))
		return false
	}
	kind, version := field(root, "kind"), field(root, "apiVersion")
	switch {
	case kind != nil && kind.Value == "ConfigMap":
		l.report(kind, SeverityError, "no-policy", "lint what is below its data, in a file of its own", "this is a ConfigMap, which kube-apiserver does not read: it wants a file")
		return false
	case kind != nil && kind.Value == "PolicyList":
		l.report(kind, SeverityError, "no-policy", "put the rules of all into one policy: the first that matches a request decides", "this is a PolicyList, and kube-apiserver reads one Policy")
		return false
	case kind != nil && kind.Value != "" && kind.Value != Kind:
		f := l.report(kind, SeverityError, "no-policy", "write: kind: "+Kind, "the kind is %q, and not %s", kind.Value, Kind)
		if !strings.EqualFold(kind.Value, Kind) {
			return false
		}
		f.fixedBy(&edit{kind: replace, node: kind, value: Kind}, l.file)
	case (kind == nil || kind.Value == "") && version != nil && version.Value == APIVersion:
		l.report(root, SeverityNote, "no-kind", "write: kind: "+Kind, "the kind is missing: kube-apiserver takes the file for a policy nevertheless")
	}
	l.checkVersion(root, version)
	return true
}

func (l *linter) checkVersion(root, version *yaml.Node) {
	if version == nil || version.Value == "" {
		l.report(root, SeverityError, "api-version", "write: apiVersion: "+APIVersion, "the policy has no apiVersion")
		return
	}
	if version.Value == APIVersion {
		return
	}
	f := l.report(version, SeverityError, "api-version", "write: apiVersion: "+APIVersion, "kube-apiserver takes %s alone, and not %q", APIVersion, version.Value)
	if slices.Contains([]string{"audit.k8s.io/v1beta1", "audit.k8s.io/v1alpha1"}, version.Value) { // their fields are the same
		f.fixedBy(&edit{kind: replace, node: version, value: APIVersion}, l.file)
	}
}

// checkMetadata reports unknown fields of metadata, which have no effect anyway.
func (l *linter) checkMetadata(p pair) {
	if p.value == nil || p.value.Tag == "!!null" || !l.isA(p, yaml.MappingNode, "a mapping", "leave it out") {
		return
	}
	known := []string{"name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
		"deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers", "managedFields"}
	for _, own := range ownPairs(p.value) {
		if !slices.Contains(known, own.key.Value) {
			l.report(own.key, SeverityFinding, "unknown-field", "leave it out, or write it below annotations", "metadata has no field %q, and kube-apiserver passes over it", own.key.Value)
		}
	}
}

// empty is for a file without contents, or with none in its first document.
func (l *linter) empty(data []byte, root *yaml.Node) {
	mend := "pkictl audit generate writes one"
	if root != nil && bytes.Contains(data, []byte("\n---")) {
		l.report(root, SeverityError, "empty", "remove the line --- above the policy", "the first document is empty, and kube-apiserver reads no other")
		return
	}
	l.report(root, SeverityError, "empty", mend, "there is no policy in it")
}

// checkDocuments reports documents behind the first one, which kube-apiserver
// does not read.
func (l *linter) checkDocuments(root, second *yaml.Node) {
	if second == nil || second.Tag == "!!null" {
		return
	}
	at := root
	if second.Line > 0 {
		at = second
	}
	l.report(at, SeverityFinding, "several-documents", "move its rules into the first document, before the rule that matches all",
		"there is another document here, and kube-apiserver reads the first one alone")
}
