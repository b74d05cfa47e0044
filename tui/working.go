package tui

import (
	"context"
	"errors"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// workingScreen shows how far a flow is with what it does.
type workingScreen struct {
	*world
	flow flow
	cmd  []string
	work *formWork
}

func newWorking(w *world, f flow, cmd []string) *workingScreen {
	return &workingScreen{world: w, flow: f, cmd: cmd}
}

// Init starts the work.
func (s *workingScreen) Init() tea.Cmd {
	var cmd tea.Cmd
	s.work, cmd = s.startWork(func(ctx context.Context, j *job) formEndMsg {
		o, err := s.flow.run(ctx, j)
		return formEndMsg{outcome: o, err: err}
	})
	return cmd
}

// Title is the same for all flows.
func (s *workingScreen) Title() string { return "Under way" }

func (s *workingScreen) isBusy() bool   { return s.work != nil && s.work.running }
func (s *workingScreen) stop()          { s.work.stop() }
func (s *workingScreen) isTyping() bool { return s.work != nil && s.work.secret != nil }

// Update takes what the flow says, and becomes the result when it has ended.
func (s *workingScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	if s.work.takesKey(msg) {
		return s, nil
	}
	switch msg := msg.(type) {
	case formEndMsg:
		if msg.work == s.work {
			s.work.ended()
			if msg.err == nil && msg.outcome == nil {
				msg.err = errors.New("nothing is known of how it went")
			}
			next := newResult(s, msg.outcome, msg.err)
			return next, next.Init()
		}
	case tea.KeyPressMsg:
		if msg.String() == "esc" {
			s.stop()
		}
		return s, nil
	}
	return s, s.work.update(msg)
}

// View draws the progress, and the command.
func (s *workingScreen) View(width, height int) string {
	inner := min(width-4, 150)
	foot := append([]string{""}, s.commandLines(s.cmd, inner)...)
	room := height - len(foot)
	var body []string
	if s.work != nil {
		body = s.work.lines(inner, room)
	}
	return strings.Join(indented(append(fill(body, room), foot...)), "\n")
}

// Keys are those of a prompt, or the one that stops the work.
func (s *workingScreen) Keys() []key.Binding {
	if s.isTyping() {
		return s.work.secret.keys()
	}
	return []key.Binding{binding("stop", "esc")}
}
