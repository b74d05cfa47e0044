package cluster

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// TestSettingsFrom: without cluster.yaml, as in a directory of kubeadm's, the
// files say what they were made for, and init finds all of them right.
func TestSettingsFrom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		settings Settings
	}{
		{"defaults", Settings{}},
		{"all", Settings{
			Name: "prod", Endpoint: "k8s.example.com:8443", Port: 6444, ServiceCIDR: "10.32.0.0/16", DNSDomain: "corp.local", ExternalEtcd: true,
		}},
		{"IPv6", Settings{Nodes: []NodeSettings{{"cp-6", "fd00::11"}}, Endpoint: "[fd00::10]:6443", ServiceCIDR: "fd00:1::/112"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.settings.Nodes == nil {
				test.settings.Nodes = []NodeSettings{{"cp-1", "10.0.0.11"}}
			}
			testInit(t, InitOptions{Dir: dir, Settings: test.settings, Now: initNow})
			if err := os.Remove(filepath.Join(dir, SettingsFile)); err != nil {
				t.Fatal(err)
			}
			s, assumed := SettingsFrom(dir)
			if !reflect.DeepEqual(s, test.settings) || assumed {
				t.Errorf("%+v, assumed %t", s, assumed)
			}
			if result := testInit(t, InitOptions{Dir: dir, Settings: s, Now: initNow}); result.Differences != nil {
				t.Errorf("%+v", result.Differences)
			}
			if err := os.Remove(filepath.Join(PKIDir(dir), "apiserver.crt")); err != nil {
				t.Fatal(err)
			}
			if _, assumed := SettingsFrom(dir); !assumed {
				t.Error("without the API server's certificate it is not said that its names are assumed")
			}
		})
	}
	if s, assumed := SettingsFrom(t.TempDir()); !reflect.DeepEqual(s, Settings{}) || assumed {
		t.Errorf("of nothing: %+v, assumed %t", s, assumed)
	}
}

// TestInitAccountKeys: new keys of service accounts beside what was made before
// are warned of, in a dry run, too.
func TestInitAccountKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := initOptions(dir)
	if result := testInit(t, o); result.Warnings != nil {
		t.Errorf("a new cluster: %q", result.Warnings)
	}
	removed("pki/sa.key", "pki/sa.pub")(t, dir)
	for _, o.DryRun = range []bool{true, false} {
		result := testInit(t, o)
		if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "every token of a service account ends") {
			t.Errorf("dry run %t: %q", o.DryRun, result.Warnings)
		}
	}
	if result := testInit(t, o); result.Warnings != nil {
		t.Errorf("once they are there: %q", result.Warnings)
	}
}

// TestInitSettingsFile: cluster.yaml is not written where it says the same, and
// nothing but settings is replaced by it.
func TestInitSettingsFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := initOptions(dir)
	testInit(t, o)
	path := filepath.Join(dir, SettingsFile)
	const own = "kind: Cluster # ticket 4711\napiVersion: pkictl.dev/v1\nkubernetesVersion: v1.36.3\nsans: [api.example.com]\nnodes: [{name: cp-1, address: 10.0.0.11}]\n"
	testWrite(t, path, []byte(own))
	testInit(t, o)
	if data, err := os.ReadFile(path); err != nil || string(data) != own {
		t.Errorf("%s, %v", data, err)
	}
	const kubeadms = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
	testWrite(t, path, []byte(kubeadms))
	for _, o.DryRun = range []bool{true, false} {
		_, err := Init(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "configuration of kubeadm") || !strings.Contains(failure.HintOf(err), "move it elsewhere") {
			t.Errorf("dry run %t: %v", o.DryRun, err)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != kubeadms {
		t.Errorf("%s, %v", data, err)
	}
}

// TestEtcdClientGroups: kubeadm had put etcd's clients in system:masters before
// v1.29, and renews them so.
func TestEtcdClientGroups(t *testing.T) {
	t.Parallel()
	for version, right := range map[string]bool{"": true, "v1.28.9": true, "v1.29.0": false, "v1.36.3": false} {
		n := Node{}
		if version != "" {
			nodes, err := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, KubernetesVersion: version}.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			n = nodes[0]
		}
		for _, name := range []string{nameAPIServerEtcd, nameEtcdHealth} {
			allowed := slices.ContainsFunc(entryOf(t, name).allowedGroups(n), func(groups []string) bool { return slices.Equal(groups, []string{ca.GroupMasters}) })
			if allowed != right {
				t.Errorf("%s with Kubernetes %q: %t", name, version, allowed)
			}
		}
	}
}
