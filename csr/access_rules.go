package csr

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// action is something that a rule may allow.
type action struct {
	verb, group, resource string // the resource with its subresource, as in pods/exec
}

// ruleAllows says whether a rule allows an action on some object of a kind, as
// the RBAC authorizer reads it (kubernetes, pkg/registry/rbac/validation and
// pkg/apis/rbac/v1, ResourceMatches). Which objects, its ResourceNames say.
func ruleAllows(rule rbacv1.PolicyRule, act action) bool {
	return contains(rule.Verbs, act.verb) && contains(rule.APIGroups, act.group) && slices.ContainsFunc(rule.Resources, func(r string) bool {
		_, subresource, isSub := strings.Cut(act.resource, "/")
		return r == rbacv1.ResourceAll || r == act.resource || isSub && r == "*/"+subresource
	})
}

func contains(list []string, value string) bool {
	return slices.Contains(list, value) || slices.Contains(list, "*")
}

// allowed says whether rules allow an action on every object of the kind, and
// if not, on which.
func allowed(rules []rbacv1.PolicyRule, act action) (all bool, names []string) {
	for _, rule := range rules {
		if !ruleAllows(rule, act) {
			continue
		}
		if len(rule.ResourceNames) == 0 {
			return true, nil
		}
		names = append(names, rule.ResourceNames...)
	}
	slices.Sort(names)
	return false, slices.Compact(names)
}

// isEverything says whether a rule is that of cluster-admin.
func isEverything(rule rbacv1.PolicyRule) bool {
	return len(rule.ResourceNames) == 0 && slices.Contains(rule.Verbs, rbacv1.VerbAll) &&
		slices.Contains(rule.APIGroups, rbacv1.APIGroupAll) && slices.Contains(rule.Resources, rbacv1.ResourceAll)
}

// Question is something that somebody may do or not.
type Question struct {
	Verb     string
	Group    string // of the API, empty for the core
	Resource string // plural, with its subresource: pods, pods/exec
	// Namespace is one of those that were asked about, or empty: in the whole
	// cluster.
	Namespace string
	Name      string // empty: of any name
	URL       string // in place of all but Verb: a path such as /metrics
}

// Allows answers from the rules. Where the Access is incomplete, a no means
// that it is not known.
func (a *Access) Allows(q Question) bool {
	if a.Everything || slices.ContainsFunc(a.common, q.allowedBy) {
		return true
	}
	return slices.ContainsFunc(a.Scopes, func(s Scope) bool {
		if s.Namespace != "" && (s.Namespace != q.Namespace || q.URL != "") {
			return false
		}
		return slices.ContainsFunc(s.Rules, func(rule rbacv1.PolicyRule) bool { return q.allowedBy(rule) })
	})
}

func (q Question) allowedBy(rule rbacv1.PolicyRule) bool {
	if q.URL != "" {
		return contains(rule.Verbs, q.Verb) && slices.ContainsFunc(rule.NonResourceURLs, func(pattern string) bool {
			prefix, isPrefix := strings.CutSuffix(pattern, "*")
			return pattern == q.URL || isPrefix && strings.HasPrefix(q.URL, prefix)
		})
	}
	if !ruleAllows(rule, action{q.Verb, q.Group, q.Resource}) {
		return false
	}
	return len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, q.Name)
}

// everybodysRules are those of the roles that are bound to system:authenticated
// in every cluster: system:basic-user, system:discovery and
// system:public-info-viewer (kubernetes, plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
var everybodysRules = []rbacv1.PolicyRule{
	{Verbs: []string{"create"}, APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews"}},
	{Verbs: []string{"create"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}},
	{Verbs: []string{"get"}, NonResourceURLs: []string{
		"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/openapi", "/openapi/*", "/version", "/version/",
	}},
}

// everybodys says whether a rule allows nothing beyond everybodysRules.
func everybodys(rule rbacv1.PolicyRule) bool {
	for _, verb := range rule.Verbs {
		for _, url := range rule.NonResourceURLs {
			known := everybodysRules[len(everybodysRules)-1]
			if !slices.Contains(known.Verbs, verb) || !slices.Contains(known.NonResourceURLs, url) {
				return false
			}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				if !allowsEverybody(Question{Verb: verb, Group: group, Resource: resource}) {
					return false
				}
			}
		}
	}
	return true
}

func allowsEverybody(q Question) bool {
	return slices.ContainsFunc(everybodysRules, q.allowedBy)
}
