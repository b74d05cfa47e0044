package main_test

import (
	"bufio"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/kubeconfig"
)

// TestKubeconfigCreateOnRealCluster has kubectl work with what create writes.
func TestKubeconfigCreateOnRealCluster(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for _, test := range []struct{ name, flags string }{
		{"embedded", ""},
		{"referenced", " --reference"},
		{"server-and-ca", " --server " + c.url + " --ca " + filepath.Join(c.pki, "ca.crt")},
		{"all-referenced", " --reference --server " + c.url + " --ca " + filepath.Join(c.pki, "ca.crt")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newUserDir(t)
			cn := "kc-create-" + test.name
			w.pkictl("issue --dir " + c.pki + " --cn " + cn + " --group kc-create --out " + cn)
			w.pkictl("kubeconfig create --cert " + cn + ".crt --key " + cn + ".key --kubeconfig " + c.admin + test.flags)
			c := realCluster{userDir: w, kubectl: c.kubectl}
			if out := c.as(cn+".conf", "auth whoami -o jsonpath={.status.userInfo.username}"); out != cn {
				t.Errorf("the user is %q", out)
			}
			result, code := w.check(cn + ".conf")
			if code != 0 || result.Contexts[0].Identity == nil || result.Contexts[0].Identity.User != cn {
				t.Errorf("exit code %d, %+v", code, result)
			}
		})
	}
}

// TestKubeconfigCreateFlattened compares what create writes, flattened by
// kubectl, with what was put in.
func TestKubeconfigCreateFlattened(t *testing.T) {
	t.Parallel()
	_, kubectl := peers(t)
	w := newUserDir(t)
	w.pkictl("init-ca")
	w.pkictl("issue --cn kc-flat --group dev")
	w.pkictl("kubeconfig create kc-flat --server https://10.0.0.10:6443 --namespace shop --cluster prod --reference")
	type config struct {
		Kind           string
		CurrentContext string `json:"current-context"`
		Clusters       []struct {
			Name    string
			Cluster map[string]any
		}
		Contexts []struct {
			Name    string
			Context map[string]any
		}
		Users []struct {
			Name string
			User map[string]any
		}
	}
	var got config
	if err := json.Unmarshal([]byte(w.run(kubectl, "--kubeconfig", "kc-flat.conf", "config", "view", "--flatten", "--raw", "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string { return encode([]byte(w.run("cat", filepath.Join("pki", name)))) }
	want := `{"Kind":"Config","current-context":"kc-flat@prod",` +
		`"Clusters":[{"Name":"prod","Cluster":{"certificate-authority-data":"` + read("ca.crt") + `","server":"https://10.0.0.10:6443"}}],` +
		`"Contexts":[{"Name":"kc-flat@prod","Context":{"cluster":"prod","namespace":"shop","user":"kc-flat"}}],` +
		`"Users":[{"Name":"kc-flat","User":{"client-certificate-data":"` + read("kc-flat.crt") + `","client-key-data":"` + read("kc-flat.key") + `"}}]}`
	shown, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(shown) != want {
		t.Errorf("kubectl reads\n%s\nwant\n%s", shown, want)
	}
}

// TestKubeconfigCreateExec has kubectl log in with what the plugin hands out,
// by the CA and by the cluster.
func TestKubeconfigCreateExec(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for via, flags := range map[string]string{
		"ca":  "--via ca --dir " + c.pki,
		"csr": "--via csr --approve",
	} {
		t.Run(via, func(t *testing.T) {
			t.Parallel()
			w := newUserDir(t)
			cn := "kc-exec-" + via
			w.pkictl("kubeconfig create " + cn + " --exec --group kc-exec --for 20m --cache cache --kubeconfig " + c.admin + " " + flags)
			c := realCluster{userDir: w, kubectl: c.kubectl}
			for range 2 {
				if out := c.as(cn+".conf", "auth whoami -o jsonpath={.status.userInfo.username}:{.status.userInfo.groups[0]}"); out != cn+":kc-exec" {
					t.Errorf("the user is %q", out)
				}
			}
			config, err := kubeconfig.Load(filepath.Join(w.dir, cn+".conf"))
			if err != nil {
				t.Fatal(err)
			}
			if command := config.AuthInfos[cn].Exec.Command; command != pkictl() {
				t.Errorf("the command is %q", command)
			}
			// It is not run to be checked.
			w.run("rm", "-r", "cache")
			if result, code := w.check(cn + ".conf"); code != 0 || result.Contexts[0].Identity != nil {
				t.Errorf("exit code %d, %+v", code, result)
			}
			if _, _, err := w.try("ls", "cache"); err == nil {
				t.Error("the plugin was run")
			}
		})
	}
}

// TestKubectlPlugin runs the program as the plugin of kubectl that it is under
// the name kubectl-pki.
func TestKubectlPlugin(t *testing.T) {
	t.Parallel()
	_, kubectl := peers(t)
	w := newUserDir(t)
	w.run("mkdir", "bin")
	w.run("ln", "-s", pkictl(), "bin/kubectl-pki")
	w.run("cp", pkictl(), "bin/kubectl_complete-pki") // a copy does too
	run := func(line string) (string, string, error) {
		return w.try("sh", "-c", "PATH="+filepath.Join(w.dir, "bin")+":$PATH; "+kubectl+" "+line)
	}
	must := func(line string) string {
		t.Helper()
		stdout, stderr, err := run(line)
		if err != nil {
			t.Fatalf("kubectl %s: %v\n%s", line, err, stderr)
		}
		return stdout
	}
	must("pki init-ca")
	must("pki issue --cn kc-plugin")
	must("pki kubeconfig create kc-plugin --server https://10.0.0.10:6443")

	for _, name := range append(commands(t), "") {
		help := must("pki " + name + " --help")
		if strings.Contains(help, "  pkictl ") || !strings.Contains(help, "kubectl pki "+name) {
			t.Errorf("help of kubectl pki %s:\n%s", name, help)
		}
	}
	for line, want := range map[string]string{
		"pki issu":           "hint: did you mean: kubectl pki issue\n",
		"pki --dir no list":  "hint: make one with: kubectl pki init-ca --dir no\n",
		"pki list one":       "error: kubectl pki list takes no argument",
		"pki list --nothing": "hint: see: kubectl pki list --help\n",
	} {
		if _, stderr, err := run(line); err == nil || !strings.Contains(stderr, want) {
			t.Errorf("kubectl %s: %v %q, want %q", line, err, stderr, want)
		}
	}
	for line, want := range map[string]string{
		"pki ini":                   "init-ca\t",
		"pki issue --profile ''":    "client\nserver\npeer\n",
		"pki kubeconfig cr":         "create\t",
		"pki kubeconfig check --of": "--offline\t",
	} {
		if got := must("__complete " + line); !strings.HasPrefix(got, want) {
			t.Errorf("completing kubectl %s gives %q, want %q", line, got, want)
		}
	}
	if plugins := must("plugin list --name-only"); !strings.Contains(plugins, "kubectl-pki\n") {
		t.Errorf("kubectl finds %q", plugins)
	}
	w.run("cp", pkictl(), "bin/kubectl-pki.exe") // as on Windows
	if help := w.run(filepath.Join(w.dir, "bin", "kubectl-pki.exe"), "list", "--help"); !strings.Contains(help, "  kubectl pki list --group system:masters\n") {
		t.Error(help)
	}
	// The name of the program itself stays.
	if help := w.pkictl("list --help"); strings.Contains(help, "kubectl pki") {
		t.Error(help)
	}
}

// TestKubeconfigCreateWaits: with --force it waits for who is changing the file,
// and looks again at what is to be replaced.
func TestKubeconfigCreateWaits(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	w.pkictl("init-ca")
	w.pkictl("issue --cn kc-waits")
	w.pkictl("kubeconfig create kc-waits --server https://10.0.0.10:6443")
	path := filepath.Join(w.dir, "kc-waits.conf")
	release, err := kubeconfig.Lock(t.Context(), path, nil)
	ok(t, err)
	cmd := program(w.dir, "kubeconfig", "create", "kc-waits", "--server", "https://10.0.0.10:6443", "--force")
	stderr, err := cmd.StderrPipe()
	ok(t, err)
	ok(t, cmd.Start())
	lines := bufio.NewReader(stderr)
	waiting, _ := lines.ReadString('\n')
	w.edit(path, "kc-waits.conf", "users:", "users:\n- name: other\n  user: {token: t}")
	release()
	refused, _ := lines.ReadString('\n')
	if err := cmd.Wait(); err == nil || !strings.Contains(waiting, "waiting") && !strings.Contains(waiting, "another") || !strings.Contains(refused, "holds other entries") {
		t.Errorf("%v: %q, then %q", err, waiting, refused)
	}
}
