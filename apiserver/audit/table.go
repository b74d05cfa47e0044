package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/authentication/user"
)

// TableOptions say what a table is about.
type TableOptions struct {
	Who       []Subject // none: those whom the policy names, and anyone else
	Resources []Named   // none: those that the policy speaks of, and the important ones
	Verbs     []string  // none: all
	Namespace string    // "": one that the policy does not name
	Name      string    // of the objects; "": one that the policy does not name
}

// Subject is somebody who sends requests.
type Subject struct {
	Who    string   `json:"who"` // in words
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// Table is what a policy does with many requests by somebody.
type Table struct {
	Subjects []Subject // for all of whom it is the same
	Rows     []TableRow
}

// TableRow is about a resource, or about a path.
type TableRow struct {
	Request Request // without verb and user
	Cells   []Cell  // for the verbs that there are
}

// Cell is what is decided about a request.
type Cell struct {
	Verb  string
	Rule  int // its index, or NoRule
	Level internal.Level
	// Exceptions are namespaces and objects about which other rules decide.
	Exceptions []Exception
}

// Exception is a namespace, an object, or an object in a namespace, about which
// another rule decides than about the rest.
type Exception struct {
	Rule      int
	Level     internal.Level
	Namespace string // "": in all that is not excepted, or with All in none
	All       bool   // a request for all namespaces at once
	Name      string // "": any
}

// Whoever and whatever no policy names.
const (
	otherUser      = "(anyone else)"
	otherNamespace = "(other)"
	otherName      = "(other)"
	// OtherGroup is the API group of the row about custom resources that the policy
	// does not name.
	OtherGroup = "(custom)"
)

// Tables returns what the policy does with the requests of each subject. Subjects
// for whom it does the same share one table.
func (p *Policy) Tables(o TableOptions) ([]Table, []string) {
	rows, warnings := p.tableRows(o)
	who := o.Who
	if who == nil {
		who = p.subjects()
	}
	var tables []Table
	known := make(map[string]int) // tables by what is in them
	for _, s := range who {
		made := Table{Subjects: []Subject{s}}
		of := p.rulesOf(s)
		for _, row := range rows {
			made.Rows = append(made.Rows, of.row(o, s, row))
		}
		content := fmt.Sprintf("%#v", made.Rows)
		if same, ok := known[content]; ok {
			tables[same].Subjects = append(tables[same].Subjects, s)
		} else {
			known[content] = len(tables)
			tables = append(tables, made)
		}
	}
	return tables, warnings
}

// rulesOfSubject are the rules that can decide about somebody: of a policy that
// names a thousand users, few.
type rulesOfSubject struct {
	Policy
	evaluator *Evaluator
	indexes   []int // of each rule in the whole policy
}

func (p *Policy) rulesOf(s Subject) *rulesOfSubject {
	of := new(rulesOfSubject)
	r := Request{User: s.User, Groups: s.Groups}
	for i := range p.Rules {
		if userReason(&p.Rules[i], &r) == "" && groupReason(&p.Rules[i], &r) == "" {
			of.Rules, of.indexes = append(of.Rules, p.Rules[i]), append(of.indexes, i)
		}
	}
	of.evaluator = of.Evaluator()
	return of
}

// index returns the index of a rule in the whole policy.
func (of *rulesOfSubject) index(rule int) int {
	if rule == NoRule {
		return NoRule
	}
	return of.indexes[rule]
}

// subjects returns the users and groups that the policy names, and anyone else.
func (p *Policy) subjects() []Subject {
	var users, groups []string
	for i := range p.Rules {
		for _, name := range p.Rules[i].Users {
			users = appendNew(users, name)
		}
		for _, name := range p.Rules[i].UserGroups {
			groups = appendNew(groups, name)
		}
	}
	who := []Subject{{"anyone else", otherUser, GroupsOf(otherUser, nil)}}
	if len(users)+len(groups) == 0 {
		who[0].Who = "anyone"
	}
	for _, name := range users {
		who = append(who, Subject{"user " + name, name, GroupsOf(name, nil)})
	}
	for _, name := range groups {
		switch name {
		case user.AllAuthenticated: // anyone else is
			if !slices.Contains(users, user.Anonymous) && !slices.Contains(groups, user.AllUnauthenticated) {
				who = append(who, Subject{"user " + user.Anonymous, user.Anonymous, GroupsOf(user.Anonymous, nil)})
			}
		default:
			who = append(who, Subject{"group " + name, otherUser, GroupsOf(otherUser, []string{name})})
		}
	}
	return who
}

// important are the resources that a table has in any case.
func important() []string {
	return []string{
		"pods", "pods/exec", "pods/attach", "pods/portforward", "pods/log", "pods/proxy", "pods/ephemeralcontainers",
		"secrets", "configmaps", "serviceaccounts", "serviceaccounts/token", "services", "services/proxy", "namespaces", "nodes", "nodes/proxy", "events",
		"deployments", "daemonsets", "statefulsets", "jobs", "cronjobs", "ingresses", "networkpolicies", "leases",
		"roles", "rolebindings", "clusterroles", "clusterrolebindings", "certificatesigningrequests", "certificatesigningrequests/approval",
		"tokenreviews", "subjectaccessreviews", "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "customresourcedefinitions",
	}
}

// tableRows returns the requests of the rows, without a verb.
func (p *Policy) tableRows(o TableOptions) ([]Request, []string) {
	var rows []Request
	var warnings []string
	add := func(n Named) []string {
		r, _, said, err := n.find()
		if err == nil && !slices.ContainsFunc(rows, func(known Request) bool { return known.What() == r.What() }) {
			rows = append(rows, r)
		}
		return said
	}
	if o.Resources != nil {
		for _, n := range o.Resources {
			warnings = append(warnings, add(n)...)
		}
		return rows, warnings
	}
	for _, name := range important() {
		add(Named{Resource: name})
	}
	for i := range p.Rules {
		for _, list := range p.Rules[i].Resources {
			for _, n := range namedIn(list) {
				add(n)
			}
		}
	}
	rows = besideTheirs(rows)
	rows = append(rows, Request{IsResource: true, Group: OtherGroup, Version: "v1", Resource: "(any)"})
	return append(rows, p.paths()...), nil
}

// besideTheirs puts subresources behind their resources.
func besideTheirs(rows []Request) []Request {
	first := map[[2]string]int{}
	for i, r := range rows {
		if _, known := first[[2]string{r.Group, r.Resource}]; !known {
			first[[2]string{r.Group, r.Resource}] = i
		}
	}
	slices.SortStableFunc(rows, func(a, b Request) int {
		return first[[2]string{a.Group, a.Resource}] - first[[2]string{b.Group, b.Resource}]
	})
	return rows
}

// namedIn returns the resources that a rule names, wildcards spelled out where they
// are of one resource or of one subresource.
func namedIn(list internal.GroupResources) []Named {
	var all []Named
	group := cmp.Or(list.Group, "core")
	for _, name := range list.Resources {
		base, sub, _ := strings.Cut(name, "/")
		switch {
		case base == "" || base == "*" && (sub == "*" || sub == "") || group == "*":
		case sub == "*":
			all = append(all, Named{Resource: base, Group: group})
			for _, sub := range subresources(list.Group, base) {
				all = append(all, Named{Resource: base, Group: group, Subresource: sub})
			}
		case base == "*":
			for _, r := range Resources() {
				if known, its, _ := strings.Cut(r.Name, "/"); r.Group == list.Group && its == sub {
					all = append(all, Named{Resource: known, Group: group, Subresource: sub})
				}
			}
		default:
			all = append(all, Named{Resource: base, Group: group, Subresource: sub})
		}
	}
	return all
}

// paths returns requests for paths that the policy names, and for those that
// every cluster is asked for.
func (p *Policy) paths() []Request {
	paths := []string{"/api", "/healthz", "/metrics", "/version"}
	for i := range p.Rules {
		for _, path := range p.Rules[i].NonResourceURLs {
			if path = strings.TrimRight(path, "*"); strings.HasPrefix(path, "/") {
				paths = appendNew(paths, path)
			}
		}
	}
	slices.Sort(paths)
	requests := make([]Request, len(paths))
	for i, path := range paths {
		requests[i].Path = path
	}
	return requests
}

// row decides about all verbs of a row.
func (of *rulesOfSubject) row(o TableOptions, s Subject, r Request) TableRow {
	row := TableRow{Request: r}
	known, isKnown := findResource(r.Group, r.full())
	r.User, r.Groups = s.User, s.Groups
	for _, verb := range Verbs() {
		switch {
		case o.Verbs != nil && !slices.Contains(o.Verbs, verb), !r.IsResource && verb != "get", isKnown && !slices.Contains(known.Verbs, verb):
			continue
		}
		r := r
		r.Verb = verb
		if r.IsResource {
			if !isKnown || known.Namespaced {
				r.Namespace = cmp.Or(o.Namespace, otherNamespace)
			}
			if r.canHaveName() {
				r.Name = cmp.Or(o.Name, otherName)
			}
			if r.isNamespace() {
				r.Namespace = r.Name
			}
		}
		d := of.evaluator.Decide(&r)
		row.Cells = append(row.Cells, Cell{verb, of.index(d.Rule), d.Level, of.exceptions(o, &r, d.Rule)})
	}
	return row
}

// isNamespace says whether the request is for namespaces themselves.
func (r *Request) isNamespace() bool { return r.Group == "" && r.Resource == "namespaces" }

// canHaveName says whether the URL of the request has a place for a name.
func (r *Request) canHaveName() bool {
	switch r.Verb {
	case "deletecollection", "list", "watch":
		return false
	case "create":
		return r.Subresource != ""
	}
	return true
}

// exceptions returns the namespaces and names that rules before the one which
// decides are about.
func (of *rulesOfSubject) exceptions(o TableOptions, r *Request, decided int) []Exception {
	if !r.IsResource {
		return nil
	}
	rules := of.Rules
	if decided != NoRule {
		rules = rules[:decided]
	}
	var found []Exception
	for i := range rules {
		if !isAbout(&rules[i], r) {
			continue
		}
		for _, other := range variants(&rules[i], o, r) {
			d := of.evaluator.Decide(&other)
			if d.Rule != i {
				continue
			}
			e := Exception{Rule: of.index(i), Level: d.Level}
			if other.Namespace != r.Namespace && !r.isNamespace() { // whose name says it
				e.Namespace, e.All = other.Namespace, other.Namespace == ""
			}
			if other.Name != r.Name {
				e.Name = other.Name
			}
			found = append(found, e)
		}
	}
	return found
}

// variants returns the request for those namespaces and objects that a rule names.
func variants(rule *internal.PolicyRule, o TableOptions, r *Request) []Request {
	var all []Request
	for _, namespace := range namespaceVariants(rule, o, r) {
		for _, name := range nameVariants(rule, o, r) {
			other := *r
			other.Namespace, other.Name = namespace, name
			if r.isNamespace() { // a namespace is in itself
				other.Namespace = name
			}
			all = append(all, other)
		}
	}
	return all[1:] // without the request itself
}

func namespaceVariants(rule *internal.PolicyRule, o TableOptions, r *Request) []string {
	namespaces := []string{r.Namespace}
	if o.Namespace != "" || r.Namespace == "" || r.isNamespace() {
		return namespaces
	}
	// All namespaces at once there are for many objects alone.
	forAll := !r.canHaveName() && r.Verb != "create"
	for _, namespace := range rule.Namespaces {
		if namespace != "" || forAll {
			namespaces = appendNew(namespaces, namespace)
		}
	}
	return namespaces
}

func nameVariants(rule *internal.PolicyRule, o TableOptions, r *Request) []string {
	names := []string{r.Name}
	if o.Name != "" || !r.canHaveName() {
		return names
	}
	var named []string
	for _, list := range rule.Resources {
		named = append(named, list.ResourceNames...)
	}
	if r.isNamespace() {
		named = append(named, rule.Namespaces...)
	}
	for _, name := range named {
		if name != "" {
			names = appendNew(names, name)
		}
	}
	return names
}
