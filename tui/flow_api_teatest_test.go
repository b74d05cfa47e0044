package tui

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/teatest/v2"
)

// apiProgram is a flow in a Bubble Tea program.
type apiProgram struct {
	t *testing.T
	*teatest.TestModel
}

func startAPIProgram(t *testing.T, open func(w *world) flow) *apiProgram {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w := apiTestWorld()
	w.ctx = ctx
	r := newRoot(w, newHome(w))
	r.stack = append(r.stack, newForm(w, open(w)))
	p := &apiProgram{t, teatest.NewTestModel(t, r, teatest.WithInitialTermSize(100, 30))}
	w.send = p.Send
	return p
}

func (p *apiProgram) shows(words string) {
	p.t.Helper()
	teatest.WaitFor(p.t, p.Output(), func(out []byte) bool { return bytes.Contains(out, []byte(words)) }, teatest.WithDuration(20*time.Second))
}

func (p *apiProgram) press(keys ...string) {
	for _, k := range keys {
		for _, msg := range keyMessages(k) {
			p.Send(msg)
		}
	}
}

func (p *apiProgram) end() {
	p.press("ctrl+c")
	p.WaitFinished(p.t, teatest.WithFinalTimeout(time.Minute))
}

// TestAuditToAPIServer makes a policy, and from its result has kube-apiserver log
// by it.
func TestAuditToAPIServer(t *testing.T) {
	t.Parallel()
	root, node := newAPINode(t)
	policy := filepath.Join(root, "made.yaml")
	p := startAPIProgram(t, func(w *world) flow { return newFlowAudit(w) })
	p.shows("Make a policy")
	p.press("enter")
	p.shows("Rules of your own")
	p.press("enter", "y", "enter")
	p.shows("Another rule")
	p.press("down", "space", "enter", "enter", "secrets")
	p.shows("! the bodies of secrets are")
	p.press("ctrl+u", "pods", "enter", "prod", "enter", "enter", "enter", "enter")
	p.shows("Policy in JSON")
	p.press("enter", policy, "enter", "enter")
	p.shows("Write it?")
	p.press("y")
	p.shows("What to do now")
	p.press("enter")
	p.shows("Only show the flags")
	p.press("enter")
	p.shows("Its files")
	p.press(node.manifest, "enter", "enter", node.configDir, "enter")
	p.shows("Encryption at rest")
	p.press("enter")
	p.shows("Megabytes")
	p.press("enter", "enter", node.logPath, "enter", "enter", "enter", "enter")
	p.shows("Wait for it")
	p.press("enter")
	p.shows("Write this?")
	p.Send(tea.WindowSizeMsg{Width: 60, Height: 16})
	p.press("y")
	p.shows("Changed")
	p.end()

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
		s := newReview(w, f, func() {})
		s.work, _ = w.startWork(func(context.Context, *job) formEndMsg { return formEndMsg{} })
		s.work.running = false
		s.review, s.err = r, err
		checkFits(t, s)
		for range 40 {
			if shown := s.View(100, 30); strings.ContainsAny(shown, "\u202e\u200b\a") || strings.Contains(shown, "\x1b]") {
				t.Fatalf("%q", shown)
			}
			s.page.press("pgdown")
		}
	}
}
