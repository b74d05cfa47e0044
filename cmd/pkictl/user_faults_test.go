package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// badUsers are wishes of user add that are refused before anything is sent.
var badUsers = []struct {
	name       string
	args       []string
	says, hint string
	code       int
}{
	{"system:admin", []string{"system:admin"}, `user "system:admin"`, "prefix", 4},
	{"kubeadm: name", []string{"kubeadm:x"}, "keeps for itself", "prefix", 4},
	{"path", []string{"../../x"}, "would lead elsewhere", "letters", 2},
	{"path in the middle", []string{"a/../../x"}, "would lead elsewhere", "letters", 2},
	{"backslash", []string{`..\x`}, "would lead elsewhere", "letters", 2},
	{"percent", []string{"a%2fb"}, "would lead elsewhere", "letters", 2},
	{"hidden file", []string{".x"}, "would lead elsewhere", "letters", 2},
	{"spaces", []string{"jane doe"}, "white space", "jane.doe", 2},
	{"blanks", []string{"   "}, "white space", "jane.doe", 2},
	{"empty", []string{""}, "is empty", "jane", 2},
	{"300 characters", []string{strings.Repeat("x", 300)}, "is too long", "64", 2},
	{"right-to-left mark", []string{"jane\u202eenaj"}, "cannot be printed", "leave it out", 2},
	{"escape", []string{"a\x1b[31mb"}, "cannot be printed", "leave it out", 2},
	{"no UTF-8", []string{"a\xff"}, "UTF-8", "UTF-8", 2},
	{"masters by CSR", []string{"vera", "--group", "system:masters"}, "signs no certificate of group system:masters", "--cluster-role cluster-admin", 4},
	{"nodes", []string{"vera", "--group", "system:nodes"}, `group "system:nodes"`, "prefix", 4},
	{"group twice", []string{"vera", "--group", "a", "--group", "a"}, "given twice", "once", 2},
	{"group with an escape", []string{"vera", "--group", "a\x1bb"}, "cannot be printed", "leave", 2},
	{"role without namespace", []string{"vera", "--role", "view"}, "needs a namespace", "--cluster-role view", 2},
	{"two roles", []string{"vera", "--role", "view", "--cluster-role", "view", "--namespace", "default"}, "exclude", "--role", 2},
	{"bad namespace", []string{"vera", "--namespace", "../x"}, `"../x" is not the name of a namespace`, "lower-case", 2},
	{"path as role", []string{"vera", "--cluster-role", "../pods"}, "cannot be the name of a role", "kubectl get", 2},
	{"5 minutes", []string{"vera", "--for", "5m"}, "less than 10 minutes", "--for 10m", 4},
	{"no time", []string{"vera", "--for", "soon"}, `--for "soon"`, "8h", 2},
	{"no way", []string{"vera", "--via", "magic"}, `"magic"`, "csr or ca", 2},
	{"no key", []string{"vera", "--key", "dsa"}, `"dsa"`, "ecdsa-p256", 2},
	{"nobody", nil, "nobody was named", "jane", 2},
	{"two", []string{"vera", "walt"}, "accepts at most 1", "--help", 2},
	{"name and file", []string{"vera", "-f", "users.csv"}, "exclude", "one", 2},
	{"no file", []string{"-f", "missing.csv"}, "missing.csv", "name", 1},
	{"unknown column", []string{"-f", "column.csv"}, `line 1 of "column.csv": unknown column "colour"`, "known are name", 2},
	{"column twice", []string{"-f", "twice.csv"}, "names the column", "once", 2},
	{"no column name", []string{"-f", "noname.csv"}, "names no column name", "name,group", 2},
	{"empty file", []string{"-f", "empty.csv"}, "is empty", "first line", 2},
	{"no CA", []string{"vera", "--via", "ca"}, "there is no CA", "init-ca", 1},
}

// TestBadUsers: one error and one hint, nothing on the disk, nothing sent.
func TestBadUsers(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	p := c.newFaultProxy()
	for name, text := range map[string]string{"column.csv": "name,colour\nx,red\n", "twice.csv": "name,group,groups\n", "noname.csv": "group\nx\n", "empty.csv": "\n", "users.csv": "name\nx\n"} {
		ok(t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600))
	}
	before := snapshot(t, c.dir)
	for _, bad := range badUsers {
		stdout, stderr, err := c.try(pkictl(), append([]string{"user", "add", "--kubeconfig", p.kubeconfig}, bad.args...)...)
		c.wantRefused(bad.name, stdout, stderr, err, bad.code, bad.says, bad.hint)
	}
	for _, verb := range []string{"list", "remove"} {
		stdout, stderr, err := c.try(pkictl(), "user", verb, "system:admin", "--kubeconfig", p.kubeconfig)
		c.wantRefused(verb, stdout, stderr, err, 4, "user ", "")
	}
	if seen := p.requests(); len(seen) > 0 {
		t.Errorf("sent: %q", seen)
	}
	// Others may have bound such names: whoever is there can be listed and removed.
	for _, verb := range []string{"list", "remove"} {
		for _, name := range []string{"../../x", "a b", strings.Repeat("x", 300), "a\u202eb"} {
			stdout, stderr, err := c.try(pkictl(), "user", verb, name, "--kubeconfig", p.kubeconfig)
			if err != nil || strings.ContainsAny(stdout+stderr, "\u202e") {
				t.Errorf("%s %q: %v\n%q%q", verb, name, err, stdout, stderr)
			}
		}
	}
	for _, seen := range p.requests() {
		if strings.Contains(seen, "..") || strings.HasPrefix(seen, "DELETE") || strings.HasPrefix(seen, "PUT") || strings.HasPrefix(seen, "PATCH") {
			t.Errorf("sent: %s", seen)
		}
	}
	checkUnchanged(t, "all", c.dir, before)
}

func (c realCluster) wantRefused(what, stdout, stderr string, err error, code int, says, hint string) {
	c.t.Helper()
	if exitCode(err) != code || code == 0 || stdout != "" {
		c.t.Errorf("%s: exit code %d, want %d: %s%s", what, exitCode(err), code, stdout, stderr)
	}
	said, hinted, _ := strings.Cut(stderr, "hint: ")
	if strings.Count(stderr, "error: ") != 1 || !strings.Contains(said, says) || hinted == "" || !strings.Contains(hinted, hint) {
		c.t.Errorf("%s: it says\n%s", what, stderr)
	}
}

// TestUserAddMissing: what the cluster lacks is refused before anything is
// made, with what was probably meant.
func TestUserAddMissing(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	p := c.newFaultProxy()
	c.asAdmin("create namespace user-missing")
	c.asAdmin("create role deployer -n user-missing --verb=get --resource=pods")
	c.asAdmin("create rolebinding pkictl:taken:view -n user-missing --clusterrole=edit --user=taken")
	c.pkictl("init-ca --dir other")
	before := snapshot(t, c.dir)
	for _, bad := range []struct {
		args, says, hint string
		code             int
	}{
		{"wanda --namespace user-misssing --role view", `no namespace "user-misssing"`, "did you mean user-missing?", 1},
		{"wanda --namespace user-missing --role deploier", `"deploier"`, "did you mean deployer?", 1},
		{"wanda --namespace user-missing --role viw", `"viw"`, "did you mean view?", 1},
		{"wanda --cluster-role cluster-admn", `no cluster role "cluster-admn"`, "did you mean cluster-admin?", 1},
		{"wanda --cluster-role deployer", `no cluster role "deployer"`, "kubectl get clusterroles", 1},
		{"taken --namespace user-missing --role view", "says otherwise (ClusterRole edit, User taken)", "kubectl get rolebinding pkictl:taken:view -n user-missing", 1},
		{"wanda --via ca --dir other", `the CA in "other" does not sign for the clients`, "--dir", 4},
	} {
		stdout, stderr, err := c.try(pkictl(), append([]string{"user", "add", "--kubeconfig", p.kubeconfig}, strings.Fields(bad.args)...)...)
		c.wantRefused(bad.args, stdout, stderr, err, bad.code, bad.says, bad.hint)
	}
	for _, request := range p.requests() {
		if !strings.HasPrefix(request, "GET ") {
			t.Errorf("sent: %s", request)
		}
	}
	checkUnchanged(t, "all", c.dir, before)
	// A role of the namespace's own comes before the cluster's.
	c.asAdmin("create role view -n user-missing --verb=get --resource=secrets")
	if out := c.pkictl("user add own-role --namespace user-missing --role view --kubeconfig " + c.admin); !strings.Contains(out, "role view in namespace user-missing") || strings.Contains(out, "cluster role") {
		t.Error(out)
	}
	c.as(filepath.Join(c.dir, "own-role.conf"), "auth can-i get secrets")
}

// TestUserAddAgain: nothing is overwritten without being told so, an
// interrupted run keeps to its options, and two at once make one user.
func TestUserAddAgain(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-again")
	const line = "user add again --namespace user-again --role view --kubeconfig "
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, _, err := c.try(pkictl(), strings.Fields(line+c.admin)...)
			done <- err
		}()
	}
	if one, two := <-done, <-done; (one == nil) == (two == nil) {
		t.Errorf("of two at once: %v, %v", one, two)
	}
	c.checkAdded("two at once", "again", "user-again", true)

	before := snapshot(t, c.dir)
	_, stderr, err := c.try(pkictl(), strings.Fields(line+c.admin)...)
	c.wantRefused("there", "", stderr, err, 1, "is there already", "pkictl user renew again")
	checkUnchanged(t, "there", c.dir, before)
	c.pkictl(line + c.admin + " --force")

	p := c.newFaultProxy(apiFault{method: "PUT", path: "/approval", code: 403})
	if _, _, err := c.try(pkictl(), strings.Fields("user add half --namespace user-again --role view --kubeconfig "+p.kubeconfig)...); exitCode(err) != 4 {
		t.Error(err)
	}
	p.set()
	_, stderr, err = c.try(pkictl(), strings.Fields("user add half --namespace user-again --role edit --kubeconfig "+p.kubeconfig)...)
	c.wantRefused("other options", "", stderr, err, 1, `with --role "view"`, "start anew with --force")
	c.pkictl("user add half --namespace user-again --role edit --force --kubeconfig " + p.kubeconfig)
	if got := c.found("half", "user-again"); fmt.Sprint(got.bindings) != "[pkictl:half:edit]" {
		t.Errorf("%+v", got)
	}
}

// TestUserBatch adds many, reports lines, and goes on.
func TestUserBatch(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-batch")
	text := "name,group,role,for\n"
	for i := range 12 {
		text += fmt.Sprintf("many-%d,batchers;ops,,1h\n", i)
	}
	text += "../many,,,\nmany-3,,,\nmany-x,,nothing,\nmany-y,system:masters,,\n"
	ok(t, os.WriteFile(filepath.Join(c.dir, "users.csv"), []byte(text), 0o600))
	ok(t, os.Mkdir(filepath.Join(c.dir, "confs"), 0o700))
	const line = "user add -f users.csv --namespace user-batch --role view --out confs --kubeconfig "
	p := c.newFaultProxy(apiFault{method: "POST", path: "/rolebindings", code: 403, skip: 4, times: 3})
	stdout, stderr, err := c.try(pkictl(), strings.Fields(line+p.kubeconfig)...)
	if exitCode(err) != 1 || !strings.Contains(stdout, "Added 9 users") || !strings.Contains(stderr, "7 of 16 lines failed") {
		t.Errorf("%v\n%s%s", err, stdout, stderr)
	}
	for _, want := range []string{"users.csv:14: user \"../many\"", "users.csv:15: line 5 names user", "users.csv:16: there is neither a role \"nothing\"", "users.csv:17: the API server signs no", "is not complete (done: key, request"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	p.set(apiFault{path: "watch=true", cutAfter: 1}) // the watch breaks all the time
	stdout, _, _ = c.try(pkictl(), strings.Fields(line+p.kubeconfig)...)
	if !strings.Contains(stdout, "Added 3 users") || !strings.Contains(stdout, "9 skipped") {
		t.Error(stdout)
	}
	for i := range 12 {
		name := fmt.Sprintf("many-%d", i)
		u := c
		u.dir = filepath.Join(c.dir, "confs")
		u.checkAdded(name, name, "user-batch", true)
	}
}
