package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// personJSON is what user list says of somebody.
type personJSON struct {
	Name        string
	Groups      []string
	Bindings    []struct{ Kind, Namespace, Name, Role, Group string }
	Credentials []struct {
		User, CredentialID string
		KnownFrom          []string
	}
	Removed string
}

func (c realCluster) person(name, flags string) personJSON {
	c.t.Helper()
	var list struct{ Items []personJSON }
	args := append([]string{"user", "list", name, "-o", "json"}, strings.Fields(flags)...)
	ok(c.t, json.Unmarshal([]byte(c.run(pkictl(), args...)), &list))
	if len(list.Items) != 1 {
		c.t.Fatalf("%s: %d people", name, len(list.Items))
	}
	return list.Items[0]
}

// TestUserRemoveDisguised takes a user out of bindings whatever these are
// called, or labelled.
func TestUserRemoveDisguised(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace remove-disguised")
	c.asAdmin("create rolebinding system:disguised -n remove-disguised --clusterrole=admin --user=disguised")
	c.asAdmin("create clusterrolebinding kubeadm:disguised --clusterrole=cluster-admin --user=disguised --group=disguised-admins")
	c.asAdmin("create rolebinding labelled -n remove-disguised --clusterrole=view --user=disguised")
	c.asAdmin("label rolebinding labelled -n remove-disguised kubernetes.io/bootstrapping=rbac-defaults")
	mayAll := func() bool {
		_, _, err := c.try(c.kubectl, "--kubeconfig", c.admin, "auth", "can-i", "*", "*", "--as", "disguised")
		return err == nil
	}
	if !mayAll() {
		t.Fatal("the user may nothing")
	}
	out := c.pkictl("user remove disguised --dry-run --kubeconfig " + c.admin)
	if !strings.Contains(out, "kubeadm:disguised") || !strings.Contains(out, "nothing that was granted") || !strings.Contains(out, "it is what would remain") || !mayAll() {
		t.Error(out)
	}
	out = c.pkictl("user remove disguised --yes --kubeconfig " + c.admin)
	if !strings.Contains(out, "Removed disguised") || !strings.Contains(out, "may     nothing that was granted") {
		t.Error(out)
	}
	if got := c.found("disguised", "remove-disguised"); len(got.bindings) > 0 || mayAll() {
		t.Errorf("left %q, all allowed: %v", got.bindings, mayAll())
	}
	if out := c.asAdmin("get clusterrolebinding kubeadm:disguised -o jsonpath={.subjects[*].name}"); out != "disguised-admins" {
		t.Errorf("the shared binding has %q", out)
	}
	c.asAdmin("get rolebinding labelled -n remove-disguised")
}

// TestUserRemoveOpen prints what is still open, though no certificate is known.
func TestUserRemoveOpen(t *testing.T) {
	t.Parallel()
	c := ownCluster(t) // what everybody may shows in all other tests
	c.waitForRoles()
	c.asAdmin("create namespace remove-open")
	c.asAdmin("create rolebinding of-everybody -n remove-open --clusterrole=view --group=system:authenticated")
	c.asAdmin("create rolebinding opened -n remove-open --clusterrole=edit --user=opened")
	out := c.pkictl("user remove opened --yes --kubeconfig " + c.admin)
	if !strings.Contains(out, "may     read") || !strings.Contains(out, "in remove-open") {
		t.Error(out)
	}
}

// TestUserRemoveRemembers: the certificates of who was removed are known until
// they end, by whom they are, and where they are back.
func TestUserRemoveRemembers(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace remove-remembers")
	add := "user add remembered --group rememberers --namespace remove-remembers --role view --for 10m --kubeconfig " + c.admin
	c.pkictl(add)
	before := c.person("remembered", "--kubeconfig "+c.admin)
	out := c.pkictl("user remove remembered --yes --kubeconfig " + c.admin)
	if !strings.Contains(out, "Removed remembered") {
		t.Error(out)
	}
	for _, object := range c.found("remembered", "remove-remembers").requests {
		c.asAdmin("delete csr " + object) // as an hour does
	}
	after := c.person("remembered", "--kubeconfig "+c.admin)
	if after.Removed == "" || len(after.Credentials) != 1 || len(after.Bindings) != 0 || after.Groups[0] != "rememberers" ||
		after.Credentials[0].CredentialID != before.Credentials[0].CredentialID {
		t.Errorf("%+v\nbefore %+v", after, before)
	}
	if out := c.pkictl("user list remembered --kubeconfig " + c.admin); !strings.Contains(out, "removed, certificate works until") {
		t.Error(out)
	}
	out = c.pkictl("user remove remembered --yes --kubeconfig " + c.admin)
	if !strings.Contains(out, "nothing that could be taken away") || !strings.Contains(out, "still authenticates until") {
		t.Error(out)
	}
	again := c
	again.userDir = newUserDir(t)
	again.pkictl(add)
	if back := c.person("remembered", "--kubeconfig "+c.admin); back.Removed != "" || len(back.Credentials) != 2 {
		t.Errorf("%+v", back)
	}
}

// TestUserRemoveUnremembered: who may not write into kube-system is told so.
func TestUserRemoveUnremembered(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace remove-unremembered")
	c.pkictl("user add unremembered --namespace remove-unremembered --role view --for 10m --kubeconfig " + c.admin)
	p := c.newFaultProxy(apiFault{method: "PATCH", path: "/configmaps/pkictl-removed-users", code: 403}, apiFault{method: "POST", path: "/configmaps", code: 403})
	out, stderr, err := c.try(pkictl(), "user", "remove", "unremembered", "--yes", "--kubeconfig", p.kubeconfig)
	if err != nil || !strings.Contains(stderr, "keep what is said here of certificates that still work") || !strings.Contains(out, "still authenticates until") {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	if got := c.found("unremembered", "remove-unremembered"); len(got.bindings) > 0 {
		t.Errorf("left %q", got.bindings)
	}
}

// TestUserRemoveRefused goes on with what may be taken away, and says what may not.
func TestUserRemoveRefused(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace remove-refused")
	c.asAdmin("create rolebinding keeps -n remove-refused --clusterrole=view --user=kept-on --user=another")
	c.asAdmin("create rolebinding loses -n remove-refused --clusterrole=view --user=kept-on")
	p := c.newFaultProxy(apiFault{method: "PUT", path: "/rolebindings/keeps", code: 403})
	out, stderr, err := c.try(pkictl(), "user", "remove", "kept-on", "--yes", "--kubeconfig", p.kubeconfig)
	if exitCode(err) != 4 || !strings.Contains(out, "Removed a part") || !strings.Contains(stderr, "RoleBinding remove-refused/keeps stays") {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	if got := c.found("kept-on", "remove-refused"); len(got.bindings) != 1 || got.bindings[0] != "keeps" {
		t.Errorf("left %q", got.bindings)
	}
}

// TestUserListClaims: a binding claims certificates for the user alone whom it
// names, for no group of the cluster's, and is named as where that is from.
func TestUserListClaims(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace list-claims")
	c.asAdmin("create rolebinding of-claimers -n list-claims --clusterrole=edit --group=claimers")
	c.pkictl("user add claimed --group claimers --namespace list-claims --role view --for 10m --kubeconfig " + c.admin)
	c.apply(`{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"unlabelled","namespace":"list-claims","annotations":{"pkictl.dev/credentials":
"[{\"user\":\"planted\",\"serial\":\"01\",\"credentialID\":\"X509SHA256=` + strings.Repeat("0a", 32) + `\",\"groups\":[\"system:masters\"],\"notAfter\":\"2099-01-01T00:00:00Z\"}]"}},
"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"planted"}]},
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"labelled","namespace":"list-claims","labels":{"app.kubernetes.io/managed-by":"pkictl"},"annotations":{"pkictl.dev/credentials":
"[{\"user\":\"planted-too\",\"serial\":\"02\",\"credentialID\":\"X509SHA256=` + strings.Repeat("0b", 32) + `\",\"groups\":[\"system:masters\"],\"notAfter\":\"2099-01-01T00:00:00Z\"}]"}},
"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"planted-too"}]}]}`)
	patch := `[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"beside"}}]`
	c.run(c.kubectl, "--kubeconfig", c.admin, "patch", "rolebinding", "pkictl:claimed:view", "-n", "list-claims", "--type=json", "-p", patch)

	if p := c.person("beside", "--kubeconfig "+c.admin); len(p.Bindings) != 1 || len(p.Credentials)+len(p.Groups) != 0 {
		t.Errorf("one user's certificates are another's: %+v", p)
	}
	if p := c.person("planted", "--kubeconfig "+c.admin); len(p.Credentials) != 0 {
		t.Errorf("a binding that pkictl has not made is believed: %+v", p)
	}
	p := c.person("planted-too", "--kubeconfig "+c.admin)
	if len(p.Credentials) != 1 || len(p.Groups) != 0 || strings.Join(p.Credentials[0].KnownFrom, "") != "claimed by rolebinding labelled" {
		t.Errorf("%+v", p)
	}
	if out := c.pkictl("user remove planted-too --dry-run --kubeconfig " + c.admin); strings.Contains(out, "system:masters") {
		t.Error(out)
	}
}

// TestUserOfNamespace: the administrator of a namespace lists and removes there.
func TestUserOfNamespace(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	for _, namespace := range []string{"of-namespace", "of-namespace-2"} {
		c.asAdmin("create namespace " + namespace)
		c.asAdmin("create rolebinding first -n " + namespace + " --clusterrole=view --user=namespaced")
		c.asAdmin("create rolebinding second -n " + namespace + " --clusterrole=admin --user=chief-of-namespaces")
	}
	c.pkictl("user add chief-of-namespaces --namespace of-namespace --for 10m --kubeconfig " + c.admin)
	chief := filepath.Join(c.dir, "chief-of-namespaces.conf")
	out, stderr, err := c.try(pkictl(), "user", "list", "namespaced", "--kubeconfig", chief)
	if err != nil || !strings.Contains(out, "cluster role view in namespace of-namespace ") || strings.Contains(out, "of-namespace-2") ||
		!strings.Contains(stderr, "only the bindings in namespace of-namespace are looked at") {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	for flags, namespace := range map[string]string{"": "of-namespace", " --namespace of-namespace-2": "of-namespace-2"} {
		out := c.pkictl("user remove namespaced --yes --kubeconfig " + chief + flags)
		if !strings.Contains(out, "Removed namespaced") {
			t.Error(out)
		}
		if got := c.found("namespaced", namespace); len(got.bindings) > 0 {
			t.Errorf("left %q in %s", got.bindings, namespace)
		}
	}
	_, stderr, err = c.try(pkictl(), "user", "list", "--namespace", "default", "--kubeconfig", chief)
	if exitCode(err) != 4 || strings.Count(stderr, "error: ") != 1 {
		t.Errorf("%v %s", err, stderr)
	}
}

// TestUserRemoveNamed removes people whom pkictl would not have added.
func TestUserRemoveNamed(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace remove-named")
	for i, name := range []string{"https://issuer.example.com/jane", "jane of issuer", strings.Repeat("long", 40), "-f", "../up", "rv';id;'"} {
		binding := "named-" + string(rune('a'+i))
		c.run(c.kubectl, "--kubeconfig", c.admin, "create", "rolebinding", binding, "-n", "remove-named", "--clusterrole=view", "--user="+name)
		out, stderr, err := c.try(pkictl(), "user", "list", "--kubeconfig", c.admin, "--", name)
		if err != nil || !strings.Contains(out, name) {
			t.Errorf("%q: %v\n%s%s", name, err, out, stderr)
		}
		out, stderr, err = c.try(pkictl(), "user", "remove", "--yes", "--kubeconfig", c.admin, "--", name)
		if err != nil || !strings.Contains(out, "Removed ") {
			t.Errorf("%q: %v\n%s%s", name, err, out, stderr)
		}
		if left := c.asAdmin("get --ignore-not-found rolebinding -n remove-named " + binding); left != "" {
			t.Errorf("%q: left %s", name, left)
		}
	}
	for name, code := range map[string]int{"": 2, "system:node:a": 4} {
		if _, stderr, err := c.try(pkictl(), "user", "remove", name, "--yes", "--kubeconfig", c.admin); exitCode(err) != code || strings.Count(stderr, "hint: ") != 1 {
			t.Errorf("%q: %v %s", name, err, stderr)
		}
	}
}

// TestUserRemoveBrokenPKI: a PKI directory that cannot be read keeps nobody's
// access.
func TestUserRemoveBrokenPKI(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace remove-broken")
	c.asAdmin("create rolebinding broken -n remove-broken --clusterrole=view --user=unbroken")
	ok(t, os.Mkdir(filepath.Join(c.dir, "pki"), 0o700))
	ok(t, os.WriteFile(filepath.Join(c.dir, "pki", "inventory.db"), nil, 0o600))
	for _, command := range []string{"list unbroken", "remove unbroken --yes"} {
		_, stderr, err := c.try(pkictl(), strings.Fields("user "+command+" --kubeconfig "+c.admin)...)
		if err != nil || !strings.Contains(stderr, "the inventory in pki is left out") {
			t.Errorf("%s: %v %s", command, err, stderr)
		}
	}
	if got := c.found("unbroken", "remove-broken"); len(got.bindings) > 0 {
		t.Errorf("left %q", got.bindings)
	}
}

// TestUserRenewSeveral goes on behind one that cannot be renewed.
func TestUserRenewSeveral(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	for _, name := range []string{"several-a", "several-b"} {
		c.pkictl("user add " + name + " --for 10m --kubeconfig " + c.admin)
	}
	ok(t, os.WriteFile(filepath.Join(c.dir, "spoilt.conf"), []byte("{"), 0o600))
	args := strings.Fields("user renew nobody-there spoilt.conf several-a several-b -o json --kubeconfig " + c.admin)
	out, stderr, err := c.try(pkictl(), args...)
	var result struct {
		Items []struct {
			Name, File, Error string
			Certificate       struct{ Serial string }
		}
	}
	ok(t, json.Unmarshal([]byte(out), &result))
	if exitCode(err) != 1 || !strings.Contains(stderr, "2 of 4 were not renewed") || strings.Count(stderr, "error: ") != 1 || len(result.Items) != 4 {
		t.Fatalf("%v\n%s%s", err, out, stderr)
	}
	for i, item := range result.Items {
		if failed := i < 2; (item.Error != "") != failed || (item.Certificate.Serial == "") != failed || item.File == "" {
			t.Errorf("%+v", item)
		}
	}
	if _, stderr, err := c.try(pkictl(), "user", "renew", "nobody-there", "--kubeconfig", c.admin); exitCode(err) != 1 || strings.Count(stderr, "hint: ") != 1 {
		t.Errorf("%v %s", err, stderr)
	}
}

// TestUserRenewUnbound renews for who may sign, but not see bindings: the new
// certificate works, so that is a warning.
func TestUserRenewUnbound(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace renew-unbound")
	c.pkictl("user add unbound --namespace renew-unbound --role view --for 10m --kubeconfig " + c.admin)
	p := c.newFaultProxy(apiFault{method: "GET", path: "bindings", code: 403})
	out, stderr, err := c.try(pkictl(), "user", "renew", "unbound", "--kubeconfig", p.kubeconfig)
	if err != nil || !strings.Contains(out, "Renewed unbound") || !strings.Contains(stderr, "the bindings do not know the new certificate") {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "unbound.conf.pending")); err == nil {
		t.Error("a pending file was left")
	}
}
