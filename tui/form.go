package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/internal/failure"
)

// formScreen asks for what a flow needs, a step at a time.
type formScreen struct {
	*world
	flow  flow
	key   string // under which it is kept when it is left; empty: it is not
	steps []formStep
	at    int // the step that is shown
	cmd   []string
	loads *formLoad // of the step that is shown; nil where it is loaded
	last  *formLoad // the one that was begun last, also after it was stopped
	under int       // loads that have not ended, the stopped ones too
	err   error     // of a step's check; gone with the next key
	top   int       // the first line of the fields that is shown
	gone  bool      // another screen has been asked for: keys typed ahead are not for this one
}

// formStep is a step with its fields as they are edited.
type formStep struct {
	step
	fields []*formField
	focus  int   // index of the field under the cursor
	loaded error // of the last load
}

// newForm returns the screen that asks the questions of a flow; the review and
// what follows come after it.
func newForm(w *world, f flow) screen {
	s := &formScreen{world: w, flow: f}
	for _, each := range f.steps() {
		made := formStep{step: each}
		for i := range each.fields {
			made.fields = append(made.fields, newFormField(&each.fields[i]))
		}
		s.steps = append(s.steps, made)
	}
	s.at = s.nextStep(-1)
	return s
}

// Init loads what the first step offers.
func (s *formScreen) Init() tea.Cmd {
	await := s.awaitLast()
	s.refresh()
	if s.at >= len(s.steps) { // nothing to ask
		return tea.Batch(await, s.toReview())
	}
	return tea.Batch(await, s.enter(s.at))
}

// Title names the flow.
func (s *formScreen) Title() string { return s.flow.title() }

func (s *formScreen) step() *formStep { return &s.steps[s.at] }

// nextStep returns the first step behind i that is not hidden, len(steps) where
// there is none.
func (s *formScreen) nextStep(i int) int {
	for i++; i < len(s.steps); i++ {
		if !s.steps[i].isHidden() {
			break
		}
	}
	return i
}

// stepBefore returns the last step before i that is not hidden, -1 where there
// is none.
func (s *formScreen) stepBefore(i int) int {
	for i--; i >= 0; i-- {
		if !s.steps[i].isHidden() {
			break
		}
	}
	return i
}

func (st *formStep) isHidden() bool { return st.hidden != nil && st.hidden() }

// place returns the number of the step that is shown, and of all.
func (s *formScreen) place() (number, all int) {
	for i := range s.steps {
		if s.steps[i].isHidden() && i != s.at {
			continue
		}
		all++
		if i <= s.at {
			number++
		}
	}
	return number, all
}

// Update takes a key for the field under the cursor, or what was loaded.
func (s *formScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case formLoadedMsg:
		if msg.form == s {
			s.loaded(msg)
		}
	case formTickMsg:
		if msg.form == s && msg.load == s.loads {
			s.loads.frame++
			return s, s.tick()
		}
	case resumedMsg:
		wasAway := s.gone
		s.gone = false
		s.refresh()
		if i := s.nextStep(s.at); wasAway && i < len(s.steps) { // the review has found more to ask
			return s, s.enter(i)
		}
	case tea.PasteMsg:
		if s.gone {
			return s, nil
		}
		if f := s.focused(); f != nil && f.paste(msg) {
			s.changed()
		}
	case tea.KeyPressMsg:
		if !s.gone {
			return s, s.press(msg)
		}
	}
	return s, nil
}

// press handles a key: the field under the cursor has the first word.
func (s *formScreen) press(msg tea.KeyPressMsg) tea.Cmd {
	if s.at >= len(s.steps) { // back from the review, and there is nothing to ask
		return s.leave()
	}
	s.err = nil
	f := s.focused()
	if f != nil && f.press(msg) {
		s.changed()
		return nil
	}
	s.refresh() // enter and tab choose on their way
	switch msg.String() {
	case "esc":
		return s.back()
	case "enter":
		if s.move(1) {
			return nil
		}
		return s.forward()
	case "tab", "down":
		s.move(1)
	case "shift+tab", "up":
		s.move(-1)
	case "pgdown":
		s.focusOn(len(s.step().fields) - 1)
	case "pgup":
		s.focusOn(0)
	}
	return nil
}

// changed follows the answers after one of them is another.
func (s *formScreen) changed() {
	s.refresh()
	s.step().loaded = nil // it has been read, and the answer may be what was missing
	if f := s.focused(); f != nil {
		f.settle()
	}
}

// refresh reads what the flow says now: values, options, checks, the command.
func (s *formScreen) refresh() {
	s.cmd = s.flow.command()
	if s.at < 0 || s.at >= len(s.steps) {
		return
	}
	st := s.step()
	for _, f := range st.fields {
		if !f.isHidden() {
			f.refresh(s.under == 0)
		}
	}
	if len(st.fields) > 0 {
		s.focusNear()
	}
}

// focusNear leaves a field that is hidden.
func (s *formScreen) focusNear() {
	st := s.step()
	if !st.fields[st.focus].isHidden() {
		return
	}
	if i := st.next(st.focus, 1); i < len(st.fields) {
		st.focus = i
	} else if i := st.next(st.focus, -1); i >= 0 {
		st.focus = i
	}
}

// focused returns the field under the cursor, nil where a step has none.
func (s *formScreen) focused() *formField {
	if s.at >= len(s.steps) || len(s.step().fields) == 0 {
		return nil
	}
	f := s.step().fields[s.step().focus]
	if f.isHidden() {
		return nil
	}
	return f
}

// move goes to the next or previous field that is not hidden, and says whether
// there is one.
func (s *formScreen) move(by int) bool {
	st := s.step()
	i := st.next(st.focus, by)
	if i < 0 || i == len(st.fields) {
		return false
	}
	s.focusOn(i)
	return true
}

// focusOn goes to a field, or the one nearest to it.
func (s *formScreen) focusOn(i int) {
	st := s.step()
	if len(st.fields) == 0 {
		return
	}
	if f := s.focused(); f != nil {
		f.leave()
	}
	st.focus = max(0, min(i, len(st.fields)-1))
	s.focusNear()
	st.fields[st.focus].enter()
}

// back goes to the step before, and leaves from the first.
func (s *formScreen) back() tea.Cmd {
	i := s.stepBefore(s.at)
	if i < 0 {
		s.stopLoad()
		return s.leave()
	}
	return s.enter(i)
}

// forward goes to the next step if the answers of this one are right, and to the
// review from the last, if all are: one answer may have made an earlier one wrong.
func (s *formScreen) forward() tea.Cmd {
	s.refresh()
	if i, err := s.step().wrong(); err != nil {
		s.tell(i, err)
		return nil
	}
	if i := s.nextStep(s.at); i < len(s.steps) {
		s.steps[i].focus = 0
		return s.enter(i)
	}
	for at := s.nextStep(-1); at < s.at; at = s.nextStep(at) {
		if i, err := s.steps[at].wrong(); err != nil {
			cmd := s.enter(at)
			s.tell(i, err)
			return cmd
		}
	}
	return s.toReview()
}

// wrong returns the first thing that is wrong with the answers of a step, and the
// field that it is about, -1 where it is about several.
func (st *formStep) wrong() (int, error) {
	for i, f := range st.fields {
		if f.isHidden() {
			continue
		}
		if f.judge(); f.err != nil {
			return i, f.err
		}
	}
	if st.check != nil {
		return -1, st.check()
	}
	return -1, nil
}

// tell shows what is wrong, at its field where it is about one.
func (s *formScreen) tell(i int, err error) {
	if i < 0 {
		s.err = err
		return
	}
	s.focusOn(i)
	s.step().fields[i].told = true
}

func (s *formScreen) toReview() tea.Cmd {
	last := s.last
	s.stopLoad()
	s.gone = true
	return push(newReview(s.world, s.flow, func() {
		if last != nil {
			<-last.done
		}
	}))
}

// enter shows a step, and has what it offers loaded.
func (s *formScreen) enter(i int) tea.Cmd {
	s.stopLoad()
	s.at, s.top, s.err = i, 0, nil
	st := s.step()
	if st.load != nil {
		return s.load(i)
	}
	s.refresh()
	s.focusOn(st.focus)
	return nil
}

// isTyping says that letters are text on the field under the cursor.
func (s *formScreen) isTyping() bool {
	f := s.focused()
	return f != nil && f.yes == nil
}

// Keys are those of the field under the cursor, and of the form.
func (s *formScreen) Keys() []key.Binding {
	var keys []key.Binding
	next := "next step"
	if s.nextStep(s.at) >= len(s.steps) {
		next = "review"
	}
	if f := s.focused(); f != nil {
		if st := s.step(); st.next(st.focus, 1) < len(st.fields) {
			next = "next"
		}
		keys = f.keys()
	}
	keys = append([]key.Binding{binding(next, "enter")}, keys...)
	leave := "step before"
	if s.stepBefore(s.at) < 0 {
		leave = "leave"
	}
	return append(keys, binding(leave, "esc"), key.NewBinding(key.WithKeys("tab", "shift+tab"), key.WithHelp("tab shift+tab", "move")))
}

// next returns the next field that is not hidden, -1 or the number of fields where
// there is none.
func (st *formStep) next(i, by int) int {
	for i += by; i >= 0 && i < len(st.fields); i += by {
		if !st.fields[i].isHidden() {
			return i
		}
	}
	return max(-1, min(i, len(st.fields)))
}

// errorLines draws an error and its hint.
func (w *world) errorLines(err error, width, most int) []string {
	out := w.wrapStyled(w.theme.Bad, "✗ ", err.Error(), width, most)
	if hint := failure.HintOf(err); hint != "" {
		out = append(out, w.wrapStyled(w.theme.Faint, "  ", hint, width, most)...)
	}
	return out
}
