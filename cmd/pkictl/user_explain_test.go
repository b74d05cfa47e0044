package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUserAddExplain runs the recipe, and compares its user with ours.
func TestUserAddExplain(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-explain")
	c.asAdmin("create role reader -n user-explain --verb=get --resource=pods")
	for name, flags := range map[string]string{
		"role": " --group explainers --group others --namespace user-explain --role view --for 1h",
		"own":  " --namespace user-explain --role reader --key ecdsa-p384",
		"all":  " --cluster-role view --key rsa-2048 --for 10m",
		"bare": " --group explainers --key ed25519",
		"ca":   " --group explainers --namespace user-explain --role edit --via ca --dir " + c.pki,
	} {
		u := c
		u.userDir = newUserDir(t)
		user := "explained-" + name
		recipe := u.pkictl("user add " + user + flags + " --explain --kubeconfig " + c.admin)
		if entries, err := os.ReadDir(u.dir); err != nil || len(entries) > 0 {
			t.Errorf("%s: --explain has written %v", name, entries)
		}
		script := "export KUBECONFIG=/nowhere PATH=" + filepath.Dir(c.kubectl) + ":$PATH\n" + recipe
		if out, stderr, err := u.try("sh", "-c", script); err != nil {
			t.Errorf("%s: %v\n%s%s\n%s", name, err, out, stderr, recipe)
			continue
		}
		config := filepath.Join(u.dir, user+".conf")
		theirs := u.whatIs(config)
		binding := u.asAdmin("get clusterrolebindings,rolebindings -A -o jsonpath={range.items[?(@.subjects[0].name==\"" + user + "\")]}{.metadata.name}{.metadata.labels}{.roleRef}{end}")
		// Ours finds that binding, and makes no second one.
		ours := c
		ours.userDir = newUserDir(t)
		out := ours.pkictl("user add " + user + flags + " --force --kubeconfig " + c.admin)
		if got := ours.whatIs(filepath.Join(ours.dir, user+".conf")); got != theirs {
			t.Errorf("%s: ours\n%s\nthe recipe's\n%s\n%s", name, got, theirs, out)
		}
		if again := u.asAdmin("get clusterrolebindings,rolebindings -A -o jsonpath={range.items[?(@.subjects[0].name==\"" + user + "\")]}{.metadata.name}{.metadata.labels}{.roleRef}{end}"); again != binding {
			t.Errorf("%s: the recipe's binding\n%s\nthen\n%s", name, binding, again)
		}
	}
}

// whatIs says who a kubeconfig is and where it leads.
func (c realCluster) whatIs(config string) string {
	c.t.Helper()
	who := c.as(config, "auth whoami -o jsonpath={.status.userInfo.username}{.status.userInfo.groups}")
	allowed := c.as(config, "auth can-i --list")
	view := c.as(config, "config view --minify -o jsonpath={.current-context}{.contexts}{.clusters}")
	return strings.Join([]string{who, allowed, view}, "\n")
}

// TestUserRenewExplain runs the recipe of renew.
func TestUserRenewExplain(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.pkictl("user add renewed-by-hand --group explainers --for 10m --kubeconfig " + c.admin)
	config := filepath.Join(c.dir, "renewed-by-hand.conf")
	before, theirs := c.fileLines(config), c.whatIs(config)
	for _, flags := range []string{"", " --reuse-key"} {
		recipe := c.pkictl("user renew renewed-by-hand --explain --kubeconfig " + c.admin + flags)
		if out, stderr, err := c.try("sh", "-c", "export KUBECONFIG=/nowhere PATH="+filepath.Dir(c.kubectl)+":$PATH\n"+recipe); err != nil {
			t.Fatalf("%v\n%s%s\n%s", err, out, stderr, recipe)
		}
		if got := c.whatIs(config); got != theirs || strings.Join(c.fileLines(config), "\n") == strings.Join(before, "\n") {
			t.Errorf("renewed: %s\nbefore: %s", got, theirs)
		}
	}
}
