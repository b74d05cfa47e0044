package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// clusterWithRoles is sharedCluster when kube-controller-manager has filled
// view, edit and admin.
func clusterWithRoles(t *testing.T) realCluster {
	t.Helper()
	c := sharedCluster(t)
	c.waitForRoles()
	return c
}

// TestUserAdd gives access, and has kubectl judge it.
func TestUserAdd(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-add")
	for _, via := range []string{"csr", "ca"} {
		name := "user-add-" + via
		out := c.pkictl("user add " + name + " --group user-add-devs --namespace user-add --role view --via " + via + " --dir " + c.pki + " --kubeconfig " + c.admin)
		config := filepath.Join(c.dir, name+".conf")
		for _, want := range []string{
			"Added " + name, "cluster role view in namespace user-add", "may     read pods", "may not read secrets", "Next: kubectl --kubeconfig " + name + ".conf",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", via, want, out)
			}
		}
		whoami := c.as(config, "auth whoami -o jsonpath={.status.userInfo.username}{.status.userInfo.groups}")
		if !strings.HasPrefix(whoami, name+`["user-add-devs"`) {
			t.Errorf("%s: whoami %s", via, whoami)
		}
		c.as(config, "get pods") // in the namespace of the context
		if _, _, err := c.try(c.kubectl, "--kubeconfig", config, "auth", "can-i", "get", "pods", "-n", "default"); err == nil {
			t.Errorf("%s: pods of another namespace may be read", via)
		}
		c.checkAdded(via, name, "user-add", via == "csr")
		if info, err := os.Stat(config); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", via, info.Mode(), err)
		}
	}
}

// addedUser is what the API server and the disk have of a user.
type addedUser struct {
	requests, bindings []string
}

// checkAdded checks that there is exactly one of everything, and nothing left
// on the way.
func (c realCluster) checkAdded(what, name, namespace string, byCSR bool) {
	c.t.Helper()
	got := c.found(name, namespace)
	want := 0
	if byCSR {
		want = 1
	}
	if len(got.requests) != want || len(got.bindings) != 1 {
		c.t.Errorf("%s: requests %q, bindings %q", what, got.requests, got.bindings)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, entry := range entries {
		if rest, ours := strings.CutPrefix(strings.TrimPrefix(entry.Name(), "."), name+".conf"); ours && rest != "" {
			c.t.Errorf("%s: %s was left", what, entry.Name())
		}
	}
	if who := c.as(filepath.Join(c.dir, name+".conf"), "auth whoami -o jsonpath={.status.userInfo.username}"); who != name {
		c.t.Errorf("%s: the kubeconfig is that of %q", what, who)
	}
}

// found lists the objects of a user.
func (c realCluster) found(name, namespace string) (u addedUser) {
	c.t.Helper()
	var requests, bindings struct {
		Items []struct {
			Metadata struct {
				Name        string
				Annotations map[string]string
			}
			Subjects []struct{ Name string }
		}
	}
	decode := func(line string, into any) {
		if err := json.Unmarshal([]byte(c.asAdmin(line)), into); err != nil {
			c.t.Fatal(err)
		}
	}
	decode("get csr -l app.kubernetes.io/managed-by=pkictl -o json", &requests)
	decode("get rolebindings -n "+namespace+" -o json", &bindings)
	for _, item := range requests.Items {
		if item.Metadata.Annotations["pkictl.dev/user"] == name {
			u.requests = append(u.requests, item.Metadata.Name)
		}
	}
	for _, item := range bindings.Items {
		for _, s := range item.Subjects {
			if s.Name == name {
				u.bindings = append(u.bindings, item.Metadata.Name)
			}
		}
	}
	return u
}

type userStep struct{ name, method, path string }

// userSteps are the requests of user add in their order.
var userSteps = []userStep{
	{"namespace", "GET", "/api/v1/namespaces/"},
	{"role", "GET", "/roles/"},
	{"cluster-role", "GET", "/clusterroles/"},
	{"binding-there", "GET", "/rolebindings/"},
	{"submit", "POST", "/certificatesigningrequests"},
	{"approve", "PUT", "/approval"},
	{"watch", "GET", "watch=true"},
	{"bind", "POST", "/rolebindings"},
	{"whoami", "POST", "/selfsubjectreviews"},
	{"rules", "POST", "/selfsubjectrulesreviews"},
}

// apiFaults are what may happen to each.
var apiFaults = []struct {
	name  string
	fault apiFault
}{
	{"401", apiFault{code: http.StatusUnauthorized}},
	{"403", apiFault{code: http.StatusForbidden}},
	{"409", apiFault{code: http.StatusConflict}},
	{"429", apiFault{code: http.StatusTooManyRequests}},
	{"500", apiFault{code: http.StatusInternalServerError}},
	{"slow", apiFault{delay: 10 * time.Second}},
	{"cut", apiFault{cut: true}},
	{"lost", apiFault{cut: true, after: true}},
	{"lost-500", apiFault{code: http.StatusInternalServerError, after: true, times: 1}},
}

// TestUserAddFaults breaks each request of user add in each way. It says what
// is done, and the same command again completes it, with one object of each.
func TestUserAddFaults(t *testing.T) {
	t.Parallel()
	for _, step := range userSteps {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			c := clusterWithRoles(t)
			namespace := "user-faults-" + step.name
			c.asAdmin("create namespace " + namespace)
			p := c.newFaultProxy()
			for _, f := range apiFaults {
				if f.fault.after && step.name == "watch" {
					continue // it has no answer that could be lost as a whole
				}
				fault := f.fault
				fault.method, fault.path = step.method, step.path
				p.set(fault)
				name := "faulty-" + step.name + "-" + f.name
				c.addThroughFault(p, name, namespace, step)
			}
		})
	}
}

// addThroughFault adds a user with a fault in the way, and again without.
func (c realCluster) addThroughFault(p *faultProxy, name, namespace string, step userStep) {
	c.t.Helper()
	args := []string{"user", "add", name, "--namespace", namespace, "--role", "view", "--kubeconfig", p.kubeconfig}
	seen := make(chan []string, 2)
	lift := func() { seen <- p.requests(); p.set() }
	isHit := func(r string) bool { return strings.HasPrefix(r, step.method+" ") && strings.Contains(r, step.path) }
	ended := make(chan struct{})
	var lifting sync.WaitGroup
	if step.name == "watch" { // it would wait for five minutes
		lifting.Go(func() {
			for !slices.ContainsFunc(p.requests(), isHit) {
				select {
				case <-ended:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
			select {
			case <-ended:
			case <-time.After(time.Second): // it tries again some times
				lift()
			}
		})
	}
	stdout, stderr, err := c.try(pkictl(), append(args, "--request-timeout", "1s")...)
	close(ended)
	lifting.Wait()
	lift()
	if hit := <-seen; !slices.ContainsFunc(hit, isHit) {
		c.t.Errorf("%s: the fault was not hit: %q", name, hit)
	}
	if err != nil {
		c.checkSaid(name, stdout, stderr, err)
		stdout, stderr, err = c.try(pkictl(), args...)
	}
	if err != nil {
		c.t.Errorf("%s: run again: %v\n%s%s", name, err, stdout, stderr)
		return
	}
	// Its kubeconfig names the proxy, which is there still.
	c.checkAdded(name, name, namespace, true)
}

// checkSaid checks what a command says that has failed on its way.
func (c realCluster) checkSaid(name, stdout, stderr string, err error) {
	c.t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() < 1 || exit.ExitCode() == 3 {
		c.t.Errorf("%s: %v", name, err)
	}
	if stdout != "" || strings.Count(stderr, "error: ") != 1 || strings.Count(stderr, "hint: ") != 1 || strings.Contains(stderr, "PRIVATE") {
		c.t.Errorf("%s: it says\n%s%s", name, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(c.dir, name+".conf.pending")); err != nil {
		return // nothing was begun
	}
	if !strings.Contains(stderr, "is not complete (done: ") || !strings.Contains(stderr, "missing: ") || !strings.Contains(stderr, "run the same command again") {
		c.t.Errorf("%s: it does not say what is done:\n%s", name, stderr)
	}
}

// TestUserAddKilled kills user add at each request that reaches the API server,
// before it is carried out and after it. The next run completes it.
func TestUserAddKilled(t *testing.T) {
	t.Parallel()
	for i, step := range userSteps {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s-%v", step.name, after), func(t *testing.T) {
				t.Parallel()
				c := clusterWithRoles(t)
				namespace := fmt.Sprintf("user-killed-%d-%v", i, after)
				c.asAdmin("create namespace " + namespace)
				// The answer hangs, so that the command is where it is to die.
				p := c.newFaultProxy(apiFault{method: step.method, path: step.path, after: after && step.name != "watch", delay: 0, hang: true, times: 1})
				name := fmt.Sprintf("killed-%d-%v", i, after)
				args := []string{"user", "add", name, "--namespace", namespace, "--role", "view", "--kubeconfig", p.kubeconfig}
				cmd := exec.Command(pkictl(), args...)
				cmd.Dir, cmd.Env = c.dir, []string{"HOME=" + c.dir}
				ok(t, cmd.Start())
				p.waitHung(t)
				ok(t, cmd.Process.Kill())
				_ = cmd.Wait() // killed
				stdout, stderr, err := c.try(pkictl(), args...)
				if err != nil {
					t.Fatalf("%v\n%s%s", err, stdout, stderr)
				}
				c.checkAdded(name, name, namespace, true)
			})
		}
	}
}
