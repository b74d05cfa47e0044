package audit

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
)

var versionForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]+)?$`) })

// resourceTable finds what Kubernetes serves by group and name, and the
// subresources of any resource.
type resourceTable struct {
	byName map[[2]string]Resource
	subs   map[string]bool
}

var resourceNames = sync.OnceValue(func() *resourceTable {
	t := &resourceTable{byName: make(map[[2]string]Resource), subs: make(map[string]bool)}
	for _, r := range Resources() {
		t.byName[[2]string{r.Group, r.Name}] = r
		t.byName[[2]string{r.Group, ""}] = Resource{} // the group is known
		if _, sub, ok := strings.Cut(r.Name, "/"); ok {
			t.subs[sub] = true
		}
	}
	return t
})

func (t *resourceTable) knows(group, name string) bool {
	_, ok := t.byName[[2]string{group, name}]
	return ok
}

// removed says since when Kubernetes serves a group no more, "" if it never did
// (https://kubernetes.io/docs/reference/using-api/deprecation-guide/).
func removed(group string) string {
	switch group {
	case "extensions":
		return "v1.22"
	case "settings.k8s.io":
		return "v1.20"
	case "auditregistration.k8s.io":
		return "v1.19"
	}
	return ""
}

// isRare says whether other versions serve a resource, or this one behind a
// feature gate.
func isRare(group, name string) bool {
	name, _, _ = strings.Cut(name, "/")
	return slices.Contains([]string{"policy/podsecuritypolicies", "certificates.k8s.io/clustertrustbundles", "certificates.k8s.io/podcertificaterequests",
		"scheduling.k8s.io/workloads", "scheduling.k8s.io/podgroups"}, group+"/"+name)
}

// checkResources looks at one group of a rule with its resources.
func (l *linter) checkResources(rule *internal.PolicyRule, g *internal.GroupResources, at *resourceSource) {
	isKnown := l.checkGroup(g, at)
	if len(g.ResourceNames) > 0 && len(g.Resources) == 0 {
		l.report(at.names.key, SeverityError, "names-without-resources", "name the resources, too", "resourceNames need resources")
	}
	for j, name := range g.ResourceNames {
		l.literal(at.names.at(j), "resourceNames", name)
	}
	for j, name := range g.Resources {
		where := at.resources.at(j)
		if l.checkResource(g, name, where, isKnown) {
			l.checkNamed(rule, g, name, where)
			l.checkScope(rule, g.Group, name, where)
		}
	}
}

// checkGroup says whether the group is one whose resources are known.
func (l *linter) checkGroup(g *internal.GroupResources, at *resourceSource) bool {
	table := resourceNames()
	group := g.Group
	if group == "*" || table.knows(group, "") {
		return true
	}
	where := at.group
	trimmed := strings.ToLower(strings.TrimSpace(group))
	change := func(f *Finding, to string) {
		if where != nil {
			f.fixedBy(&edit{kind: replace, node: where, value: to}, l.file)
		}
	}
	prefix, version, hasVersion := strings.Cut(trimmed, "/")
	switch {
	case trimmed == "":
		change(l.report(where, SeverityError, "group-blank", `write: group: ""`, "the group %q is a blank, and the core group is the empty text", group), "")
	case trimmed == "core" || trimmed == "core/v1" || trimmed == "v1" || trimmed == "/v1":
		change(l.report(where, SeverityFinding, "group-core", `write: group: ""`, "the core group is the empty text: no request has the group %q", group), "")
	case hasVersion && versionForm().MatchString(version):
		change(l.report(where, SeverityError, "group-version", "write: group: "+prefix, "%q is a group with its version", group), prefix)
	case table.knows(trimmed, ""):
		change(l.report(where, SeverityError, "unknown-group", "write: group: "+trimmed, "groups are written in lower case: no request has the group %q", group), trimmed)
	case removed(group) != "":
		l.report(where, SeverityNote, "removed-group", "leave it out", "no Kubernetes since %s serves the group %q", removed(group), group)
	default:
		l.unknownGroup(group, where, change)
	}
	return false
}

// isOthers says whether a group is one of a project that is no part of kube-apiserver,
// although it looks like one: x-k8s.io is for those, and some have k8s.io.
func isOthers(group string) bool {
	return strings.HasSuffix(group, ".x-k8s.io") ||
		slices.Contains([]string{"autoscaling.k8s.io", "policy.networking.k8s.io", "gateway.networking.k8s.io", "metrics.k8s.io"}, group)
}

// unknownGroup reports a group that is probably another, or cannot be that of a
// custom resource, as that has a point in it.
func (l *linter) unknownGroup(group string, where *yaml.Node, change func(*Finding, string)) {
	if isOthers(group) {
		return
	}
	id, severity := "unknown-group", SeverityFinding
	if group != strings.ToLower(group) || strings.ContainsAny(group, " /*_:") {
		severity = SeverityError
	}
	first, _, _ := strings.Cut(group, ".")
	var same []string // but for what follows the first point
	for _, known := range groupNames() {
		if label, _, _ := strings.Cut(known, "."); label == first && (!strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")) {
			same = append(same, known)
		}
	}
	known := slices.DeleteFunc(groupNames()[1:], func(g string) bool { // a custom resource's group may begin with another
		return strings.Contains(group, ".") != strings.Contains(g, ".") || len(group) > len(g)+2
	})
	switch meant := failure.Closest(group, known); {
	case len(same) == 1 && !strings.Contains(group, "."): // it cannot be that of a custom resource
		change(l.report(where, severity, id, "write: group: "+same[0], "Kubernetes serves no group %q", group), same[0])
	case len(same) == 1:
		l.report(where, severity, id, "write: group: "+same[0], "Kubernetes serves no group %q", group)
	case meant != "":
		l.report(where, severity, id, "write: group: "+meant, "Kubernetes serves no group %q", group)
	case len(FindResources(group)) > 0:
		r := FindResources(group)[0]
		l.report(where, severity, id, "write: {group: "+strconv.Quote(r.Group)+", resources: ["+r.Name+"]}", "%q is a resource, and no group", group)
	case severity == SeverityError || !strings.Contains(group, "."):
		l.report(where, severity, id, "the groups are the part of apiVersion before the slash; that of v1 is the empty text", "there is no group %q", group)
	}
}

// checkResource says whether requests can match what is written; what it does not
// know of other groups counts as such.
func (l *linter) checkResource(g *internal.GroupResources, name string, at *yaml.Node, isKnown bool) bool {
	base, sub, hasSub := strings.Cut(name, "/")
	switch {
	case name == "*":
		return true
	case name == "*/*":
		l.report(at, SeverityFinding, "resource-wildcard", `write "*", which matches resources and subresources`, `"*/*" matches no request`)
		return false
	case strings.Contains(strings.TrimPrefix(strings.TrimSuffix(name, "/*"), "*/"), "*"):
		l.report(at, SeverityFinding, "resource-wildcard", `wildcards are "*", "pods/*" and "*/scale"`, "%q matches no request", name)
		return false
	case base == "" || hasSub && sub == "":
		l.report(at, SeverityFinding, "empty-value", "leave it out; without resources the group matches all of its own", "%q matches no request", name)
		return false
	case base == "*":
		if !resourceNames().subs[sub] {
			l.report(at, SeverityFinding, "unknown-subresource", "custom resources have status and scale alone", "nothing has the subresource %q", sub)
		}
		return true
	case !isKnown: // of a custom resource
		if name != strings.ToLower(name) {
			l.report(at, SeverityFinding, "unknown-resource", "write "+strings.ToLower(name), "resources are written in lower case, as in the path of a request: none is called %q", name)
		}
		return true
	}
	return l.checkKnown(g, name, at)
}

// checkKnown looks for a resource in a group that Kubernetes serves.
func (l *linter) checkKnown(g *internal.GroupResources, name string, at *yaml.Node) bool {
	group := g.Group
	base, sub, _ := strings.Cut(name, "/")
	in := func(name string) bool {
		if group == "*" {
			return slices.ContainsFunc(Resources(), func(r Resource) bool { return r.Name == name })
		}
		return resourceNames().knows(group, name)
	}
	switch {
	case in(name) || isRare(group, name):
		return true
	case !in(base):
		isCustom := group == "*" && len(FindResources(base)) == 0 && base == strings.ToLower(base)
		return isCustom || l.unknownResource(group, base, name, at)
	case sub == "*" && slices.Contains(g.Resources, base):
		return true
	case sub == "*":
		l.report(at, SeverityNote, "wildcard-includes-resource", "write "+base+" as well, or name the subresources, so that it says what it does",
			"%q matches requests for %s themselves, too, and not their subresources alone", name, base)
		return true
	}
	subs := subresources(group, base)
	mend := base + " have no subresources"
	if len(subs) > 0 {
		mend = base + " have " + strings.Join(subs, ", ")
	}
	f := l.report(at, SeverityFinding, "unknown-subresource", mend, "%s have no subresource %q", base, sub)
	if lower := strings.ToLower(name); lower != name && in(lower) {
		f.Mend = "write " + lower
		f.fixedBy(&edit{kind: replace, node: at, value: lower}, l.file)
	} else if meant := failure.Closest(sub, subs); meant != "" {
		f.Mend = "write " + base + "/" + meant
	}
	return false
}

// unknownResource reports a resource that its group does not have.
func (l *linter) unknownResource(group, base, name string, at *yaml.Node) bool {
	_, sub, hasSub := strings.Cut(name, "/")
	who := "the group " + strconv.Quote(group)
	switch group {
	case "":
		who = "the core group"
	case "*":
		who = "Kubernetes"
	}
	f := l.report(at, SeverityFinding, "unknown-resource", "pkictl knows those of Kubernetes v1.36; kubectl api-resources lists those of a cluster", "%s has no resource %q", who, base)
	found := FindResources(base)
	i := slices.IndexFunc(found, func(r Resource) bool { return r.Group == group || group == "*" })
	var names []string
	for _, r := range Resources() {
		if (r.Group == group || group == "*") && !strings.Contains(r.Name, "/") {
			names = append(names, r.Name)
		}
	}
	switch {
	case i >= 0:
		meant := found[i].Name
		if hasSub {
			meant += "/" + sub
		}
		f.Mend = "write " + meant
		f.fixedBy(&edit{kind: replace, node: at, value: meant}, l.file)
	case len(found) > 0:
		f.ID, f.Mend = "resource-in-wrong-group", "write: {group: "+strconv.Quote(found[0].Group)+", resources: ["+found[0].Name+"]}"
	case failure.Closest(base, names) != "":
		f.Mend = "write " + failure.Closest(base, names)
	}
	return false
}

// checkNamed reports names where requests have none: the name of what is created
// is in its body (k8s.io/apiserver/pkg/endpoints/request/requestinfo.go).
func (l *linter) checkNamed(rule *internal.PolicyRule, g *internal.GroupResources, name string, at *yaml.Node) {
	if len(g.ResourceNames) == 0 || len(rule.Verbs) == 0 || strings.ContainsAny(name, "*/") {
		return
	}
	if slices.Contains(rule.Verbs, "create") {
		l.report(at, SeverityFinding, "name-of-create", "make a rule for create without resourceNames", "a request that creates %s has no name yet, so with resourceNames create matches none", name)
	}
	if !slices.ContainsFunc(rule.Verbs, func(v string) bool { return !slices.Contains([]string{"list", "watch", "deletecollection"}, v) }) {
		l.report(at, SeverityNote, "name-of-list", "leave resourceNames out", "list, watch and deletecollection have a name only if they ask for it with fieldSelector=metadata.name=NAME")
	}
}

// checkScope reports namespaces of what is in none. Requests for one namespace
// have its name as their namespace, too.
func (l *linter) checkScope(rule *internal.PolicyRule, group, name string, at *yaml.Node) {
	r, ok := resourceNames().byName[[2]string{group, name}]
	if !ok || r.Namespaced || len(rule.Namespaces) == 0 || slices.Contains(rule.Namespaces, "") || group == "" && strings.HasPrefix(name, "namespaces") {
		return
	}
	l.report(at, SeverityFinding, "cluster-scoped", "make a rule without namespaces for it", "%s are in no namespace, so with namespaces the rule matches no request for them", name)
}
