package tui

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// TestFlowCAToCredential goes from an empty directory to a credential in one
// program: a CA with an encrypted key, and from its result a certificate with a
// kubeconfig.
func TestFlowCAToCredential(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "pki")
	w := flowWorld(dir, time.Now, nil)
	p := runFlow(t, w, newFlowCA(w))
	p.press("enter", "Example CA", "enter", "enter", "enter", "enter") // what, and name and key
	p.press("enter", "enter", "enter", "enter", "space", "enter")      // limits, files
	p.shows("Make this CA?")
	p.press("y")
	p.shows("Choose the passphrase of")
	p.press(testPassword, "enter")
	p.shows("The same again")
	p.press(testPassword, "enter")
	p.shows("Made a certificate authority")
	p.shows("What to do now") // the result: what was done is on the screen before, too
	p.press("enter")
	p.shows("For whom?")
	p.press("enter", "enter", "jane", "enter", "developers", "enter", "enter", "enter")
	p.press("space", "enter", filepath.Join(root, "jane.conf"), "enter", "https://10.0.0.10:6443", "enter", "enter", "enter")
	p.press("enter", "enter") // no export, and the files where they are
	p.shows("Issue it?")
	p.press("y")
	p.shows("Enter the passphrase of")
	p.press(testPassword, "enter")
	p.shows("Issued jane")
	p.quit()
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
	hostile := "a\x1b[2J\u202e" + string(bytes.Repeat([]byte("x\u0301"), 5000)) + "日本"
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
