package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
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
	quitting      bool // as soon as what is under way has ended
}

func newRoot(w *world, first screen) *root {
	return &root{world: w, stack: []screen{first}, width: 80, height: 24}
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
		*r.theme = *newTheme(msg.IsDark())
		return r, nil
	case pushMsg:
		r.stack = append(r.stack, msg.screen)
		return r, msg.screen.Init()
	case replaceMsg:
		r.stack[len(r.stack)-1] = msg.screen
		return r, msg.screen.Init()
	case popMsg:
		return r.pop()
	case homeMsg:
		r.stack = r.stack[:1]
		return r, resumed
	case tea.KeyPressMsg:
		if msg.String() == "ctrl+c" {
			return r.quit()
		}
		return r.pass(len(r.stack)-1, msg)
	case tea.PasteMsg:
		return r.pass(len(r.stack)-1, msg)
	case resumedMsg:
		return r.pass(len(r.stack)-1, msg)
	}
	return r.passAll(msg)
}

func resumed() tea.Msg { return resumedMsg{} }

func (r *root) pop() (tea.Model, tea.Cmd) {
	if len(r.stack) == 1 {
		return r.quit()
	}
	r.stack = r.stack[:len(r.stack)-1]
	return r, resumed
}

// quit ends the program, after what is under way has been told to end and has.
func (r *root) quit() (tea.Model, tea.Cmd) {
	r.quitting = true
	for _, s := range r.stack {
		if b, ok := s.(busy); ok && b.isBusy() {
			b.stop()
		}
	}
	return r, r.quitIfIdle()
}

func (r *root) quitIfIdle() tea.Cmd {
	for _, s := range r.stack {
		if b, ok := s.(busy); ok && b.isBusy() {
			return nil
		}
	}
	return tea.Quit
}

func (r *root) pass(i int, msg tea.Msg) (tea.Model, tea.Cmd) {
	if r.quitting {
		return r, nil
	}
	s, cmd := r.stack[i].Update(msg)
	r.stack[i] = s
	return r, cmd
}

func (r *root) passAll(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmds []tea.Cmd
	for i := range r.stack {
		s, cmd := r.stack[i].Update(msg)
		r.stack[i] = s
		cmds = append(cmds, cmd)
	}
	if r.quitting {
		cmds = append(cmds, r.quitIfIdle())
	}
	return r, tea.Batch(cmds...)
}

func (r *root) View() tea.View {
	v := tea.NewView(r.frame())
	v.AltScreen = true
	v.WindowTitle = r.Program + " wizard"
	return v
}

// frame draws the path, the top screen and its keys.
func (r *root) frame() string {
	if r.width < minWidth || r.height < minHeight {
		return clip("The terminal is too small: 60 columns and 16 lines are needed.", r.width)
	}
	height := r.height - 4 // path, rule, rule, keys
	body := strings.Split(strings.TrimRight(r.top().View(r.width, height), "\n"), "\n")
	for len(body) < height {
		body = append(body, "")
	}
	rule := r.theme.Faint.Render(strings.Repeat("─", r.width))
	return strings.Join([]string{r.path(), rule, strings.Join(body[:height], "\n"), rule, r.keys()}, "\n")
}

// path says where the user is.
func (r *root) path() string {
	names := []string{r.Program}
	for _, s := range r.stack {
		names = append(names, text(s.Title()))
	}
	return ansi.Truncate(r.theme.Title.Render(strings.Join(names, " › ")), r.width, "…")
}

// keys draws as many keys as there is room for.
func (r *root) keys() string {
	list := append(r.top().Keys(), binding("quit", "ctrl+c"))
	var shown string
	for _, k := range list {
		part := r.keyHelp(k)
		if shown != "" {
			part = "  " + part
		}
		if lipgloss.Width(shown+part) > r.width {
			break
		}
		shown += part
	}
	return shown
}

func (r *root) keyHelp(k key.Binding) string {
	return r.theme.Key.Render(k.Help().Key) + " " + r.theme.Faint.Render(k.Help().Desc)
}
