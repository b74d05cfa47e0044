package tui

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

var homeNow = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// newHomeWorld is a world of an empty directory.
func newHomeWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := newTestWorld(t)
	w.Dir, w.ClusterDir = filepath.Join(dir, "pki"), filepath.Join(dir, "kubernetes")
	w.Now = func() time.Time { return homeNow }
	w.Kubeconfigs = []string{filepath.Join(dir, "config")}
	w.Connect = func(string, string) (*kubeclient.Client, error) {
		return kubeclient.Connect(kubeclient.Options{Paths: w.Kubeconfigs, Timeout: time.Second})
	}
	return w
}

// homeLoaded returns the first screen with all that it looks for.
func homeLoaded(t *testing.T, w *world) *homeScreen {
	t.Helper()
	h := newHome(w)
	homeLoad(h, h.Init())
	return h
}

func homeLoad(h *homeScreen, cmd tea.Cmd) {
	for _, part := range cmd().(tea.BatchMsg) {
		h.Update(part())
	}
}

func homeView(h *homeScreen, width, height int) string { return ansi.Strip(h.View(width, height)) }

func homePress(h *homeScreen, names ...string) tea.Cmd {
	var cmd tea.Cmd
	for _, name := range names {
		_, cmd = h.Update(pressed(name))
	}
	return cmd
}

// TestHomeEmpty: nothing anywhere is a state like others, which says what leads on;
// before the answers come the screen is there, and no file is made.
func TestHomeEmpty(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	h := newHome(w)
	if shown := homeView(h, 80, 20); strings.Count(shown, "looking ...") != 3 || !strings.Contains(shown, "❯ 1  Certificate authority") {
		t.Error(shown)
	}
	homeLoad(h, h.Init())
	shown := homeView(h, 80, 20)
	for _, part := range []string{"No certificate authority in", "No control plane's PKI in", "No kubeconfig."} {
		if !strings.Contains(shown, part) {
			t.Errorf("no %q in\n%s", part, shown)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(w.Dir))
	if err != nil || len(entries) > 0 {
		t.Errorf("made: %v %v", entries, err)
	}
}

// TestHomeWaysFit: 80 columns, which most terminals have at least, show all that is
// said of each way.
func TestHomeWaysFit(t *testing.T) {
	t.Parallel()
	shown := homeView(newHome(newHomeWorld(t)), 80, 20)
	for _, y := range ways() {
		if !strings.Contains(shown, y.help) {
			t.Errorf("no %q in\n%s", y.help, shown)
		}
	}
}

// TestHomeCards: side by side, what is said is broken between words.
func TestHomeCards(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	w.Dir, w.ClusterDir = "no-pki-here", "no-kubernetes-here"
	shown := homeView(homeLoaded(t, w), homeCardsWidth, 40)
	if strings.Contains(shown, "…") || !strings.Contains(shown, "one, or takes yours over.") || !strings.Contains(shown, "no-kubernetes-here.") {
		t.Error(shown)
	}
}

// TestHomeHint: what to do about what is wrong is seen to its end on 80 columns.
func TestHomeHint(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	h := newHome(w)
	h.Update(homeBlockMsg{h.asked, 0, errorBlock(failure.New(failure.Failed, strings.Repeat("do this and ", 8)+"that", "it is broken"))})
	if shown := homeView(h, 80, 20); strings.Contains(shown, "…") || !strings.Contains(shown, " that\n") {
		t.Error(shown)
	}
}

func TestHomeStatus(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	ctx := context.Background()
	if _, err := ca.Init(ctx, ca.InitOptions{Dir: w.Dir, CommonName: "test-ca", Now: homeNow.Add(-100 * ca.Day)}); err != nil {
		t.Fatal(err)
	}
	for name, validity := range map[string]string{"jane": "107d", "joe": "300d", "old": "10d"} {
		if _, err := ca.Issue(ctx, ca.IssueOptions{Dir: w.Dir, CommonName: name, Profile: "client", Validity: validity, Now: homeNow.Add(-100 * ca.Day)}); err != nil {
			t.Fatal(err)
		}
	}
	h := homeLoaded(t, w)
	shown := homeView(h, 100, 30)
	for _, part := range []string{"CN=test-ca", "key not encrypted", "! 3 certificates: 2 valid · 1 ends within 30 days · 1 expired", "! first to end: jane, in 7d"} {
		if !strings.Contains(shown, part) {
			t.Errorf("no %q in\n%s", part, shown)
		}
	}
	// Once something has changed, and another screen is left, it is there.
	if _, err := ca.Issue(ctx, ca.IssueOptions{Dir: w.Dir, CommonName: "new", Profile: "client", Now: homeNow}); err != nil {
		t.Fatal(err)
	}
	_, cmd := h.Update(resumedMsg{})
	homeLoad(h, cmd)
	if shown := homeView(h, 100, 30); !strings.Contains(shown, "4 certificates: 3 valid") {
		t.Error(shown)
	}
	h.Update(homeBlockMsg{h.asked - 1, 0, homeBlock{lines: []homeLine{{text: "too late"}}}})
	if shown := homeView(h, 100, 30); strings.Contains(shown, "too late") {
		t.Error("an older answer was taken")
	}
	if err := os.WriteFile(ca.CertPath(w.Dir), []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if shown := homeView(homeLoaded(t, w), 100, 30); !strings.Contains(shown, "✗") || !strings.Contains(shown, "holds no certificate") {
		t.Error(shown)
	}
}

// hostileConfig names everything by what acts on terminals; its server is a port
// that nobody listens on.
const hostileConfig = `{"apiVersion": "v1", "kind": "Config", "current-context": "\u001b[31mctx\u202e",
"contexts": [{"name": "\u001b[31mctx\u202e", "context": {"cluster": "c\u0007", "user": "u\u001b]52;c;eA==\u0007"}}],
"clusters": [{"name": "c\u0007", "cluster": {"server": "https://127.0.0.1:1"}}],
"users": [{"name": "u\u001b]52;c;eA==\u0007", "user": {"token": "secret-token"}}]}`

// TestHomeHostile: names that act on terminals, or are endless, neither reach one
// nor break the layout; a token is never shown.
func TestHomeHostile(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	if err := os.WriteFile(w.Kubeconfigs[0], []byte(hostileConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	w.ClusterDir += "\x1b[2J\u202e" + strings.Repeat("x", 200)
	w.Dir += strings.Repeat("/長い", 50)
	h := homeLoaded(t, w)
	h.Update(tea.PasteMsg{Content: "\x1b[31m\n" + strings.Repeat("x", 10000)})
	if len([]rune(h.typed)) != maxSearch {
		t.Errorf("typed %q", h.typed)
	}
	for _, size := range [][2]int{{60, 12}, {80, 20}, {200, 56}} {
		shown := h.View(size[0], size[1])
		for _, raw := range []string{"\x1b[31m", "\x1b]52", "\u202e", "\x1b[2J", "\x07", "secret-token"} {
			if strings.Contains(shown, raw) {
				t.Errorf("%v: %q is there raw", size, raw)
			}
		}
		if !strings.Contains(ansi.Strip(shown), `\x1b[31mctx\u202e`) {
			t.Errorf("%v: no context in\n%s", size, shown)
		}
	}
	checkFits(t, h)
	var out strings.Builder
	w.Out = &out
	w.sayStatus()
	if strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), func(r rune) bool { return r < ' ' || r == '\u202e' }) {
		t.Errorf("%q", out.String())
	}
}

func TestHomeFits(t *testing.T) {
	t.Parallel()
	h := newHome(newHomeWorld(t))
	checkFits(t, h)
	long := strings.Repeat("very long ", 200)
	for i := range h.status.blocks {
		h.status.blocks[i].brief = homeLine{levelBad, long}
		h.status.blocks[i].lines = []homeLine{{levelBad, long}, {levelWarn, long}, {levelGood, long}, {levelPlain, long}}
	}
	checkFits(t, h)
	// On the smallest terminal each place has a line, and most ways are seen.
	if shown := homeView(h, 60, 12); strings.Count(shown, "✗") != 3 || !strings.Contains(shown, "7  Inventory") {
		t.Error(shown)
	}
	homePress(h, "up")
	if shown := homeView(h, 60, 12); !strings.Contains(shown, "❯ 8  Practice labs") {
		t.Error(shown)
	}
	checkFits(t, h)
}

func TestHomeSearch(t *testing.T) {
	t.Parallel()
	all := ways()
	titles := func(search string) []string {
		var list []string
		for _, i := range findWays(all, search) {
			list = append(list, all[i].title)
		}
		return list
	}
	if got := titles(""); len(got) != len(all) || got[0] != "Certificate authority" {
		t.Errorf("%q", got)
	}
	for search, want := range map[string]string{
		"cred": "Credential", "rbac": "User for a cluster", "exam": "Practice labs", "authority": "Certificate authority",
		"init-ca": "Certificate authority", "AUDIT": "Audit policy", "renew": "Inventory", "cluster pki": "Cluster PKI", "invtry": "Inventory",
	} {
		if got := titles(search); len(got) == 0 || got[0] != want {
			t.Errorf("%q finds %q, want %q first", search, got, want)
		}
	}
	if got := titles("certificate exam"); len(got) != 0 {
		t.Errorf("all words have to be found: %q", got)
	}
}

func TestHomeKeys(t *testing.T) {
	t.Parallel()
	h := newHome(newHomeWorld(t))
	opened := func(cmd tea.Cmd) string {
		if cmd == nil {
			return ""
		}
		msg, isPush := cmd().(pushMsg)
		if !isPush {
			return ""
		}
		return msg.screen.Title()
	}
	labs := newLabs(h.world).Title()
	if got := opened(homePress(h, "8")); got != labs {
		t.Errorf("8 opens %q", got)
	}
	if got := opened(homePress(h, "up", "enter")); got != labs {
		t.Errorf("up from the first opens %q", got)
	}
	homePress(h, "e", "x", "a", "m")
	if shown := homeView(h, 80, 20); !strings.Contains(shown, "Search: exam") || strings.Contains(shown, "Inventory  ") {
		t.Error(shown)
	}
	if !h.isTyping() {
		t.Error("? is text in a search")
	}
	if got := opened(homePress(h, "enter")); got != labs {
		t.Errorf("the search opens %q", got)
	}
	homePress(h, "z", "q", "x")
	if shown := homeView(h, 80, 20); !strings.Contains(shown, "Nothing is called that") {
		t.Error(shown)
	}
	if cmd := homePress(h, "esc"); cmd != nil || h.typed != "" || len(h.shown) != len(h.ways) {
		t.Errorf("esc ends the search: %q", h.typed)
	}
	if got := did(homePress(h, "esc")); got != "tui.popMsg" {
		t.Errorf("esc leaves: %q", got)
	}
}

// TestPlainMenu: without a screen the same is said in lines, without any control
// character, and the end of input ends it.
func TestPlainMenu(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	var out strings.Builder
	w.In, w.Out = strings.NewReader("99\nno such way\nexam\ns\n\n2\n"), &out
	went := 0
	list := []way{
		{title: "One", help: "a screen alone", open: newLabs},
		{title: "Two", help: "with an exam", plain: func(context.Context, *world, io.Reader, io.Writer) error { went += 10; return nil }},
		{title: "Three", help: "the end", plain: func(context.Context, *world, io.Reader, io.Writer) error { went++; return io.EOF }},
	}
	if err := w.menu(list); err != nil {
		t.Error(err)
	}
	if went != 1 {
		t.Errorf("went %d", went)
	}
	said := out.String()
	for _, part := range []string{"pkictl wizard\nPKI directory: No certificate authority in", "\n1. Two: with an exam.\n2. Three: the end.\n", "There is no number 99.", "Nothing is called no such way."} {
		if !strings.Contains(said, part) {
			t.Errorf("no %q in\n%s", part, said)
		}
	}
	if strings.Contains(said, "One") || strings.ContainsFunc(strings.ReplaceAll(said, "\n", ""), func(r rune) bool { return r < ' ' }) {
		t.Errorf("%q", said)
	}
	for _, input := range []string{"", "q\n", "q"} {
		w := newHomeWorld(t)
		w.In, w.Out = strings.NewReader(input), io.Discard
		if err := w.menu(list); err != nil {
			t.Errorf("%q: %v", input, err)
		}
	}
}

// TestWays: each way is there once, with a number that is a key, on the screen and
// in plain lines.
func TestWays(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, y := range ways() {
		if seen[y.title] {
			t.Errorf("%s is there twice", y.title)
		}
		seen[y.title] = true
		if !y.isPlain() {
			t.Errorf("%s cannot be gone in plain lines", y.title)
		}
		if y.help == "" || strings.HasSuffix(y.help, ".") {
			t.Errorf("%s: %q is made a sentence of", y.title, y.help)
		}
		if s := y.screen(newHomeWorld(t)); s == nil {
			t.Errorf("%s has no screen", y.title)
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d ways", len(seen))
	}
}
