package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFlowClusterInAProgram makes the PKI of two nodes, and in a second pass has
// what was spoilt repaired, which is asked only then.
func TestFlowClusterInAProgram(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	f := newFlowClusterIn(root, time.Now)
	p := runFlow(t, f.w, f)
	p.shows("What is there and right")
	p.press("enter", "enter", "enter")
	p.shows("this machine alone")
	p.press("down", "down", "enter", "cp-1=10.0.0.11, cp-2=10.0.0.12", "enter", "enter")
	p.shows("2 nodes have no endpoint in common")
	p.press("k8s.example.com", "enter")
	p.shows("fails later with")
	p.press("api.example.com", "enter", "enter", "enter", "enter", "enter")
	p.shows("etcd runs")
	p.press("enter", "enter")
	p.shows("CAs valid for")
	p.press("enter", "enter", "enter", "enter")
	p.shows("Make them?")
	if _, err := os.Stat(filepath.Join(root, "kubernetes")); err == nil {
		t.Error("something was written before the answer")
	}
	p.press("y")
	p.shows("Made the PKI of the control plane")
	p.quit()
	args := []string{"cluster", "init", "--node", "cp-1=10.0.0.11", "--node", "cp-2=10.0.0.12", "--endpoint", "k8s.example.com", "--san", "api.example.com"}
	if got := runCLI(t, root, append(args, "--dry-run")...); got.code != 0 || strings.Contains(got.stdout, "would be") {
		t.Errorf("the command would do more: %+v", got)
	}

	if err := os.Remove(filepath.Join(root, "kubernetes/cp-2/pki/apiserver.key")); err != nil {
		t.Fatal(err)
	}
	f = newFlowClusterIn(root, time.Now)
	p = runFlow(t, f.w, f)
	p.shows("What is there and right")
	p.press("enter", "enter", "enter")
	p.shows("as it is: cp-1, cp-2")
	p.press("enter", "enter")
	p.shows("fails later with")
	p.press("enter", "enter", "enter", "enter", "enter")
	p.shows("etcd runs")
	p.press("enter", "enter")
	p.shows("CAs valid for")
	p.press("enter", "enter", "enter", "enter")
	p.shows("wanted a file; found none")
	p.press("esc")
	p.shows("Replace them")
	p.press("y", "enter")
	p.shows("Make them?")
	p.press("y")
	p.shows("1 repaired")
	p.quit()
}

// TestFlowUserInAProgram: where the cluster cannot be reached, everything can be
// typed all the same, the end says why, and the way back has all answers.
func TestFlowUserInAProgram(t *testing.T) {
	t.Parallel()
	f := newFlowUserIn(t, t.TempDir())
	p := runFlow(t, f.w, f)
	p.shows("prod (current)")
	p.press("enter")
	p.shows("connection refused")
	p.press("jane", "enter", "enter")
	p.shows("A role says what is allowed")
	p.shows("all of one namespace")
	p.press("enter", "enter")
	p.shows("Nothing takes a client certificate back")
	p.press("enter", "enter", "enter")
	p.shows("Replace the file")
	p.press("enter", "enter")
	p.shows("It cannot be done so")
	for _, words := range []string{"Replace the file", "Signed by", "A role says what is allowed", "jane"} {
		p.press("esc")
		p.shows(words)
	}
	p.quit()
	if f.name != "jane" || f.namespace != "default" {
		t.Errorf("%q %q", f.name, f.namespace)
	}
}
