package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// indexOfChosen is the place of the chosen option among those shown, -1 where
// there is none.
func (f *formField) indexOfChosen() int {
	if f.choice == nil {
		return -1
	}
	return slices.IndexFunc(f.shown, func(i int) bool { return f.all[i].value == *f.choice })
}

// offer takes other options. The cursor stays on the one it is on, or goes to the
// chosen one: enter and tab would choose another that has come under it.
func (f *formField) offer(options []option) {
	on := ""
	if f.at < len(f.shown) {
		on = f.all[f.shown[f.at]].value
	} else if f.choice != nil {
		on = *f.choice
	}
	f.all = options
	f.filter()
	if i := slices.IndexFunc(f.shown, func(i int) bool { return f.all[i].value == on }); i >= 0 {
		f.at = i
	} else if i := f.indexOfChosen(); i >= 0 {
		f.at = i
	}
}

// filter leaves the options that hold what was typed.
func (f *formField) filter() {
	f.shown = f.shown[:0]
	want := strings.ToLower(f.typed)
	for i := range f.all {
		if want == "" || strings.Contains(strings.ToLower(f.all[i].name()), want) || strings.Contains(strings.ToLower(f.all[i].value), want) {
			f.shown = append(f.shown, i)
		}
	}
	f.at = max(0, min(f.at, len(f.shown)-1))
}

// name is what is shown of an option.
func (o option) name() string {
	if o.label != "" {
		return o.label
	}
	return o.value
}

// pressOptions moves among the options, and chooses. Enter and tab choose the
// one under the cursor and go on; at both ends up and down leave.
func (f *formField) pressOptions(msg tea.KeyPressMsg) bool {
	switch k := msg.String(); k {
	case "up", "left", "ctrl+p":
		return f.step(-1, k != "up")
	case "down", "right", "ctrl+n":
		return f.step(1, k != "down")
	case "pgup", "pgdown":
		return f.page(k)
	case "home":
		f.at = 0
	case "end":
		f.at = max(0, len(f.shown)-1)
	case "space":
		f.take(true)
	case "enter", "tab":
		if f.choice != nil {
			f.take(false)
		}
		return false
	case "backspace":
		if r := []rune(f.typed); len(r) > 0 {
			f.typed = string(r[:len(r)-1])
			f.filter()
		}
	case "esc":
		if f.typed == "" {
			return false
		}
		f.typed = ""
		f.filter()
	default:
		if msg.Text == "" || len(f.all) <= manyOptions || len(f.typed) > 64 {
			return false
		}
		f.typed += msg.Text
		f.at = 0
		f.filter()
	}
	return true
}

// step moves the cursor; where it would leave the list, stays says whether the
// key is for the field all the same.
func (f *formField) step(by int, stays bool) bool {
	to := f.at + by
	if to < 0 || to >= len(f.shown) {
		return stays
	}
	f.at = to
	return true
}

// page moves in a list that is not seen at once.
func (f *formField) page(k string) bool {
	if len(f.shown) <= optionWindow {
		return false
	}
	if k == "pgup" {
		return f.step(-min(f.at, optionWindow), true)
	}
	return f.step(min(len(f.shown)-1-f.at, optionWindow), true)
}

// take chooses the option under the cursor, or takes it away again.
func (f *formField) take(toggle bool) {
	if f.at >= len(f.shown) {
		return
	}
	value := f.all[f.shown[f.at]].value
	if f.choice != nil {
		*f.choice = value
		return
	}
	if i := slices.Index(*f.many, value); i >= 0 {
		if toggle {
			*f.many = slices.Delete(slices.Clone(*f.many), i, i+1)
		}
		return
	}
	*f.many = append(slices.Clone(*f.many), value)
}
