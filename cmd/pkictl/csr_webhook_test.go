package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/pkictl/pkictl/csr"
)

// webhookAllows is what the authorizer of TestAccessWithWebhook allows, beside RBAC.
func webhookAllows(spec authorizationv1.SubjectAccessReviewSpec) bool {
	r := spec.ResourceAttributes
	switch {
	case r == nil:
		return false
	case spec.User == "hook-all":
		return true
	case spec.User == "hook-some":
		return r.Resource == "secrets" && r.Verb == "list" && r.Namespace == "hook-dev" || r.Resource == "nodes" && r.Subresource == "" && r.Verb == "get"
	}
	return false
}

// TestAccessWithWebhook: an authorizer that cannot list what it allows, as those
// of managed clusters, is asked one by one.
func TestAccessWithWebhook(t *testing.T) {
	t.Parallel()
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review authorizationv1.SubjectAccessReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Status.Allowed = webhookAllows(review.Spec)
		_ = json.NewEncoder(w).Encode(review) // the client may have gone
	}))
	t.Cleanup(hook.Close)
	assets, kubectl := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca")
	config := filepath.Join(w.dir, "hook.conf")
	ok(t, os.WriteFile(config, []byte("apiVersion: v1\nkind: Config\nclusters: [{name: hook, cluster: {server: "+hook.URL+"}}]\nusers: [{name: hook}]\n"+
		"contexts: [{name: hook, context: {cluster: hook, user: hook}}]\ncurrent-context: hook\n"), 0o600))
	cp := w.startControlPlaneWith(assets, map[string][]string{"kube-apiserver": {
		"--authorization-mode=Node,RBAC,Webhook", "--authorization-webhook-config-file=" + config, "--authorization-webhook-version=v1",
	}})
	t.Cleanup(func() { ok(t, cp.Stop()) })
	w.pkictl("issue --cn kube-admin --group system:masters --kubeconfig admin.conf --server " + cp.URL())
	c := realCluster{userDir: w, url: cp.URL(), admin: filepath.Join(w.dir, "admin.conf"), pki: filepath.Join(w.dir, "pki"), kubectl: kubectl}
	for _, line := range []string{
		"create namespace hook-dev",
		"create role hook-pods -n hook-dev --verb=get --resource=pods",
		"create rolebinding hook-pods -n hook-dev --role=hook-pods --user=hook-some",
	} {
		c.asAdmin(line)
	}
	for user, want := range map[string]struct {
		code int
		text []string
	}{
		"hook-all":  {3, []string{"CONCERN: they could do everything in the whole cluster"}},
		"hook-none": {0, []string{"nothing that was granted", "may not read secrets, run commands in pods,", "cannot list what it allows"}},
		"hook-some": {0, []string{"DANGER: read secrets in hook-dev", "get nodes in the whole cluster", "may     get pods in hook-dev",
			"may not elsewhere than in hook-dev: read secrets", "may not run commands in pods"}},
	} {
		post(t, client(t, c.admin), user, csr.SignerClient, requestOf(t, user), signing, clientAuth)
		stdout, _ := c.exits(want.code, c.admin, "csr", "review", user)
		contains(t, stdout, want.text...)
		if user == "hook-some" && strings.Contains(stdout, "see nodes") {
			t.Errorf("a no was claimed where the webhook says yes:\n%s", stdout)
		}
	}
	// The same questions are asked as a user who was just added.
	added := c.pkictl("user add hook-added --kubeconfig " + c.admin)
	contains(t, added, "may not read secrets, run commands in pods,", "create namespaces (asked for the whole cluster only)")
	all := c.pkictl("user add hook-all --out all.conf --kubeconfig " + c.admin)
	contains(t, all, "DANGER: do everything in the whole cluster")
}
