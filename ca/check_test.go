package ca_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// TestChecksOfValues holds the checks of single values against what Issue and
// Init say of the same values.
func TestChecksOfValues(t *testing.T) {
	t.Parallel()
	values := []string{
		"", "jane", "kube admin", " jane", "jane ", "/CN=jane", "a\x1bb", "\u202ejane", strings.Repeat("x", 65), strings.Repeat("ü", 64), "\xff",
		"example.com", "*.example.com", "*.com", ".example.com", "Example.com", "10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "::1", "fe80::1%eth0",
		"::ffff:10.0.0.0/104", "fd00::/8", "https://example.com", "a,b", "system:node:w1",
	}
	for _, check := range []struct {
		name string
		one  func(string) error
		all  func(string) error
	}{
		{"common name", ca.CheckCommonName, func(v string) error { return requestError(ca.IssueOptions{CommonName: v}) }},
		{"group", ca.CheckGroup, func(v string) error { return requestError(ca.IssueOptions{CommonName: "x", Groups: []string{v}}) }},
		{"dns", ca.CheckDNS, func(v string) error { return requestError(ca.IssueOptions{CommonName: "x", DNS: []string{v}}) }},
		{"ip", ca.CheckIP, func(v string) error { return requestError(ca.IssueOptions{CommonName: "x", IPs: []string{v}}) }},
		{"domain", ca.CheckDomain, func(v string) error { return initError(ca.InitOptions{PermitDNS: []string{v}}) }},
		{"network", ca.CheckNetwork, func(v string) error { return initError(ca.InitOptions{PermitIPs: []string{v}}) }},
		{"organization", ca.CheckOrganization, func(v string) error { return initError(ca.InitOptions{Organizations: []string{v}}) }},
	} {
		good := 0
		for _, value := range values {
			one, all := check.one(value), check.all(value)
			if (one == nil) != (all == nil) || one != nil && (one.Error() != all.Error() || failure.HintOf(one) != failure.HintOf(all)) {
				t.Errorf("%s %q: %v alone, %v in all", check.name, value, one, all)
			}
			if one == nil {
				good++
			}
		}
		if good == 0 || good == len(values) {
			t.Errorf("%s: %d of %d values are good, which checks nothing", check.name, good, len(values))
		}
	}
}

func requestError(o ca.IssueOptions) error {
	_, err := o.Request()
	return err
}

func initError(o ca.InitOptions) error {
	_, err := ca.ExplainInit(o) // checks all that is written, and does nothing
	return err
}

func TestCheckDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pki := filepath.Join(dir, "pki")
	if err := ca.CheckNoCA(pki); err != nil {
		t.Error(err)
	}
	if _, err := ca.CheckImport(dir); err == nil || !strings.Contains(err.Error(), "there is no CA in") {
		t.Errorf("an empty directory is imported: %v", err)
	}
	_, opened := ca.Open(pki)
	if err := ca.CheckHasCA(pki); err == nil || err.Error() != opened.Error() || failure.HintOf(err) != failure.HintOf(opened) {
		t.Errorf("%v, but Open says %v", err, opened)
	}
	if _, err := ca.Init(t.Context(), ca.InitOptions{Dir: pki, Now: now}); err != nil {
		t.Fatal(err)
	}
	if err := ca.CheckHasCA(pki); err != nil {
		t.Error(err)
	}
	if err := ca.CheckNoCA(pki); err == nil || !strings.Contains(err.Error(), "there is a CA in") {
		t.Errorf("a CA is not seen: %v", err)
	}
	if tool, err := ca.CheckImport(dir); err != nil || tool != "kubeadm" {
		t.Errorf("%q, %v", tool, err)
	}
}

func TestMeanings(t *testing.T) {
	t.Parallel()
	for _, kind := range ca.KeyKinds() {
		if kind.Meaning() == "" {
			t.Errorf("nothing is said of %s", kind)
		}
	}
	for name, want := range map[string]string{
		"jane": "", "": "", "system": "",
		"system:node:w1":                  "the kubelet of node w1",
		"system:serviceaccount:shop:till": "service account shop/till",
		"system:kube-scheduler":           "part of the cluster",
		"system:anonymous":                "no credential",
		"kubeadm:x":                       "keep for",
	} {
		if got := ca.UserMeaning(name); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("user %q: %q", name, got)
		}
	}
	for name, want := range map[string]string{
		"developers": "", "system:masters": "every authorizer", "system:nodes": "kubelets", "kubeadm:cluster-admins": "cluster-admin",
		"system:authenticated": "API server itself", "system:serviceaccounts:shop": "token", "system:bootstrappers": "first certificate", "system:x": "keep for",
	} {
		if got := ca.GroupMeaning(name); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("group %q: %q", name, got)
		}
	}
}
