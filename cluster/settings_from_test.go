package cluster

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

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

// TestSettingsFromForeign: what is read off the files of a directory without
// settings has no names that another CA has vouched for.
func TestSettingsFromForeign(t *testing.T) {
	t.Parallel()
	more := func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "more.example.com") }
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		keeps bool
	}{
		{"ours", func(t *testing.T, dir string) { forge(t, dir, "apiserver", dir, nil, more) }, true},
		{"another CA's", forgedBy("apiserver", more), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := initOptions(dir)
			testInit(t, o)
			removed(SettingsFile)(t, dir)
			test.spoil(t, dir)
			isThere := false
			if o.Settings, isThere = SettingsFromFiles(dir); !isThere {
				t.Fatal("no settings")
			}
			if slices.Contains(o.Settings.SANs, "more.example.com") != test.keeps {
				t.Errorf("names %q", o.Settings.SANs)
			}
		})
	}
}

// TestInitAssumedNames: where nothing says the names of the API server, that is
// said.
func TestInitAssumedNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testInit(t, initOptions(dir))
	removed(SettingsFile)(t, dir)
	for _, isGone := range []bool{false, true} {
		if isGone {
			removed("pki/apiserver.crt", "pki/apiserver.key")(t, dir)
		}
		s, fromFiles := SettingsFromFiles(dir)
		o := InitOptions{Dir: dir, Settings: s, FromFiles: fromFiles, DryRun: true, Now: initNow}
		result := testInit(t, o)
		if warned := len(result.Warnings) == 1 && strings.Contains(result.Warnings[0], "--service-cidr"); warned != isGone {
			t.Errorf("gone %t: %q", isGone, result.Warnings)
		}
	}
}

// TestInitOldSubjects: subjects of an older Kubernetes, whose version nobody has
// said, are as right for the second run as for the first.
func TestInitOldSubjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := initOptions(dir)
	o.Settings.KubernetesVersion = "v1.28.0"
	testInit(t, o)
	removed(SettingsFile)(t, dir)
	o = initOptions(dir)
	for range 2 {
		if result := testInit(t, o); result.Differences != nil {
			t.Fatalf("%+v", result.Differences)
		}
		s, isThere, err := ReadSettings(dir)
		if err != nil || !isThere || s.KubernetesVersion != "" {
			t.Fatalf("%+v, %v", s, err)
		}
		o.Settings = s
	}
}
