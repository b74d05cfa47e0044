package csr

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Danger is a right that reaches further than it looks.
type Danger struct {
	ID  string `json:"id"`  // such as secrets-read
	May string `json:"may"` // what they may do: "read secrets"
	// WholeCluster is true for what gives, or may be turned into, control of
	// the whole cluster. The others give control of their namespaces.
	WholeCluster bool     `json:"wholeCluster"`
	Namespaces   []string `json:"namespaces,omitempty"` // where; none: in all
	Names        []string `json:"names,omitempty"`      // of which objects; none: of all
	// Through is the service account by which one in a namespace reaches the
	// whole cluster, empty for others.
	Through string `json:"through,omitempty"`
	Why     string `json:"why"`
	Source  string `json:"source"` // the page of the Kubernetes documentation that says so
}

// goodPractices is the page "Role Based Access Control Good Practices" of the
// Kubernetes documentation, by its sections.
const goodPractices = "RBAC Good Practices: "

// dangerous is a row of the table of dangers. One allowed action is enough.
type dangerous struct {
	id, may     string
	actions     []action
	also        []action // if there are any, one of these is needed too
	clusterOnly bool     // the objects are in no namespace, so no RoleBinding gives this
	contained   bool     // in all namespaces too it takes over none
	why         string
	source      string
}

// Verbs that belong together.
var (
	reading  = []string{"get", "list", "watch"}
	writing  = []string{"create", "update", "patch"}
	changing = []string{"update", "patch"}
	// The answer to a patch is the whole object, also to one that changes nothing.
	showing = []string{"get", "list", "watch", "patch"}
)

func actions(verbs []string, group string, resources ...string) []action {
	var list []action
	for _, resource := range resources {
		for _, verb := range verbs {
			list = append(list, action{verb, group, resource})
		}
	}
	return list
}

const (
	rbacGroup         = rbacv1.GroupName
	certificatesGroup = "certificates.k8s.io"
	admissionGroup    = "admissionregistration.k8s.io"
	// authenticationGroup has the resources by which impersonation is allowed.
	authenticationGroup = "authentication.k8s.io"
)

// dangers is the table of what to warn of, the worst first.
var dangers = []dangerous{
	{
		id: "impersonate", may: "impersonate users and groups", clusterOnly: true,
		// The second is constrained impersonation (Kubernetes 1.35, beta 1.36).
		actions: slices.Concat(
			actions([]string{"impersonate"}, "", "users", "groups"),
			actions([]string{"impersonate:user-info"}, authenticationGroup, "users", "groups"),
			actions([]string{"impersonate:arbitrary-node"}, authenticationGroup, "nodes"),
		),
		why: "they can act as anybody whom these names take in, administrators included", source: goodPractices + "Impersonate verb",
	},
	{
		id: "escalate", may: "give roles rights that they do not have (escalate)",
		actions: actions([]string{"escalate"}, rbacGroup, "roles", "clusterroles"),
		why:     "they can give themselves any right", source: goodPractices + "Escalate verb",
	},
	{
		id: "bind", may: "bind roles that they do not have (bind)",
		actions: actions([]string{"bind"}, rbacGroup, "roles", "clusterroles"),
		why:     "they can bind themselves to cluster-admin, or to the roles named", source: goodPractices + "Bind verb",
	},
	{
		id: "csr-approve", may: "approve certificate requests", clusterOnly: true,
		actions: actions(changing, certificatesGroup, "certificatesigningrequests/approval"),
		also:    actions([]string{"approve"}, certificatesGroup, "signers"),
		why:     "they can get a certificate for any user name", source: goodPractices + "CSRs and certificate issuing",
	},
	{
		id: "csr-sign", may: "sign certificate requests", clusterOnly: true,
		actions: actions(changing, certificatesGroup, "certificatesigningrequests/status"),
		also:    actions([]string{"sign"}, certificatesGroup, "signers"),
		why:     "they can put a certificate of their own where others wait for the signer's", source: goodPractices + "CSRs and certificate issuing",
	},
	{
		id: "nodes-proxy", may: "reach the kubelets (nodes/proxy)", clusterOnly: true,
		actions: actions(append([]string{"create", "delete"}, append(reading, changing...)...), "", "nodes/proxy"),
		why:     "they can run commands in every pod, past audit and admission", source: goodPractices + "Access to proxy subresource of Nodes",
	},
	{
		id: "webhooks", may: "change admission webhooks and policies", clusterOnly: true,
		actions: actions(writing, admissionGroup, "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
			"mutatingadmissionpolicies", "validatingadmissionpolicies"),
		why: "they can read, and by mutation change, whatever anybody writes", source: goodPractices + "Control admission webhooks",
	},
	{
		id: "apiservices", may: "register API servers (apiservices)", clusterOnly: true,
		actions: actions(writing, "apiregistration.k8s.io", "apiservices"),
		why:     "they can have requests of others sent to a server of theirs", source: "Kubernetes API Aggregation Layer",
	},
	{
		id: "persistentvolumes", may: "create persistent volumes", clusterOnly: true,
		actions: actions([]string{"create"}, "", "persistentvolumes"),
		why:     "a hostPath volume gives a pod the files of its node", source: goodPractices + "Persistent volume creation",
	},
	{
		id: "secrets-read", may: "read secrets",
		actions: actions(showing, "", "secrets"),
		why:     "secrets hold passwords, keys and tokens; a list shows the contents, too", source: goodPractices + "Listing secrets",
	},
	{
		id: "token-create", may: "create tokens of service accounts",
		actions: actions([]string{"create"}, "", "serviceaccounts/token"),
		why:     "they can act as these service accounts", source: goodPractices + "Token request",
	},
	{
		id: "impersonate-serviceaccounts", may: "impersonate service accounts",
		actions: append(actions([]string{"impersonate"}, "", "serviceaccounts"),
			action{"impersonate:serviceaccount", authenticationGroup, "serviceaccounts"}),
		why: "they can act as these service accounts", source: goodPractices + "Impersonate verb",
	},
	{
		id: "workloads-create", may: "run pods",
		actions: slices.Concat(
			actions([]string{"create"}, "", "pods"),
			actions(writing, "", "replicationcontrollers"),
			actions(writing, "apps", "deployments", "daemonsets", "statefulsets", "replicasets"),
			actions(writing, "batch", "jobs", "cronjobs"),
		),
		why: "a pod can mount every secret, and run as every service account, of its namespace", source: goodPractices + "Workload creation",
	},
	{
		id: "pods-exec", may: "run commands in pods",
		actions: slices.Concat(
			actions([]string{"create", "get"}, "", "pods/exec", "pods/attach"),
			actions(changing, "", "pods/ephemeralcontainers"),
		),
		why: "they can read what is in the pods, secrets and tokens included", source: goodPractices + "Workload creation",
	},
	{
		id: "rbac-write", may: "change roles and bindings",
		actions: actions(writing, rbacGroup, "roles", "rolebindings", "clusterroles", "clusterrolebindings"),
		why:     "they can hand on what they have, and keep it when their certificate ends", source: "Using RBAC Authorization: Privilege escalation prevention and bootstrapping",
	},
	{
		id: "namespaces-change", may: "change namespaces", contained: true,
		actions: actions(changing, "", "namespaces"),
		why:     "labels of a namespace switch off Pod Security Admission and network policies", source: goodPractices + "Namespace modification",
	},
	{
		id: "namespaces-delete", may: "delete namespaces",
		actions: actions([]string{"delete", "deletecollection"}, "", "namespaces"),
		why:     "all that is in a namespace goes with it", source: "Namespaces Walkthrough: Delete namespaces",
	},
}

// findDangers holds the table against the rules.
func (a *Access) findDangers() []Danger {
	found := []Danger{}
	if a.Everything {
		return append(found, a.everything())
	}
	var whole []rbacv1.PolicyRule
	var taken []string // namespaces of which they may do everything
	for _, scope := range a.Scopes {
		if scope.Namespace == "" {
			whole = scope.Rules
		} else if slices.ContainsFunc(scope.Rules, isEverything) {
			taken = append(taken, scope.Namespace)
		}
	}
	found = append(found, a.ofGroups()...)
	if taken != nil {
		found = append(found, Danger{
			ID: "everything", May: "do everything", Namespaces: taken, WholeCluster: slices.ContainsFunc(taken, ofSystem),
			Why:    "all that is in the namespace is theirs, its secrets and service accounts first",
			Source: goodPractices + "Least privilege",
		})
	}
	for _, row := range dangers {
		found = append(found, row.find(whole, a.Scopes, taken)...)
	}
	return found
}

// sortDangers puts first what reaches the whole cluster.
func (a *Access) sortDangers() {
	slices.SortStableFunc(a.Dangers, func(x, y Danger) int { return cmp.Compare(rank(x), rank(y)) })
}

func rank(d Danger) int {
	switch {
	case d.WholeCluster && d.Namespaces == nil:
		return 0
	case d.WholeCluster:
		return 1
	}
	return 2
}

func (a *Access) everything() Danger {
	d := Danger{
		ID: "everything", May: "do everything", WholeCluster: true,
		Why: "they are an administrator of the whole cluster", Source: goodPractices + "Least privilege",
	}
	if slices.Contains(a.Groups, groupMasters) {
		d.Why = "the group " + groupMasters + " passes every authorizer: no binding can be taken away, only the cluster's CA replaced"
	}
	return d
}

// ofGroups warns of what no rule says: of nodes the node authorizer decides.
func (a *Access) ofGroups() []Danger {
	node, isNode := strings.CutPrefix(a.Username, prefixNode)
	if !isNode || !slices.Contains(a.Groups, groupNodes) {
		return nil
	}
	return []Danger{{
		ID: "node", May: "act as the node " + node,
		Why:    "the node authorizer lets it read the secrets and config maps, and make tokens of the service accounts, of all pods on it",
		Source: "Using Node Authorization",
	}}
}

// find returns a row's danger in the whole cluster, or else in namespaces, of
// all objects and of some by their names.
func (row dangerous) find(whole []rbacv1.PolicyRule, scopes []Scope, taken []string) []Danger {
	all, names := row.allowed(whole)
	if all {
		return []Danger{row.danger(nil, nil)}
	}
	var found []Danger
	if names != nil {
		found = append(found, row.danger(nil, names))
	}
	if row.clusterOnly {
		return found
	}
	var system, ordinary []string
	for _, scope := range scopes {
		if scope.Namespace == "" || slices.Contains(taken, scope.Namespace) {
			continue
		}
		switch all, names := row.inNamespace().allowed(scope.Rules); {
		case names != nil:
			found = append(found, row.danger([]string{scope.Namespace}, names))
		case all && ofSystem(scope.Namespace):
			system = append(system, scope.Namespace)
		case all:
			ordinary = append(ordinary, scope.Namespace)
		}
	}
	for _, namespaces := range [][]string{system, ordinary} {
		if namespaces != nil {
			found = append(found, row.danger(namespaces, nil))
		}
	}
	return found
}

// allowed says whether rules allow one of the actions on all objects, and if
// not, on which. An action that makes objects has no names: a rule with names
// does not allow it (Kubernetes, "Using RBAC Authorization", Referring to resources).
func (row dangerous) allowed(rules []rbacv1.PolicyRule) (all bool, names []string) {
	if row.also != nil {
		var with []string
		if all, with = anyOf(rules, row.also); !all && with == nil {
			return false, nil
		}
		if approved, some := anyOf(rules, row.actions); !approved && some == nil {
			return false, nil
		}
		return all, with
	}
	return anyOf(rules, row.actions)
}

// inNamespace returns the row with the actions alone that a RoleBinding gives:
// not those on objects that are in no namespace, but for binding a cluster role
// there.
func (row dangerous) inNamespace() dangerous {
	row.actions = slices.DeleteFunc(slices.Clone(row.actions), func(act action) bool { return inNamespace(act) == nil })
	return row
}

func anyOf(rules []rbacv1.PolicyRule, list []action) (all bool, names []string) {
	for _, act := range list {
		all, some := allowed(rules, act)
		if all {
			return true, nil
		}
		if (act.verb != "create" && act.verb != "deletecollection") || strings.Contains(act.resource, "/") {
			names = append(names, some...)
		}
	}
	slices.Sort(names)
	return false, slices.Compact(names)
}

func (row dangerous) danger(namespaces, names []string) Danger {
	return Danger{
		ID: row.id, May: row.may, Namespaces: namespaces, Names: names, Why: row.why, Source: row.source,
		WholeCluster: !row.contained && row.reaches(namespaces, names),
	}
}

// reaches says whether a right leads to the whole cluster: one in all
// namespaces does, and so does one in kube-system, whose service accounts are
// those of the controllers. One on objects by their names does if those are in
// no namespace, or are roles, as what they hold is not known here; a signer
// does if it is one of Kubernetes' own.
func (row dangerous) reaches(namespaces, names []string) bool {
	isSystem := slices.ContainsFunc(namespaces, ofSystem)
	switch {
	case names == nil:
		return namespaces == nil || isSystem
	case row.also != nil:
		return slices.ContainsFunc(names, func(signer string) bool { return strings.HasPrefix(signer, "kubernetes.io/") })
	case row.id == "escalate" || row.id == "bind":
		return namespaces == nil || isSystem
	}
	return row.clusterOnly || isSystem
}

func ofSystem(namespace string) bool { return namespace == "kube-system" }
