package tui

import (
	"context"
	"errors"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// reviewScreen shows what a flow would do, and asks.
type reviewScreen struct {
	*world
	flow flow
	cmd  []string // read once: review may change what it is made of
	wait func()   // until nothing else reads or writes the flow

	work    *formWork // of the review, or of the recipe
	looked  *formWork // of the review
	review  *review
	err     error
	yes     bool // the cursor is on yes
	leaving bool // as soon as the work has ended
	gone    bool // has been left: keys typed ahead are not for it
	page    pager
	note    string

	explains   bool // the recipe is shown
	recipe     []string
	recipeText string // as it was made, to be copied
	recipeErr  error
	recipePage pager
}

func newReview(w *world, f flow, wait func()) *reviewScreen {
	return &reviewScreen{world: w, flow: f, cmd: f.command(), wait: wait}
}

// Init has the flow look.
func (s *reviewScreen) Init() tea.Cmd {
	s.review, s.err, s.yes, s.note = nil, nil, false, ""
	var cmd tea.Cmd
	s.work, cmd = s.startWork(func(ctx context.Context, j *job) formEndMsg {
		s.wait()
		r, err := s.flow.review(ctx, j)
		return formEndMsg{review: r, err: err}
	})
	return cmd
}

// Title is the same for all flows.
func (s *reviewScreen) Title() string { return "Review" }

func (s *reviewScreen) isBusy() bool   { return s.work != nil && s.work.running }
func (s *reviewScreen) stop()          { s.work.stop() }
func (s *reviewScreen) isTyping() bool { return s.work != nil && s.work.secret != nil }

// Update takes a key, or what the flow says.
func (s *reviewScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	if s.work.takesKey(msg) {
		return s, nil
	}
	switch msg := msg.(type) {
	case formEndMsg:
		if msg.work == s.work {
			return s, s.ended(msg)
		}
	case tea.KeyPressMsg:
		return s.press(msg.String())
	default:
		return s, s.work.update(msg)
	}
	return s, nil
}

func (s *reviewScreen) ended(msg formEndMsg) tea.Cmd {
	s.work.ended()
	if s.leaving {
		return s.back()
	}
	if s.explains {
		s.explains = !s.work.stopping
		s.recipe, s.recipeText, s.recipeErr = lines(msg.text), msg.text, msg.err
		return nil
	}
	s.looked, s.review, s.err = msg.work, msg.review, msg.err
	if s.review == nil && s.err == nil {
		s.err = errors.New("there is nothing to show")
	}
	return nil
}

func (s *reviewScreen) back() tea.Cmd {
	s.gone = true
	return pop
}

func (s *reviewScreen) press(k string) (screen, tea.Cmd) {
	s.note = ""
	switch {
	case s.gone:
		return s, nil
	case s.isBusy():
		if k == "esc" {
			s.leaving = !s.explains
			s.stop()
		}
		return s, nil
	case s.explains:
		if k == "esc" || k == "e" {
			s.explains = false
		} else if k == "c" && s.recipe != nil && s.recipeErr == nil {
			s.note = copiedNote
			return s, tea.SetClipboard(s.recipeText)
		} else {
			s.recipePage.press(k)
		}
		return s, nil
	case s.page.press(k):
		return s, nil
	}
	switch k {
	case "esc":
		return s, s.back()
	case "c":
		s.note = copiedNote
		return s, tea.SetClipboard(s.commandLine(s.cmd))
	case "e":
		return s, s.explain()
	case "r":
		if s.err != nil {
			return s, s.Init()
		}
	}
	if s.asks() {
		return s.answer(k)
	}
	return s, nil
}

// copiedNote is what is said after a copy: whether the terminal took it, nobody
// is told.
const copiedNote = "Copied. Some terminals do not allow it: then mark it with the mouse."

// asks says whether there is a question to answer.
func (s *reviewScreen) asks() bool { return s.review != nil && s.review.nothing == "" }

func (s *reviewScreen) answer(k string) (screen, tea.Cmd) {
	switch k {
	case "left", "right", "tab", "shift+tab":
		s.yes = !s.yes
	case "n":
		return s, s.back()
	case "y":
		return s.do()
	case "enter":
		if s.yes {
			return s.do()
		}
		return s, s.back()
	}
	return s, nil
}

func (s *reviewScreen) do() (screen, tea.Cmd) {
	next := newWorking(s.world, s.flow, s.cmd)
	return next, next.Init()
}

func (s *reviewScreen) explain() tea.Cmd {
	s.explains, s.recipePage = true, pager{}
	if s.recipe != nil && s.recipeErr == nil {
		return nil
	}
	var cmd tea.Cmd
	s.work, cmd = s.startWork(func(ctx context.Context, _ *job) formEndMsg {
		recipe, err := s.flow.explain(ctx)
		return formEndMsg{text: recipe, err: err}
	})
	return cmd
}

// View draws what would be done, the command, and the question.
func (s *reviewScreen) View(width, height int) string {
	inner := min(width-4, 150)
	foot := s.foot(inner, height)
	room := height - len(foot)
	var body []string
	switch {
	case s.work == nil:
	case s.explains:
		body = s.explained(inner, room)
	case s.isBusy():
		body = append([]string{s.theme.Strong.Render("Looking at what would be done"), ""}, s.work.lines(inner, room-2)...)
	case s.err != nil:
		body = append([]string{s.theme.Strong.Render("It cannot be done so"), ""}, s.errorLines(s.err, inner, 6)...)
		body = append(append(body, ""), s.looked.said(inner)...)
		body = s.page.show(s.world, body, room)
	default:
		body = s.page.show(s.world, s.content(inner), room)
	}
	return strings.Join(indented(append(fill(body, room), foot...)), "\n")
}

func (s *reviewScreen) explained(width, room int) []string {
	head := []string{s.theme.Strong.Render("The same without " + text(s.Program)), ""}
	switch {
	case s.isBusy():
		return append(head, s.work.lines(width, room-2)...)
	case s.recipeErr != nil:
		return append(head, s.errorLines(s.recipeErr, width, 4)...)
	}
	body := head
	for _, line := range s.recipe {
		body = append(body, wrapKeeping(line, width)...)
	}
	return s.recipePage.show(s.world, body, room)
}

// foot is the command and the question.
func (s *reviewScreen) foot(width, height int) []string {
	foot := s.commandLines(s.cmd, width)
	if height >= 14 {
		foot = append([]string{""}, foot...)
	}
	if s.note != "" {
		foot = append(foot, s.theme.Good.Render(clip(s.note, width)))
	}
	if !s.asks() || s.explains || s.isBusy() {
		return foot
	}
	no, yes := s.theme.Selected.Render("[ No ]"), "  Yes  "
	if s.yes {
		no, yes = "  No  ", s.theme.Selected.Render("[ Yes ]")
	}
	question := s.review.question
	if question == "" {
		question = "Do it?"
	}
	if height >= 14 {
		foot = append(foot, "")
	}
	return append(foot, s.theme.Strong.Render(clip(question, width-17))+"  "+no+" "+yes)
}

// content is what would be done: first what to know before saying yes.
func (s *reviewScreen) content(width int) []string {
	r := s.review
	var out []string
	for _, warning := range append(warningsOf(s.looked), r.warnings...) {
		out = append(out, s.wrapStyled(s.theme.Warn, "! ", warning, width, 6)...)
	}
	if r.nothing != "" {
		out = append(out, s.wrapStyled(s.theme.Strong, "", r.nothing, width, 4)...)
	}
	out = s.section(out, "", s.rowLines(r.rows, width))
	out = s.section(out, "Files", s.fileLines(r.writes, width))
	var sends []string
	for _, request := range r.sends {
		sends = append(sends, s.wrapStyled(s.theme.Text, "→ ", request, width, 3)...)
	}
	out = s.section(out, "To the cluster", sends)
	if whole := s.commandIn(s.cmd, width, 200); len(whole) > 2 { // of which the foot has the beginning
		out = s.section(out, "The command in full", whole)
	}
	var preview []string
	for _, line := range lines(r.preview) {
		preview = append(preview, s.previewLine(line, width))
	}
	return s.section(out, "In full", preview)
}

// warningsOf returns the warnings that came on the way.
func warningsOf(wk *formWork) []string {
	var out []string
	for _, line := range wk.progress {
		if line.isWarn {
			out = append(out, line.text)
		}
	}
	return out
}

// Keys are those of what is shown.
func (s *reviewScreen) Keys() []key.Binding {
	switch {
	case s.isTyping():
		return s.work.secret.keys()
	case s.isBusy():
		return []key.Binding{binding("stop", "esc")}
	case s.explains:
		return []key.Binding{binding("back", "esc"), binding("copy it", "c"), scrollKeys()}
	}
	var keys []key.Binding
	if s.asks() {
		keys = append(keys, binding("do it", "y"))
	}
	if s.err != nil {
		keys = append(keys, binding("try again", "r"))
	}
	keys = append(keys, binding("back", "esc"), binding("explain", "e"), binding("copy command", "c"))
	if s.asks() {
		keys = append(keys, key.NewBinding(key.WithKeys("left", "right"), key.WithHelp("←→", "no or yes")))
	}
	return append(keys, scrollKeys())
}

func scrollKeys() key.Binding {
	return key.NewBinding(key.WithKeys("up", "down", "pgup", "pgdown"), key.WithHelp("↑↓ pgup pgdn", "scroll"))
}
