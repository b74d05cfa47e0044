package lab

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/staticpod"
)

const execConfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/false, interactiveMode: Never}}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`

// TestNodeMounts: a process sees of the node what is mounted, and nothing beyond the
// node.
func TestNodeMounts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" { // a lab's node needs what Windows has not
		return
	}
	dir := t.TempDir()
	n, err := newNode(NodeOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	for _, d := range []string{"node/etc/kubernetes/pki", "node/etc/real", clusterDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"node/etc/out": t.TempDir(), "node/etc/up": "../../..", "node/etc/in": "real", "node/etc/kubernetes/pki/ca.crt": "/etc/hostname"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"kubernetes/exec.conf": execConfig, "kubernetes/file": "x", "kubernetes/escaped.conf": strings.Replace(execConfig, "exec:", `"\x65xec":`, 1),
		"kubernetes/padded.conf": execConfig + strings.Repeat("#", maxPodManifest), "kubernetes/token.conf": execConfig[:strings.Index(execConfig, "exec")] + "tokenFile: /etc/hostname}}]\n",
		"kubernetes/ca.conf": strings.Replace(execConfig[:strings.Index(execConfig, "users:")], "server:", "certificate-authority: /etc/hostname, server:", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, "node/etc", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const scratch = "cluster/run/containers/a.yaml"
	for _, test := range []struct{ name, host, kind, arg, want, fault string }{
		{"mounted", "/etc/kubernetes", "Directory", "--x=/in/file", filepath.Join(dir, "node/etc/kubernetes/file"), ""},
		{"not mounted", "/etc/kubernetes", "Directory", "--x=/etc/kubernetes/file", filepath.Join(dir, scratch, "etc/kubernetes/file"), ""},
		{"a flag in two words", "/etc/kubernetes", "", "/in/file", filepath.Join(dir, "node/etc/kubernetes/file"), ""},
		{"a link within", "/etc/in", "Directory", "--x=/in/a", filepath.Join(dir, "node/etc/in/a"), ""},
		{"no path", "/etc", "", "--x=10.96.0.0/12", "10.96.0.0/12", ""},
		{"a file that is there", "/etc/kubernetes/file", "File", "--x=/in", filepath.Join(dir, "node/etc/kubernetes/file"), ""},
		{"up", "/etc", "", "--x=/in/../../../../a", "", "takes no such value"},
		{"up, relative", "/etc", "", "--x=../../a", "", "takes no such value"},
		{"a file URL", "/etc", "", "--x=file:///etc/hosts", "", "takes no such value"},
		{"a file URL in capitals", "/etc", "", "--log-outputs=FILE:///etc/hosts", "", "takes no such value"},
		{"a socket", "/etc", "", "--listen-client-urls=unix:///etc/hosts", "", "takes no such value"},
		{"a second path", "/etc", "", "--log-outputs=/in/a,/etc/hosts", "", "takes no such value"},
		{"a second path behind a word", "/etc", "", "--log-outputs=stderr,/etc/hosts", "", "takes no such value"},
		{"a path in JSON", "/etc", "", `--x={"filename":"/etc/hosts"}`, "", "takes no such value"},
		{"a path with =", "/etc", "", "/in/a,/etc/hosts=b", "", "takes no such value"},
		{"URLs", "/etc", "", "--x=cp-1=https://127.0.0.1:1,http://[::1]:2/health", "cp-1=https://127.0.0.1:1,http://[::1]:2/health", ""},
		{"ranges", "/etc", "", "--x=10.96.0.0/12,fd00::/108", "10.96.0.0/12,fd00::/108", ""},
		{"versions", "/etc", "", "--x=api/all=true,apps/v1=false", "api/all=true,apps/v1=false", ""},
		{"up on the host", "/etc/../../..", "", "--x=/in/a", "", "has .. in it"},
		{"a link out", "/etc/out", "", "--x=/in/a", "", "leads out"},
		{"a link up", "/etc/up", "", "--x=/in/a", "", "leads out"},
		{"below a link out", "/etc", "", "--x=/in/out/a", "", "leads out"},
		{"a file that is a link out", "/etc/kubernetes", "", "--x=/in/pki/ca.crt", "", "leads out"},
		{"a kubeconfig with a plugin", "/etc/kubernetes", "", "--kubeconfig=/in/exec.conf", "", "run a program"},
		{"a plugin, escaped", "/etc/kubernetes", "", "--kubeconfig=/in/escaped.conf", "", "run a program"},
		{"a plugin in a long file", "/etc/kubernetes", "", "--kubeconfig=/in/padded.conf", "", "is larger than"},
		{"a long file that is written", "/etc/kubernetes", "", "--audit_log_path=/in/padded.conf", filepath.Join(dir, "node/etc/kubernetes/padded.conf"), ""},
		{"a kubeconfig with a file", "/etc/kubernetes", "", "--kubeconfig=/in/token.conf", "", "names a file"},
		{"a kubeconfig with the file of a CA", "/etc/kubernetes", "", "--kubeconfig=/in/ca.conf", "", "names a file"},
		{"a directory of programs", "/etc", "", "--flex-volume-plugin-dir=/in/a", "", "does not have it"},
		{"a flag with underscores", "/etc", "", "--admission_control_config_file=/in/a", "", "does not have it"},
		{"a file that names others", "/etc", "", "--admission-control-config-file=/in/a", "", "does not have it"},
		{"no such file", "/etc/nothing", "File", "--x=/in", "", "is not a file"},
		{"no such directory", "/etc/nothing", "Directory", "--x=/in", "", "is not a directory"},
		{"a directory for a file", "/etc/kubernetes", "File", "--x=/in", "", "is not a file"},
		{"a file for a directory", "/etc/kubernetes/file", "DirectoryOrCreate", "--x=/in", "", "is not a directory"},
		{"no socket", "/etc/kubernetes/file", "Socket", "--x=/in", "", "is not a Socket"},
	} {
		t.Run(test.name, func(t *testing.T) { //nolint:paralleltest // they share a node
			manifest := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: a, command: [kube-apiserver, '" + test.arg +
				"'], volumeMounts: [{name: v, mountPath: /in}]}\n  volumes: [{name: v, hostPath: {path: " + test.host + ", type: '" + test.kind + "'}}]\n"
			pod, err := n.newPod("a.yaml", "h", []byte(manifest))
			if err != nil {
				t.Fatal(err)
			}
			var words []string
			if err = pod.mount(); err == nil {
				words, err = pod.command(scratch)
			}
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("%q %v, want %q", words, err, test.fault)
				}
				return
			}
			want := test.want
			if name, _, isFlag := strings.Cut(test.arg, "="); isFlag {
				want = name + "=" + want
			}
			if err != nil || !slices.Equal(words, []string{want}) {
				t.Errorf("%q %v, want %q", words, err, want)
			}
		})
	}
	pod, err := n.newPod("a.yaml", "h", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"+
		"spec: {containers: [{name: a, command: [etcd], env: [{name: ETCD_CONFIG_FILE, value: /etc/etcd.yaml}]}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if words, err := pod.command(scratch); err == nil || !strings.Contains(err.Error(), "no environment") {
		t.Errorf("%q %v", words, err)
	}
	for _, command := range []string{"[sh, -c, id]", "[/bin/sh]", "[]", "[./kube-apiserver]", "[../kube-apiserver]"} {
		pod, err := n.newPod("a.yaml", "h", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, command: "+command+"}]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if program, err := pod.program(); err == nil {
			t.Errorf("%s would run %q", command, program)
		}
	}
}

// FuzzNodeCommand: whatever a manifest says, a process is given no path outside of the
// workspace, and no file of the machine by a URL.
func FuzzNodeCommand(f *testing.F) {
	dir := f.TempDir()
	n, err := newNode(NodeOptions{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(n.close)
	for _, word := range []string{"--log-outputs=stderr,/etc/x", "unix:///a", "--x=cp-1=https://127.0.0.1:1", "/in/../..", `{"a":"/b"}`, "10.0.0.0/8,fd00::/8", "--etcd-servers=https:///etc/x"} {
		f.Add(word, "/in")
	}
	f.Add("/=", "0")
	f.Fuzz(func(t *testing.T, word, at string) {
		pod := &corev1.Pod{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Command: []string{"etcd", word}, VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: at, SubPath: at}}}},
			Volumes:    []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: at}}}},
		}}
		p := &nodePod{node: n, component: &staticpod.Component{Pod: pod, Container: &pod.Spec.Containers[0]}}
		words, err := p.command("cluster/run/containers/a")
		if err != nil {
			return
		}
		value := words[0]
		if _, after, ok := strings.Cut(value, "="); ok && strings.HasPrefix(value, "-") {
			value = after
		}
		value = strings.TrimPrefix(value, dir+"/")
		for _, part := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(",=\"'; ", c) }) {
			isURL := strings.HasPrefix(part, "http://") || strings.HasPrefix(part, "https://")
			if strings.HasPrefix(part, "/") || !isURL && strings.Contains(part, "://") || slices.Contains(strings.Split(part, "/"), "..") {
				t.Errorf("%q becomes %q", word, words)
			}
		}
	})
}
