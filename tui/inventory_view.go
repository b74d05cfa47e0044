package tui

import (
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// How many days before its end a certificate stands out.
const (
	inventorySoon     = 30 * ca.Day
	inventoryVerySoon = 7 * ca.Day
)

func (s *inventoryScreen) View(width, height int) string {
	out := []string{s.countLine(width), s.filterLine(width)}
	if s.err != nil {
		out = append(out, s.errorLines(s.err, width, 4)...)
	}
	if s.shown.len() == 0 {
		return strings.Join(append(out, "", s.theme.Faint.Render(clip(s.emptyText(), width))), "\n")
	}
	columns := inventoryLayout(width)
	out = append(out, s.headLine(columns))
	s.page = max(1, height-len(out))
	top := s.top()
	now := s.Now()
	for position := top; position < min(top+s.page, s.shown.len()); position++ {
		out = append(out, s.rowLine(columns, position, now))
	}
	return strings.Join(out, "\n")
}

// top is the position of the first row that is drawn: the table is a book of
// pages that the cursor walks through, but for the first and last page, where
// nothing of the page may be empty.
func (s *inventoryScreen) top() int {
	if s.cursor < s.first {
		s.first = s.cursor
	}
	if s.cursor >= s.first+s.page {
		s.first = s.cursor - s.page + 1
	}
	s.first = max(0, min(s.first, s.shown.len()-s.page))
	return s.first
}

// countLine says how many there are, and where the cursor is.
func (s *inventoryScreen) countLine(width int) string {
	data := s.data
	if s.next != nil {
		data = s.next
	}
	left := plural(s.data.table.count, "certificate")
	if n := s.shown.len(); s.typed != "" && n != s.data.table.count {
		left = number(n) + " of " + left
	}
	switch {
	case !data.isWhole:
		left += ", reading: " + number(data.table.count)
	case s.arrange.isRunning:
		left += ", sorting"
	}
	if data.isWhole && s.typed == "" && width >= 80 {
		for i, state := range ca.States() {
			if n := s.data.table.states[i]; n > 0 {
				left += "  " + number(n) + " " + string(state)
			}
		}
	}
	right := ""
	if s.shown.len() > 0 {
		right = number(s.cursor + 1)
	}
	left = clip(left, width-len(right)-1)
	return s.theme.Strong.Render(left) + strings.Repeat(" ", max(0, width-ansi.StringWidth(left)-len(right))) + s.theme.Faint.Render(right)
}

// filterLine is where the filter is typed.
func (s *inventoryScreen) filterLine(width int) string {
	if !s.isFilter && s.typed == "" {
		return s.theme.Faint.Render(clip("/ to filter by "+inventoryHelp, width))
	}
	const label = "filter: "
	typed := inventoryTail(text(s.typed), width-len(label)-2)
	line := s.theme.Accent.Render(label) + typed
	room := width - len(label) - ansi.StringWidth(typed)
	if s.isFilter {
		line += s.theme.Selected.Render(" ")
		room--
	}
	note, style := "", s.theme.Faint
	switch {
	case s.filterErr != nil:
		note, style = "! "+s.filterErr.Error()+": "+failure.HintOf(s.filterErr), s.theme.Bad
	case s.isFilter && s.typed == "":
		note = inventoryHelp
	}
	if note != "" && room > 4 {
		line += "  " + style.Render(clip(note, room-2))
	}
	return line
}

// inventoryTail returns the end of a text that may be shown, as far as it fits.
func inventoryTail(shown string, width int) string {
	if w := ansi.StringWidth(shown); w > width {
		return ansi.TruncateLeft(shown, w-max(width, 1)+1, "…")
	}
	return shown
}

func (s *inventoryScreen) emptyText() string {
	switch {
	case !s.data.isWhole:
		return "Reading the inventory …"
	case s.err != nil:
		return "Nothing could be read. f5 tries again."
	case s.data.table.count > 0:
		return "No certificate matches. esc takes the filter away."
	}
	return "There are no certificates yet. The first screen has the way to a first one."
}

// inventoryCell is a column with the cells that it has.
type inventoryCell struct {
	column inventoryColumn
	width  int
}

// inventoryLayout says which columns there are at a width, and how wide they
// are. Two cells on the left are the cursor's; two are between columns.
func inventoryLayout(width int) []inventoryCell {
	cells := []inventoryCell{{inventoryByName, 0}, {inventoryByGroups, 0}, {inventoryByProfile, 10}, {inventoryBySerial, 40}, {inventoryByEnd, 9}, {inventoryByState, 10}}
	drop := func(column inventoryColumn) {
		for i := range cells {
			if cells[i].column == column {
				cells = append(cells[:i], cells[i+1:]...)
				return
			}
		}
	}
	switch {
	case width < 76:
		drop(inventoryByGroups)
		fallthrough
	case width < 100:
		drop(inventoryByProfile)
		fallthrough
	case width < 120:
		drop(inventoryBySerial)
	case width < 150:
		cells[3].width = 17
	}
	room := width - 2
	for _, c := range cells {
		room -= c.width + 2
	}
	room += 2
	if cells[1].column == inventoryByGroups {
		cells[1].width = room * 2 / 5
		room -= cells[1].width
	}
	cells[0].width = room
	return cells
}

func (s *inventoryScreen) headLine(cells []inventoryCell) string {
	var b strings.Builder
	b.WriteString("  ")
	for i, c := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		title := c.column.title()
		style := s.theme.Faint
		if c.column == s.by {
			style = s.theme.Accent
			if title += " ▲"; s.backward {
				title = c.column.title() + " ▼"
			}
		}
		b.WriteString(style.Render(inventoryPad(title, c.width)))
	}
	return b.String()
}

func (s *inventoryScreen) rowLine(cells []inventoryCell, position int, now time.Time) string {
	block, row := s.data.table.row(s.number(position))
	isSelected := position == s.cursor
	var b strings.Builder
	b.WriteString("  ")
	if isSelected {
		b.Reset()
		b.WriteString("› ")
	}
	left := time.Unix(row.ends, 0).Sub(now)
	for i, c := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		cell, style := s.cell(block, row, c, left)
		cell = inventoryPad(cell, c.width)
		if !isSelected && style != nil {
			cell = style.Render(cell)
		}
		b.WriteString(cell)
	}
	if isSelected {
		return s.theme.Selected.Render(b.String())
	}
	return b.String()
}

// cell returns what stands in a column, and its style; nil is plain.
func (s *inventoryScreen) cell(b *inventoryBlock, row *inventoryRow, c inventoryCell, left time.Duration) (string, *lipgloss.Style) {
	state := ca.States()[row.state()]
	switch c.column {
	case inventoryByName:
		name := inventoryRaw(b.name(row), c.width)
		if file := b.file(row); len(file) > 0 {
			name += " (" + inventoryRaw(file, c.width) + ")"
		}
		return name, nil
	case inventoryByGroups:
		return inventoryRaw(b.groups(row), c.width), nil
	case inventoryByProfile:
		return inventoryRaw(b.profile(row), c.width), nil
	case inventoryBySerial:
		return inventoryRaw(b.appendSerial(nil, row), c.width), &s.theme.Faint
	case inventoryByEnd:
		return inventoryLeft(state, left), s.endStyle(state, left)
	}
	return string(state), s.stateStyle(state)
}

// inventoryLeft says when a certificate ends. A mark stands where it is soon.
func inventoryLeft(state ca.State, left time.Duration) string {
	switch {
	case state == ca.StateIncomplete:
		return "-"
	case left >= 0 && left < inventoryVerySoon && state == ca.StateValid:
		return ca.FormatLeft(left) + " !"
	}
	return ca.FormatLeft(left)
}

func (s *inventoryScreen) endStyle(state ca.State, left time.Duration) *lipgloss.Style {
	switch {
	case state == ca.StateRevoked || state == ca.StateIncomplete:
		return &s.theme.Faint
	case left < inventoryVerySoon:
		return &s.theme.Bad
	case left < inventorySoon:
		return &s.theme.Warn
	}
	return &s.theme.Good
}

func (s *inventoryScreen) stateStyle(state ca.State) *lipgloss.Style {
	switch state {
	case ca.StateValid:
		return &s.theme.Good
	case ca.StateReplaced:
		return &s.theme.Warn
	case ca.StateExpired, ca.StateRevoked:
		return &s.theme.Bad
	}
	return &s.theme.Faint
}

// inventoryRaw is as much of a text as can be of use in so many cells: marks
// that take no cell could be thousands.
func inventoryRaw[T string | []byte](text T, width int) string {
	most := 4*width + 16
	if len(text) <= most {
		return string(text)
	}
	return inventoryCut(string(text[:min(len(text), most+4)]), most) + "…"
}

// inventoryPad shows a text from outside in exactly so many cells.
func inventoryPad(s string, width int) string {
	if isPlain(s) {
		if len(s) <= width {
			return s + strings.Repeat(" ", width-len(s))
		}
		return s[:max(width-1, 0)] + "…"
	}
	s = clip(s, width)
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

// isPlain says whether each byte of a text is a cell.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
