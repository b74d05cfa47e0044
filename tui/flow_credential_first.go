package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/ca"
)

// flowCredentialFirst stands before the flow of a credential where there is no
// CA to sign it. Where there is one nobody sees it.
type flowCredentialFirst struct {
	*world
	missing bool // the CA, as was found
	at      int
}

// flowCredentialFoundMsg says whether there is a CA.
type flowCredentialFoundMsg struct {
	screen *flowCredentialFirst
	err    error
}

// ways are the ways on.
func (s *flowCredentialFirst) ways() []way {
	return []way{
		{title: "Make a CA first", help: "With the defaults that takes a minute. The credential comes next.", open: func(w *world) screen { return newForm(w, newFlowCA(w)) }},
		{title: "Name another directory", help: "Where a CA is already.", open: openFlowCredential},
	}
}

func openFlowCredential(w *world) screen {
	return w.openFlow("Credential", func(w *world) flow { return newFlowCredential(w) })
}

func newFlowCredentialFirst(w *world) *flowCredentialFirst { return &flowCredentialFirst{world: w} }

func (s *flowCredentialFirst) Init() tea.Cmd {
	return func() tea.Msg { return flowCredentialFoundMsg{s, ca.CheckHasCA(s.Dir)} }
}

func (s *flowCredentialFirst) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case flowCredentialFoundMsg:
		if msg.screen != s {
			break
		}
		if msg.err == nil {
			return s, replace(openFlowCredential(s.world))
		}
		s.missing = true
	case tea.KeyPressMsg:
		return s, s.press(msg.String())
	}
	return s, nil
}

func (s *flowCredentialFirst) press(k string) tea.Cmd {
	switch {
	case k == "esc":
		return pop
	case !s.missing:
	case k == "up" || k == "down" || k == "tab" || k == "shift+tab":
		s.at = 1 - s.at
	case k == "enter":
		return replace(s.ways()[s.at].open(s.world))
	}
	return nil
}

func (s *flowCredentialFirst) View(width, height int) string {
	if !s.missing {
		return ""
	}
	t := s.theme
	out := []string{
		"", "  " + t.Strong.Render(clip("There is no certificate authority in "+s.Dir+" yet", width-2)),
		"  " + t.Faint.Render(clip("A certificate authority (CA) signs what is issued.", width-2)), "",
	}
	for i, way := range s.ways() {
		line := "    " + clip(way.title, width-4)
		if i == s.at {
			line = "  " + t.Accent.Render(clip("› "+way.title, width-2))
		}
		out = append(out, line)
	}
	out = append(out, "", "  "+t.Faint.Render(clip(s.ways()[s.at].help, width-2)))
	return strings.Join(out[:min(len(out), height)], "\n")
}

func (s *flowCredentialFirst) Title() string { return "Credential" }

func (s *flowCredentialFirst) Keys() []key.Binding {
	return []key.Binding{binding("go there", "enter"), binding("choose", "↑↓"), binding("back", "esc")}
}
