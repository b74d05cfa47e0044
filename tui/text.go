package tui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/internal/show"
)

// maxRunes bounds what is drawn of one string from outside: marks that take no
// cell could be many.
const maxRunes = 4096

// text shows a string from outside on one line: nothing in it acts on a terminal.
func text(s string) string {
	return show.Text(firstRunes(s, maxRunes))
}

// firstRunes cuts a string that has more characters than that, and says so.
func firstRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "..."
		}
	}
	return s
}

// clip is text cut to a number of cells, with an ellipsis where it is longer.
func clip(s string, width int) string {
	width = max(width, 0)
	// Most of a long string would be escaped and measured to be thrown away.
	return ansi.Truncate(text(firstRunes(s, 4*width+64)), width, "…")
}

// lines is text of several lines, as of a file; tabs are widened.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, text(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")))
	}
	return out
}

// aComma is a comma in one of a list, as in: Example\, Inc.
const aComma = `\,`

// splitList reads what was typed into a list: with commas between.
func splitList(s string) []string {
	var list []string
	for s != "" {
		i := endOfFirst(s)
		part := strings.ReplaceAll(s[:i], aComma, ",")
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
		s = strings.TrimPrefix(s[i:], ",")
	}
	return list
}

// endOfFirst is where the comma behind the first of a list is, or its end.
func endOfFirst(s string) int {
	for i := range s {
		if s[i] == ',' && (i == 0 || s[i-1] != aComma[0]) {
			return i
		}
	}
	return len(s)
}

// joinList writes a list as splitList reads it.
func joinList(list []string) string {
	words := make([]string, len(list))
	for i, each := range list {
		words[i] = strings.ReplaceAll(each, ",", aComma)
	}
	return strings.Join(words, ", ")
}

// sentence is words that begin with a capital letter.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// breakLines breaks a printable line at blanks, and a word at the edge where it is too
// long. It breaks at nothing else: a hyphen may be one of a command.
func breakLines(line string, width int) []string {
	width = max(width, 2)
	var out []string
	now, cells := "", 0
	fresh := true // there is nothing in now yet
	for word := range strings.SplitSeq(line, " ") {
		wide := ansi.StringWidth(word)
		switch {
		case fresh && word == "" && len(out) > 0:
			continue // of the blanks at which it was broken
		case fresh:
			now, cells = word, wide
		case cells+1+wide <= width:
			now, cells = now+" "+word, cells+1+wide
		default:
			out = append(out, strings.TrimRight(now, " "))
			now, cells = word, wide
		}
		fresh = now == "" && len(out) > 0
		if wide > width {
			parts := strings.Split(ansi.Hardwrap(word, width, true), "\n")
			last := len(parts) - 1
			out = append(out, parts[:last]...)
			now, cells = parts[last], ansi.StringWidth(parts[last])
		}
	}
	return append(out, strings.TrimRight(now, " "))
}

// plural is a number with what it counts.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// number groups digits, as in 12,345.
func number(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
