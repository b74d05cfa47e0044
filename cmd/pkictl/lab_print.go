package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/pkictl/pkictl/lab"
	"github.com/pkictl/pkictl/tui"
)

// How wide texts are: as the terminal is, but no wider than one reads with ease.
const (
	plainWidth    = 80
	longestLineOf = 100
)

// labPage writes what learners read.
type labPage struct {
	w      io.Writer
	width  int
	height int  // of the terminal, 0 where there is none
	color  bool // a terminal that shows it
}

func (a *app) labPage(w io.Writer) labPage {
	p := labPage{w: w, width: plainWidth}
	file, ok := a.out.(interface{ Fd() uintptr })
	if !ok || !isTerminal(a.out) {
		return p
	}
	p.color = a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"
	if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		p.width, p.height = max(20, min(width, longestLineOf)), height
	}
	return p
}

// Colors, as SGR parameters.
const (
	sgrStrong = "1"
	sgrFaint  = "2"
	sgrBad    = "31"
	sgrGood   = "32"
	sgrWarn   = "33"
)

func (p labPage) paint(sgr, text string) string {
	if !p.color || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (p labPage) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// text writes paragraphs, indented.
func (p labPage) text(indent, text string) {
	for _, line := range tui.Wrap(text, p.width-len(indent)) {
		p.line("%s", strings.TrimRight(indent+line, " "))
	}
}

// fact writes a label and a value that came from elsewhere; what is longer than a
// line goes on below the value.
func (p labPage) fact(indent, label, value, sgr string) {
	for i, line := range tui.Wrap(value, p.width-len(indent)-len(label)-1) {
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		p.line("%s%s %s", indent, p.paint(sgrFaint, label), p.paint(sgr, line))
	}
}

// head says what a lab is about.
func (p labPage) head(l *lab.Lab) {
	title := printable(l.Title)
	if l.Number > 0 {
		title = fmt.Sprintf("Lab %d: %s", l.Number, title)
	}
	p.line("%s", p.paint(sgrStrong, title))
	facts := fmt.Sprintf("%s, about %s, %s", l.ID, count(l.Minutes, "minute"), count(l.Points(), "point"))
	if d, ok := lab.DomainNamed(l.Domain); ok {
		facts += fmt.Sprintf("; %s, %d %% of the %s", d.Title, d.Weight, d.Exam)
	}
	for _, line := range tui.Wrap(facts, p.width) {
		p.line("%s", p.paint(sgrFaint, line))
	}
}

// tasks says what is to be done. A part of it is called task, or in an exam, where each
// lab is one, part.
func (p labPage) tasks(l *lab.Lab, part string) {
	p.line("")
	p.text("  ", l.Scenario)
	for i, task := range l.Tasks {
		points := 0
		for _, c := range l.Checks {
			if c.Task == i+1 {
				points += c.Points
			}
		}
		p.line("")
		p.line("%s %s", p.paint(sgrStrong, fmt.Sprintf("%s %d", part, i+1)), p.paint(sgrFaint, "("+count(points, "point")+")"))
		p.text("  ", task)
	}
}

// checks says of each check what was wanted and found.
func (p labPage) checks(list []lab.CheckResult, indent string) {
	for _, c := range list {
		sign, sgr, got := "✗", sgrBad, 0
		if c.Passed {
			sign, sgr, got = "✓", sgrGood, c.Points
		}
		points := fmt.Sprintf("%d/%d", got, c.Points)
		for i, line := range tui.Wrap(c.Name, p.width-len(indent)-4-len(points)) {
			if i > 0 {
				p.line("%s  %s", indent, line)
				continue
			}
			gap := strings.Repeat(" ", max(1, p.width-len(indent)-2-utf8.RuneCountInString(line)-len(points)))
			p.line("%s%s %s%s%s", indent, p.paint(sgr, sign), line, gap, p.paint(sgrFaint, points))
		}
		if !c.Passed {
			p.fact(indent+"    ", "wanted", c.Wanted, "")
			p.fact(indent+"    ", "found ", c.Found, sgrWarn)
		}
	}
}
