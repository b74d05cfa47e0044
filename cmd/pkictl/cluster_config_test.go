package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	ownSettings   = "apiVersion: pkictl.dev/v1\nkind: Cluster\n"
	kubeadmConfig = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
)

// Files that are no settings of a cluster: one error, one hint, and nothing is
// written. Package cluster has the whole table.
func TestClusterConfigRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		code       int
		says, hint string
	}{
		{"empty", "", 2, `"c.yaml" is empty`, "begin with apiVersion: pkictl.dev/v1"},
		{"profiles", "apiVersion: pkictl.dev/v1\nkind: Profiles\n", 2, `of kind "Profiles" is not what`, "kind: Cluster"},
		{"manifest", "apiVersion: v1\nkind: ConfigMap\n", 2, `"v1" of kind "ConfigMap" is not what`, "kubeadm.k8s.io/v1beta4"},
		{"unknown field", ownSettings + "endpont: k8s.example.com\n", 2, `"c.yaml", line 3, column 1: unknown field "endpont"`, "did you mean endpoint?"},
		{"field twice", ownSettings + "key: rsa-2048\nkey: rsa-4096\n", 2, `line 4, column 1: field "key" of Cluster is given twice`, "line 3"},
		{"wrong type", ownSettings + "port: https\n", 2, "line 3, column 7: port is a text", "without quotes"},
		{"tab", ownSettings + "nodes:\n\t- name: a\n", 2, "is not valid YAML", "tabs"},
		{"alias", ownSettings + "sans: &a [x]\netcdPeerSANs: *a\n", 2, `alias "*a" is not allowed`, "write the value out"},
		{"escapes", ownSettings + "\"\\e[2J\\u202e\": x\n", 2, `unknown field "\x1b[2J\u202e"`, "known: "},
		{"Ed25519", ownSettings + "key: ed25519\n", 2, "an Ed25519 key cannot serve a control plane", "choose one of"},
		{"kubeadm's unknown field", kubeadmConfig + "apiServer:\n  certSan: [a]\n", 2, `line 4, column 3: unknown field "certSan" in apiServer`, "did you mean certSANs?"},
		{"kubeadm's old version", strings.Replace(kubeadmConfig, "v1beta4", "v1beta2", 1), 2, "kubeadm.k8s.io/v1beta2 is too old", "kubeadm config migrate"},
		{"kubeadm's next version", strings.Replace(kubeadmConfig, "v1beta4", "v1", 1), 2, `"kubeadm.k8s.io/v1" is not known`, "v1beta4"},
		{"kubeadm's other kind", strings.Replace(kubeadmConfig, "Cluster", "Reset", 1), 2, `kind "ResetConfiguration"`, "ClusterConfiguration"},
		{"kubeadm's kind twice", kubeadmConfig + "---\n" + kubeadmConfig, 2, "two documents of kind ClusterConfiguration", "line 1"},
		{"kubeadm's algorithm", kubeadmConfig + "encryptionAlgorithm: RSA-1024\n", 2, `unknown encryptionAlgorithm "RSA-1024"`, "RSA-2048"},
		{"kubeadm's /32", kubeadmConfig + "networking: {serviceSubnet: 10.96.0.1/32}\n", 2, `service range "10.96.0.1/32" has too few addresses: 1`, "at least 10"},
		{"too large", strings.Repeat("#", 4<<20+1), 1, `"c.yaml" is larger than 4 MiB`, "the file you mean"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			written("c.yaml", test.file)(t, dir)
			before := snapshot(t, dir)
			for _, more := range []string{"--quiet", "--dry-run"} {
				got := runProgram(t, program(dir, "cluster", "init", "--config", "c.yaml", more))
				checkRefusal(t, more, got, test.code, test.says, test.hint)
				checkUnchanged(t, more, dir, before)
			}
		})
	}
}

// The place of the settings is not kubeadm's, and what is there is not skipped.
func TestClusterSettingsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, says, hint string }{
		{"kubeadm's", kubeadmConfig, `cluster.yaml", line 1, column 1: it is a configuration of kubeadm`, "--config"},
		{"damaged", "apiVersion: pkictl.dev/v1\nkind", `cluster.yaml" is not valid YAML`, "indentation"},
		{"empty", "", `cluster.yaml" is empty`, "begin with"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ok(t, os.Mkdir(filepath.Join(dir, "kubernetes"), 0o700))
			written("kubernetes/cluster.yaml", test.file)(t, dir)
			before := snapshot(t, dir)
			got := runProgram(t, program(dir, "cluster", "init"))
			checkRefusal(t, "init", got, 2, test.says, test.hint)
			checkUnchanged(t, "init", dir, before)
		})
	}
}
