package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/internal/failure"
)

// labWrap breaks text of several lines to a width. Lines that follow each other
// make a paragraph. Those that are indented by four are code, which stays as it
// is: it is broken at the edge alone, so that nothing of it is lost.
func labWrap(s string, width int) []string {
	width = max(width, 8)
	var out, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, breakLines(strings.Join(paragraph, " "), width)...)
			paragraph = nil
		}
	}
	for _, line := range lines(strings.TrimRight(s, "\n")) {
		line = strings.TrimRight(line, " ")
		switch {
		case line == "":
			flush()
			out = append(out, "")
		case strings.HasPrefix(line, "    "):
			flush()
			out = append(out, labCode(line, width)...)
		case strings.HasPrefix(line, "- "):
			flush()
			paragraph = []string{line}
		default:
			paragraph = append(paragraph, strings.TrimSpace(line))
		}
	}
	flush()
	return out
}

// labCode breaks a printable line of code between words, or where there is none at
// the edge; a sign says that it goes on. What goes on is indented by two more.
func labCode(line string, width int) []string {
	if lipgloss.Width(line) <= width {
		return []string{line}
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	lead := strings.Repeat(" ", min(indent, width/2))
	room := max(width-len(lead)-4, 4) // for two blanks, a blank and the sign
	parts := breakLines(line[indent:], room)
	for i := range parts {
		if i > 0 {
			parts[i] = "  " + parts[i]
		}
		parts[i] = lead + parts[i]
		if i < len(parts)-1 {
			parts[i] += " ↩"
		}
	}
	return parts
}

// labScript breaks commands as they stand in a file: every line is code.
func labScript(s string, width int) []string {
	var out []string
	for _, line := range lines(strings.TrimRight(s, "\n")) {
		out = append(out, labCode(strings.TrimRight(line, " "), max(width, 8))...)
	}
	return out
}

// labIndent puts a lead before the first of some lines and as many cells before
// the others.
func labIndent(lead string, list []string) []string {
	out := make([]string, len(list))
	for i, line := range list {
		if i == 0 {
			out[i] = lead + line
		} else {
			out[i] = strings.Repeat(" ", lipgloss.Width(lead)) + line
		}
	}
	return out
}

// labStyled gives each line a style.
func labStyled(style lipgloss.Style, list []string) []string {
	out := make([]string, len(list))
	for i, line := range list {
		if line != "" {
			line = style.Render(line)
		}
		out[i] = line
	}
	return out
}

// labClock shows a time that runs: 04:12, or 1:04:12.
func labClock(d time.Duration) string {
	seconds := int(max(d, 0) / time.Second)
	if seconds >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}

// labBar draws a part of a whole in cells. Something is never shown as nothing,
// and not everything never as all.
func labBar(t *theme, part, whole, cells int) string {
	full := 0
	if whole > 0 {
		full = cells * part / whole
	}
	if part > 0 && full == 0 {
		full = 1
	}
	full = min(max(full, 0), cells)
	return t.Good.Render(strings.Repeat("█", full)) + t.Faint.Render(strings.Repeat("░", cells-full))
}

// labPad fills a drawn text with blanks to a width, or cuts it.
func labPad(s string, width int) string {
	if width <= 0 {
		return ""
	}
	return pad(ansi.Truncate(s, width, "…"), width)
}

// labEdges puts one text at the left edge and one at the right; the right one
// stays where there is no room for both.
func labEdges(left, right string, width int) string {
	room := width - lipgloss.Width(right)
	if room < 2 {
		return ansi.Truncate(left, width, "…")
	}
	return labPad(left, room) + right
}

// labPane is text that is longer than its place: it scrolls. Its height is that
// with which it was drawn last.
type labPane struct{ top, height, length int }

// key scrolls, if the key is one to scroll with.
func (p *labPane) key(name string) {
	switch name {
	case "up", "k":
		p.top--
	case "down", "j":
		p.top++
	case "pgup", "ctrl+u":
		p.top -= max(p.height-1, 1)
	case "pgdown", "ctrl+d", "space":
		p.top += max(p.height-1, 1)
	case "home":
		p.top = 0
	case "end":
		p.top = p.length
	}
	p.clamp()
}

func (p *labPane) clamp() { p.top = max(min(p.top, p.length-p.height), 0) }

// show scrolls as far as it takes for the lines from first to last to be seen, the
// first of them if there is not room for all.
func (p *labPane) show(first, last int) {
	if last >= p.top+p.height {
		p.top = last - p.height + 1
	}
	if first < p.top {
		p.top = first
	}
	p.clamp()
}

// draw returns exactly height lines of exactly width cells, with a bar at the
// right edge where there are more.
func (p *labPane) draw(t *theme, list []string, width, height int) []string {
	p.height, p.length = max(height, 1), len(list)
	p.clamp()
	long := len(list) > p.height
	thumb := max(p.height*p.height/max(len(list), 1), 1)
	at := 0
	if long {
		at = p.top * (p.height - thumb) / (len(list) - p.height)
	}
	out := make([]string, p.height)
	for i := range out {
		line := ""
		if p.top+i < len(list) {
			line = list[p.top+i]
		}
		if !long {
			out[i] = labPad(line, width)
			continue
		}
		edge := t.Faint.Render("│")
		if i >= at && i < at+thumb {
			edge = t.Accent.Render("┃")
		}
		out[i] = labPad(line, width-2) + " " + edge
	}
	return out
}

// labBeside draws panes side by side with a line between.
func labBeside(t *theme, left, right []string) []string {
	out := make([]string, max(len(left), len(right)))
	for i := range out {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = l + t.Faint.Render(" │ ") + r
	}
	return out
}

// labQuestion is asked before something that cannot be taken back. No is the
// answer to everything but y.
type labQuestion struct {
	lines []string
	yes   string         // what y does, in two or three words
	then  func() tea.Cmd // does it
}

// labAnswer takes a key for a question, which is gone once it is answered, and
// returns what a yes has done.
func labAnswer(question **labQuestion, name string) tea.Cmd {
	asked := *question
	switch name {
	case "y", "Y":
		*question = nil
		return asked.then()
	case "n", "N", "esc", "enter":
		*question = nil
	}
	return nil
}

// draw puts the question over the last lines of a picture.
func (q *labQuestion) draw(t *theme, picture []string, width int) []string {
	if q == nil {
		return picture
	}
	box := []string{t.Warn.Render(strings.Repeat("─", width))}
	for _, line := range q.lines {
		box = append(box, labStyled(t.Strong, labWrap(line, width))...)
	}
	box = append(box, t.Key.Render("y")+" "+q.yes+"   "+t.Key.Render("n")+" no (also enter, esc)")
	keep := max(len(picture)-len(box), 0)
	return append(picture[:keep:keep], box...)[:len(picture)]
}

// labError is an error with its hint, on one line.
func labError(err error) string {
	line := text(err.Error())
	if hint := failure.HintOf(err); hint != "" {
		line += "; " + text(hint)
	}
	return line
}
