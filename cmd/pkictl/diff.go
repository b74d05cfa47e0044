package main

import (
	"fmt"
	"io"
	"strings"
)

// Colors of a diff on a terminal, as git has them.
const (
	colorHead   = "\x1b[1m"
	colorPlace  = "\x1b[36m"
	colorGone   = "\x1b[31m"
	colorNew    = "\x1b[32m"
	colorNormal = "\x1b[m"
)

// writeDiff writes a unified diff, in color on a terminal unless NO_COLOR is set
// (https://no-color.org). What the terminal would act on is escaped.
func (a *app) writeDiff(w io.Writer, diff string) {
	inColor := isTerminal(w) && a.env("NO_COLOR") == ""
	for line := range strings.Lines(diff) {
		line = printableLine(strings.TrimSuffix(line, "\n"))
		if color := diffColor(line); inColor && color != "" {
			line = color + line + colorNormal
		}
		fmt.Fprintln(w, line)
	}
}

// printableLine is printable, but for tabs and the end of a line of Windows.
func printableLine(line string) string {
	parts := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
	for i, part := range parts {
		parts[i] = printable(part)
	}
	return strings.Join(parts, "\t")
}

func diffColor(line string) string {
	switch {
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		return colorHead
	case strings.HasPrefix(line, "@@ "):
		return colorPlace
	case strings.HasPrefix(line, "-"):
		return colorGone
	case strings.HasPrefix(line, "+"):
		return colorNew
	}
	return ""
}
