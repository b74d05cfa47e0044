package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/lab"
)

// labSolutionScreen shows how a lab is done, both ways.
type labSolutionScreen struct {
	*world
	lab   *lab.Lab
	ways  []labWay
	side  int
	panes [2]labPane
	note  string
}

// labWay is one way to do it.
type labWay struct{ title, script string }

func newLabSolution(w *world, l *lab.Lab) screen {
	s := &labSolutionScreen{world: w, lab: l, ways: []labWay{{"With the usual tools", l.Solution.Tools}}}
	if l.Solution.Pkictl != "" {
		s.ways = append(s.ways, labWay{"With " + w.Program, l.Solution.Pkictl})
	}
	return s
}

func (s *labSolutionScreen) Init() tea.Cmd { return nil }

func (s *labSolutionScreen) Title() string { return "Solution" }

func (s *labSolutionScreen) Keys() []key.Binding {
	keys := []key.Binding{binding("copy", "y"), binding("scroll", "↑↓")}
	if len(s.ways) > 1 {
		keys = append(keys, binding("other way", "tab"))
	}
	return append(keys, binding("back", "esc"))
}

func (s *labSolutionScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return s, nil
	}
	s.note = ""
	switch name := k.String(); name {
	case "esc", "s":
		return s, pop
	case "tab", "shift+tab", "left", "right":
		s.side = (s.side + 1) % len(s.ways)
	case "y", "c":
		s.note = "Copied: " + s.ways[s.side].title
		return s, tea.SetClipboard(s.ways[s.side].script)
	default:
		s.panes[s.side].key(name)
	}
	return s, nil
}

func (s *labSolutionScreen) View(width, height int) string {
	var out []string
	if width >= labWide && len(s.ways) > 1 {
		left := (width - 3) / 2
		out = labBeside(s.theme, s.draw(0, left, height-1, true), s.draw(1, width-left-3, height-1, true))
	} else {
		out = s.draw(s.side, width, height-1, false)
	}
	note := s.note
	if note == "" {
		note = "Commands for the directory of the lab. Type them yourself at least once."
	}
	return strings.Join(append(out, s.theme.Faint.Render(clip(note, width))), "\n")
}

// draw draws one way below its title, or below those of both.
func (s *labSolutionScreen) draw(i, width, height int, beside bool) []string {
	var titles []string
	for n, way := range s.ways {
		if beside && n != i {
			continue
		}
		if n == s.side {
			titles = append(titles, s.theme.Title.Render("▸ "+way.title))
		} else {
			titles = append(titles, s.theme.Faint.Render("  "+way.title))
		}
	}
	head := labPad(strings.Join(titles, "  "), width)
	body := labScript(s.ways[i].script, width-2)
	for n, line := range body {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			body[n] = s.theme.Faint.Render(line)
		}
	}
	return append([]string{head, labPad("", width)}, s.panes[i].draw(s.theme, body, width, height-2)...)
}
