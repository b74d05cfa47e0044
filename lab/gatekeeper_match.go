package lab

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// constraint is one of a template's kind.
type constraint struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		EnforcementAction string `json:"enforcementAction"`
		Scoped            []struct {
			Action            string `json:"action"`
			EnforcementPoints []struct {
				Name string `json:"name"`
			} `json:"enforcementPoints"`
		} `json:"scopedEnforcementActions"`
		Match      constraintMatch `json:"match"`
		Parameters map[string]any  `json:"parameters"`
	} `json:"spec"`
	Status map[string]any `json:"status"`
}

// constraintMatch selects the objects that a constraint is about
// (github.com/open-policy-agent/gatekeeper, pkg/mutation/match): all conditions that
// are given have to hold.
type constraintMatch struct {
	Kinds []struct {
		APIGroups []string `json:"apiGroups"`
		Kinds     []string `json:"kinds"`
	} `json:"kinds"`
	Scope              string                `json:"scope"`
	Namespaces         []string              `json:"namespaces"`
	ExcludedNamespaces []string              `json:"excludedNamespaces"`
	LabelSelector      *metav1.LabelSelector `json:"labelSelector"`
	NamespaceSelector  *metav1.LabelSelector `json:"namespaceSelector"`
	Name               string                `json:"name"`
	Source             string                `json:"source"`
}

// denies says whether what violates the constraint is denied at admission.
func (c *constraint) denies() bool {
	switch c.Spec.EnforcementAction {
	case "", "deny":
		return true
	case "scoped":
		for _, scoped := range c.Spec.Scoped {
			for _, point := range scoped.EnforcementPoints {
				if scoped.Action == "deny" && (point.Name == "*" || point.Name == "validation.gatekeeper.sh") {
					return true
				}
			}
		}
	}
	return false
}

// subject is an object that a constraint may be about.
type subject struct {
	Group, Kind     string
	Name, Namespace string // Namespace is empty where it is in none
	Labels          map[string]string
}

func (s subject) isNamespace() bool { return s.Kind == "Namespace" && s.Group == "" }

// excludes says which condition does not hold, empty where all do.
func (m *constraintMatch) excludes(s subject) string {
	namespace := s.Namespace
	if s.isNamespace() {
		namespace = s.Name
	}
	like := func(pattern string) bool { return matchesWildcard(pattern, namespace) }
	switch {
	case !m.hasKind(s):
		return "spec.match.kinds does not select it"
	case m.Scope == "Namespaced" && s.Namespace == "", m.Scope == "Cluster" && s.Namespace != "":
		return "spec.match.scope does not select it"
	case m.Source == "Generated":
		return "spec.match.source does not select it"
	case m.Name != "" && !matchesWildcard(m.Name, s.Name):
		return "spec.match.name does not select it"
	case namespace != "" && len(m.Namespaces) > 0 && !slices.ContainsFunc(m.Namespaces, like):
		return "spec.match.namespaces does not select it"
	case namespace != "" && slices.ContainsFunc(m.ExcludedNamespaces, like):
		return "spec.match.excludedNamespaces leaves it out"
	case !selects(m.LabelSelector, s.Labels):
		return "spec.match.labelSelector does not select it"
	case s.isNamespace() && !selects(m.NamespaceSelector, s.Labels):
		return "spec.match.namespaceSelector does not select it"
	}
	return ""
}

func (m *constraintMatch) hasKind(s subject) bool {
	for _, one := range m.Kinds {
		group := len(one.APIGroups) == 0 || slices.Contains(one.APIGroups, "*") || slices.Contains(one.APIGroups, s.Group)
		kind := len(one.Kinds) == 0 || slices.Contains(one.Kinds, "*") || slices.Contains(one.Kinds, s.Kind)
		if group && kind {
			return true
		}
	}
	return len(m.Kinds) == 0
}

// matchesWildcard compares with a name that may begin or end with *.
func matchesWildcard(pattern, name string) bool {
	before, atBegin := strings.CutPrefix(pattern, "*")
	text, atEnd := strings.CutSuffix(before, "*")
	switch {
	case atBegin && atEnd:
		return strings.Contains(name, text)
	case atBegin:
		return strings.HasSuffix(name, text)
	case atEnd:
		return strings.HasPrefix(name, text)
	}
	return name == pattern
}

func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	if selector == nil {
		return true
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}
