package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkictl/pkictl/csr"
)

// apply gives kubectl a manifest.
func (c realCluster) apply(manifest string) {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.asAdmin("apply -f " + path)
}

const accessRoles = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: one-secret, namespace: access-dev}
rules:
- {apiGroups: [""], resources: [secrets], resourceNames: [tls], verbs: [get]}
- {apiGroups: [""], resources: ["*/log", pods], verbs: [get]}
- {apiGroups: ["apps"], resources: ["*"], verbs: [list]}
- {apiGroups: ["*"], resources: [deployments/scale], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: access-of-nodes}
rules:
- {apiGroups: [""], resources: [nodes, nodes/proxy], verbs: [get, list]}
- {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]}
- {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client], verbs: [approve]}
- {nonResourceURLs: [/metrics, /logs/*], verbs: [get]}
`

// TestAccessAgainstKubectl asks kubectl, which has the API server decide, the
// same questions as csr.Access answers from the rules.
func TestAccessAgainstKubectl(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.waitForRoles()
	for _, line := range []string{
		"create namespace access-dev", "create namespace access-prod",
		"create rolebinding access-view -n access-dev --clusterrole=view --user=access-viewer",
		"create rolebinding access-edit -n access-dev --clusterrole=edit --group=access-editors",
		"create rolebinding access-admin -n access-prod --clusterrole=admin --user=access-boss",
		"create clusterrolebinding access-all --clusterrole=cluster-admin --user=access-root",
		"create rolebinding access-all-dev -n access-dev --clusterrole=cluster-admin --user=access-landlord",
		"create clusterrolebinding access-view-all --clusterrole=view --user=access-boss",
		"create rolebinding access-one -n access-dev --role=one-secret --user=access-custom",
		"create clusterrolebinding access-nodes --clusterrole=access-of-nodes --user=access-custom",
	} {
		c.asAdmin(line)
	}
	c.apply(accessRoles)
	users := []struct{ name, group, danger string }{
		{"access-viewer", "", ""},
		{"access-editor", "access-editors", "impersonate-serviceaccounts secrets-read pods-exec token-create workloads-create"},
		{"access-boss", "", "impersonate-serviceaccounts secrets-read pods-exec token-create workloads-create rbac-write"},
		{"access-root", "", "everything"},
		{"access-landlord", "", "everything"},
		{"access-custom", "", "nodes-proxy csr-approve secrets-read"},
		{"access-nobody", "", ""},
		{"access-master", "system:masters", "everything"},
	}
	questions := []struct{ verb, resource, namespace string }{
		{"get", "pods", "access-dev"}, {"list", "pods", "access-prod"}, {"get", "pods/log", "access-dev"}, {"create", "pods", "access-dev"},
		{"create", "pods/exec", "access-dev"}, {"get", "secrets", "access-dev"}, {"get", "secrets/tls", "access-dev"}, {"get", "secrets/other", "access-dev"},
		{"list", "secrets", "access-prod"}, {"delete", "deployments.apps", "access-prod"}, {"list", "deployments.apps", "access-dev"},
		{"patch", "deployments.apps/scale", "access-dev"}, {"create", "rolebindings.rbac.authorization.k8s.io", "access-prod"},
		{"create", "serviceaccounts/token", "access-dev"}, {"impersonate", "serviceaccounts", "access-dev"},
		{"get", "nodes", ""}, {"create", "namespaces", ""}, {"update", "certificatesigningrequests.certificates.k8s.io/approval", ""},
		{"approve", "signers.certificates.k8s.io", ""}, {"create", "selfsubjectaccessreviews.authorization.k8s.io", ""},
		{"get", "pods", ""}, {"get", "/metrics", ""}, {"get", "/logs/a", ""}, {"get", "/healthz", ""}, {"delete", "configmaps", "default"},
	}
	admin := client(t, c.admin)
	var yes, no sync.Map
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			t.Parallel()
			var groups []string
			as := []string{"--kubeconfig", c.admin, "auth", "can-i", "--as", user.name}
			if user.group != "" {
				groups, as = []string{user.group}, append(as, "--as-group", user.group)
			}
			access, err := csr.AccessOfUser(t.Context(), admin, user.name, groups)
			ok(t, err)
			for _, q := range questions {
				args := append(as, q.verb)
				question := csr.Question{Verb: q.verb, Namespace: q.namespace, URL: q.resource}
				if !strings.HasPrefix(q.resource, "/") {
					question.URL = ""
					kind, sub, _ := strings.Cut(q.resource, "/")
					question.Resource, question.Group, _ = strings.Cut(kind, ".")
					switch {
					case q.resource == "secrets/tls" || q.resource == "secrets/other":
						question.Name = sub
						args = append(args, q.resource)
					case sub != "":
						question.Resource += "/" + sub
						args = append(args, kind, "--subresource", sub)
					default:
						args = append(args, kind)
					}
				} else {
					args = append(args, q.resource)
				}
				if q.namespace != "" {
					args = append(args, "-n", q.namespace)
				} else if question.URL == "" {
					args = append(args, "-A")
				}
				stdout, stderr, _ := c.try(c.kubectl, args...)
				answer := strings.Fields(stdout + " ?")[0]
				if answer != "yes" && answer != "no" {
					t.Fatalf("kubectl %v: %s%s", args, stdout, stderr)
				}
				if got := access.Access.Allows(question); got != (answer == "yes") {
					t.Errorf("%s %+v: pkictl says %t, kubectl %s", user.name, question, got, answer)
				}
				if answer == "yes" {
					yes.Store(user.name+q.verb+q.resource, true)
				} else {
					no.Store(user.name+q.verb+q.resource, true)
				}
			}
			var ids []string
			for _, d := range access.Access.Dangers {
				ids = append(ids, d.ID)
			}
			for _, id := range strings.Fields(user.danger) {
				if !strings.Contains(strings.Join(ids, " "), id) {
					t.Errorf("%s: the danger %s is not seen: %v", user.name, id, ids)
				}
			}
			if len(ids) != len(strings.Fields(user.danger)) {
				t.Errorf("%s: dangers %v, want %s", user.name, ids, user.danger)
			}
			if access.Access.Source != csr.FromReview || access.Access.Incomplete {
				t.Errorf("%s: from %s, incomplete %t, %v", user.name, access.Access.Source, access.Access.Incomplete, access.Access.Notes)
			}
		})
	}
	t.Cleanup(func() {
		count := func(m *sync.Map) (n int) {
			m.Range(func(any, any) bool { n++; return true })
			return n
		}
		if y, n := count(&yes), count(&no); y < 40 || n < 60 {
			t.Errorf("the questions hardly tell anything: %d yes, %d no", y, n)
		}
	})
}

// TestPatchingShowsSecrets: the table of dangers counts patching among reading,
// because this works.
func TestPatchingShowsSecrets(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for _, line := range []string{
		"create namespace patch-dev", "create secret generic hidden -n patch-dev --from-literal=password=cGF0Y2hlZA",
		"create role patch -n patch-dev --verb=patch --resource=secrets", "create rolebinding patch -n patch-dev --role=patch --user=patch-jane",
	} {
		c.asAdmin(line)
	}
	c.issueUser("patch-jane")
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.dir, "patch-jane.crt"), filepath.Join(c.dir, "patch-jane.key"))
	ok(t, err)
	caPEM, err := os.ReadFile(filepath.Join(c.pki, "ca.crt"))
	ok(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	defer transport.CloseIdleConnections()
	for method, want := range map[string]bool{http.MethodGet: false, http.MethodPatch: true} {
		request, err := http.NewRequestWithContext(t.Context(), method, c.url+"/api/v1/namespaces/patch-dev/secrets/hidden", strings.NewReader("{}"))
		ok(t, err)
		request.Header.Set("Content-Type", "application/merge-patch+json")
		answer, err := transport.RoundTrip(request)
		ok(t, err)
		body, err := io.ReadAll(answer.Body)
		ok(t, err)
		ok(t, answer.Body.Close())
		if shown := strings.Contains(string(body), "Y0dGMFkyaGxaQQ=="); shown != want {
			t.Errorf("%s: shown %t, %s", method, shown, body)
		}
	}
}

// TestNamespacesByTheirName: of namespaces, a RoleBinding gives what is done to
// its own by its name, and this is all that is said of it.
func TestNamespacesByTheirName(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for _, line := range []string{
		"create namespace byname-dev", "create role byname -n byname-dev --verb=* --resource=namespaces",
		"create rolebinding byname -n byname-dev --role=byname --user=byname-jane",
	} {
		c.asAdmin(line)
	}
	jane := c.issueUser("byname-jane")
	for line, works := range map[string]bool{
		"get namespace byname-dev": true, "label namespace byname-dev a=b": true, "patch namespace byname-dev -p {}": true,
		"get namespaces": false, "get namespaces --watch": false, "create namespace byname-new": false,
	} {
		_, stderr, err := c.try(c.kubectl, append([]string{"--kubeconfig", jane}, strings.Fields(line)...)...)
		if (err == nil) != works {
			t.Errorf("%s: %v, %s", line, err, stderr)
		}
	}
	access, err := csr.AccessOfUser(t.Context(), client(t, c.admin), "byname-jane", nil)
	ok(t, err)
	if may := access.Access.May; len(may) != 1 || may[0].Verb() != "get, update, patch and delete" {
		t.Errorf("%+v", may)
	}
	for _, r := range access.Access.MayNot {
		if r.What == "create namespaces" && r.Except != nil {
			t.Errorf("they may create namespaces in %q", r.Except)
		}
	}
}
