package tui

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/teatest/v2"

	"github.com/pkictl/pkictl/ca"
)

// TestFlowCAToCredential goes from an empty directory to a credential in one
// program: a CA with an encrypted key, and from its result a certificate with a
// kubeconfig.
func TestFlowCAToCredential(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	root := t.TempDir()
	dir := filepath.Join(root, "pki")
	w := flowWorld(dir, time.Now, nil)
	w.ctx = ctx
	r := newRoot(w, newHome(w))
	r.stack = append(r.stack, newForm(w, newFlowCA(w)))
	tm := teatest.NewTestModel(t, r, teatest.WithInitialTermSize(100, 30))
	w.send = tm.Send
	shows := func(words string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(out []byte) bool { return bytes.Contains(out, []byte(words)) }, teatest.WithDuration(time.Minute))
	}
	press := func(keys ...string) {
		for _, k := range keys {
			for _, msg := range keyMessages(k) {
				tm.Send(msg)
			}
		}
	}
	press("enter", "Example CA", "enter", "enter", "enter", "enter") // what, and name and key
	press("enter", "enter", "enter", "enter", "space", "enter")      // limits, files
	shows("Make this CA?")
	press("y")
	shows("Choose the passphrase of")
	press(testPassword, "enter")
	shows("The same again")
	press(testPassword, "enter")
	shows("Made a certificate authority")
	press("enter")
	shows("For whom?")
	press("enter", "enter", "jane", "enter", "developers", "enter", "enter", "enter")
	press("space", "enter", filepath.Join(root, "jane.conf"), "enter", "https://10.0.0.10:6443", "enter", "enter", "enter")
	press("enter", "enter") // no export, and the files where they are
	shows("Issue it?")
	press("y")
	shows("Enter the passphrase of")
	press(testPassword, "enter")
	shows("Issued jane")
	press("ctrl+c")
	tm.WaitFinished(t, teatest.WithFinalTimeout(time.Minute))
	if same := runCLI(t, root, "verify", filepath.Join(root, "jane.conf"), "--dir", dir); same.code != 0 {
		t.Errorf("%d %s %s", same.code, same.stdout, same.stderr)
	}
	entries, err := ca.List(t.Context(), ca.ListOptions{Dir: dir, Now: time.Now()})
	if err != nil || len(entries) != 2 {
		t.Errorf("%d certificates, %v", len(entries), err)
	}
}

// TestFlowCAFits: every step of both flows fits on the terminals that the wizard
// serves, with texts of any kind in it.
func TestFlowCAFits(t *testing.T) {
	t.Parallel()
	w := flowWorld("pki", time.Now, nil)
	hostile := "a\x1b[2J\u202e" + string(bytes.Repeat([]byte("x\u0301"), 10000)) + "日本"
	for _, f := range []flow{newFlowCA(w), newFlowCredential(w)} {
		for _, what := range [][]string{{""}, {flowCAIntermediate, ca.ProfileServer}, {flowCAImportDir, ca.ProfilePeer}, {flowCAImportFiles, ca.ProfileClient}} {
			for _, each := range f.steps() {
				for _, field := range each.fields {
					switch {
					case field.text != nil && what[0] != "":
						*field.text = hostile
					case field.list != nil && what[0] != "":
						*field.list = []string{hostile, "b"}
					case field.yes != nil:
						*field.yes = what[0] != ""
					case field.choice != nil && field.key == "profile":
						*field.choice = what[len(what)-1]
					case field.choice != nil && field.key == "" && what[0] != "":
						*field.choice = what[0]
					case field.choice != nil && field.key == "output" && what[0] != "":
						*field.choice = string(ca.ExportOpaqueSecret)
					}
				}
			}
			s := newForm(w, f).(*formScreen)
			for i := range s.steps {
				s.at = i
				s.refresh()
				checkFits(t, s)
			}
		}
	}
}

// TestFlowCAPlain: both flows can be gone through in plain prompts, by pressing
// Enter where there is a default.
func TestFlowCAPlain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	out, err := plainRun(t, newFlowCA(flowWorld(dir, time.Now, nil)), "", "Example CA", "", "", "", "", "", "", "", "", "y")
	if err != nil {
		t.Fatalf("%v, after:\n%s", err, out)
	}
	checkSaid(t, out, "Directory ["+dir+"]: ", "Made a certificate authority")
	credential := newFlowCredential(flowWorld(dir, time.Now, nil))
	out, err = plainRun(t, credential, "", "", "jane", "developers", "", "", "", "", "", "y")
	if err != nil {
		t.Fatalf("%v, after:\n%s", err, out)
	}
	checkSaid(t, out, "User (common name), required: ", "subject: O=developers,CN=jane", "Issued jane")
}
