package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// homeScreen is the first screen: what is there, and the ways on.
type homeScreen struct {
	*world
	status homeStatus
	asked  int // how often the status was asked for; older answers are passed over

	ways   []way
	typed  string // what they are searched for
	shown  []int  // those that are found, the best first
	cursor int    // in shown
	top    int    // the first that is drawn
}

// maxSearch is how many characters are searched for.
const maxSearch = 40

func newHome(w *world) *homeScreen {
	h := &homeScreen{world: w, ways: ways(), status: newHomeStatus(w)}
	h.search()
	return h
}

func (h *homeScreen) Init() tea.Cmd { return h.load() }

// load asks anew; what is known is shown until the answers come.
func (h *homeScreen) load() tea.Cmd {
	h.asked++
	return h.status.load(h.ctx, h.asked)
}

func (h *homeScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case homeBlockMsg:
		if msg.asked == h.asked {
			h.status.blocks[msg.index] = msg.block
		}
	case resumedMsg:
		h.found()
		return h, h.load()
	case tea.PasteMsg:
		h.add(msg.Content)
	case tea.KeyPressMsg:
		return h, h.press(msg)
	}
	return h, nil
}

func (h *homeScreen) press(msg tea.KeyPressMsg) tea.Cmd {
	switch name := msg.String(); name {
	case "up", "shift+tab", "ctrl+p":
		h.move(-1)
	case "down", "tab", "ctrl+n":
		h.move(1)
	case "pgup", "home":
		h.cursor = 0
	case "pgdown", "end":
		h.cursor = max(len(h.shown)-1, 0)
	case "enter":
		if len(h.shown) > 0 {
			return h.open(h.shown[h.cursor])
		}
	case "esc":
		if h.typed == "" {
			return pop
		}
		h.typed = ""
		h.search()
	case "ctrl+r", "f5":
		return h.load()
	case "backspace", "ctrl+h":
		if runes := []rune(h.typed); len(runes) > 0 {
			h.typed = string(runes[:len(runes)-1])
			h.search()
		}
	case "ctrl+u":
		h.typed = ""
		h.search()
	default:
		if i := int(msg.Code - '1'); h.typed == "" && msg.Text != "" && i >= 0 && i < min(len(h.ways), 9) {
			return h.open(i)
		}
		h.add(msg.Text)
	}
	return nil
}

// move goes around at both ends.
func (h *homeScreen) move(by int) {
	if n := len(h.shown); n > 0 {
		h.cursor = (h.cursor + by + n) % n
	}
}

// add types text; a search begins with no space.
func (h *homeScreen) add(s string) {
	typed := strings.TrimLeft(h.typed+strings.ReplaceAll(s, "\n", " "), " ")
	if runes := []rune(typed); len(runes) > maxSearch {
		typed = string(runes[:maxSearch])
	}
	if typed != h.typed {
		h.typed = typed
		h.search()
	}
}

func (h *homeScreen) search() {
	h.shown = findWays(h.ways, h.typed)
	h.cursor, h.top = 0, 0
}

// found ends a search that has led somewhere; the cursor stays on what was opened.
func (h *homeScreen) found() {
	if h.typed == "" || len(h.shown) == 0 {
		return
	}
	opened := h.shown[h.cursor]
	h.typed = ""
	h.search()
	h.cursor = opened
}

func (h *homeScreen) open(i int) tea.Cmd { return push(h.ways[i].screen(h.world)) }

func (h *homeScreen) Title() string { return "Home" }

// isTyping says that letters are text once a search has begun.
func (h *homeScreen) isTyping() bool { return h.typed != "" }

func (h *homeScreen) Keys() []key.Binding {
	esc := binding("leave", "esc")
	if h.typed != "" {
		esc = binding("all ways", "esc")
	}
	return []key.Binding{
		binding("open", "enter"), binding("choose", "↑↓"), binding("open at once", "1-9"),
		binding("search", "a-z"), esc, binding("look again", "ctrl+r"),
	}
}
