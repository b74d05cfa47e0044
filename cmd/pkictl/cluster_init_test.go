package main_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/cluster"
)

// newClusterDir makes a cluster directory, kubernetes, below a new one.
func newClusterDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	do(t, dir, append(in("cluster", "init"), nodeFlags...)...)
	return dir
}

// checkOpenSSL has OpenSSL verify all of a cluster directory: each certificate
// with its CA alone, for what it is to be used for.
func checkOpenSSL(t *testing.T, dir string) {
	t.Helper()
	w := userDir{t, dir}
	verified := 0
	for _, entry := range cluster.Layout() {
		if entry.CA == "" {
			continue
		}
		found := cluster.Find(dir, entry)
		if found.Certificate == nil {
			t.Errorf("%s: no certificate", entry.Name)
			continue
		}
		path := entry.CertPath(dir)
		if entry.Kind == cluster.KindKubeconfig {
			path = filepath.Join(t.TempDir(), "client.crt")
			ok(t, os.WriteFile(path, found.User.ClientCertificateData, 0o600))
		}
		issuer, _ := cluster.EntryNamed(entry.CA)
		for _, purpose := range map[string][]string{"server": {"sslserver"}, "client": {"sslclient"}, "peer": {"sslserver", "sslclient"}}[entry.Profile] {
			verified++
			if _, stderr, err := w.try("openssl", "verify", "-x509_strict", "-purpose", purpose, "-no-CApath", "-no-CAstore", "-CAfile", issuer.CertPath(dir), path); err != nil {
				t.Errorf("%s as %s: %s", entry.Name, purpose, stderr)
			}
		}
	}
	if verified != 14 {
		t.Errorf("%d were verified", verified)
	}
}

func TestClusterInitOpenSSL(t *testing.T) {
	t.Parallel()
	for _, key := range strings.Fields("rsa-2048 ecdsa-p256 ecdsa-p384") {
		dir := t.TempDir()
		do(t, dir, append(in("cluster", "init", "--key", key), nodeFlags...)...)
		checkOpenSSL(t, filepath.Join(dir, "kubernetes"))
	}
}

// TestClusterInitOtherCommands: the PKI directory of a cluster has three CAs and
// one inventory. What signs with the first of them leaves alone what the others
// have signed.
func TestClusterInitOtherCommands(t *testing.T) {
	t.Parallel()
	dir := newClusterDir(t)
	kubernetes := filepath.Join(dir, "kubernetes")
	before := clusterFiles(t, kubernetes)
	if rows := list(t, dir, "--dir", "kubernetes/pki").Items; len(rows) != 15 {
		t.Errorf("%d rows", len(rows))
	}
	do(t, dir, "issue", "--dir", "kubernetes/pki", "--cn", "jane")
	renewed := do(t, dir, "renew", "--dir", "kubernetes/pki", "--all")
	for name, isOurs := range map[string]bool{"apiserver.crt": true, "jane.crt": true, "admin.conf": true, "kubelet.conf": true, "etcd": false, "front-proxy": false} {
		if strings.Contains(renewed, name) != isOurs {
			t.Errorf("%s: renewed %t\n%s", name, !isOurs, renewed)
		}
	}
	after := clusterFiles(t, kubernetes)
	for path := range before {
		isOthers := strings.Contains(path, "etcd") || strings.Contains(path, "front-proxy")
		if isOthers && before[path] != after[path] {
			t.Errorf("%s was renewed by another CA", path)
		}
	}
	checkOpenSSL(t, kubernetes)
	if out := do(t, dir, "cluster", "init"); strings.Count(out, " kept ") != 16 {
		t.Error(out)
	}
	for _, name := range in("front-proxy-client", "etcd/peer", "kubernetes/pki/apiserver-etcd-client.crt") {
		checkRefusal(t, name, runProgram(t, program(dir, "renew", "--dir", "kubernetes/pki", name)), 1, "is not signed by the CA", "pkictl cluster renew")
	}
	if out := do(t, dir, "revoke", "--dir", "kubernetes/pki", "etcd/peer", "--yes"); !strings.Contains(out, "whose revocation list it will not be on") {
		t.Error(out)
	}
	do(t, dir, "revoke", "--dir", "kubernetes/pki", "jane", "--yes")
	if out := do(t, dir, "crl", "--dir", "kubernetes/pki"); !strings.Contains(out, "revoked      1\n") {
		t.Error(out)
	}
}

// TestClusterInitMoved: a directory that was copied, as to a node, is renewed
// where it is, and the one it was copied from stays as it is.
func TestClusterInitMoved(t *testing.T) {
	t.Parallel()
	dir := newClusterDir(t)
	copyTree(t, filepath.Join(dir, "kubernetes"), filepath.Join(dir, "copy"))
	before := clusterFiles(t, filepath.Join(dir, "kubernetes"))
	do(t, dir, "renew", "--dir", "copy/pki", "--all")
	checkKept(t, "the original", filepath.Join(dir, "kubernetes"), before)
	after := clusterFiles(t, filepath.Join(dir, "copy"))
	for _, name := range in("pki/apiserver.crt", "admin.conf", "kubelet.conf") {
		if after[name] == before[name] {
			t.Errorf("%s was not renewed", name)
		}
	}
	checkOpenSSL(t, filepath.Join(dir, "copy"))
}

// TestClusterInitOutput: what a program reads has no holes.
func TestClusterInitOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, step := range []struct {
		more  []string
		state string
		code  int
	}{
		{in("--dry-run"), "made", 0}, {nil, "made", 0}, {nil, "kept", 0}, {in("--dns-domain", "k8s.test"), "wrong", 3}, {in("--dns-domain", "k8s.test", "--repair", "--dry-run"), "repaired", 0},
	} {
		args := append(append(in("cluster", "init", "-o", "json"), nodeFlags...), step.more...)
		got := runProgram(t, program(dir, args...))
		if got.code != step.code || strings.Contains(got.stdout, "null") {
			t.Errorf("%q: exit code %d\n%s%s", step.more, got.code, got.stdout, got.stderr)
		}
		var result struct {
			APIVersion, Kind string
			Nodes            []cluster.NodeResult
			Differences      []cluster.Difference
		}
		ok(t, json.Unmarshal([]byte(got.stdout), &result))
		entry := result.Nodes[0].Entries[1]
		if result.APIVersion != "pkictl.dev/v1" || result.Kind != "ClusterInit" || len(result.Nodes) != 1 || len(result.Nodes[0].Entries) != 16 ||
			string(entry.State) != step.state || (len(result.Differences) == 1) != (step.code == 3) {
			t.Errorf("%q: %+v", step.more, result)
		}
	}
}

// clusterFaults are places and wishes that cluster init refuses; nothing changes.
var clusterFaults = []fault{
	{name: "a file", args: in("--dir", "pki/ca.crt"), says: "not a directory", hint: "--dir"},
	{name: "below a file", args: in("--dir", "pki/ca.crt/x"), says: "not a directory", hint: "--dir"},
	{name: "pki is a file", args: nil, says: `"kubernetes/pki" is not a directory`, hint: "--dir",
		prepare: both(makeDir("kubernetes"), written("kubernetes/pki", ""))},
	{name: "etcd is a file", args: nil, says: `"kubernetes/pki/etcd" is not a directory`, hint: "--dir",
		prepare: both(makeDir("kubernetes/pki"), written("kubernetes/pki/etcd", ""))},
	{name: "a dangling link", args: in("--repair"), says: "is a symbolic link", hint: "remove the link",
		prepare: both(makeDir("kubernetes/pki"), linked("elsewhere", "kubernetes/pki/apiserver.crt"))},
	{name: "a link to a kubeconfig", args: in("--repair"), says: "is a symbolic link", hint: "remove the link",
		prepare: both(makeDir("kubernetes/pki"), linked("../pki/old.crt", "kubernetes/admin.conf"))},
	{name: "a CA that is a dangling link", args: in("--repair"), says: "a CA is not repaired", hint: "backup",
		prepare: both(makeDir("kubernetes/pki"), linked("elsewhere", "kubernetes/pki/ca.crt"))},
	{name: "a directory for a file", args: in("--repair"), says: "is not a file", hint: "",
		prepare: makeDir("kubernetes/pki/apiserver.crt")},
	{name: "settings are a directory", args: nil, says: "is a directory", hint: "", prepare: makeDir("kubernetes/cluster.yaml")},
	{name: "settings are noise", args: nil, says: "cluster.yaml", hint: "", code: 2, prepare: both(makeDir("kubernetes"), written("kubernetes/cluster.yaml", "\x00"))},
	{name: "Ed25519", args: in("--key", "ed25519"), says: "cannot serve a control plane", hint: "ecdsa-p256", code: 2},
	{name: "a configuration with an unknown field", args: in("--config", "k.yaml"), says: "line 3", hint: "", code: 2,
		prepare: written("k.yaml", "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterNam: x\n")},
	{name: "no configuration", args: in("--config", "none.yaml"), says: `cannot read "none.yaml"`, hint: "check the name"},
	{name: "several nodes, one address", args: in("--node", "a=10.0.0.1", "--node", "b=10.0.0.2"), says: "is for one node", hint: "NAME=ADDRESS", code: 2},
}

func makeDir(path string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { ok(t, os.MkdirAll(filepath.Join(dir, path), 0o700)) }
}

func TestClusterInitFaults(t *testing.T) {
	t.Parallel()
	for _, f := range clusterFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir := newSite(t)
			if f.prepare != nil {
				f.prepare(t, dir)
			}
			before := snapshot(t, dir)
			args := append(in("cluster", "init", "--advertise-address", "10.0.0.11"), f.args...)
			if len(f.args) < 3 || f.args[0] != "--node" {
				args = append(args, "--node", "cp-1")
			}
			checkRefusal(t, f.name, runProgram(t, program(dir, args...)), max(f.code, 1), f.says, f.hint)
			checkUnchanged(t, f.name, dir, before)
		})
	}
}

// TestClusterInitModes: whatever the umask, files and directories have the modes
// that kubeadm gives them, and nobody else may look in.
func TestClusterInitModes(t *testing.T) {
	t.Parallel()
	for _, umask := range in("000", "077") {
		w := newUserDir(t)
		w.run("sh", "-c", "umask "+umask+` && exec "$0" "$@"`, pkictl(), "cluster", "init", "--endpoint", "10.0.0.10", "--node", "cp-1=10.0.0.11", "--node", "cp-2=10.0.0.12")
		files := 0
		ok(t, filepath.WalkDir(filepath.Join(w.dir, "kubernetes"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			want := fs.FileMode(0o600)
			switch {
			case entry.IsDir():
				want = fs.ModeDir | 0o700
			case strings.HasSuffix(path, ".crt"), entry.Name() == cluster.SettingsFile:
				want = 0o644
			default:
				files++
			}
			if err != nil || info.Mode() != want {
				t.Errorf("umask %s: %s has the mode %v, want %v (%v)", umask, path, info.Mode(), want, err)
			}
			return nil
		}))
		if files < 2*17 {
			t.Errorf("%d files that hold keys", files)
		}
	}
}
