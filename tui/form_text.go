package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/internal/shell"
)

// spinnerEvery is the time between two pictures of a spinner.
const spinnerEvery = 120 * time.Millisecond

func spinnerTick(msg func() tea.Msg) tea.Cmd {
	return tea.Tick(spinnerEvery, func(time.Time) tea.Msg { return msg() })
}

// spinner is a picture of what is under way.
func spinner(frame int) string {
	frames := [...]string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	return frames[frame%len(frames)]
}

// wrap breaks a string from outside into at most that many lines, the last with
// an ellipsis where there would be more.
func wrap(s string, width, most int) []string {
	if width < 1 || most < 1 {
		return nil
	}
	// More than this is not drawn anyway, and wrapping it would take its time.
	shown := ansi.Truncate(text(firstRunes(s, 4*width*(most+1)+64)), width*(most+1), "")
	out := breakLines(shown, width)
	if len(out) > most {
		out = out[:most]
		out[most-1] = ansi.Truncate(out[most-1], width-1, "") + "…"
	}
	for i := range out {
		out[i] = ansi.Truncate(strings.TrimRight(out[i], " "), width, "")
	}
	return out
}

// wrapStyled is wrap in a style, with a sign before the first line and the others
// indented as far.
func (w *world) wrapStyled(style lipgloss.Style, sign, s string, width, most int) []string {
	indent := strings.Repeat(" ", ansi.StringWidth(sign))
	out := wrap(s, width-len(indent), most)
	for i, line := range out {
		before := indent
		if i == 0 {
			before = sign
		}
		out[i] = style.Render(before + line)
	}
	return out
}

// commandLine is a command as one would type it.
func (w *world) commandLine(args []string) string {
	return w.Program + " " + shellLine(args)
}

// shellLine is words as a shell reads them.
func shellLine(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = shell.Quote(arg)
	}
	return strings.Join(words, " ")
}

// commandLines draws a command in at most two lines.
func (w *world) commandLines(args []string, width int) []string {
	return w.commandIn(args, width, 2)
}

func (w *world) commandIn(args []string, width, most int) []string {
	out := wrap(w.commandLine(args), width-2, most)
	for i, line := range out {
		sign := "  "
		if i == 0 {
			sign = w.theme.Faint.Render("$ ")
		}
		out[i] = sign + w.theme.Accent.Render(line)
	}
	return out
}

// indented moves lines away from the edge.
func indented(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		if line != "" {
			line = "  " + line
		}
		out[i] = line
	}
	return out
}

// pad fills a drawn line up with spaces.
func pad(line string, width int) string {
	return line + strings.Repeat(" ", max(0, width-ansi.StringWidth(line)))
}

// fill makes lines exactly that many.
func fill(lines []string, height int) []string {
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines[:max(height, 0)]
}

// pager is a place in lines that may be more than there is room for.
type pager struct {
	top    int
	height int // of the last picture
	total  int
}

// show returns the lines that are seen, and marks where there are more.
func (p *pager) show(w *world, lines []string, height int) []string {
	p.height, p.total = max(height, 0), len(lines)
	p.top = max(0, min(p.top, p.total-p.height))
	if p.total <= p.height || height < 2 {
		return fill(lines, height)
	}
	shown := append([]string(nil), lines[p.top:p.top+p.height]...)
	if p.top+p.height < p.total {
		shown[p.height-1] = w.theme.Faint.Render("  ↓ more: pgdn")
	} else {
		shown[0] = w.theme.Faint.Render("  ↑ more: pgup")
	}
	return shown
}

// see moves so that a line is seen.
func (p *pager) see(line int) {
	if line < p.top+1 {
		p.top = max(0, line-1)
	}
	if p.height > 1 && line > p.top+p.height-2 {
		p.top = line - p.height + 2
	}
}

// press moves, and says whether the key was one to move by.
func (p *pager) press(k string) bool {
	page := max(1, p.height-2)
	switch k {
	case "up":
		p.top--
	case "down":
		p.top++
	case "pgup":
		p.top -= page
	case "pgdown", "space":
		p.top += page
	case "home":
		p.top = 0
	case "end":
		p.top = p.total
	default:
		return false
	}
	p.top = max(0, min(p.top, p.total-p.height))
	return true
}
