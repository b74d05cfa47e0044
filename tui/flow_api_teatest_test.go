package tui

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// TestAuditToAPIServer makes a policy, and from its result has kube-apiserver log
// by it.
func TestAuditToAPIServer(t *testing.T) {
	t.Parallel()
	root, node := newAPINode(t)
	policy := filepath.Join(root, "made.yaml")
	w := apiTestWorld()
	p := runFlow(t, w, newFlowAudit(w))
	p.shows("step 1 of 3")
	p.press("enter")
	p.shows("step 2 of 3")
	p.press("enter", "y", "enter")
	p.shows("step 3 of 4")
	p.press("down", "space", "enter", "enter", "secrets")
	p.shows("! the bodies of secrets are")
	p.press("ctrl+u", "pods", "enter", "prod", "enter", "enter", "enter", "enter")
	p.shows("step 4 of 4")
	p.press("enter", policy, "enter", "enter")
	p.shows("Write it?")
	p.press("y")
	p.shows("What to do now")
	p.press("enter")
	p.shows("step 1 of 5")
	p.press("enter")
	p.shows("step 2 of 5")
	p.press(node.manifest, "enter", "enter", node.configDir, "enter")
	p.shows("step 3 of 5")
	p.press("enter")
	p.shows("step 4 of 5")
	p.press("enter", "enter", "enter", node.logPath, "enter", "enter", "enter", "enter")
	p.shows("step 5 of 5")
	p.press("enter")
	p.shows("Write this?")
	p.Send(tea.WindowSizeMsg{Width: 60, Height: 16})
	p.press("y")
	p.shows("Changed")
	p.quit()

	made, err := os.ReadFile(policy)
	ok(t, err)
	if !strings.Contains(string(made), "Asked for with --log 'pods in prod at Request'.") {
		t.Errorf("%s", made)
	}
	copied, err := os.ReadFile(filepath.Join(node.configDir, "audit-policy.yaml"))
	ok(t, err)
	manifest, err := os.ReadFile(node.manifest)
	ok(t, err)
	if !bytes.Equal(copied, made) || !bytes.Contains(manifest, []byte("--audit-log-path="+node.logPath)) {
		t.Errorf("%s\n%s", copied, manifest)
	}
}

// TestAPIScreens: the steps and the review of each flow fit on a terminal, also
// with texts that are meant to break it.
func TestAPIScreens(t *testing.T) {
	t.Parallel()
	_, api := newAPINode(t)
	api.topics, api.anonymous, api.provider = allTopics(), anonymousPaths, "kms"
	audit := newFlowAudit(apiTestWorld())
	audit.hasRules = true
	for _, f := range []flow{audit, api} {
		w := apiTestWorld()
		w.send = func(tea.Msg) {}
		s := newForm(w, f).(*formScreen)
		s.Init()
		for i := range s.steps {
			if s.steps[i].isHidden() {
				continue
			}
			s.at = i
			s.refresh()
			checkFits(t, s)
		}
		for _, hostile := range hostileTexts() {
			i := 0
			fillHostile(f, hostile, func(string) {
				if i++; i%5 == 0 { // one is as another
					s.refresh()
					checkFits(t, s)
				}
			})
		}
	}
}

// TestAPIReviewHostile: what a manifest says is shown so that it does nothing.
func TestAPIReviewHostile(t *testing.T) {
	t.Parallel()
	_, f := newAPINode(t)
	data, err := os.ReadFile(f.manifest)
	ok(t, err)
	evil := "    - \"--feature-gates=\\e]0;owned\\a\\u202e" + strings.Repeat("x", 10_000) + "\" # \u202e\u200b" + strings.Repeat("漢", 5_000) + "\n"
	ok(t, os.WriteFile(f.manifest, bytes.Replace(data, []byte("    - kube-apiserver\n"), []byte("    - kube-apiserver\n"+evil), 1), 0o600))
	f.topics = []string{topicTLS}
	for _, what := range []string{apiPatch, apiCheck} {
		f.what, f.checkPath = what, f.manifest
		var log jobLog
		r, err := f.review(t.Context(), log.newJob())
		w := apiTestWorld()
		s := reviewed(w, f, r, err)
		checkFits(t, s)
		for range 40 {
			if shown := s.View(100, 30); strings.ContainsAny(shown, "\u202e\u200b\a") || strings.Contains(shown, "\x1b]") {
				t.Fatalf("%q", shown)
			}
			s.page.press("pgdown")
		}
	}
}

// TestAPIPlain goes through both flows in plain lines.
func TestAPIPlain(t *testing.T) {
	t.Parallel()
	root, node := newAPINode(t)
	policy := filepath.Join(root, "made.yaml")
	rootB, b := newAPINode(t)
	b.topics, b.auditFrom, b.policyFrom = []string{topicAudit}, auditFromFile, filepath.Join(rootB, "made.yaml")
	for _, tt := range []struct {
		flow    func(*world) flow
		answers []string
		command []string
	}{
		{func(w *world) flow { return newFlowAudit(w) }, []string{"", "exam", "y", "", "2", "pods", "prod", "", "", "n", "", policy, "", "y"},
			[]string{"audit", "generate", "--preset", "exam", "--log", "changes pods in prod at Metadata", "--out", rootB + "/made.yaml"}},
		{func(w *world) flow { return newFlowAPIServer(w) }, []string{"", node.manifest, "", node.configDir, "1", "6", policy, "", node.logPath, "", "", "", "", "y"},
			append(b.command(), "--yes")},
	} {
		w := apiTestWorld()
		var said bytes.Buffer
		if err := formPlain(t.Context(), w, tt.flow(w), strings.NewReader(strings.Join(tt.answers, "\n")+"\n"), &said); err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
		if cli := runCLI(t, rootB, tt.command...); cli.code != 0 {
			t.Errorf("%s", cli.stderr)
		}
	}
	compareAPITrees(t, root, rootB)
}
