package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/internal/failure"
)

// resultScreen shows what a flow has done, or why it has not.
type resultScreen struct {
	*world
	flow    flow
	cmd     []string
	work    *formWork // what it said on its way
	outcome *outcome  // nil after some errors
	err     error
	at      int // the next step that the cursor is on
	moved   bool
	gone    bool // has been left: keys typed ahead are not for it
	page    pager
	note    string
}

func newResult(from *workingScreen, o *outcome, err error) *resultScreen {
	return &resultScreen{world: from.world, flow: from.flow, cmd: from.cmd, work: from.work, outcome: o, err: err}
}

// Init does nothing.
func (s *resultScreen) Init() tea.Cmd { return nil }

// Title says how it went.
func (s *resultScreen) Title() string {
	if s.err != nil {
		return "Not done"
	}
	return "Done"
}

func (s *resultScreen) next() []nextStep {
	if s.outcome == nil || s.err != nil {
		return nil
	}
	return s.outcome.next
}

// Update takes a key.
func (s *resultScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok || s.gone {
		return s, nil
	}
	s.note = ""
	if s.err != nil {
		return s.pressAfterError(k.String())
	}
	return s, s.press(k.String())
}

func (s *resultScreen) pressAfterError(k string) (screen, tea.Cmd) {
	switch k {
	case "r":
		again := newReview(s.world, s.flow, func() {})
		return again, again.Init()
	case "esc", "enter":
		s.gone = true
		return s, pop
	case "c":
		s.note = copiedNote
		return s, tea.SetClipboard(s.commandLine(s.cmd))
	}
	s.page.press(k)
	return s, nil
}

func (s *resultScreen) press(k string) tea.Cmd {
	next := s.next()
	switch k {
	case "esc":
		s.gone = true
		return flowDone
	case "enter":
		s.gone = true
		if s.at < len(next) && next[s.at].open != nil {
			return tea.Sequence(flowDone, push(next[s.at].open(s.world)))
		}
		return flowDone
	case "c":
		return s.copy(s.at)
	case "up", "down":
		if len(next) > 0 {
			return s.move(k)
		}
	}
	if n, err := strconv.Atoi(k); err == nil && n >= 1 && n <= len(next) {
		s.at, s.moved = n-1, true
		return s.copy(n - 1)
	}
	s.page.press(k)
	return nil
}

func (s *resultScreen) move(k string) tea.Cmd {
	s.moved = true
	if k == "up" {
		s.at = max(0, s.at-1)
	} else {
		s.at = min(len(s.next())-1, s.at+1)
	}
	return nil
}

// copy has the terminal copy the command of a next step.
func (s *resultScreen) copy(i int) tea.Cmd {
	next := s.next()
	if i >= len(next) || len(next[i].args) == 0 {
		return nil
	}
	s.note = copiedNote
	return tea.SetClipboard(shellLine(next[i].args))
}

// View draws how it went and what to do now.
func (s *resultScreen) View(width, height int) string {
	inner := min(width-4, 150)
	var foot []string
	if s.note != "" {
		foot = []string{s.theme.Good.Render(clip(s.note, inner))}
	}
	if s.err != nil {
		foot = append(append([]string{""}, s.commandLines(s.cmd, inner)...), foot...)
	}
	room := height - len(foot)
	body, cursor := s.content(inner)
	if s.moved {
		s.page.see(cursor)
		s.moved = false
	}
	return strings.Join(indented(append(s.page.show(s.world, body, room), foot...)), "\n")
}

// content returns all lines, and that of the cursor.
func (s *resultScreen) content(width int) ([]string, int) {
	var out []string
	if s.err != nil {
		out = append(out, s.theme.Bad.Bold(true).Render("✗ "+failedHow(s.err)), "")
		out = append(out, s.errorLines(s.err, width, 8)...)
	}
	o := s.outcome
	if o == nil {
		o = &outcome{}
	}
	if o.headline != "" {
		if s.err == nil {
			out = append(out, s.wrapStyled(s.theme.Good.Bold(true), "✓ ", o.headline, width, 3)...)
		} else {
			out = append(out, s.wrapStyled(s.theme.Strong, "", o.headline, width, 3)...)
		}
	}
	warnings := o.warnings
	if s.err == nil {
		warnings = append(warningsOf(s.work), warnings...)
	}
	var warned []string
	for _, warning := range warnings {
		warned = append(warned, s.wrapStyled(s.theme.Warn, "! ", warning, width, 6)...)
	}
	out = s.section(out, "", warned)
	out = s.section(out, "", s.rowLines(o.rows, width))
	cursor := 0
	if next := s.next(); len(next) > 0 {
		part, at := s.nextLines(next, width)
		cursor = len(out) + 2 + at
		out = s.section(out, "What to do now", part)
	}
	var more []string
	for _, line := range lines(o.text) {
		more = append(more, wrapKeeping(line, width)...)
	}
	out = s.section(out, "", more)
	if s.err != nil {
		out = s.section(out, "What was done until then", s.work.said(width))
	}
	return out, cursor
}

// nextLines draws the numbered next steps, and says where the cursor is.
func (s *resultScreen) nextLines(next []nextStep, width int) ([]string, int) {
	var out []string
	cursor := 0
	for i, n := range next {
		sign := fmt.Sprintf("  %d  ", i+1)
		style := s.theme.Text
		if i == s.at {
			cursor = len(out)
			sign, style = fmt.Sprintf("› %d  ", i+1), s.theme.Accent
		}
		why := n.why
		if n.open != nil {
			why += "  (enter)"
		}
		out = append(out, s.wrapStyled(style, sign, why, width, 2)...)
		if len(n.args) > 0 {
			for j, line := range wrap(shellLine(n.args), width-7, 3) {
				before := "       "
				if j == 0 {
					before = "     $ "
				}
				out = append(out, s.theme.Faint.Render(before)+line)
			}
		}
	}
	return out, cursor
}

// failedHow says in words what kind of end it was.
func failedHow(err error) string {
	if errors.Is(err, context.Canceled) {
		return "Stopped, as you asked"
	}
	switch failure.KindOf(err) {
	case failure.Usage:
		return "This makes no sense as it is"
	case failure.Finding:
		return "The check found something"
	case failure.Refused:
		return "Refused by a rule"
	}
	return "It did not work"
}

// Keys are those of what is shown.
func (s *resultScreen) Keys() []key.Binding {
	if s.err != nil {
		return []key.Binding{binding("try again", "r"), binding("back", "esc"), binding("copy command", "c"), scrollKeys()}
	}
	next := s.next()
	enter := "done"
	if s.at < len(next) && next[s.at].open != nil {
		enter = "open"
	}
	keys := []key.Binding{binding(enter, "enter")}
	if slices.ContainsFunc(next, func(n nextStep) bool { return len(n.args) > 0 }) {
		keys = append(keys, key.NewBinding(key.WithKeys("c", "1"), key.WithHelp("1-9 c", "copy command")))
	}
	return append(keys, binding("done", "esc"), scrollKeys())
}
