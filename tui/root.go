package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// The smallest terminal that everything fits on.
const (
	minWidth  = 60
	minHeight = 16
)

// root is the model of the program: a stack of screens between a title and the
// keys.
type root struct {
	*world
	stack         []screen
	width, height int
	profile       colorprofile.Profile
	help          *help // over the top screen; nil where it is not shown

	// leaving is what comes as soon as nothing is under way on the screens from
	// leavingFrom on.
	leaving     func() tea.Cmd
	leavingFrom int
}

func newRoot(w *world, first screen) *root {
	return &root{world: w, stack: []screen{first}, width: 80, height: 24, profile: colorprofile.ANSI256}
}

func (r *root) top() screen { return r.stack[len(r.stack)-1] }

func (r *root) Init() tea.Cmd {
	return tea.Batch(r.top().Init(), tea.RequestBackgroundColor)
}

func (r *root) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		r.width, r.height = msg.Width, msg.Height
		return r, nil
	case tea.BackgroundColorMsg:
		*r.theme = *themeFor(msg.IsDark(), r.profile)
		return r, nil
	case tea.ColorProfileMsg:
		r.profile = msg.Profile
		*r.theme = *themeFor(r.theme.isDark, r.profile)
		return r, nil
	case pushMsg:
		r.stack = append(r.stack, msg.screen)
		return r, msg.screen.Init()
	case replaceMsg:
		return r, r.leave(len(r.stack)-1, func() tea.Cmd {
			r.stack[len(r.stack)-1] = msg.screen
			return msg.screen.Init()
		})
	case popMsg:
		return r, r.pop()
	case runMsg:
		return r, msg.cmd
	case flowDoneMsg:
		from := r.flowBegins()
		return r, r.leave(from, func() tea.Cmd {
			r.stack = r.stack[:from]
			return resumed
		})
	case tea.ResumeMsg: // from where ctrl+z has led
		return r, resumed
	case tea.KeyPressMsg:
		return r, r.press(msg)
	case tea.PasteMsg, resumedMsg:
		return r, r.passTop(msg)
	}
	return r, r.passAll(msg)
}

func resumed() tea.Msg { return resumedMsg{} }

// press takes the keys that are the same everywhere.
func (r *root) press(msg tea.KeyPressMsg) tea.Cmd {
	t, types := r.top().(typing)
	isText := types && t.isTyping()
	switch name := msg.String(); {
	case name == "ctrl+c":
		return r.quit()
	case name == "ctrl+z":
		if canSuspend() {
			return tea.Suspend
		}
		return nil
	case r.help != nil:
		if !r.help.press(name) {
			r.help = nil
		}
		return nil
	case name == "f1", name == "?" && !isText:
		if r.leaving == nil && !r.isTooSmall() {
			r.help = &help{title: r.top().Title(), keys: append(r.top().Keys(), globalKeys()...)}
		}
		return nil
	}
	return r.passTop(msg)
}

// globalKeys are those of every screen.
func globalKeys() []key.Binding {
	keys := []key.Binding{binding("help with the keys; ? too, where no text is typed", "f1")}
	if canSuspend() {
		keys = append(keys, binding("to the shell, and back with its command fg", "ctrl+z"))
	}
	return append(keys, binding("leave the wizard, from everywhere", "ctrl+c"))
}

// flowBegins is the place of the first screen of the flow that is on top.
func (r *root) flowBegins() int {
	for i := len(r.stack) - 1; i > 0; i-- {
		if _, is := r.stack[i].(*formScreen); is {
			return i
		}
	}
	return 1
}

func (r *root) pop() tea.Cmd {
	if len(r.stack) == 1 {
		return r.quit()
	}
	return r.leave(len(r.stack)-1, func() tea.Cmd {
		r.stack = r.stack[:len(r.stack)-1]
		return resumed
	})
}

// quit ends the program, after what is under way has been told to end and has.
// Asked twice, it gives the terminal back at once; Run still waits.
func (r *root) quit() tea.Cmd {
	if r.leaving != nil && r.leavingFrom == 0 {
		return tea.Quit
	}
	return r.leave(0, func() tea.Cmd { return tea.Quit })
}

// leave stops what is under way on the screens from one on, and does the next as
// soon as it has ended.
func (r *root) leave(from int, next func() tea.Cmd) tea.Cmd {
	r.leaving, r.leavingFrom, r.help = next, from, nil
	for _, s := range r.stack[min(from, len(r.stack)):] {
		if b, ok := s.(busy); ok && b.isBusy() {
			b.stop()
		}
	}
	return r.left()
}

// left goes on with what leave waits for, where there is nothing to wait for.
func (r *root) left() tea.Cmd {
	if r.leaving == nil {
		return nil
	}
	for _, s := range r.stack[min(r.leavingFrom, len(r.stack)):] {
		if b, ok := s.(busy); ok && b.isBusy() {
			return nil
		}
	}
	next := r.leaving
	r.leaving = nil
	return next()
}

// passTop gives a message to the screen on top, unless that is about to go.
func (r *root) passTop(msg tea.Msg) tea.Cmd {
	if r.leaving != nil || r.isTooSmall() && isKey(msg) {
		return nil
	}
	i := len(r.stack) - 1
	s, cmd := r.stack[i].Update(msg)
	r.stack[i] = s
	return cmd
}

// isKey says whether a message is what somebody pressed, who sees what it does.
func isKey(msg tea.Msg) bool {
	switch msg.(type) {
	case tea.KeyPressMsg, tea.PasteMsg:
		return true
	}
	return false
}

func (r *root) passAll(msg tea.Msg) tea.Cmd {
	var cmds []tea.Cmd
	for i := range r.stack {
		s, cmd := r.stack[i].Update(msg)
		r.stack[i] = s
		cmds = append(cmds, cmd)
	}
	return tea.Batch(append(cmds, r.left())...)
}

// View draws the whole screen. The title of the window stays whose it is:
// terminals do not say what it was.
func (r *root) View() tea.View {
	v := tea.NewView(r.frame())
	v.AltScreen = true
	return v
}

func (r *root) isTooSmall() bool { return r.width < minWidth || r.height < minHeight }

// frame draws the path, the top screen and its keys.
func (r *root) frame() string {
	if r.isTooSmall() {
		return r.tooSmall()
	}
	height := r.height - 4 // path, rule, rule, keys
	view := r.top().View
	if r.help != nil {
		view = func(width, height int) string { return r.help.view(r.theme, width, height) }
	}
	body := strings.Split(strings.TrimRight(view(r.width, height), "\n"), "\n")
	for len(body) < height {
		body = append(body, "")
	}
	rule := r.theme.Rule.Render(strings.Repeat("─", r.width))
	return strings.Join([]string{r.path(), rule, strings.Join(body[:height], "\n"), rule, r.keys()}, "\n")
}

// tooSmall asks for more room; nothing is lost meanwhile.
func (r *root) tooSmall() string {
	message := fmt.Sprintf("A little more room, please: this needs %d columns and %d lines, and the terminal has %dx%d. Nothing is lost meanwhile.",
		minWidth, minHeight, r.width, r.height)
	wrapped := strings.Split(ansi.Wrap(message, max(r.width, 1), ""), "\n")
	return strings.Join(wrapped[:min(len(wrapped), max(r.height, 1))], "\n")
}

// path says where the user is, and at the right which directory it is about.
func (r *root) path() string {
	separator := " › "
	names := []string{text(r.Program)}
	for i, s := range r.stack {
		if i > 0 || len(r.stack) == 1 {
			names = append(names, text(s.Title()))
		}
	}
	for len(names) > 2 && ansi.StringWidth(strings.Join(names, separator)) > r.width {
		names = append([]string{"…"}, names[2:]...)
	}
	last := len(names) - 1
	before := strings.Join(names[:last], separator) + separator
	name := clip(names[last], r.width-ansi.StringWidth(before))
	shown := r.theme.Faint.Render(before) + r.theme.Title.Render(name)
	if len(r.stack) == 1 && last == 1 {
		shown = r.theme.Title.Render(names[0]) + r.theme.Faint.Render(separator+name)
	}
	room := r.width - lipgloss.Width(shown) - 2
	if dir := text(r.Dir); dir != "" && ansi.StringWidth(dir) <= room {
		shown += strings.Repeat(" ", room+2-ansi.StringWidth(dir)) + r.theme.Faint.Render(dir)
	}
	return shown
}

// keys draws as many keys as there is room for; help and the end are always there.
func (r *root) keys() string {
	if r.leaving != nil {
		return r.theme.Warn.Render(clip("Ending what is under way, in order. ctrl+c again gives the terminal back at once.", r.width))
	}
	list := r.top().Keys()
	if r.help != nil {
		list = r.help.bindings()
	}
	always := "  " + r.keyHelp(binding("keys", "f1")) + "  " + r.keyHelp(binding("quit", "ctrl+c"))
	room := r.width - lipgloss.Width(always)
	var shown string
	for _, k := range list {
		part := r.keyHelp(k)
		if shown != "" {
			part = "  " + part
		}
		if lipgloss.Width(shown+part) > room {
			break
		}
		shown += part
	}
	return shown + strings.Repeat(" ", max(room-lipgloss.Width(shown), 0)) + always
}

func (r *root) keyHelp(k key.Binding) string {
	return r.theme.Key.Render(text(k.Help().Key)) + " " + r.theme.Faint.Render(text(k.Help().Desc))
}
