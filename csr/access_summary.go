package csr

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Grant is a line of the summary: the same verbs on several kinds of objects.
type Grant struct {
	Verbs []string `json:"verbs"`
	// Resources are plural, with their subresource and the group of their API:
	// pods, pods/log, deployments.apps/scale; * is all, *.apps all of a group,
	// *.core all of the core one.
	Resources  []string `json:"resources,omitempty"`
	Names      []string `json:"names,omitempty"`      // of which objects; none: of all
	URLs       []string `json:"urls,omitempty"`       // in place of resources
	Namespaces []string `json:"namespaces,omitempty"` // where; none: in the whole cluster
}

// Verb returns the verbs in a word or two: read, read and write, get and patch.
func (g Grant) Verb() string {
	rest := slices.Clone(g.Verbs)
	take := func(verbs ...string) bool {
		for _, verb := range verbs {
			if !slices.Contains(rest, verb) {
				return false
			}
		}
		rest = slices.DeleteFunc(rest, func(v string) bool { return slices.Contains(verbs, v) })
		return true
	}
	var words []string
	if slices.Contains(rest, rbacv1.VerbAll) {
		return "do anything with"
	}
	if take("get", "list", "watch") || take("get", "list") {
		words = append(words, "read")
	}
	if take("create", "update", "patch", "delete", "deletecollection") || take("create", "update", "patch", "delete") {
		words = append(words, "write")
	}
	words = append(words, rest...)
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// object is what verbs are gathered for.
type object struct{ resource, name, url string }

// clusterScoped are the kinds of Kubernetes' own that are in no namespace: a
// rule that a RoleBinding gives has no effect on them. Of namespaces, inNamespace
// says more.
var clusterScoped = map[string][]string{
	"":                             {"nodes", "persistentvolumes", "componentstatuses", "users", "groups", "uids"},
	rbacGroup:                      {"clusterroles", "clusterrolebindings"},
	certificatesGroup:              {"certificatesigningrequests", "signers", "clustertrustbundles"},
	admissionGroup:                 {"*"},
	"apiextensions.k8s.io":         {"customresourcedefinitions"},
	"apiregistration.k8s.io":       {"apiservices"},
	"storage.k8s.io":               {"storageclasses", "csidrivers", "csinodes", "volumeattachments", "volumeattributesclasses"},
	"scheduling.k8s.io":            {"priorityclasses"},
	"node.k8s.io":                  {"runtimeclasses"},
	"networking.k8s.io":            {"ingressclasses", "ipaddresses", "servicecidrs"},
	"flowcontrol.apiserver.k8s.io": {"*"},
}

func inNoNamespace(group, resource string) bool {
	kind, _, _ := strings.Cut(resource, "/")
	return contains(clusterScoped[group], kind)
}

// inNamespace returns the verbs of an action that a RoleBinding gives, as far as
// they have an effect there. A request for one namespace by its name is made in
// it; those that list, watch and create them are made in none (kubernetes,
// staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go).
func inNamespace(act action) []string {
	ofNamespaces := (act.group == "" || act.group == rbacv1.APIGroupAll) && act.resource == "namespaces"
	switch {
	case ofNamespaces && act.verb == rbacv1.VerbAll:
		return namespaceVerbs
	case ofNamespaces && !slices.Contains(namespaceVerbs, act.verb):
		return nil
	case inNoNamespace(act.group, act.resource) && act.verb != "bind":
		return nil
	}
	return []string{act.verb}
}

var namespaceVerbs = []string{"get", "update", "patch", "delete"}

// summarize groups the rules: by verbs, by names, and by where they apply.
func (a *Access) summarize() []Grant {
	grants := []Grant{}
	if a.Everything {
		return append(grants, Grant{Verbs: []string{"*"}, Resources: []string{"*"}})
	}
	var whole []rbacv1.PolicyRule
	for _, scope := range a.Scopes {
		if scope.Namespace == "" {
			whole = scope.Rules
		}
		for _, grant := range grantsOf(scope, whole) {
			if i := slices.IndexFunc(grants, func(g Grant) bool { return grant.sameButPlace(g) }); i >= 0 {
				grants[i].Namespaces = append(grants[i].Namespaces, grant.Namespaces...)
			} else {
				grants = append(grants, grant)
			}
		}
	}
	return grants
}

func (g Grant) sameButPlace(other Grant) bool {
	return (g.Namespaces == nil) == (other.Namespaces == nil) && slices.Equal(g.Verbs, other.Verbs) &&
		slices.Equal(g.Resources, other.Resources) && slices.Equal(g.Names, other.Names) && slices.Equal(g.URLs, other.URLs)
}

// grantsOf groups the rules of one scope, without what the whole cluster's
// rules allow anyway.
func grantsOf(scope Scope, whole []rbacv1.PolicyRule) []Grant {
	verbs := map[object][]string{}
	add := func(o object, verb string) {
		if !slices.Contains(verbs[o], verb) {
			verbs[o] = append(verbs[o], verb)
		}
	}
	for _, rule := range scope.Rules {
		for _, verb := range rule.Verbs {
			for _, url := range rule.NonResourceURLs {
				add(object{url: url}, verb)
			}
			eachObject(rule, func(group, resource string, o object) {
				verbs := []string{verb}
				if scope.Namespace != "" {
					verbs = inNamespace(action{verb, group, resource})
				}
				for _, verb := range verbs {
					if scope.Namespace == "" || !known(whole, verb, group, resource, o.name) {
						add(o, verb)
					}
				}
			})
		}
	}
	return group(verbs, scope.Namespace)
}

// eachObject calls f with each object that a rule is about.
func eachObject(rule rbacv1.PolicyRule, f func(group, resource string, o object)) {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			full := fullName(group, resource)
			for _, name := range names {
				f(group, resource, object{resource: full, name: name})
			}
		}
	}
}

// fullName writes a resource as kubectl does: deployments.apps/status.
func fullName(group, resource string) string {
	kind, subresource, isSub := strings.Cut(resource, "/")
	switch {
	case group == rbacv1.APIGroupAll && resource == rbacv1.ResourceAll:
		return resource
	case group == "" && kind == rbacv1.ResourceAll:
		kind += ".core"
	case group != "":
		kind += "." + group
	}
	if isSub {
		return kind + "/" + subresource
	}
	return kind
}

func known(rules []rbacv1.PolicyRule, verb, group, resource, name string) bool {
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return Question{Verb: verb, Group: group, Resource: resource, Name: name}.allowedBy(rule)
	})
}

// group joins objects with the same verbs to one grant.
func group(verbs map[object][]string, namespace string) []Grant {
	byKey := map[string]*Grant{}
	var keys []string
	for o, list := range verbs {
		slices.SortFunc(list, byImportance(verbOrder))
		kind := "resource"
		if o.url != "" {
			kind = "url"
		}
		key := strings.Join(append([]string{kind, o.name}, list...), "\x00")
		grant := byKey[key]
		if grant == nil {
			grant = &Grant{Verbs: list}
			if o.name != "" {
				grant.Names = []string{o.name}
			}
			if namespace != "" {
				grant.Namespaces = []string{namespace}
			}
			byKey[key], keys = grant, append(keys, key)
		}
		if o.url != "" {
			grant.URLs = append(grant.URLs, o.url)
		} else {
			grant.Resources = append(grant.Resources, o.resource)
		}
	}
	var grants []Grant
	for _, key := range keys {
		grant := byKey[key]
		slices.SortFunc(grant.Resources, byImportance(resourceOrder))
		slices.Sort(grant.URLs)
		grants = append(grants, *grant)
	}
	slices.SortFunc(grants, compareGrants)
	return grants
}

// compareGrants puts first what is about more kinds of objects, and URLs last.
func compareGrants(x, y Grant) int {
	return cmp.Or(
		cmp.Compare(len(x.URLs), len(y.URLs)),
		cmp.Compare(len(y.Resources), len(x.Resources)),
		slices.CompareFunc(x.Verbs, y.Verbs, byImportance(verbOrder)),
		slices.Compare(x.Resources, y.Resources),
		slices.Compare(x.Names, y.Names),
	)
}

// What people look for first.
var (
	verbOrder     = []string{"*", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	resourceOrder = []string{
		"*", "pods", "deployments.apps", "services", "configmaps", "secrets", "pods/log", "pods/exec", "jobs.batch", "cronjobs.batch",
		"statefulsets.apps", "daemonsets.apps", "ingresses.networking.k8s.io", "persistentvolumeclaims", "serviceaccounts", "events",
		"namespaces", "nodes",
	}
)

func byImportance(order []string) func(x, y string) int {
	place := func(s string) int {
		if i := slices.Index(order, s); i >= 0 {
			return i
		}
		return len(order)
	}
	return func(x, y string) int { return cmp.Or(cmp.Compare(place(x), place(y)), cmp.Compare(x, y)) }
}

// Refusal is something that people ask about and that they may not do.
type Refusal struct {
	What string `json:"what"`
	// Except are namespaces in which they may.
	Except []string `json:"except,omitempty"`
}

// asked are the things that people ask about.
var asked = []struct {
	what    string
	actions []action
}{
	{"read secrets", actions(showing, "", "secrets")},
	{"run commands in pods", actions([]string{"create"}, "", "pods/exec")},
	{"create pods", actions([]string{"create"}, "", "pods")},
	{"create deployments", actions([]string{"create"}, "apps", "deployments")},
	{"delete pods", actions([]string{"delete"}, "", "pods")},
	{"change roles and bindings", actions(append([]string{"delete"}, writing...), rbacGroup, "roles", "rolebindings", "clusterroles", "clusterrolebindings")},
	{"see nodes", actions(reading, "", "nodes")},
	{"create namespaces", actions([]string{"create"}, "", "namespaces")},
}

// refusals returns what of that is not allowed, on any object. Where there are
// authorizers that cannot list what they allow, it takes that they were asked.
func (a *Access) refusals() []Refusal {
	list := []Refusal{}
	if a.Incomplete && !a.asked || a.Everything {
		return list
	}
	for _, question := range asked {
		refusal := Refusal{What: question.what}
		isAllowed := false
		for _, scope := range a.Scopes {
			row := dangerous{actions: question.actions}
			if scope.Namespace != "" {
				row = row.inNamespace()
			}
			if all, names := row.allowed(scope.Rules); !all && names == nil {
				continue
			}
			if scope.Namespace == "" {
				isAllowed = true
			} else {
				refusal.Except = append(refusal.Except, scope.Namespace)
			}
		}
		if !isAllowed {
			list = append(list, refusal)
		}
	}
	return list
}
