package csr

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// rule writes a rule as "get,list core,apps pods,deployments name".
func rule(text string) rbacv1.PolicyRule {
	part := strings.Fields(text)
	split := func(s string) []string { return strings.Split(strings.ReplaceAll(s, "core", ""), ",") }
	r := rbacv1.PolicyRule{Verbs: split(part[0]), APIGroups: split(part[1]), Resources: split(part[2])}
	if len(part) > 3 {
		r.ResourceNames = split(part[3])
	}
	return r
}

func rules(texts ...string) []rbacv1.PolicyRule {
	var list []rbacv1.PolicyRule
	for _, text := range texts {
		list = append(list, rule(text))
	}
	return list
}

// accessWith concludes from the rules of the whole cluster and of the
// namespace dev, or of another, named before a colon.
func accessWith(whole []rbacv1.PolicyRule, inNamespace string, namespaced ...string) *Access {
	a := &Access{Username: "jane", Scopes: []Scope{{Rules: whole}}}
	if inNamespace != "" {
		a.Scopes = append(a.Scopes, Scope{Namespace: inNamespace, Rules: rules(namespaced...)})
	}
	a.conclude()
	return a
}

func TestDangers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		whole     []rbacv1.PolicyRule
		namespace string
		rules     []string
		want      string // ID[@namespace][=name,…][!], ! for the whole cluster
	}{
		{"nothing", nil, "dev", nil, ""},
		{"reading pods", rules("get,list core pods,pods/log"), "dev", nil, ""},
		{"cluster-admin", rules("* * *"), "dev", []string{"get core secrets"}, "everything!"},
		{"all of the core group is not everything", rules("* core *"), "", nil,
			"impersonate! nodes-proxy! persistentvolumes! secrets-read! token-create! impersonate-serviceaccounts! workloads-create! pods-exec! namespaces-delete! namespaces-change"},
		{"everything in a namespace", nil, "dev", []string{"* * *", "get core secrets"}, "everything@dev"},
		{"everything in kube-system", nil, "kube-system", []string{"* * *"}, "everything@kube-system!"},
		{"secrets", rules("list core secrets"), "", nil, "secrets-read!"},
		{"secrets in a namespace", nil, "dev", []string{"watch core secrets"}, "secrets-read@dev"},
		{"secrets in kube-system", nil, "kube-system", []string{"get core secrets"}, "secrets-read@kube-system!"},
		{"secrets of another group are none", rules("get example.com secrets"), "", nil, ""},
		{"one secret", rules("get core secrets tls"), "", nil, "secrets-read=tls"},
		{"one secret in a namespace", nil, "dev", []string{"get core secrets tls", "get core secrets db"}, "secrets-read@dev=db,tls"},
		{"writing secrets is not reading them", rules("create,update core secrets"), "", nil, ""},
		{"patching a secret shows it", rules("patch core secrets"), "", nil, "secrets-read!"},
		{"verb wildcard", nil, "dev", []string{"* core secrets"}, "secrets-read@dev"},
		{"resource wildcard takes in subresources", nil, "dev", []string{"create core *"},
			"token-create@dev workloads-create@dev pods-exec@dev"},
		{"subresource wildcard", nil, "dev", []string{"create core */exec"}, "pods-exec@dev"},
		{"pods is not pods/exec", nil, "dev", []string{"create core pods"}, "workloads-create@dev"},
		{"pods/* is no wildcard", nil, "dev", []string{"create core pods/*"}, ""},
		{"deployments run pods", nil, "dev", []string{"patch apps deployments"}, "workloads-create@dev"},
		{"deployments by name", nil, "dev", []string{"patch apps deployments web"}, "workloads-create@dev=web"},
		{"creating has no name", nil, "dev", []string{"create core pods one"}, ""},
		{"exec has one", nil, "dev", []string{"create core pods/exec one"}, "pods-exec@dev=one"},
		{"ephemeral containers", nil, "dev", []string{"patch core pods/ephemeralcontainers"}, "pods-exec@dev"},
		{"tokens", rules("create core serviceaccounts/token"), "", nil, "token-create!"},
		{"token of one", nil, "dev", []string{"create core serviceaccounts/token ci"}, "token-create@dev=ci"},
		{"impersonate", rules("impersonate core users,groups"), "", nil, "impersonate!"},
		{"impersonate one", rules("impersonate core users bob"), "", nil, "impersonate=bob!"},
		{"constrained impersonation", rules("impersonate:user-info authentication.k8s.io users"), "", nil, "impersonate!"},
		{"users are in no namespace", nil, "dev", []string{"impersonate core users,groups"}, ""},
		{"impersonate service accounts", nil, "dev", []string{"impersonate core serviceaccounts"}, "impersonate-serviceaccounts@dev"},
		{"escalate", rules("escalate rbac.authorization.k8s.io clusterroles"), "", nil, "escalate!"},
		{"escalate cluster roles in a namespace has no effect", nil, "dev", []string{"escalate rbac.authorization.k8s.io clusterroles"}, ""},
		{"bind", rules("bind rbac.authorization.k8s.io clusterroles admin"), "", nil, "bind=admin!"},
		{"bind cluster roles in a namespace", nil, "dev", []string{"bind rbac.authorization.k8s.io clusterroles"}, "bind@dev"},
		{"bindings", nil, "dev", []string{"create rbac.authorization.k8s.io rolebindings"}, "rbac-write@dev"},
		{"cluster bindings in a namespace", nil, "dev", []string{"create rbac.authorization.k8s.io clusterrolebindings"}, ""},
		{"cluster bindings", rules("create rbac.authorization.k8s.io clusterrolebindings"), "", nil, "rbac-write!"},
		{"approve takes two rights", rules("update certificates.k8s.io certificatesigningrequests/approval"), "", nil, ""},
		{"approve", rules("update certificates.k8s.io certificatesigningrequests/approval", "approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client"), "", nil,
			"csr-approve=kubernetes.io/kube-apiserver-client!"},
		{"approve for an own signer", rules("update certificates.k8s.io certificatesigningrequests/approval", "approve certificates.k8s.io signers example.com/*"), "", nil, "csr-approve=example.com/*"},
		{"approve for all signers", rules("patch certificates.k8s.io certificatesigningrequests/approval", "approve certificates.k8s.io signers"), "", nil, "csr-approve!"},
		{"sign", rules("patch certificates.k8s.io certificatesigningrequests/status", "sign certificates.k8s.io signers"), "", nil, "csr-sign!"},
		{"nodes/proxy", rules("get core nodes/proxy"), "", nil, "nodes-proxy!"},
		{"nodes/proxy in a namespace", nil, "dev", []string{"get core nodes/proxy"}, ""},
		{"webhooks", rules("patch admissionregistration.k8s.io mutatingwebhookconfigurations"), "", nil, "webhooks!"},
		{"volumes", rules("create core persistentvolumes"), "", nil, "persistentvolumes!"},
		{"claims are no volumes", rules("create core persistentvolumeclaims"), "", nil, ""},
		{"API servers", rules("create apiregistration.k8s.io apiservices"), "", nil, "apiservices!"},
		{"namespaces", rules("patch,delete core namespaces"), "", nil, "namespaces-delete! namespaces-change"},
		{"own namespace", nil, "dev", []string{"patch core namespaces"}, "namespaces-change@dev"},
		{"own namespace, all verbs", nil, "dev", []string{"* core namespaces"}, "namespaces-change@dev namespaces-delete@dev"},
		{"many namespaces are deleted in none", nil, "dev", []string{"deletecollection core namespaces"}, ""},
		{"the cluster's comes first", rules("get core secrets"), "dev", []string{"create core pods", "get core secrets"}, "secrets-read! workloads-create@dev"},
	}
	for _, test := range tests {
		a := accessWith(test.whole, test.namespace, test.rules...)
		var got []string
		for _, d := range a.Dangers {
			text := d.ID
			if d.Namespaces != nil {
				text += "@" + strings.Join(d.Namespaces, "@")
			}
			if d.Names != nil {
				text += "=" + strings.Join(d.Names, ",")
			}
			if d.WholeCluster {
				text += "!"
			}
			got = append(got, text)
			if d.May == "" || d.Why == "" || d.Source == "" {
				t.Errorf("%s: %s is not explained: %+v", test.name, d.ID, d)
			}
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, text, test.want)
		}
		if a.WholeCluster() != strings.Contains(test.want, "!") {
			t.Errorf("%s: the whole cluster: %t", test.name, a.WholeCluster())
		}
	}
}

func TestDangersOfGroups(t *testing.T) {
	t.Parallel()
	node := &Access{Username: "system:node:worker", Groups: []string{"system:nodes"}, Scopes: []Scope{{}}}
	node.conclude()
	if len(node.Dangers) != 1 || node.Dangers[0].ID != "node" || node.WholeCluster() {
		t.Errorf("%+v", node.Dangers)
	}
	masters := (&rbacState{}).accessFrom("jane", []string{"system:masters"})
	if !masters.Everything || !strings.Contains(masters.Dangers[0].Why, "only the cluster's CA replaced") {
		t.Errorf("%+v", masters.Dangers)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	show := func(a *Access) string {
		var lines []string
		for _, g := range a.May {
			line := g.Verb() + " " + strings.Join(append(g.Resources, g.URLs...), ",")
			if g.Names != nil {
				line += "=" + strings.Join(g.Names, ",")
			}
			if g.Namespaces != nil {
				line += " in " + strings.Join(g.Namespaces, ",")
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "; ")
	}
	common := everybodysRules
	tests := []struct {
		name      string
		whole     []rbacv1.PolicyRule
		namespace string
		rules     []string
		want      string
		common    int
	}{
		{"nothing", nil, "dev", nil, "", 0},
		{"what all may", common, "dev", nil, "", 3},
		{"verbs of several rules", nil, "dev", []string{"get,list core pods", "watch core pods,services", "list,get core services"}, "read pods,services in dev", 0},
		{"other verbs", nil, "dev", []string{"create,get core pods", "deletecollection apps deployments"},
			"get and create pods in dev; deletecollection deployments.apps in dev", 0},
		{"read and write", nil, "dev", []string{"get,list,watch,create,update,patch,delete core configmaps"}, "read and write configmaps in dev", 0},
		{"the cluster's is not said twice", rules("get,list core pods"), "dev", []string{"get,list core pods,services", "get,list core pods"}, "read pods; read services in dev", 0},
		{"what a namespace cannot give", nil, "dev", []string{"get,list core nodes,pods,nodes/status"}, "read pods in dev", 0},
		{"of namespaces, only by its name", nil, "dev", []string{"get,list,watch core namespaces", "create,deletecollection core namespaces", "get core namespaces/status"},
			"get namespaces,namespaces/status in dev", 0},
		{"all of namespaces", nil, "dev", []string{"* core namespaces"}, "get, update, patch and delete namespaces in dev", 0},
		{"all of namespaces, some of it everywhere", rules("get core namespaces"), "dev", []string{"* core namespaces"},
			"get namespaces; update, patch and delete namespaces in dev", 0},
		{"names", rules("get core configmaps a,b"), "", nil, "get configmaps=a; get configmaps=b", 0},
		{"wildcards", rules("* apps *", "get core *", "get * pods"), "", nil, "get *.core,pods.*; do anything with *.apps", 0},
		{"everything", rules("* * *", "get core pods"), "dev", []string{"get core pods"}, "do anything with *", 0},
		{"URLs", []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics"}}}, "", nil, "get /metrics", 0},
		{"no verbs", rules("get core pods"), "", nil, "get pods", 0},
	}
	for _, test := range tests {
		a := accessWith(test.whole, test.namespace, test.rules...)
		if got := show(a); got != test.want || a.Common != test.common {
			t.Errorf("%s:\ngot  %s, %d common\nwant %s, %d", test.name, got, a.Common, test.want, test.common)
		}
	}
	two := &Access{Scopes: []Scope{{Namespace: "b", Rules: rules("get core pods")}, {}, {Namespace: "a", Rules: rules("get core pods")}}}
	two.conclude()
	if got := show(two); got != "get pods in a,b" {
		t.Error(got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	a := accessWith(rules("get core nodes"), "dev", "create core pods/exec", "get core secrets", "create rbac.authorization.k8s.io clusterroles")
	var got []string
	for _, r := range a.MayNot {
		got = append(got, strings.Join(append([]string{r.What}, r.Except...), " but in "))
	}
	want := []string{"read secrets but in dev", "run commands in pods but in dev", "create pods", "create deployments", "delete pods",
		"change roles and bindings", "create namespaces"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	landlord := accessWith(nil, "dev", "* * *")
	if i := slices.IndexFunc(landlord.MayNot, func(r Refusal) bool { return r.What == "create namespaces" }); i < 0 || landlord.MayNot[i].Except != nil {
		t.Errorf("namespaces are made in none: %+v", landlord.MayNot)
	}
	a.Incomplete = true
	a.conclude()
	if len(a.MayNot) != 0 {
		t.Error("a no was claimed that nobody knows")
	}
	if all := accessWith(rules("* * *"), ""); len(all.MayNot) != 0 {
		t.Errorf("%+v", all.MayNot)
	}
}

func TestAccessFromBindings(t *testing.T) {
	t.Parallel()
	s := &rbacState{}
	s.ClusterRoles = []rbacv1.ClusterRole{{Rules: rules("get core pods")}}
	s.ClusterRoles[0].Name = "reader"
	s.Roles = []rbacv1.Role{{Rules: rules("get core secrets")}, {Rules: rules("delete core pods")}}
	s.Roles[0].Name, s.Roles[0].Namespace = "own", "dev"
	s.Roles[1].Name, s.Roles[1].Namespace = "own", "prod"
	bind := func(namespace, kind, role string, subject rbacv1.Subject) {
		ref := rbacv1.RoleRef{Kind: kind, Name: role}
		b := rbacv1.RoleBinding{RoleRef: ref, Subjects: []rbacv1.Subject{subject}}
		b.Name, b.Namespace = "b", namespace
		s.Bindings = append(s.Bindings, b)
	}
	bind("dev", "Role", "own", rbacv1.Subject{Kind: "User", Name: "jane"})
	bind("prod", "Role", "own", rbacv1.Subject{Kind: "User", Name: "janet"})
	bind("test", "ClusterRole", "reader", rbacv1.Subject{Kind: "Group", Name: "developers"})
	bind("test", "ClusterRole", "gone", rbacv1.Subject{Kind: "Group", Name: "developers"})
	bind("", "ClusterRole", "reader", rbacv1.Subject{Kind: "ServiceAccount", Name: "ci", Namespace: "dev"})

	a := s.accessFrom("jane", []string{"developers"})
	for q, want := range map[Question]bool{
		{Verb: "get", Resource: "secrets", Namespace: "dev"}:  true,
		{Verb: "get", Resource: "secrets", Namespace: "prod"}: false,
		{Verb: "get", Resource: "secrets"}:                    false,
		{Verb: "delete", Resource: "pods", Namespace: "prod"}: false,
		{Verb: "get", Resource: "pods", Namespace: "test"}:    true,
		{Verb: "get", Resource: "pods", Namespace: "dev"}:     false,
	} {
		if got := a.Allows(q); got != want {
			t.Errorf("%+v: %t", q, got)
		}
	}
	if !slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, `"gone", which "test/b" binds, is not there`) }) {
		t.Errorf("%q", a.Notes)
	}
	account := s.accessFrom("system:serviceaccount:dev:ci", nil)
	if !account.Allows(Question{Verb: "get", Resource: "pods"}) {
		t.Error("a user with the name of a service account has its bindings")
	}
}
