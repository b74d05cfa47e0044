package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/internal/failure"
)

// optionWindow is how many options are seen at once.
const optionWindow = 8

// block draws a field: its title, its value, and what is wrong with it. It
// returns the line of the cursor too.
func (s *formScreen) block(f *formField, focused bool, label, width, height int) ([]string, int) {
	room := width - label - 4
	var value []string
	cursor := 0
	switch {
	case f.isLine() && focused:
		value = []string{s.editedLine(f, room)}
	case f.isLine():
		value = []string{s.restingLine(f, room)}
	case f.yes != nil:
		value = []string{s.yesLine(*f.yes)}
	case focused:
		value, cursor = s.optionLines(f, room, height)
	default:
		value = []string{s.chosenLine(f, room)}
	}
	value = append(value, s.complaint(f, focused, room)...)
	out := make([]string, len(value))
	for i, line := range value {
		before := strings.Repeat(" ", label+4)
		if i == 0 {
			title := pad(clip(f.title, label), label)
			if focused {
				before = s.theme.Accent.Bold(true).Render("› " + title + "  ")
			} else {
				before = s.theme.Faint.Render("  " + title + "  ")
			}
		}
		out[i] = strings.TrimRight(before+line, " ")
	}
	return out, cursor
}

// complaint says what is wrong with a value; not with an empty one, unless it has
// been asked for, and softly while it is being typed.
func (s *formScreen) complaint(f *formField, focused bool, width int) []string {
	if f.err == nil || f.isEmpty() && !f.told {
		return nil
	}
	style, sign := s.theme.Bad, "✗ "
	if focused && !f.told {
		style, sign = s.theme.Warn, "! "
	}
	out := s.wrapStyled(style, sign, f.err.Error(), width, 2)
	if hint := failure.HintOf(f.err); hint != "" {
		out = append(out, s.wrapStyled(s.theme.Faint, "  ", hint, width, 2)...)
	}
	return out
}

// editedLine draws a line with the cursor in it.
func (s *formScreen) editedLine(f *formField, width int) string {
	value := []rune(f.input.Value())
	if len(value) == 0 {
		return s.emptyLine(f, width)
	}
	rest := ""
	if whole := f.offered(); len(whole) > len(string(value)) {
		rest = whole[len(string(value)):]
	}
	return s.lineWindow(value, f.input.Position(), rest, width)
}

// emptyLine draws the cursor on the first letter of what stands in the place of
// an answer.
func (s *formScreen) emptyLine(f *formField, width int) string {
	shown := s.placeholder(f)
	if f.pick != 0 {
		shown = f.offered()
	}
	shown = clip(shown, width)
	if shown == "" {
		return s.theme.Selected.Render(" ")
	}
	_, size := utf8.DecodeRuneInString(shown)
	return s.theme.Selected.Render(shown[:size]) + s.theme.Faint.Render(shown[size:])
}

// lineWindow draws the part of a line that is around the cursor. Each character
// is drawn by itself: what takes no cell of its own is written in digits, for two
// names that look alike are not the same name. The rest, which may complete the
// line, begins under the cursor.
func (s *formScreen) lineWindow(value []rune, at int, rest string, width int) string {
	width = max(width, 4)
	cursor := " "
	if at < len(value) {
		cursor = cell(value[at])
	} else if rest != "" {
		r, size := utf8.DecodeRuneInString(rest)
		cursor, rest = cell(r), rest[size:]
	}
	used := ansi.StringWidth(cursor)
	var before []string
	from := at
	for from > 0 {
		c := cell(value[from-1])
		if n := ansi.StringWidth(c); used+n > width*3/4 && (from > 1 || used+n > width) {
			break
		} else {
			used += n
		}
		before = append(before, c)
		from--
	}
	slices.Reverse(before)
	line := strings.Join(before, "")
	if from > 0 {
		line = "…" + line
		used++
	}
	var after strings.Builder
	for i := at + 1; i < len(value); i++ {
		c := cell(value[i])
		if used+ansi.StringWidth(c) >= width {
			after.WriteString("…")
			break
		}
		used += ansi.StringWidth(c)
		after.WriteString(c)
	}
	ghost := ""
	if at >= len(value) && rest != "" {
		ghost = s.theme.Faint.Render(clip(rest, width-used))
	}
	return ansi.Truncate(line+s.theme.Selected.Render(cursor)+after.String()+ghost, width, "")
}

// cell draws one character so that it takes a cell.
func cell(r rune) string {
	shown := text(string(r))
	if ansi.StringWidth(shown) == 0 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return shown
}

// placeholder is what stands in the place of an empty line.
func (s *formScreen) placeholder(f *formField) string {
	switch fallback := f.fallbackText(); {
	case fallback != "":
		return fallback + "  (default)"
	case f.required:
		return "required"
	}
	return ""
}

// restingLine draws a line that the cursor is not on.
func (s *formScreen) restingLine(f *formField, width int) string {
	if strings.TrimSpace(f.input.Value()) == "" {
		return s.theme.Faint.Render(clip(cmp.Or(s.placeholder(f), "–"), width))
	}
	return clip(f.input.Value(), width)
}

func (s *formScreen) yesLine(yes bool) string {
	if yes {
		return "● yes  " + s.theme.Faint.Render("○ no")
	}
	return s.theme.Faint.Render("○ yes  ") + "● no"
}

// chosenLine draws the answer to a choice that the cursor is not on.
func (s *formScreen) chosenLine(f *formField, width int) string {
	var names []string
	for _, o := range f.all {
		if f.isChosen(o.value) {
			names = append(names, o.name())
		}
	}
	if f.many != nil && len(f.all) == 0 {
		names = *f.many
	}
	if len(names) == 0 && f.choice != nil && *f.choice != "" {
		names = []string{*f.choice}
	}
	if len(names) == 0 {
		return s.theme.Faint.Render("–")
	}
	return clip(strings.Join(names, ", "), width)
}

func (f *formField) isChosen(value string) bool {
	if f.choice != nil {
		return *f.choice == value
	}
	return slices.Contains(*f.many, value)
}

// optionLines draws the options around the cursor, one on a line.
func (s *formScreen) optionLines(f *formField, width, most int) ([]string, int) {
	var out []string
	if f.typed != "" {
		out = append(out, s.theme.Faint.Render("only ")+clip(f.typed, width-6)+s.theme.Selected.Render(" "))
	}
	if len(f.shown) == 0 {
		none := "nothing to choose from"
		if s.loads != nil {
			none = "…"
		}
		if f.typed != "" {
			none = "none of them"
		}
		return append(out, s.theme.Faint.Render(clip(none, width))), 0
	}
	most = max(1, min(most-len(out), max(optionWindow, most/2)))
	if len(f.shown) > most && most > 2 {
		most-- // for the note
	}
	from := max(0, min(f.at-most/2, len(f.shown)-most))
	to := min(len(f.shown), from+most)
	cursor := len(out) + f.at - from
	for i := from; i < to; i++ {
		out = append(out, s.optionLine(f, i, width))
	}
	if to-from < len(f.shown) && most > 1 {
		note := fmt.Sprintf("%d of %d", f.at+1, len(f.shown))
		if len(f.all) > manyOptions && f.typed == "" {
			note += ", type to find"
		}
		out = append(out, s.theme.Faint.Render("  "+note))
	}
	return out, cursor
}

func (s *formScreen) optionLine(f *formField, i, width int) string {
	o := f.all[f.shown[i]]
	sign := "○ "
	switch chosen := f.isChosen(o.value); {
	case f.many != nil && chosen:
		sign = "[x] "
	case f.many != nil:
		sign = "[ ] "
	case chosen:
		sign = "● "
	}
	line := sign + clip(o.name(), width-7)
	if i == f.at {
		return s.theme.Accent.Render("› " + line)
	}
	return "  " + line
}

// current is the option that the cursor is on, nil where it is on none.
func (f *formField) current() *option {
	if f.isLine() || f.yes != nil || f.at >= len(f.shown) {
		return nil
	}
	return &f.all[f.shown[f.at]]
}

// knownWords says what a line can be completed to.
func (f *formField) knownWords() string {
	if !f.isLine() || len(f.words) == 0 {
		return ""
	}
	matches := f.matches(f.lastWord())
	if len(matches) == 0 {
		return ""
	}
	const most = 12
	more := ""
	if len(matches) > most {
		more = fmt.Sprintf(" and %d more", len(matches)-most)
		matches = matches[:most]
	}
	return "ctrl+n offers: " + strings.Join(matches, ", ") + more
}
