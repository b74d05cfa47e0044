package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/internal/show"
)

// maxRunes bounds what is drawn of one string from outside: marks that take no
// cell could be many.
const maxRunes = 4096

// text shows a string from outside on one line: nothing in it acts on a terminal.
func text(s string) string {
	if runes := []rune(s); len(runes) > maxRunes {
		s = string(runes[:maxRunes]) + "..."
	}
	return show.Text(s)
}

// clip is text cut to a number of cells, with an ellipsis where it is longer.
func clip(s string, width int) string {
	return ansi.Truncate(text(s), max(width, 0), "…")
}

// lines is text of several lines, as of a file; tabs are widened.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, text(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")))
	}
	return out
}

// splitList reads what was typed into a list: with commas between.
func splitList(s string) []string {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
