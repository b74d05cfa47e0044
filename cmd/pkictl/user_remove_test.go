package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUserList lists who has access, and from where that is known.
func TestUserList(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-list")
	c.pkictl("user add listed --group listers --namespace user-list --role edit --for 10m --kubeconfig " + c.admin)
	c.asAdmin("create rolebinding of-listers -n user-list --clusterrole=view --group=listers")
	c.asAdmin("create clusterrolebinding by-hand --clusterrole=view --user=bound-by-hand --user=system:of-system")
	for _, object := range strings.Fields(c.asAdmin("get csr -o name")) {
		if strings.Contains(object, "/listed-") {
			c.asAdmin("delete " + object)
		}
	}
	var list struct {
		Kind  string
		Items []struct {
			Name        string
			Groups      []string
			Bindings    []struct{ Kind, Namespace, Role, Group string }
			Credentials []struct{ Serial, CredentialID string }
			Until       string
		}
	}
	if err := json.Unmarshal([]byte(c.pkictl("user list -o json --kubeconfig "+c.admin)), &list); err != nil || list.Kind != "UserList" {
		t.Fatal(err, list.Kind)
	}
	found := 0
	for _, p := range list.Items {
		switch p.Name {
		case "listed": // known from the binding alone: the request is gone
			found++
			if fmt.Sprint(p.Groups) != "[listers]" || len(p.Bindings) != 2 || p.Bindings[1].Group != "listers" || len(p.Credentials) != 1 || p.Until == "" {
				t.Errorf("%+v", p)
			}
			config := filepath.Join(c.dir, "listed.conf")
			id := c.as(config, `auth whoami -o jsonpath={.status.userInfo.extra.authentication\.kubernetes\.io/credential-id[0]}`)
			if id != p.Credentials[0].CredentialID {
				t.Errorf("the API server sees %q, the list says %q", id, p.Credentials[0].CredentialID)
			}
		case "bound-by-hand":
			found++
			if len(p.Bindings) != 1 || len(p.Credentials) != 0 || p.Until != "" {
				t.Errorf("%+v", p)
			}
		default:
			if strings.HasPrefix(p.Name, "system:") {
				t.Errorf("%s is no person", p.Name)
			}
		}
	}
	if found != 2 {
		t.Errorf("found %d of 2 in %+v", found, list.Items)
	}
	out, _, err := c.try(pkictl(), "user", "list", "listed", "--expiring", "1h", "--kubeconfig", c.admin)
	if exitCode(err) != 3 || !strings.Contains(out, "cluster role view in namespace user-list (group listers)") {
		t.Errorf("%v\n%s", err, out)
	}
	if out := c.pkictl("user list listed --expiring 1m --kubeconfig " + c.admin); out != "Nobody.\n" {
		t.Error(out)
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// TestUserRemove takes access away, leaves others theirs, and says what stays.
func TestUserRemove(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-remove")
	c.asAdmin("create rolebinding of-removers -n user-remove --clusterrole=view --group=removers")
	c.asAdmin("create rolebinding shared -n user-remove --clusterrole=edit --user=removed --user=another")
	c.pkictl("user add removed --group removers --namespace user-remove --role admin --kubeconfig " + c.admin)
	config := filepath.Join(c.dir, "removed.conf")
	c.as(config, "auth can-i delete pods")

	before := c.asAdmin("get rolebindings,csr -n user-remove -o name")
	if out := c.pkictl("user remove removed --dry-run --kubeconfig " + c.admin); !strings.Contains(out, "Would remove removed") || !strings.Contains(out, "stays for 1 others") {
		t.Error(out)
	}
	_, stderr, err := c.try(pkictl(), "user", "remove", "removed", "--kubeconfig", c.admin)
	if exitCode(err) != 4 || !strings.Contains(stderr, "there is no terminal to ask on") {
		t.Errorf("%v %s", err, stderr)
	}
	for _, name := range strings.Fields(before) {
		if strings.Contains(name, "removed") && !strings.Contains(c.asAdmin("get rolebindings,csr -n user-remove -o name"), name) {
			t.Errorf("%s is gone", name)
		}
	}

	out := c.pkictl("user remove removed --yes --kubeconfig " + c.admin)
	for _, want := range []string{"Removed removed", "still authenticates until", "groups removers", "gives group removers the cluster role view in namespace user-remove", "may     read pods", "credential ID X509SHA256="} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "DANGER") || strings.Contains(out, "read and write") {
		t.Errorf("what is gone is said to be left:\n%s", out)
	}
	if out := c.asAdmin("get rolebinding shared -n user-remove -o jsonpath={.subjects[*].name}"); out != "another" {
		t.Errorf("the shared binding has %q", out)
	}
	if _, _, err := c.try(c.kubectl, "--kubeconfig", config, "auth", "can-i", "delete", "pods"); err == nil {
		t.Error("it may delete pods still")
	}
	c.as(config, "get pods") // by its group, as was said
	if got := c.found("removed", "user-remove"); len(got.bindings) > 0 || len(got.requests) != 1 {
		t.Errorf("left: %+v; what was issued stays, as evidence", got)
	}
	if out := c.pkictl("user remove removed --yes --kubeconfig " + c.admin); !strings.Contains(out, "nothing that could be taken away") {
		t.Error(out)
	}
}

// TestUserRemoveFaults breaks each request of user remove. The same command
// again completes it.
func TestUserRemoveFaults(t *testing.T) {
	t.Parallel()
	for _, step := range []struct{ name, method, path string }{
		{"list-bindings", "GET", "/rolebindings"},
		{"list-requests", "GET", "/certificatesigningrequests"},
		{"delete-binding", "DELETE", "/rolebindings"},
		{"update-binding", "PUT", "/rolebindings"},
		{"delete-request", "DELETE", "/certificatesigningrequests"},
		{"note-there", "GET", "/configmaps/pkictl-removed-users"},
		{"note", "PATCH", "/configmaps/pkictl-removed-users"},
		{"left", "POST", "/selfsubjectrulesreviews"},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			c := clusterWithRoles(t)
			p := c.newFaultProxy()
			namespace := "remove-faults-" + step.name
			c.asAdmin("create namespace " + namespace)
			for _, f := range apiFaults {
				if f.name == "slow" || f.name == "429" {
					continue // as of every other request
				}
				name := "unremoved-" + step.name + "-" + f.name
				c.pkictl("user add " + name + " --namespace " + namespace + " --role view --kubeconfig " + c.admin)
				c.asAdmin("create rolebinding two-" + name + " -n " + namespace + " --clusterrole=view --user=" + name + " --user=other")
				waiting := c.submitWaiting(name)
				fault := f.fault
				fault.method, fault.path = step.method, step.path
				p.set(fault)
				_, stderr, err := c.try(pkictl(), "user", "remove", name, "--yes", "--kubeconfig", p.kubeconfig, "--request-timeout", "5s")
				if !p.saw(step.method, step.path) {
					t.Errorf("%s: no %s %s among %q", name, step.method, step.path, p.requests())
				}
				p.set()
				if err != nil && (strings.Count(stderr, "error: ") != 1 || strings.Contains(stderr, "PRIVATE")) {
					t.Errorf("%s: %v\n%s", name, err, stderr)
				}
				c.pkictl("user remove " + name + " --yes --kubeconfig " + p.kubeconfig)
				if got := c.found(name, namespace); len(got.bindings) > 0 {
					t.Errorf("%s: left %+v", name, got)
				}
				if left := c.asAdmin("get --ignore-not-found csr " + waiting); left != "" {
					t.Errorf("%s: left %s", name, left)
				}
				if out := c.pkictl("user list " + name + " --kubeconfig " + c.admin); !strings.Contains(out, "removed, certificate works until") {
					t.Errorf("%s: %s", name, out)
				}
			}
		})
	}
}

// submitWaiting submits a request for a user that nobody approves, and returns
// the name of the object.
func (c realCluster) submitWaiting(name string) string {
	c.t.Helper()
	c.pkictl("csr new " + name + " --key ecdsa-p384 --out waiting-" + name)
	var object struct{ Name string }
	ok(c.t, json.Unmarshal([]byte(c.pkictl("csr submit waiting-"+name+".csr -o json --kubeconfig "+c.admin)), &object))
	return object.Name
}

// saw says whether a request came by.
func (p *faultProxy) saw(method, path string) bool {
	for _, request := range p.requests() {
		if strings.HasPrefix(request, method+" ") && strings.Contains(request, path) {
			return true
		}
	}
	return false
}

// TestUserRenew replaces certificate and key in a kubeconfig, and nothing else.
func TestUserRenew(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-renew")
	for _, via := range []string{"csr", "ca"} {
		name := "renewed-" + via
		config := filepath.Join(c.dir, name+".conf")
		common := " --dir " + c.pki + " --kubeconfig " + c.admin
		c.pkictl("user add " + name + " --group renewers --namespace user-renew --role view --for 10m --via " + via + common)
		data, err := os.ReadFile(config)
		ok(t, err)
		ok(t, os.WriteFile(config, append([]byte("# mine\n"), data...), 0o600))
		old := c.fileLines(config)
		for _, flags := range []string{"", " --reuse-key --for 1h"} {
			out := c.pkictl("user renew " + name + flags + common)
			if !strings.Contains(out, "Renewed "+name) || !strings.Contains(out, "the old one  serial ") {
				t.Error(out)
			}
			now := c.fileLines(config)
			if changed := diffLines(old, now); changed != map[bool]string{true: "client-certificate-data client-key-data", false: "client-certificate-data"}[flags == ""] {
				t.Errorf("%s: %q changed", name, changed)
			}
			old = now
			if who := c.as(config, "auth whoami -o jsonpath={.status.userInfo.username}{.status.userInfo.groups[0]}"); who != name+"renewers" {
				t.Errorf("the renewed is %q", who)
			}
		}
		if out := c.pkictl("user list " + name + " -o json --kubeconfig " + c.admin); strings.Count(out, `"credentialID"`) != 3 {
			t.Errorf("the bindings do not know the three certificates:\n%s", out)
		}
	}
}

func (c realCluster) fileLines(path string) []string {
	c.t.Helper()
	data, err := os.ReadFile(path)
	ok(c.t, err)
	return strings.Split(string(data), "\n")
}

// diffLines names the fields on lines that differ.
func diffLines(a, b []string) string {
	var changed []string
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			field, _, _ := strings.Cut(strings.TrimSpace(a[i]), ":")
			changed = append(changed, field)
		}
	}
	if len(a) != len(b) {
		changed = append(changed, "length")
	}
	return strings.Join(changed, " ")
}

// TestUserRenewFaults breaks each request of user renew; the kubeconfig works
// all the time, and the same command again completes it.
func TestUserRenewFaults(t *testing.T) {
	t.Parallel()
	for _, step := range []struct{ name, method, path string }{
		{"submit", "POST", "/certificatesigningrequests"},
		{"approve", "PUT", "/approval"},
		{"bindings", "GET", "/rolebindings"},
		{"note", "PUT", "/rolebindings"},
		{"whoami", "POST", "/selfsubjectreviews"},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			c := clusterWithRoles(t)
			p := c.newFaultProxy()
			namespace := "renew-faults-" + step.name
			c.asAdmin("create namespace " + namespace)
			name := "unrenewed-" + step.name
			c.pkictl("user add " + name + " --namespace " + namespace + " --role view --kubeconfig " + p.kubeconfig)
			want := 1
			for _, fault := range []apiFault{{code: http.StatusForbidden}, {code: http.StatusInternalServerError}, {cut: true}, {cut: true, after: true, times: 1}, {hang: true, times: 1}} {
				fault.method, fault.path = step.method, step.path
				p.set(fault)
				cmd := exec.Command(pkictl(), "user", "renew", name, "--kubeconfig", p.kubeconfig)
				cmd.Dir, cmd.Env = c.dir, []string{"HOME=" + c.dir}
				ok(t, cmd.Start())
				if fault.hang {
					p.waitHung(t)
					ok(t, cmd.Process.Kill())
				}
				failed := cmd.Wait() != nil
				p.set()
				c.as(filepath.Join(c.dir, name+".conf"), "auth whoami")
				if failed {
					c.pkictl("user renew " + name + " --kubeconfig " + p.kubeconfig)
				}
				want++
				if got := c.found(name, namespace); len(got.requests) != want {
					t.Errorf("%+v: %d requests, want %d", fault, len(got.requests), want)
				}
				c.as(filepath.Join(c.dir, name+".conf"), "get pods -n "+namespace)
				if _, err := os.Stat(filepath.Join(c.dir, name+".conf.pending")); err == nil {
					t.Error("a pending file was left")
				}
			}
		})
	}
}
