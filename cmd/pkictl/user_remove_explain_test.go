package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// runRecipe has a shell run a recipe, which finds kubectl and pkictl alone, and
// no kubeconfig but that which it names.
func (c realCluster) runRecipe(recipe string) string {
	c.t.Helper()
	for _, r := range recipe {
		if r != '\n' && !unicode.IsPrint(r) {
			c.t.Errorf("%q in the recipe\n%q", r, recipe)
			break
		}
	}
	path := filepath.Dir(c.kubectl) + ":" + filepath.Dir(pkictl()) + ":$PATH"
	out, stderr, err := c.try("sh", "-euc", "export KUBECONFIG=/nowhere PATH="+path+"\n"+recipe)
	if err != nil {
		c.t.Fatalf("%v\n%s%s\n%s", err, out, stderr, recipe)
	}
	return out
}

// TestUserRemoveExplain runs the recipe. Names of users and bindings are those
// of an attacker.
func TestUserRemoveExplain(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	namespace := "remove-explain"
	c.asAdmin("create namespace " + namespace)
	for name, flags := range map[string]string{
		"unexplained":                          " --via ca --dir " + c.pki,
		"x'; touch pwned; '":                   "",
		"y\";$(touch pwned)`touch pwned`\\":    "",
		"z\x1b]0;pwned\a\"|touch pwned|\u202e": "",
	} {
		prefix := name[:1]
		if flags != "" {
			c.pkictl("user add " + name + " --group explained --namespace " + namespace + " --role view --for 10m --kubeconfig " + c.admin + flags)
		}
		for binding, subjects := range map[string][]string{
			prefix + "-shared":                     {"first", name, "last", name},
			"system:" + prefix + "\x1b[2J'\"$(id)": {name},
			prefix + "-whole":                      {name, "another"},
		} {
			c.apply(bindingJSON(t, namespace, binding, subjects))
		}
		recipe := c.run(pkictl(), "user", "remove", "--explain", "--kubeconfig", c.admin, "--dir", c.pki, "--", name)
		if flags != "" && !strings.Contains(recipe, "pkictl revoke 0x") {
			t.Errorf("no revocation in\n%s", recipe)
		}
		c.runRecipe(recipe)
		if got := c.found(name, namespace); len(got.bindings) > 0 {
			t.Errorf("%q: left %q by\n%s", name, got.bindings, recipe)
		}
		if left := c.asAdmin("get rolebinding " + prefix + "-shared -n " + namespace + " -o jsonpath={.subjects[*].name}"); left != "first last" {
			t.Errorf("%q: the shared binding has %q", name, left)
		}
		if _, err := os.Stat(filepath.Join(c.dir, "pwned")); err == nil {
			t.Fatalf("%q has a command run by\n%s", name, recipe)
		}
	}
	if p := c.person("unexplained", "--kubeconfig "+c.admin); p.Removed == "" {
		t.Errorf("the recipe's removal is not remembered: %+v", p)
	}
	out := c.pkictl("user remove unexplained --yes --kubeconfig " + c.admin + " --dir " + c.pki)
	if !strings.Contains(out, "nothing that could be taken away") {
		t.Errorf("the recipe has left something:\n%s", out)
	}
}

func bindingJSON(t *testing.T, namespace, name string, users []string) string {
	t.Helper()
	var subjects []map[string]string
	for _, user := range users {
		subjects = append(subjects, map[string]string{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user})
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": map[string]string{"name": name, "namespace": namespace},
		"roleRef": map[string]string{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}, "subjects": subjects,
	})
	ok(t, err)
	return string(data)
}

// TestUserListExplain runs the recipes.
func TestUserListExplain(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace list-explain")
	c.pkictl("user add list-explained --namespace list-explain --role view --for 10m --kubeconfig " + c.admin)
	odd := "l\"}}$(touch pwned)'`\x1b[2J{{"
	c.apply(bindingJSON(t, "list-explain", "odd", []string{odd}))
	for _, flags := range []string{"", " --namespace list-explain"} {
		out := c.runRecipe(c.pkictl("user list --explain --kubeconfig " + c.admin + flags))
		if !strings.Contains(out, "\"list-explained\"\tClusterRole \"view\"\tlist-explain\t\"pkictl:list-explained:view\"\n") || !strings.Contains(out, "CN = list-explained") && !strings.Contains(out, "CN=list-explained") ||
			strings.Contains(out, "\x1b") || strings.Contains(out, "\n\"system:") {
			t.Errorf("%s: %q", flags, out)
		}
	}
	for name, want := range map[string]string{"list-explained": "\"list-explained\"\t", odd: "\"odd\""} {
		out := c.runRecipe(c.run(pkictl(), "user", "list", "--explain", "--kubeconfig", c.admin, "--", name))
		if lines := strings.Count(out, "\tClusterRole "); lines != 1 || !strings.Contains(out, want) {
			t.Errorf("%q: %q", name, out)
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, "pwned")); err == nil {
		t.Error("a name has a command run")
	}
}
