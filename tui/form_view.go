package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/internal/failure"
)

// panelFrom is the width from which help stands to the right of the fields.
const panelFrom = 116

// maxLabel is how wide the column of titles becomes.
const maxLabel = 36

// View draws the step, help for the field under the cursor, and the command so
// far.
func (s *formScreen) View(width, height int) string {
	if s.at < 0 || s.at >= len(s.steps) {
		return ""
	}
	inner := min(width-4, 150)
	roomy := height >= 18
	foot := s.commandLines(s.cmd, inner)
	if roomy {
		foot = append([]string{""}, foot...)
	}
	head, fits := s.fittingHead(inner, height-len(foot))
	if !fits && !roomy && len(foot) > 1 {
		foot = []string{s.theme.Faint.Render("$ ") + s.theme.Accent.Render(clip(s.commandLine(s.cmd), inner-2))}
	}
	left := height - len(head) - len(foot)
	var body []string
	if width >= panelFrom {
		fields := inner * 3 / 5
		body = s.fieldLines(fields-3, left, true)
		body = s.beside(body, s.help(inner-fields-2, left, true), fields)
	} else {
		body = s.above(inner, left, height)
	}
	all := append(append(head, fill(body, left)...), foot...)
	return strings.Join(indented(all), "\n")
}

// above puts the help below the fields. It has two lines and more, up to what the
// fields leave of the room.
func (s *formScreen) above(width, room, height int) []string {
	least := min(5, max(2, height/6))
	help := s.help(width, least+6, false)
	least = min(least, len(help))
	fields := s.fieldLines(width, room-least-1, true)
	help = s.shortened(help, max(least, room-len(fields)-1), width)
	return append(fill(fields, room-len(help)), help...)
}

// fittingHead is the head with as much of what the step is about as leaves the
// fields their room, and says whether it does.
func (s *formScreen) fittingHead(width, height int) (head []string, fits bool) {
	const most, help = 3, 3
	top := s.top
	fields := len(s.fieldLines(width, height, false))
	s.top = top
	for n := most; n >= 0; n-- {
		head = s.head(width, n)
		if fits = len(head)+fields+help <= height; fits {
			break
		}
	}
	return head, fits
}

// head is the step's title and what it is about, in so many lines.
func (s *formScreen) head(width, most int) []string {
	st := s.step()
	number, all := s.place()
	place := s.theme.Faint.Render(fmt.Sprintf("step %d of %d", number, all))
	title := s.theme.Strong.Render(clip(st.title, width-ansi.StringWidth(place)-2))
	head := []string{pad(title, width-ansi.StringWidth(place)) + place}
	for _, line := range wrap(st.intro, min(width, 100), most) {
		if line != "" {
			head = append(head, s.theme.Faint.Render(line))
		}
	}
	switch {
	case s.loads != nil:
		head = append(head, s.theme.Accent.Render(spinner(s.loads.frame))+s.theme.Faint.Render(" loading what there is to choose from ..."))
	case st.loaded != nil:
		said := "not loaded: " + st.loaded.Error()
		if hint := failure.HintOf(st.loaded); hint != "" && most > 1 {
			said += "; " + hint
		}
		head = append(head, s.wrapStyled(s.theme.Warn, "! ", said, width, max(most, 1))...)
	}
	if most == 0 {
		return head
	}
	return append(head, "")
}

// beside puts the panel to the right of the fields.
func (s *formScreen) beside(left, right []string, width int) []string {
	if len(right) == 0 {
		return left
	}
	bar := s.theme.Faint.Render("│ ")
	n := max(len(left), len(right))
	left, right = fill(left, n), fill(right, n)
	out := make([]string, n)
	for i := range out {
		out[i] = pad(left[i], width) + strings.TrimRight(bar+right[i], " ")
	}
	return out
}

// help is what the field under the cursor means.
func (s *formScreen) help(width, most int, beside bool) []string {
	f := s.focused()
	if f == nil || most < 1 {
		return nil
	}
	var parts [][]string
	add := func(text string) {
		var part []string
		for _, line := range wrap(text, width, most) {
			part = append(part, s.theme.Faint.Render(line))
		}
		parts = append(parts, part)
	}
	if o := f.current(); o != nil && o.help != "" {
		add(o.name() + ": " + o.help)
	}
	if f.help != "" {
		add(f.help)
	}
	if known := f.knownWords(); known != "" {
		add(known)
	}
	var out []string
	for i, part := range parts {
		if i > 0 && beside {
			out = append(out, "")
		}
		out = append(out, part...)
	}
	return s.shortened(out, most, width)
}

// shortened leaves the first lines, and says where there were more.
func (s *formScreen) shortened(help []string, most, width int) []string {
	if len(help) <= most || most < 1 {
		return help[:min(len(help), max(most, 0))]
	}
	help = append([]string(nil), help[:most]...)
	help[most-1] = ansi.Truncate(ansi.Strip(help[most-1]), width-2, "") + " …"
	help[most-1] = s.theme.Faint.Render(help[most-1])
	return help
}

// fieldLines draws the fields, and of more than there is room for those around
// the cursor; where there is more than enough room, with empty lines between.
func (s *formScreen) fieldLines(width, height int, spaced bool) []string {
	if height < 1 {
		return nil
	}
	st := s.step()
	label := s.labelWidth(width)
	var foot []string
	if s.err != nil {
		foot = s.errorLines(s.err, width, 3)
		foot = foot[:min(len(foot), max(height-2, 0))]
		height -= len(foot)
	}
	var blocks [][]string
	others := 0
	for i, f := range st.fields {
		if i != st.focus && !f.isHidden() {
			others++
		}
	}
	room := height - min(others, 2) // for the options under the cursor, and other fields or marks for them
	total, focus, cursor := 0, 0, 0
	for i, f := range st.fields {
		if f.isHidden() {
			continue
		}
		var block []string
		if i == st.focus {
			focus = len(blocks)
			block, cursor = s.block(f, true, label, width, room)
		} else {
			block, _ = s.block(f, false, label, width, room)
		}
		blocks = append(blocks, block)
		total += len(block)
	}
	gap := 0
	if spaced && total+len(blocks)-1 <= height {
		gap = 1
	}
	var all []string
	first, last := 0, 0
	for i, block := range blocks {
		if i > 0 && gap > 0 {
			all = append(all, "")
		}
		if i == focus {
			first, cursor = len(all), len(all)+cursor
			last = len(all) + len(block) - 1
		}
		all = append(all, block...)
	}
	if len(all) > height {
		s.scroll(first, last, cursor, len(all), height)
		all = s.marked(all, height)
	} else {
		s.top = 0
	}
	return append(all, foot...)
}

// scroll moves so that the field under the cursor is seen, or of a longer one the
// line of the cursor.
func (s *formScreen) scroll(first, last, cursor, total, height int) {
	if last > s.top+height-2 {
		s.top = last - height + 2
	}
	if first-1 < s.top {
		s.top = first - 1
	}
	if cursor > s.top+height-2 {
		s.top = cursor - height + 2
	}
	s.top = max(0, min(s.top, total-height))
}

// marked cuts the lines out that are seen. A mark says that there are more; it
// never hides the line of the cursor, which scroll keeps off both ends.
func (s *formScreen) marked(all []string, height int) []string {
	shown := append([]string(nil), all[s.top:s.top+height]...)
	if height < 3 {
		return shown
	}
	if s.top > 0 {
		shown[0] = s.theme.Faint.Render("  ↑ more")
	}
	if s.top+height < len(all) {
		shown[height-1] = s.theme.Faint.Render("  ↓ more")
	}
	return shown
}

// labelWidth is that of the column of titles.
func (s *formScreen) labelWidth(width int) int {
	widest := 0
	for _, f := range s.step().fields {
		if !f.isHidden() {
			widest = max(widest, ansi.StringWidth(clip(f.title, maxLabel)))
		}
	}
	return min(widest, width/2)
}
