package tui

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// sheet is a screen that records what it gets.
type sheet struct {
	name    string
	content string
	types   bool
	busy    bool
	stopped bool
	got     []string
}

type endedMsg struct{ s *sheet }

func (s *sheet) Init() tea.Cmd { return nil }
func (s *sheet) Update(msg tea.Msg) (screen, tea.Cmd) {
	s.got = append(s.got, strings.TrimPrefix(fmt.Sprintf("%T %v", msg, msg), "tea."))
	if ended, ok := msg.(endedMsg); ok && ended.s == s {
		s.busy = false
	}
	return s, nil
}
func (s *sheet) View(int, int) string { return s.content }
func (s *sheet) Title() string        { return s.name }
func (s *sheet) Keys() []key.Binding  { return []key.Binding{binding("do it", "enter")} }
func (s *sheet) isTyping() bool       { return s.types }
func (s *sheet) isBusy() bool         { return s.busy }
func (s *sheet) stop()                { s.stopped = true }

func newTestWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		Options: Options{Program: "pkictl", Dir: "pki"},
		ctx:     t.Context(), theme: newTheme(true), send: func(tea.Msg) {},
	}
}

// pressed is what a key gives, as "ctrl+c", "enter" or "a".
func pressed(name string) tea.KeyPressMsg {
	keys := map[string]tea.Key{
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+z": {Code: 'z', Mod: tea.ModCtrl},
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "f1": {Code: tea.KeyF1},
		"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"tab": {Code: tea.KeyTab}, "backspace": {Code: tea.KeyBackspace}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	}
	if k, known := keys[name]; known {
		return tea.KeyPressMsg(k)
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// did runs commands, those in others included, and names the messages.
func did(cmd tea.Cmd) string {
	if cmd == nil {
		return ""
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		var all []string
		for _, part := range msg {
			if name := did(part); name != "" {
				all = append(all, name)
			}
		}
		return strings.Join(all, " ")
	case nil:
		return ""
	default:
		return fmt.Sprintf("%T", msg)
	}
}

func update(r *root, msg tea.Msg) string {
	_, cmd := r.Update(msg)
	return did(cmd)
}

func TestStack(t *testing.T) {
	t.Parallel()
	first, second := &sheet{name: "First"}, &sheet{name: "Second"}
	r := newRoot(newTestWorld(t), first)
	update(r, pushMsg{second})
	update(r, pressed("a"))
	update(r, endedMsg{nil})
	if len(second.got) != 2 || len(first.got) != 1 {
		t.Errorf("keys go to the top alone, others to all: %q %q", first.got, second.got)
	}
	if got := update(r, popMsg{}); got != "tui.resumedMsg" || r.top() != first {
		t.Errorf("popped: %s", got)
	}
	update(r, pushMsg{second})
	update(r, replaceMsg{&sheet{name: "Third"}})
	if r.top().Title() != "Third" || len(r.stack) != 2 {
		t.Errorf("replaced: %v", r.stack)
	}
	update(r, pushMsg{second})
	if got := update(r, flowDoneMsg{}); got != "tui.resumedMsg" || len(r.stack) != 1 {
		t.Errorf("home: %s", got)
	}
	if got := update(r, tea.ResumeMsg{}); got != "tui.resumedMsg" {
		t.Errorf("from the shell: %s", got)
	}
	if got := update(r, popMsg{}); got != "tea.QuitMsg" {
		t.Errorf("the last: %s", got)
	}
}

// TestLeave: what is under way is told to end, and waited for, before its screen
// goes; keys are passed over meanwhile.
func TestLeave(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		leave tea.Msg
		want  string // when it has ended
	}{
		{"ctrl+c", pressed("ctrl+c"), "tea.QuitMsg"},
		{"back", popMsg{}, "tui.resumedMsg"},
		{"home", flowDoneMsg{}, "tui.resumedMsg"},
		{"replace", replaceMsg{&sheet{name: "Third"}}, ""},
	} {
		first, second := &sheet{name: "First"}, &sheet{name: "Second", busy: true}
		r := newRoot(newTestWorld(t), first)
		update(r, pushMsg{second})
		if got := update(r, test.leave); got != "" || !second.stopped || r.top() != second {
			t.Errorf("%s does not wait: %q, stopped %v", test.name, got, second.stopped)
		}
		if !strings.Contains(r.frame(), "Ending what is under way") {
			t.Errorf("%s does not say what it waits for", test.name)
		}
		before := len(second.got)
		update(r, pressed("enter"))
		if len(second.got) != before {
			t.Errorf("%s: a key came through: %q", test.name, second.got)
		}
		if got := update(r, endedMsg{second}); got != test.want || test.name != "ctrl+c" && r.top() == second {
			t.Errorf("%s: when it has ended: %q", test.name, got)
		}
	}
}

func TestQuitTwice(t *testing.T) {
	t.Parallel()
	s := &sheet{name: "First", busy: true}
	r := newRoot(newTestWorld(t), s)
	if got := update(r, pressed("ctrl+c")); got != "" {
		t.Errorf("once: %s", got)
	}
	if got := update(r, pressed("ctrl+c")); got != "tea.QuitMsg" {
		t.Errorf("twice: %s", got)
	}
}

func TestHelpOverlay(t *testing.T) {
	t.Parallel()
	s := &sheet{name: "First", content: "the body"}
	r := newRoot(newTestWorld(t), s)
	update(r, tea.WindowSizeMsg{Width: 60, Height: 16})
	for _, name := range []string{"?", "f1"} {
		update(r, pressed(name))
		shown := ansi.Strip(r.frame())
		if !strings.Contains(shown, "Keys of First") || !strings.Contains(shown, "enter    do it") || strings.Contains(shown, "the body") {
			t.Errorf("%s shows\n%s", name, shown)
		}
		update(r, pressed("enter"))
		if shown := ansi.Strip(r.frame()); !strings.Contains(shown, "the body") {
			t.Errorf("after a key:\n%s", shown)
		}
	}
	if len(s.got) != 0 {
		t.Errorf("the screen got %q", s.got)
	}
	s.types = true
	update(r, pressed("?"))
	if len(s.got) != 1 || r.help != nil {
		t.Errorf("? is text where text is typed: %q", s.got)
	}
	update(r, pressed("f1"))
	if got := update(r, pressed("ctrl+c")); got != "tea.QuitMsg" {
		t.Errorf("ctrl+c over the help: %s", got)
	}
}

// TestHelpScrolls: all keys can be seen where they do not fit.
func TestHelpScrolls(t *testing.T) {
	t.Parallel()
	h := &help{title: "many"}
	for i := range 30 {
		h.keys = append(h.keys, binding(fmt.Sprintf("number %d", i), "x"))
	}
	if shown := h.view(newTheme(true), 60, 12); !strings.Contains(shown, "number 9") || strings.Contains(shown, "number 10") {
		t.Error(shown)
	}
	for range 40 {
		if !h.press("down") {
			t.Fatal("down ends it")
		}
	}
	if shown := h.view(newTheme(true), 60, 12); !strings.Contains(shown, "number 29") || strings.Contains(shown, "number 19") {
		t.Error(shown)
	}
}

// TestFrameFits: whatever a screen draws, and whatever it is called, the frame is
// of the size of the terminal.
func TestFrameFits(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[31m\u202e" + strings.Repeat("長い", 5000)
	w := newTestWorld(t)
	w.Dir = hostile
	r := newRoot(w, &sheet{name: "First"})
	update(r, pushMsg{&sheet{name: hostile, content: strings.Repeat("line\n", 200)}})
	for _, size := range [][2]int{{60, 16}, {80, 24}, {300, 80}, {59, 30}, {100, 15}, {10, 4}, {1, 1}} {
		update(r, tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		frame := r.frame()
		if strings.Contains(frame, "\x1b[31m") || strings.Contains(frame, "\u202e") {
			t.Errorf("%v: raw text in %q", size, frame)
		}
		lines := strings.Split(frame, "\n")
		if len(lines) > size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for i, line := range lines {
			if width := ansi.StringWidth(line); width > size[0] {
				t.Errorf("%v: line %d has %d cells", size, i, width)
			}
		}
	}
}

// TestTooSmall: below 60x16 the keys do nothing that nobody sees, and what was
// there is there again when the terminal grows.
func TestTooSmall(t *testing.T) {
	t.Parallel()
	s := &sheet{name: "First", content: "the body"}
	r := newRoot(newTestWorld(t), s)
	update(r, tea.WindowSizeMsg{Width: 59, Height: 16})
	if frame := r.frame(); !strings.Contains(strings.Join(strings.Fields(frame), " "), "60 columns and 16 lines") {
		t.Error(frame)
	}
	update(r, pressed("enter"))
	if len(s.got) != 0 {
		t.Errorf("keys came through: %q", s.got)
	}
	update(r, tea.WindowSizeMsg{Width: 60, Height: 16})
	if frame := r.frame(); !strings.Contains(frame, "the body") {
		t.Error(frame)
	}
	update(r, tea.WindowSizeMsg{Width: 5, Height: 2})
	if got := update(r, pressed("ctrl+c")); got != "tea.QuitMsg" {
		t.Errorf("ctrl+c: %s", got)
	}
}

// TestThemeFollowsTerminal: the answer of a terminal changes the styles in place,
// for screens keep the world that they were made with.
func TestThemeFollowsTerminal(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	kept := w.theme
	r := newRoot(w, &sheet{name: "First"})
	update(r, tea.BackgroundColorMsg{Color: ansi.IndexedColor(231)})
	if kept.isDark {
		t.Error("still dark")
	}
	update(r, tea.ColorProfileMsg{Profile: profileOf([]string{"TERM=xterm", "NO_COLOR=1"})})
	if kept.isDark || len(colourCodes(kept.Bad.Render("x"))) > 0 {
		t.Error("still coloured")
	}
}

func TestWork(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	cmd := w.work(func(context.Context) tea.Msg { return endedMsg{} })
	if got := did(cmd); got != "tui.endedMsg" {
		t.Error(got)
	}
	w.jobs.end()
	if got := did(cmd); got != "" {
		t.Errorf("after the end something began: %s", got)
	}
}
