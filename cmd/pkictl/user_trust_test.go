package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// interrupted has user add stop before its request is approved, and returns the
// path of what it has left.
func (c realCluster) interrupted(p *faultProxy, name, more string) string {
	c.t.Helper()
	p.set(apiFault{method: "PUT", path: "/approval", code: 403})
	if _, stderr, err := c.try(pkictl(), strings.Fields("user add "+name+" "+more+" --kubeconfig "+p.kubeconfig)...); exitCode(err) != 4 {
		c.t.Fatalf("%v %s", err, stderr)
	}
	p.set()
	return filepath.Join(c.dir, name+".conf.pending")
}

// TestUserAddPlanted: what somebody else may have written gets no certificate,
// neither by user add nor by user renew.
func TestUserAddPlanted(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	p := c.newFaultProxy()
	read := func(path string) map[string]any {
		data, err := os.ReadFile(path)
		ok(t, err)
		var fields map[string]any
		ok(t, json.Unmarshal(data, &fields))
		return fields
	}
	c.pkictl("csr new planted-victim --group planted-others --out other")
	otherKey, err := os.ReadFile(filepath.Join(c.dir, "other.key"))
	ok(t, err)
	otherRequest, err := os.ReadFile(filepath.Join(c.dir, "other.csr"))
	ok(t, err)
	c.pkictl("csr new planted-victim --dns planted.example.com --out named")
	namedKey, err := os.ReadFile(filepath.Join(c.dir, "named.key"))
	ok(t, err)
	namedRequest, err := os.ReadFile(filepath.Join(c.dir, "named.csr"))
	ok(t, err)

	pending := c.interrupted(p, "planted-victim", "")
	good, err := os.ReadFile(pending)
	ok(t, err)
	elsewhere := filepath.Join(c.dir, "elsewhere")
	ok(t, os.WriteFile(elsewhere, good, 0o600))
	change := func(keys ...string) func() {
		return func() {
			fields := read(pending)
			for i := 0; i < len(keys); i += 2 {
				fields[keys[i]] = keys[i+1]
			}
			data, err := json.Marshal(fields)
			ok(t, err)
			ok(t, os.WriteFile(pending, data, 0o600))
		}
	}
	plants := []struct {
		name  string
		plant func()
		says  string
	}{
		{"readable", func() { ok(t, os.Chmod(pending, 0o640)) }, "is open to other users"},
		{"symbolic link", func() { ok(t, os.Remove(pending)); ok(t, os.Symlink(elsewhere, pending)) }, "is no plain file"},
		{"directory", func() { ok(t, os.Remove(pending)); ok(t, os.Mkdir(pending, 0o700)) }, "is no plain file"},
		{"other groups", change("key", string(otherKey), "request", string(otherRequest)), "another request"},
		{"a name more", change("key", string(namedKey), "request", string(namedRequest)), "another request"},
		{"other key", change("key", string(otherKey)), "another request"},
		{"two requests", change("request", read(pending)["request"].(string)+string(otherRequest)), "another request"},
	}
	if os.Geteuid() == 0 {
		plants = append(plants, plants[0])
		plants[len(plants)-1].plant = func() { ok(t, os.Chown(pending, 65534, 65534)) }
		plants[len(plants)-1].name, plants[len(plants)-1].says = "another's", "belongs to another user"
	}
	for _, planted := range plants {
		ok(t, os.RemoveAll(pending))
		ok(t, os.WriteFile(pending, good, 0o600))
		planted.plant()
		p.set()
		stdout, stderr, err := c.try(pkictl(), "user", "add", "planted-victim", "--kubeconfig", p.kubeconfig)
		c.wantRefused(planted.name, stdout, stderr, err, 4, planted.says, "move it away")
		for _, request := range p.requests() {
			if !strings.HasPrefix(request, "GET ") {
				t.Errorf("%s: sent %s", planted.name, request)
			}
		}
	}
	ok(t, os.RemoveAll(pending))
	ok(t, os.WriteFile(pending, good, 0o600))
	begun := read(pending)["begun"].(string)
	stdout, stderr, err := c.try(pkictl(), "user", "add", "planted-victim", "--kubeconfig", p.kubeconfig)
	if err != nil || !strings.Contains(stderr, "going on with the request that was begun at "+begun) {
		t.Errorf("its own: %v\n%s%s", err, stdout, stderr)
	}

	before, err := os.ReadFile(filepath.Join(c.dir, "planted-victim.conf"))
	ok(t, err)
	p.set(apiFault{method: "PUT", path: "/approval", code: 403})
	const renew = "user renew planted-victim --via csr --kubeconfig "
	if _, stderr, err := c.try(pkictl(), strings.Fields(renew+p.kubeconfig)...); exitCode(err) != 4 {
		t.Fatalf("%v %s", err, stderr)
	}
	p.set()
	change("key", string(otherKey), "request", string(otherRequest))()
	stdout, stderr, err = c.try(pkictl(), strings.Fields(renew+p.kubeconfig)...)
	c.wantRefused("renew", stdout, stderr, err, 4, "another request", "move it away")
	if after, err := os.ReadFile(filepath.Join(c.dir, "planted-victim.conf")); err != nil || string(after) != string(before) {
		t.Errorf("renew changed the kubeconfig: %v", err)
	}
}

// TestUserAddOldServer: API servers before 1.28 cannot say who somebody is.
func TestUserAddOldServer(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	p := c.newFaultProxy()
	for _, code := range []int{403, 404} {
		p.set(apiFault{method: "POST", path: "/selfsubjectreviews", code: code})
		name := fmt.Sprint("old-server-", code)
		stdout, stderr, err := c.try(pkictl(), "user", "add", name, "--namespace", "default", "--role", "view", "--kubeconfig", p.kubeconfig)
		if err != nil || !strings.Contains(stderr, "warning: for whom the API server takes the certificate is not known") || !strings.Contains(stdout, "Added "+name) {
			t.Errorf("%d: %v\n%s%s", code, err, stdout, stderr)
		}
		p.set()
		c.checkAdded(name, name, "default", true)
	}
}

// TestUserAddByNamespaceAdmin: who may bind a role need not be able to read it.
func TestUserAddByNamespaceAdmin(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-delegate")
	ok(t, os.WriteFile(filepath.Join(c.dir, "role.yaml"), []byte(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: user-delegate-requests}, rules: [
		{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests, certificatesigningrequests/approval, signers], verbs: [get, list, watch, create, update, approve]}]}`), 0o600))
	c.asAdmin("create -f role.yaml")
	c.asAdmin("create clusterrolebinding user-delegate-requests --clusterrole=user-delegate-requests --user=delegate")
	c.pkictl("user add delegate --namespace user-delegate --role admin --kubeconfig " + c.admin)
	for _, name := range []string{"delegated", "delegated-edit"} {
		role := "view"
		if name != "delegated" {
			role = "edit"
		}
		stdout, stderr, err := c.try(pkictl(), "user", "add", name, "--namespace", "user-delegate", "--role", role, "--kubeconfig", "delegate.conf")
		if err != nil || !strings.Contains(stderr, "may not be read") || !strings.Contains(stdout, "cluster role "+role+" in namespace user-delegate") {
			t.Errorf("%v\n%s%s", err, stdout, stderr)
		}
		c.checkAdded(name, name, "user-delegate", true)
	}
	// What may not be bound is refused before anything is made.
	before := snapshot(t, c.dir)
	stdout, stderr, err := c.try(pkictl(), "user", "add", "delegated-all", "--namespace", "user-delegate", "--role", "cluster-admin", "--kubeconfig", "delegate.conf")
	c.wantRefused("more than they have", stdout, stderr, err, 4, "the API server refused", "")
	checkUnchanged(t, "more than they have", c.dir, before)
	ok(t, os.WriteFile(filepath.Join(c.dir, "users.csv"), []byte("name\ndelegated-many\n"), 0o600))
	if stdout, stderr, err := c.try(pkictl(), "user", "add", "-f", "users.csv", "--namespace", "user-delegate", "--role", "view", "--kubeconfig", "delegate.conf"); err != nil || !strings.Contains(stderr, "may not be read") {
		t.Errorf("%v\n%s%s", err, stdout, stderr)
	}
}

// TestUserAddClocks: what a signer gives is not judged by the clock of this
// machine, and a wrong clock makes no new request each time.
func TestUserAddClocks(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	client, err := kubeclient.Connect(kubeclient.Options{File: c.admin})
	ok(t, err)
	add := func(name string, skew, lifetime time.Duration) (*csr.Added, error) {
		return csr.AddUser(t.Context(), client, csr.AddOptions{
			UserGrant: csr.UserGrant{Name: name, Seconds: int64(lifetime / time.Second), Via: csr.ViaCSR, Namespace: "default", Role: "view"},
			Out:       filepath.Join(c.dir, name+".conf"), Now: time.Now().Add(skew),
		})
	}
	for name, test := range map[string]struct {
		skew, lifetime time.Duration
		shortened      bool
	}{
		"clock-right":     {0, 8 * time.Hour, false},
		"clock-10m":       {10 * time.Minute, 8 * time.Hour, false},
		"clock-long":      {20 * time.Minute, 30 * 24 * time.Hour, false},
		"clock-behind":    {-10 * time.Minute, 8 * time.Hour, false},
		"clock-shortened": {-time.Hour * 24 * 366 * 20, 20 * 365 * 24 * time.Hour, true}, // the signer's limit is a year
	} {
		added, err := add(name, test.skew, test.lifetime)
		if err != nil || added.Shortened != test.shortened {
			t.Errorf("%s: %v %+v", name, err, added)
		}
	}
	for range 3 {
		_, err := add("clock-ahead", 24*time.Hour, time.Hour)
		if err == nil || !strings.Contains(err.Error(), "the clocks of this machine and of the signer differ") {
			t.Errorf("%v", err)
		}
	}
	if got := c.found("clock-ahead", "default"); len(got.requests) != 1 {
		t.Errorf("%+v", got)
	}
	if added, err := add("clock-ahead", 0, time.Hour); err != nil || !added.Resumed {
		t.Errorf("with the right clock: %v %+v", err, added)
	}
}

// TestUserAddKnown: an older certificate gets what is bound to its name anew.
func TestUserAddKnown(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-known")
	p := c.newFaultProxy()
	warnings := func(line string) string {
		t.Helper()
		stdout, stderr, err := c.try(pkictl(), strings.Fields("user add "+line+" --namespace user-known --kubeconfig "+p.kubeconfig)...)
		if err != nil {
			t.Fatalf("%v\n%s%s", err, stdout, stderr)
		}
		return stderr
	}
	const certificate, binding = `there is another certificate of user "known" in force, until`, `user "known" has other bindings, which add to this: cluster role view in namespace user-known; see: pkictl user list known`
	if got := warnings("known --role view"); strings.Contains(got, "warning") {
		t.Errorf("new:\n%s", got)
	}
	for _, line := range []string{"known --role edit --out again.conf --dry-run", "known --role edit --out again.conf"} {
		if got := warnings(line); !strings.Contains(got, certificate) || !strings.Contains(got, binding) {
			t.Errorf("%s:\n%s", line, got)
		}
	}
	c.interrupted(p, "known-resumed", "--namespace user-known --role view")
	if got := warnings("known-resumed --role view"); strings.Contains(got, "warning") {
		t.Errorf("gone on with:\n%s", got)
	}
	ok(t, os.WriteFile(filepath.Join(c.dir, "users.csv"), []byte("name\nknown\nknown-new\n"), 0o600))
	ok(t, os.Mkdir(filepath.Join(c.dir, "confs"), 0o700))
	got := warnings("-f users.csv --role admin --out confs")
	if !strings.Contains(got, `there are 2 other certificates of user "known" in force`) || strings.Contains(got, "known-new") {
		t.Errorf("of several:\n%s", got)
	}
	c.pkictl("user add known-removed --namespace user-known --role view --kubeconfig " + c.admin)
	_, _, _ = c.try(pkictl(), "user", "remove", "known-removed", "--yes", "--kubeconfig", c.admin) // its certificate stays: exit code 3
	if got := warnings("known-removed --role view --out known-back.conf"); !strings.Contains(got, `there is another certificate of user "known-removed" in force`) {
		t.Errorf("removed before:\n%s", got)
	}
}
