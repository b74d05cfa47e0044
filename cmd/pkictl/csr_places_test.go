package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// TestUserAddAsksEverywhere: what the groups of a new user may do elsewhere than
// in their own namespace is seen, and where it cannot be, that is said.
func TestUserAddAsksEverywhere(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	for _, line := range []string{
		"create namespace places-dev", "create rolebinding places -n places-dev --clusterrole=admin --group=places-devs",
	} {
		c.asAdmin(line)
	}
	out := c.pkictl("user add places-jane --group places-devs --kubeconfig " + c.admin)
	contains(t, out, "DANGER: read secrets in places-dev", "may not elsewhere than in places-dev: read secrets")
	if strings.Contains(out, "asked for") {
		t.Errorf("it was asked everywhere:\n%s", out)
	}
	p := c.newFaultProxy(apiFault{method: http.MethodGet, path: "/rolebindings?limit", code: http.StatusForbidden})
	out = c.pkictl("user add places-joe --group places-devs --kubeconfig " + p.kubeconfig)
	contains(t, out, "may     nothing that was granted to them or a group of theirs (asked for the whole cluster and in default only)",
		"create namespaces (asked for the whole cluster and in default only)", "in which other namespaces they may do something is not known")
}

// TestBindingsOfSeveralPages: the bindings are read page by page, and anew where
// the API server has forgotten the first.
func TestBindingsOfSeveralPages(t *testing.T) {
	t.Parallel()
	const many, namespace = 501, "pages-dev"
	cluster := sharedCluster(t)
	cluster.asAdmin("create namespace " + namespace)
	c, p := client(t, cluster.admin), cluster.newFaultProxy()
	at := kubeclient.NamespacedRBAC(namespace, "rolebindings")
	each := func(act func(name string) error) {
		inParallel(8, func(i int) {
			for n := i; n < many; n += 8 {
				if err := act(fmt.Sprintf("pages-%03d", n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	each(func(name string) error {
		return c.Create(t.Context(), at, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "pages-jane"}},
		}, nil)
	})
	defer each(func(name string) error { return c.Delete(t.Context(), at+"/"+name, "") }) // the others list them all
	proxied := client(t, p.kubeconfig)
	for name, faults := range map[string][]apiFault{
		"all is well": nil,
		"forgotten":   {{path: "continue=", code: http.StatusGone, times: 1}},
	} {
		p.set(faults...)
		access, err := csr.AccessOfUser(t.Context(), proxied, "pages-jane", nil)
		ok(t, err)
		seen := map[string]bool{}
		for _, b := range access.Bindings {
			seen[b.Name] = true
		}
		if len(seen) != many || len(access.Bindings) != many || p.count("continue=") != 1 {
			t.Errorf("%s: %d bindings of %d names, by %q", name, len(access.Bindings), len(seen), p.requests())
		}
	}
}
