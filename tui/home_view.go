package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Sizes of the first screen.
const (
	homeCardsWidth = 110 // side by side
	homeLineMax    = 120 // longer lines are hard to follow
	homeCardMax    = 64
	homeCardFrame  = 4 // borders, and a blank on each side
	homeLeastWays  = 8 // that are seen before the status has more room
)

func (t *theme) ofLevel(l level) lipgloss.Style {
	return [...]lipgloss.Style{t.Text, t.Good, t.Warn, t.Bad}[l]
}

func (h *homeScreen) View(width, height int) string {
	least := min(len(h.ways), homeLeastWays) + 1  // with the line above them
	status := h.statusView(width, height-least-1) // and a blank line
	out := append(status, "")
	out = append(out, h.waysView(width, height-len(out))...)
	return strings.Join(out, "\n")
}

// statusView draws the status in at most so many lines: side by side, one below
// the other, or with one line for each place.
func (h *homeScreen) statusView(width, room int) []string {
	n := len(h.status.blocks)
	if inner := min(width/n, homeCardMax) - homeCardFrame; width >= homeCardsWidth {
		if cards := h.cards(inner); len(cards) <= room {
			return cards
		}
	}
	for _, shape := range []struct {
		apart         bool
		most, mostBad int // lines for a thing, and for what is wrong
	}{{true, 2, 3}, {false, 2, 3}, {true, 1, 3}, {false, 1, 3}, {false, 1, 1}} {
		if stacked := h.stacked(width, shape.apart, shape.most, shape.mostBad); len(stacked) <= room {
			return stacked
		}
	}
	return h.brief(width)
}

// cards draws the places side by side, each in a box of that width within.
func (h *homeScreen) cards(inner int) []string {
	most := 0
	var bodies [][]string
	for _, b := range h.status.blocks {
		bodies = append(bodies, h.lines(b.lines, inner, 2, 3))
		most = max(most, len(bodies[len(bodies)-1]))
	}
	out := make([]string, most+2)
	rule := h.theme.Rule
	for i, b := range h.status.blocks {
		label := clip(b.label, inner-1)
		out[0] += rule.Render("╭ ") + h.theme.Strong.Render(label) + rule.Render(" "+strings.Repeat("─", inner-ansi.StringWidth(label))+"╮")
		for j := range most {
			line := ""
			if j < len(bodies[i]) {
				line = bodies[i][j]
			}
			out[j+1] += rule.Render("│ ") + line + strings.Repeat(" ", max(inner-lipgloss.Width(line), 0)) + rule.Render(" │")
		}
		out[most+1] += rule.Render("╰" + strings.Repeat("─", inner+2) + "╯")
	}
	return out
}

// homeLabel is how wide the names of the places are.
const homeLabel = 15

// stacked draws the places one below the other, with blank lines between if they
// stand apart.
func (h *homeScreen) stacked(width int, apart bool, most, mostBad int) []string {
	var out []string
	for i, b := range h.status.blocks {
		if apart && i > 0 {
			out = append(out, "")
		}
		out = append(out, h.labelled(b.label, h.lines(b.lines, width-homeLabel, most, mostBad))...)
	}
	return out
}

// brief draws each place on one line.
func (h *homeScreen) brief(width int) []string {
	var out []string
	for _, b := range h.status.blocks {
		out = append(out, h.labelled(b.label, h.line(b.brief, width-homeLabel, 1))...)
	}
	return out
}

// labelled puts the name of a place before its lines.
func (h *homeScreen) labelled(label string, lines []string) []string {
	out := make([]string, len(lines))
	label = clip(label, homeLabel)
	for i, line := range lines {
		before := strings.Repeat(" ", homeLabel)
		if i == 0 {
			before = h.theme.Strong.Render(label) + strings.Repeat(" ", homeLabel-ansi.StringWidth(label))
		}
		out[i] = before + line
	}
	return out
}

// lines draws lines, each on at most so many; what is wrong may take more.
func (h *homeScreen) lines(list []homeLine, width, most, mostBad int) []string {
	var out []string
	for _, l := range list {
		n := most
		if l.level == levelBad {
			n = mostBad
		}
		out = append(out, h.line(l, width, n)...)
	}
	return out
}

// line draws a line of the status with its sign, on at most so many lines.
func (h *homeScreen) line(l homeLine, width, most int) []string {
	style := h.theme.ofLevel(l.level)
	parts := []string{clip(l.text, width-2)}
	if most > 1 {
		parts = wrap(l.text, width-2, most)
	}
	var out []string
	for i, part := range parts {
		sign := l.level.sign()
		if i > 0 {
			sign = " "
		}
		if l.level != levelGood { // what is good need not stand out
			part = style.Render(part)
		}
		out = append(out, style.Render(sign)+" "+part)
	}
	return out
}

// waysView draws the ways on, as many as there is room for.
func (h *homeScreen) waysView(width, height int) []string {
	out := []string{h.heading(width)}
	room := max(height-1, 1)
	if len(h.shown) == 0 {
		return append(out, "  "+h.theme.Faint.Render("Nothing is called that. esc shows all ways."))
	}
	h.top = min(max(h.top, h.cursor-room+1), h.cursor, max(len(h.shown)-room, 0))
	column := 0
	for _, w := range h.ways {
		column = max(column, ansi.StringWidth(w.title))
	}
	for i := h.top; i < min(h.top+room, len(h.shown)); i++ {
		w := h.ways[h.shown[i]]
		title := fmt.Sprintf("%d  %s%s   ", h.shown[i]+1, w.title, strings.Repeat(" ", column-ansi.StringWidth(w.title)))
		help := clip(w.help, min(width, homeLineMax)-3-ansi.StringWidth(title))
		if i == h.cursor {
			row := " ❯ " + title + help
			row += strings.Repeat(" ", max(min(width, homeLineMax)-ansi.StringWidth(row), 0))
			out = append(out, h.theme.Selected.Render(row))
			continue
		}
		out = append(out, "   "+h.theme.Text.Render(title)+h.theme.Faint.Render(help))
	}
	if more := len(h.shown) - h.top - room; more > 0 {
		out[0] = h.heading(width - 10)
		out[0] += h.theme.Faint.Render(fmt.Sprintf("  %d more ↓", more))
	}
	return out
}

// heading has what is searched for.
func (h *homeScreen) heading(width int) string {
	if h.typed == "" {
		return h.theme.Strong.Render("What would you like to do?") + h.theme.Faint.Render(clip("  Type to search.", width-26))
	}
	return h.theme.Strong.Render("Search: ") + h.theme.Accent.Render(clip(h.typed, width-9)) + h.theme.Accent.Reverse(true).Render(" ")
}
