package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/csr"
)

// pending submits a request for each name, under that name.
func (c realCluster) pending(names ...string) {
	c.t.Helper()
	for _, name := range names {
		post(c.t, client(c.t, c.admin), name, csr.SignerClient, requestOf(c.t, name, "approve-group"), signing, clientAuth)
	}
}

// state returns the state of a request.
func (c realCluster) state(name string) csr.State {
	c.t.Helper()
	object, err := csr.Get(c.t.Context(), client(c.t, c.admin), name)
	ok(c.t, err)
	state := csr.StateOf(object)
	if state == csr.StateIssued { // sooner or later
		state = csr.StateApproved
	}
	return state
}

func TestCSRApprove(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.asAdmin("create clusterrolebinding approve-root --clusterrole=cluster-admin --user=approve-root")
	c.pending("approve-a", "approve-b", "approve-root", "approve-x-1", "approve-x-2", "approve-deny")

	stdout, _ := c.exits(0, c.admin, "csr", "approve", "approve-a", "--dry-run")
	contains(t, stdout, "Would approve approve-a, for approve-a, in approve-group", "A certificate cannot be taken back")
	if state := c.state("approve-a"); state != csr.StatePending {
		t.Errorf("the dry run left it %s", state)
	}
	_, stderr := c.exits(4, c.admin, "csr", "approve", "approve-a")
	contains(t, stderr, "error: there is no terminal to ask on: Approve approve-a?", "hint: ")
	stdout, _ = c.exits(0, c.admin, "csr", "approve", "approve-a", "--reason", "known", "--yes")
	contains(t, stdout, "Approved approve-a", "Next: pkictl csr wait approve-a")
	if out := c.asAdmin("get csr approve-a -o jsonpath={.status.conditions[0].type}:{.status.conditions[0].message}"); out != "Approved:known" {
		t.Error(out)
	}
	stdout, _ = c.exits(0, c.admin, "csr", "approve", "approve-a")
	contains(t, stdout, "approve-a was approved before; nothing was changed")
	_, stderr = c.exits(4, c.admin, "csr", "deny", "approve-a", "--reason", "late")
	contains(t, stderr, `"approve-a" was approved already`)

	// What is dangerous needs more than --yes, alone and among others.
	_, stderr = c.exits(4, c.admin, "csr", "approve", "approve-root", "--yes")
	contains(t, stderr, "they could do everything in the whole cluster", "hint: see: pkictl csr review approve-root", "--allow-dangerous")
	stdout, stderr = c.exits(1, c.admin, "csr", "approve", "approve-root", "approve-b", "approve-nothing", "--yes", "-o", "json")
	contains(t, stderr, "error: 2 of 3 certificate signing requests: could not approve")
	var got struct {
		APIVersion, Kind string
		Items            []struct {
			Name, UID, Outcome, Error, Hint string
			Review                          *struct{ CommonName string }
		}
	}
	ok(t, json.Unmarshal([]byte(stdout), &got))
	if got.Kind != "CertificateSigningRequestDecisions" || len(got.Items) != 3 || got.Items[0].Outcome != "refused" || got.Items[1].Outcome != "approved" ||
		got.Items[2].Outcome != "gone" || got.Items[0].Error == "" || got.Items[0].Hint == "" || got.Items[1].UID == "" || got.Items[1].Review.CommonName != "approve-b" {
		t.Errorf("%s", stdout)
	}
	if state := c.state("approve-root"); state != csr.StatePending {
		t.Errorf("it is %s", state)
	}
	c.exits(0, c.admin, "csr", "approve", "approve-root", "--yes", "--allow-dangerous")

	stdout, _ = c.exits(0, c.admin, "csr", "approve", "--all", "--matching", "approve-x-*", "--signer", csr.SignerClient, "--group", "approve-group", "--yes")
	contains(t, stdout, "Approved approve-x-1", "Approved approve-x-2")
	if state := c.state("approve-deny"); state != csr.StatePending {
		t.Errorf("one that does not match is %s", state)
	}
	for _, filter := range [][]string{{"--matching", "approve-other*"}, {"--matching", "approve-deny", "--group", "other"}, {"--matching", "approve-deny", "--signer", "example.com/x"}} {
		stdout, _ = c.exits(0, c.admin, append([]string{"csr", "approve", "--all", "--yes"}, filter...)...)
		contains(t, stdout, "There is no request to approve")
	}

	c.exits(0, c.admin, "csr", "deny", "approve-deny", "--reason", "no such person", "--dry-run")
	if state := c.state("approve-deny"); state != csr.StatePending {
		t.Errorf("the dry run left it %s", state)
	}
	stdout, _ = c.exits(0, c.admin, "csr", "deny", "approve-deny", "--reason", "no such person", "--yes")
	contains(t, stdout, "Denied approve-deny, for approve-deny, in approve-group")
	_, stderr = c.exits(4, c.admin, "csr", "approve", "approve-deny", "--yes")
	contains(t, stderr, "it was denied (PkictlDeny: no such person)")
}

func TestCSRDecideUsage(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	tests := []struct{ args, want string }{
		{"approve", "needs a name or --all"},
		{"approve a --all", "both names and --all are given"},
		{"approve a a --yes", `"a" is named twice`},
		{"approve a --matching x", "--matching, --signer and --group choose from --all"},
		{"approve --all --matching [", `--matching "[" is not a pattern`},
		{"approve ../nodes/x --yes", `"../nodes/x" is not the name`},
		{"approve a --yes --request-timeout 0s", "--request-timeout 0s is not a time to wait"},
		{"deny a --yes", "a denial needs a reason"},
		{"deny --reason x", "needs a name"},
		{"review a b", "accepts 1 arg(s), received 2"},
	}
	for _, test := range tests {
		stdout, stderr := c.exits(2, c.admin, append([]string{"csr"}, strings.Fields(test.args)...)...)
		contains(t, stderr, "error: ", test.want, "hint: ")
		if stdout != "" || strings.Count(stderr, "\n") != 2 {
			t.Errorf("%s: %s%s", test.args, stdout, stderr)
		}
	}
	if files, err := os.ReadDir(c.dir); err != nil || len(files) != 0 {
		t.Errorf("something was written: %v %v", files, err)
	}
}

// TestCSRApproveRights: the right that is missing is named.
func TestCSRApproveRights(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for _, line := range []string{
		"create clusterrole rights-see --verb=get,list --resource=certificatesigningrequests.certificates.k8s.io",
		"create clusterrole rights-act --verb=update --resource=certificatesigningrequests.certificates.k8s.io/approval",
		"create clusterrolebinding rights-1 --clusterrole=rights-see --group=rights",
		"create clusterrolebinding rights-2 --clusterrole=rights-act --user=rights-half",
	} {
		c.asAdmin(line)
	}
	c.pending("rights")
	for user, want := range map[string]string{
		"rights-none": "hint: it takes the verb update on certificatesigningrequests/approval (certificates.k8s.io)",
		"rights-half": "hint: it takes the verb approve on signers (certificates.k8s.io) with the name kubernetes.io/kube-apiserver-client",
	} {
		config := c.issueUser(user, "rights")
		_, stderr := c.exits(4, config, "csr", "approve", "rights", "--yes")
		contains(t, stderr, "what it would allow is not known")
		for _, dry := range []string{"--yes", "--dry-run"} {
			_, stderr = c.exits(4, config, "csr", "approve", "rights", "--allow-dangerous", dry)
			contains(t, stderr, `error: you may not approve certificate signing request "rights"`, want)
		}
		_, stderr = c.exits(4, config, "csr", "deny", "rights", "--reason", "x", "--yes")
		contains(t, stderr, `error: you may not deny certificate signing request "rights"`, want)
	}
	if state := c.state("rights"); state != csr.StatePending {
		t.Errorf("it is %s", state)
	}
}

// TestCSRApproveFaults: whatever step fails, the command says which, and what
// was not decided is not decided.
func TestCSRApproveFaults(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const reviews, bindings, object = "/selfsubjectrulesreviews", "/clusterrolebindings", "/certificatesigningrequests/"
	tests := []struct {
		name  string
		fault apiFault
		code  int
		want  string
		state csr.State
	}{
		{"no-login", apiFault{method: "GET", path: object, code: http.StatusUnauthorized}, 1, "401 Unauthorized", csr.StatePending},
		{"no-reading", apiFault{method: "GET", path: object, code: http.StatusForbidden}, 4, "fault: Forbidden", csr.StatePending},
		{"failed-reading", apiFault{method: "GET", path: object, code: http.StatusInternalServerError}, 1, "the API server failed", csr.StatePending},
		{"no-bindings", apiFault{path: bindings, code: http.StatusForbidden}, 4, "listing all bindings is not allowed", csr.StatePending},
		{"failed-bindings", apiFault{path: bindings, code: http.StatusInternalServerError}, 1, "cannot review", csr.StatePending},
		{"no-impersonating", apiFault{path: reviews, code: http.StatusForbidden}, 0, "", csr.StateApproved},
		{"failed-impersonating", apiFault{path: reviews, code: http.StatusInternalServerError}, 1, "cannot review", csr.StatePending},
		{"no-approving", apiFault{method: "PUT", code: http.StatusForbidden}, 4, "you may not approve", csr.StatePending},
		{"conflict-once", apiFault{method: "PUT", code: http.StatusConflict, times: 1}, 0, "", csr.StateApproved},
		{"conflict-always", apiFault{method: "PUT", code: http.StatusConflict}, 1, "cannot approve", csr.StatePending},
		{"busy-once", apiFault{method: "PUT", code: http.StatusTooManyRequests, times: 1}, 0, "", csr.StateApproved},
		{"failed-approving", apiFault{method: "PUT", code: http.StatusInternalServerError}, 1, "cannot approve", csr.StatePending},
		{"lost-answer", apiFault{method: "PUT", cut: true, after: true, times: 1}, 0, "", csr.StateApproved},
		{"slow", apiFault{method: "PUT", delay: 5 * time.Second}, 1, "gave no answer within 1s", csr.StatePending},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := realCluster{userDir: newUserDir(t), url: c.url, admin: c.admin, pki: c.pki, kubectl: c.kubectl}
			name := "faults-" + test.name
			c.pending(name)
			p := c.newFaultProxy(test.fault)
			stdout, stderr := c.exits(test.code, p.kubeconfig, "csr", "approve", name, "--yes", "--request-timeout", map[bool]string{true: "1s", false: "30s"}[test.name == "slow"])
			contains(t, stderr, test.want)
			if test.code != 0 && (strings.Count(stderr, "error: ") != 1 || strings.Count(stderr, "\n") > 2) {
				t.Errorf("%s%s", stdout, stderr)
			}
			if state := c.state(name); state != test.state {
				t.Errorf("it is %s\n%s%s", state, stdout, stderr)
			}
		})
	}
}

// TestCSRApproveSeveralFaults: one that fails does not stop the others.
func TestCSRApproveSeveralFaults(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.pending("several-1", "several-2", "several-3")
	p := c.newFaultProxy(apiFault{method: "PUT", path: "several-2", code: http.StatusInternalServerError})
	stdout, stderr := c.exits(1, p.kubeconfig, "csr", "approve", "several-1", "several-2", "several-3", "--yes")
	contains(t, stdout, "Approved several-1", "NOT approved: cannot approve certificate signing request \"several-2\"", "Approved several-3")
	contains(t, stderr, "error: 1 of 3 certificate signing requests: could not approve")
	for name, want := range map[string]csr.State{"several-1": csr.StateApproved, "several-2": csr.StatePending, "several-3": csr.StateApproved} {
		if state := c.state(name); state != want {
			t.Errorf("%s is %s", name, state)
		}
	}
}

// TestCSRDecideAnother: what was reviewed is what is decided, and a decision of
// somebody else in between is told apart from one's own.
func TestCSRDecideAnother(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	admin, ctx := client(t, c.admin), t.Context()
	approve, deny := csr.Decision{Approve: true, Message: "mine"}, csr.Decision{Message: "mine"}
	for name, test := range map[string]struct {
		between string // of kubectl; %s is the name
		d       csr.Decision
		want    csr.Outcome
		fails   bool
	}{
		"another-same":  {"certificate approve %s", approve, csr.Meanwhile, false},
		"another-other": {"certificate deny %s", approve, csr.Meanwhile, true},
		"another-deny":  {"certificate approve %s", deny, csr.Meanwhile, true},
		"another-gone":  {"delete csr %s", approve, csr.Gone, true},
		"another-dry":   {"delete csr %s", csr.Decision{Approve: true, DryRun: true}, csr.Gone, true},
		"another-label": {"label csr %s a=b", approve, csr.Approved, false},
		"another-made":  {"replace", approve, csr.Gone, true},
		"another-made2": {"replace", deny, csr.Gone, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reviewed := post(t, admin, name, csr.SignerClient, requestOf(t, name), signing, clientAuth)
			if test.between == "replace" {
				c.asAdmin("delete csr " + name)
				post(t, admin, name, csr.SignerClient, requestOf(t, name), signing, clientAuth)
			} else {
				c.asAdmin(strings.ReplaceAll(test.between, "%s", name))
			}
			_, outcome, err := csr.Decide(ctx, admin, reviewed, test.d)
			if outcome != test.want || (err != nil) != test.fails {
				t.Errorf("%s, %v", outcome, err)
			}
			if strings.HasPrefix(name, "another-made") && c.state(name) != csr.StatePending {
				t.Errorf("the one made anew is %s", c.state(name))
			}
		})
	}
}

func TestCSRDecideExplainRuns(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.pending("recipe-approve", "recipe-deny")
	for _, args := range [][]string{{"approve", "--all", "--matching", "recipe-approve"}, {"deny", "recipe-deny"}} {
		recipe, _ := c.exits(0, c.admin, append(append([]string{"csr"}, args...), "--explain")...)
		path := filepath.Join(c.dir, "recipe.sh")
		ok(t, os.WriteFile(path, []byte("set -e\nPATH=$PATH:"+filepath.Dir(c.kubectl)+"\n"+recipe), 0o600))
		c.run("sh", path)
	}
	c.asAdmin("create clusterrolebinding recipe-root --clusterrole=cluster-admin --user=recipe-root")
	c.pending("recipe-root")
	recipe, _ := c.exits(0, c.admin, "csr", "approve", "--all", "--matching", "recipe-*", "--explain")
	contains(t, recipe, `# left out: certificate signing request "recipe-root" is not approved`, "they could do everything")
	if strings.Contains(recipe, "\nkubectl") {
		t.Errorf("it approves what is refused:\n%s", recipe)
	}
	recipe, _ = c.exits(0, c.admin, "csr", "approve", "--all", "--matching", "recipe-*", "--explain", "--allow-dangerous", "--context", "kube-admin@kubernetes")
	contains(t, recipe, "\nkubectl --kubeconfig "+c.admin+" --context kube-admin@kubernetes certificate approve recipe-root\n")
	if a, d := c.state("recipe-approve"), c.state("recipe-deny"); a != csr.StateApproved || d != csr.StateDenied {
		t.Errorf("they are %s and %s", a, d)
	}
}
