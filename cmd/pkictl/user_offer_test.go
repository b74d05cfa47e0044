package main_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// TestOffer lists what a grant may name. Who may not list it gets an error that
// says so, and what else there is.
func TestOffer(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace offer")
	c.asAdmin("create role offered -n offer --verb=get --resource=pods")
	c.pkictl("user add offer-uma --namespace offer --role view --kubeconfig " + c.admin)
	c.asAdmin("create clusterrole offer-namespaces --verb=list --resource=namespaces")
	c.asAdmin("create clusterrolebinding offer-namespaces --clusterrole=offer-namespaces --user=offer-uma")
	connected := func(path string) *kubeclient.Client {
		client, err := kubeclient.Connect(kubeclient.Options{File: path})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	all, err := csr.Offer(t.Context(), connected(c.admin))
	if err != nil || !slices.Contains(all.Namespaces, "offer") || !slices.Contains(all.Roles["offer"], "offered") || len(all.ClusterRoles) < 3 ||
		!slices.Equal(all.ClusterRoles[:3], []string{"view", "edit", "admin"}) || !slices.Contains(all.ClusterRoles, "cluster-admin") {
		t.Errorf("%v %+v", err, all)
	}
	if slices.ContainsFunc(all.ClusterRoles, func(name string) bool { return strings.HasPrefix(name, "system:") }) {
		t.Errorf("%q", all.ClusterRoles)
	}
	some, err := csr.Offer(t.Context(), connected(filepath.Join(c.dir, "offer-uma.conf")))
	if err == nil || err.Error() != "you may not list cluster roles and roles in this cluster" || !slices.Contains(some.Namespaces, "offer") || some.ClusterRoles != nil {
		t.Errorf("%v %+v", err, some)
	}
}
