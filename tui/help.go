package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	"github.com/charmbracelet/x/ansi"
)

// help lists the keys of a screen, over it.
type help struct {
	title  string
	keys   []key.Binding
	top    int // the first that is shown
	hidden int // how many do not fit
}

// press says whether the help stays.
func (h *help) press(name string) bool {
	switch name {
	case "down", "j", "pgdown":
		h.top = min(h.top+1, h.hidden)
	case "up", "k", "pgup":
		h.top = max(h.top-1, 0)
	default:
		return false
	}
	return true
}

func (h *help) bindings() []key.Binding {
	if h.hidden == 0 {
		return []key.Binding{binding("back", "any key")}
	}
	return []key.Binding{binding("more", "↑↓"), binding("back", "any other key")}
}

func (h *help) view(t *theme, width, height int) string {
	column := 0
	for _, k := range h.keys {
		column = max(column, ansi.StringWidth(text(k.Help().Key)))
	}
	room := max(height-2, 1)
	h.hidden = max(len(h.keys)-room, 0)
	h.top = min(h.top, h.hidden)
	out := []string{t.Strong.Render(clip("Keys of "+h.title, width)), ""}
	for _, k := range h.keys[h.top:min(h.top+room, len(h.keys))] {
		name := text(k.Help().Key)
		line := "  " + t.Key.Render(name) + strings.Repeat(" ", column-ansi.StringWidth(name)+3) + t.Text.Render(text(k.Help().Desc))
		out = append(out, ansi.Truncate(line, width, "…"))
	}
	return strings.Join(out, "\n")
}
