package tui

import (
	"errors"
	"strings"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// maxTyped is how many characters a line takes. What is longer belongs in a file.
const maxTyped = 16384

// formField is a field as it is edited.
type formField struct {
	*field
	input textinput.Model // of a text or list: it edits, and is drawn by field_view.go
	known string          // what input and flow agreed on last
	all   []option        // of a choice or many
	shown []int           // those of all that pass the filter
	at    int             // the cursor in shown
	typed string          // the filter
	words []string        // suggestions
	pick  int             // which of those that match is offered

	err  error // what is wrong with the value
	told bool  // the user has been told to fill an empty one
}

// manyOptions is how many options there are before typing filters them.
const manyOptions = 7

func newFormField(f *field) *formField {
	made := &formField{field: f}
	if made.isLine() {
		in := textinput.New()
		in.CharLimit = maxTyped
		in.SetVirtualCursor(false)
		in.KeyMap.Paste.SetEnabled(false) // it would run programs; terminals paste by themselves
		in.KeyMap.AcceptSuggestion.SetEnabled(false)
		in.KeyMap.NextSuggestion.SetEnabled(false)
		in.KeyMap.PrevSuggestion.SetEnabled(false)
		in.Focus()
		made.input = in
	}
	return made
}

func (f *formField) isLine() bool   { return f.text != nil || f.list != nil }
func (f *formField) isHidden() bool { return f.hidden != nil && f.hidden() }

// held is the value of a text or list in the flow, as it is typed.
func (f *formField) held() string {
	if f.text != nil {
		return *f.text
	}
	return joinList(*f.list)
}

// store puts what was typed into the flow.
func (f *formField) store() {
	if f.text != nil {
		*f.text = strings.TrimSpace(f.input.Value())
	} else {
		*f.list = splitList(f.input.Value())
	}
	f.known = f.held()
}

// refresh reads the value and, unless they are being loaded, the options anew.
func (f *formField) refresh(loaded bool) {
	if f.isLine() {
		if held := f.held(); held != f.known {
			f.input.SetValue(held)
			f.input.CursorEnd()
			f.known = held
		}
		if f.suggestions != nil && loaded {
			f.words = f.suggestions()
		}
		f.judge()
		return
	}
	if f.options != nil && loaded {
		f.offer(f.options())
	}
	f.filter()
	f.judge()
}

// settle is called after the value of the field under the cursor has changed.
func (f *formField) settle() {
	f.told = f.told && f.err != nil
}

func (f *formField) isEmpty() bool {
	switch {
	case f.text != nil:
		return *f.text == ""
	case f.list != nil:
		return len(*f.list) == 0
	case f.choice != nil:
		return *f.choice == ""
	case f.many != nil:
		return len(*f.many) == 0
	}
	return false
}

var errRequired = errors.New("an answer is needed here")

// judge looks at the value.
func (f *formField) judge() {
	f.err = nil
	if f.isEmpty() {
		if f.required && f.fallbackText() == "" {
			f.err = errRequired
		}
		return
	}
	if f.check == nil {
		return
	}
	switch {
	case f.text != nil:
		f.err = f.check(*f.text)
	case f.list != nil:
		f.err = f.checkEach(*f.list)
	case f.choice != nil:
		f.err = f.check(*f.choice)
	case f.many != nil:
		f.err = f.checkEach(*f.many)
	}
}

func (f *formField) checkEach(values []string) error {
	for _, value := range values {
		if err := f.check(value); err != nil {
			return err
		}
	}
	return nil
}

func (f *formField) fallbackText() string {
	if f.fallback == nil {
		return ""
	}
	return f.fallback()
}

// enter puts the cursor on the field, leave takes it away.
func (f *formField) enter() {
	f.typed = ""
	f.filter()
	f.at = max(f.indexOfChosen(), 0)
	f.pick = 0
}

func (f *formField) leave() {
	f.typed = ""
	f.filter()
}

// press handles a key, and says whether it was for the field.
func (f *formField) press(msg tea.KeyPressMsg) bool {
	switch {
	case f.isLine():
		return f.pressLine(msg)
	case f.yes != nil:
		return f.pressYes(msg.String())
	}
	return f.pressOptions(msg)
}

func (f *formField) pressYes(k string) bool {
	switch k {
	case "space", "left", "right":
		*f.yes = !*f.yes
	case "y":
		*f.yes = true
	case "n":
		*f.yes = false
	default:
		return false
	}
	return true
}

func (f *formField) pressLine(msg tea.KeyPressMsg) bool {
	switch msg.String() {
	case "enter", "tab", "shift+tab", "up", "down", "esc", "pgup", "pgdown":
		return false
	case "right", "ctrl+e", "end":
		if f.complete() {
			return true
		}
	case "ctrl+n":
		f.pick++
		return true
	case "ctrl+p":
		f.pick--
		return true
	}
	before := f.input.Value()
	f.input, _ = f.input.Update(msg)
	if f.input.Value() != before {
		f.pick = 0
		f.store()
	}
	return true
}

// paste takes what was pasted into a line.
func (f *formField) paste(msg tea.PasteMsg) bool {
	if !f.isLine() {
		return false
	}
	f.input, _ = f.input.Update(tea.PasteMsg{Content: strings.TrimSpace(msg.Content)})
	f.store()
	return true
}

// offered is the line completed by a suggestion, or the default of an empty
// line; empty where there is nothing to complete.
func (f *formField) offered() string {
	value := f.input.Value()
	if f.input.Position() < len([]rune(value)) {
		return ""
	}
	if value == "" && f.text != nil && f.pick == 0 {
		// Some are words about what happens, and no value.
		if fallback := f.fallbackText(); fallback != "" && !strings.Contains(fallback, " ") && (f.check == nil || f.check(fallback) == nil) {
			return fallback
		}
	}
	last := f.lastWord()
	if last == "" && f.pick == 0 {
		return ""
	}
	matches := f.matches(last)
	n := len(matches)
	if n == 0 {
		return ""
	}
	return value[:len(value)-len(last)] + matches[((f.pick%n)+n)%n]
}

// lastWord is what a suggestion completes: of a list what is behind the last
// comma.
func (f *formField) lastWord() string {
	value := f.input.Value()
	for f.list != nil {
		i := endOfFirst(value)
		if i == len(value) {
			break
		}
		value = value[i+1:]
	}
	return strings.TrimLeft(value, " ")
}

// matches are the suggestions that begin with what was typed and go on.
func (f *formField) matches(typed string) []string {
	var out []string
	for _, word := range f.words {
		if len(word) > len(typed) && strings.EqualFold(word[:len(typed)], typed) {
			out = append(out, word)
		}
	}
	return out
}

// complete takes what is offered.
func (f *formField) complete() bool {
	whole := f.offered()
	if whole == "" {
		return false
	}
	f.input.SetValue(whole)
	f.input.CursorEnd()
	f.pick = 0
	f.store()
	return true
}

// keys are those that are special to the field.
func (f *formField) keys() []key.Binding {
	switch {
	case f.yes != nil:
		return []key.Binding{binding("change", "space")}
	case f.many != nil:
		return []key.Binding{binding("mark", "space")}
	case f.choice != nil:
		return []key.Binding{key.NewBinding(key.WithKeys("up", "down"), key.WithHelp("↑↓", "choose"))}
	case f.offered() != "":
		return []key.Binding{key.NewBinding(key.WithKeys("right"), key.WithHelp("→", "complete"))}
	}
	return nil
}
