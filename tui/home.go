package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// homeScreen is the first screen.
type homeScreen struct{ *world }

func newHome(w *world) *homeScreen { return &homeScreen{w} }

func (h *homeScreen) Init() tea.Cmd { return nil }
func (h *homeScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok && k.String() == "esc" {
		return h, pop
	}
	return h, nil
}
func (h *homeScreen) View(width, height int) string { return "" }
func (h *homeScreen) Title() string                 { return "Home" }
func (h *homeScreen) Keys() []key.Binding           { return []key.Binding{binding("leave", "esc")} }
