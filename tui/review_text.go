package tui

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// section adds lines under a heading, with a gap before.
func (w *world) section(all []string, heading string, part []string) []string {
	if len(part) == 0 {
		return all
	}
	if len(all) > 0 {
		all = append(all, "")
	}
	if heading != "" {
		all = append(all, w.theme.Faint.Render(heading))
	}
	return append(all, part...)
}

// rowLines draws rows with their values below each other.
func (w *world) rowLines(rows []row, width int) []string {
	label := 0
	for _, r := range rows {
		label = max(label, ansi.StringWidth(text(r.label)))
	}
	label = min(label, width/3)
	var out []string
	for _, r := range rows {
		for i, line := range wrap(cmp.Or(r.value, "–"), width-label-2, 4) {
			name := strings.Repeat(" ", label)
			if i == 0 {
				name = w.theme.Faint.Render(pad(clip(r.label, label), label))
			}
			out = append(out, name+"  "+line)
		}
	}
	return out
}

// fileLines draws files with what happens to them.
func (w *world) fileLines(files []fileToBe, width int) []string {
	const before = 14 // what happens, and the mode
	column := 0
	for _, f := range files {
		column = max(column, ansi.StringWidth(clip(f.path, width)))
	}
	column = min(column, (width-before)*3/5)
	var out []string
	for _, f := range files {
		sign := w.theme.Good.Render("new      ")
		if f.replaces {
			sign = w.theme.Warn.Render("replaced ")
		}
		mode := "     "
		if f.mode != 0 {
			mode = fmt.Sprintf("%04o ", f.mode)
		}
		sign += w.theme.Faint.Render(mode)
		path := wrap(f.path, width-before, 3)
		if len(path) == 1 && ansi.StringWidth(path[0]) <= column {
			out = append(out, sign+pad(path[0], column)+"  "+w.theme.Faint.Render(clip(f.what, width-before-column-2)))
			continue
		}
		if f.what != "" {
			path = append(path, w.theme.Faint.Render(clip(f.what, width-before)))
		}
		for i, part := range path {
			if i == 0 {
				out = append(out, sign+part)
			} else {
				out = append(out, strings.Repeat(" ", before)+part)
			}
		}
	}
	return out
}

// previewLine draws a line of a diff, or of any text.
func (w *world) previewLine(line string, width int) string {
	shown := ansi.Truncate(line, width, "…")
	switch {
	case strings.HasPrefix(line, "+"):
		return w.theme.Good.Render(shown)
	case strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "---\n"):
		return w.theme.Bad.Render(shown)
	case strings.HasPrefix(line, "@@"):
		return w.theme.Faint.Render(shown)
	}
	return shown
}

// wrapKeeping breaks a line that is text already between words. What follows the
// first is indented further than that, so that it is not taken for a line.
func wrapKeeping(line string, width int) []string {
	width = max(width, 1)
	if ansi.StringWidth(line) <= width {
		return []string{line}
	}
	words := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(words)]
	hang := indent + "  "
	if len(hang) > width/2 {
		indent, hang = "", ""
	}
	out := breakLines(words, width-len(hang))
	for i := range out {
		if i == 0 {
			out[i] = indent + out[i]
		} else {
			out[i] = hang + out[i]
		}
	}
	return out
}
