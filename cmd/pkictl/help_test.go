package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// section returns the lines of a part of a help text, up to the next blank line.
func section(help, title string) []string {
	_, rest, found := strings.Cut(help, "\n"+title+"\n")
	if !found {
		return nil
	}
	part, _, _ := strings.Cut(rest, "\n\n")
	return strings.Split(part, "\n")
}

// commands lists the commands that the help names, those with verbs as "csr new".
func commands(t *testing.T) []string {
	t.Helper()
	names := subcommands(t, "")
	if len(names) < 8 {
		t.Fatalf("the help names %v only", names)
	}
	return names
}

func subcommands(t *testing.T, noun string) []string {
	t.Helper()
	var names []string
	for _, line := range section(newUserDir(t).pkictl(noun+" --help"), "Available Commands:") {
		verb := strings.Fields(line)[0]
		name := strings.TrimSpace(noun + " " + verb)
		if name == "help" || name == "completion" {
			continue // cobra's own; TestCompletion runs it
		}
		if verbs := subcommands(t, name); verbs != nil {
			names = append(names, verbs...)
		} else {
			names = append(names, name)
		}
	}
	return names
}

// ofCluster says whether a command talks to a cluster.
func ofCluster(name string) bool {
	noun, _, _ := strings.Cut(name, " ")
	return slices.Contains([]string{"csr", "user", "kubeconfig", "credential"}, noun)
}

// TestExamplesRun runs the examples of every command as they are printed, in
// their order, where there is a CA unless they make one, and with a cluster
// where they need one. That one is shared, so their users differ.
func TestExamplesRun(t *testing.T) {
	t.Parallel()
	for _, name := range append(commands(t), "") {
		if slices.Contains(ofLocalRun, name) {
			continue
		}
		t.Run("pkictl "+name, func(t *testing.T) {
			t.Parallel()
			w := newUserDir(t)
			examples := section(w.pkictl(name+" --help"), "Examples:")
			if examples == nil {
				t.Fatal("no examples")
			}
			if !strings.Contains(examples[0], "init-ca") {
				w.pkictl("init-ca")
			}
			if name == "apiserver patch" {
				ok(t, os.WriteFile(filepath.Join(w.dir, "kube-apiserver.yaml"), []byte(patchManifest), 0o600))
			}
			setup := `export PATH="` + binDir + `:$PATH"; `
			if ofCluster(name) {
				setup += `export KUBECONFIG="` + sharedCluster(t).admin + `"; `
			}
			for _, example := range examples {
				script := setup + example
				if stdout, stderr, err := w.try("sh", "-c", script); err != nil {
					t.Errorf("%s: %v\n%s%s", strings.TrimSpace(example), err, stdout, stderr)
				}
			}
		})
	}
}

// ofLocalRun are the commands about a control plane that runs here, in an order
// in which their examples make sense, with one for all.
var ofLocalRun = []string{"cluster up", "cluster status", "cluster down"}

func TestLocalRunExamples(t *testing.T) {
	t.Parallel()
	assets, _ := peers(t)
	w := newUserDir(t)
	t.Cleanup(func() { // where an example fails before
		cmd := exec.Command(pkictl(), "cluster", "down")
		cmd.Dir = w.dir
		_ = cmd.Run() // most often there is nothing
	})
	setup := `export PATH="` + binDir + `:` + filepath.Dir(assets.Etcd) + `:$PATH"; `
	for _, name := range ofLocalRun {
		examples := section(w.pkictl(name+" --help"), "Examples:")
		if examples == nil {
			t.Errorf("%s has no examples", name)
		}
		for _, example := range examples {
			if stdout, stderr, err := w.try("sh", "-c", setup+example); err != nil {
				t.Errorf("%s: %v\n%s%s", strings.TrimSpace(example), err, stdout, stderr)
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	for shell, mark := range map[string]string{
		"bash": "complete -o default", "zsh": "#compdef pkictl", "fish": "complete -c pkictl", "powershell": "Register-ArgumentCompleter",
	} {
		script := w.pkictl("completion " + shell)
		if !strings.Contains(script, mark) {
			t.Errorf("%s: no %q in the script", shell, mark)
		}
		if shell != "bash" {
			continue
		}
		if err := os.WriteFile(filepath.Join(w.dir, shell), []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		w.run("bash", "-n", shell)
	}
	for line, want := range map[string]string{
		"issue --profile ": "client\nserver\npeer\n",
		"init-ca --key ":   "ecdsa-p256\necdsa-p384\nrsa-2048\nrsa-3072\nrsa-4096\ned25519\n",
		"list --output ":   "text\njson\nyaml\n",
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		if got := w.run(pkictl(), args...); !strings.HasPrefix(got, want) {
			t.Errorf("completing %q gives %q, want %q", line, got, want)
		}
	}
}

func TestManualPages(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	if page := w.pkictl("man issue"); !strings.HasPrefix(page, `.TH PKICTL\-ISSUE 1`) || !strings.Contains(page, "system:masters") {
		t.Errorf("page of issue:\n%s", page)
	}
	w.pkictl("man --out man1")
	for _, name := range commands(t) {
		if _, err := os.Stat(filepath.Join(w.dir, "man1", "pkictl-"+strings.ReplaceAll(name, " ", "-")+".1")); err != nil {
			t.Error(err)
		}
	}
	if _, stderr, err := w.try(pkictl(), "man", "nothing"); err == nil || !strings.Contains(stderr, `error: there is no command "nothing"`) {
		t.Errorf("%v %s", err, stderr)
	}
}
