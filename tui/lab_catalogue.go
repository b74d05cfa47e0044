package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/lab"
)

const (
	labWide    = 110 // the width from which there are two panes side by side
	labMeasure = 100 // no line of a text is longer than one reads with ease
	labTall    = 18  // the height above which there are blank lines between parts
)

func (s *labsScreen) View(width, height int) string {
	out := []string{s.heading(width), ""}
	switch {
	case !s.loaded:
		out = append(out, s.theme.Faint.Render("Reading the labs…"))
	case s.err != nil:
		out = append(out, labStyled(s.theme.Bad, breakLines("The labs cannot be shown: "+labError(s.err), width))...)
	case len(s.rows) == 0:
		out = append(out, s.theme.Faint.Render("No lab has that in its name, domain or state; esc shows all."))
	case width >= labWide:
		left := width/2 + 6
		out = append(out, labBeside(s.theme, s.drawList(left, height-2), s.about(width-left-3))...)
	default:
		about := s.about(width)
		keep := max(min(4, max(height-10, 2)), height-3-s.length())
		out = append(out, s.drawList(width, height-3-keep)...)
		out = append(out, s.theme.Faint.Render(strings.Repeat("─", width)))
		out = append(out, about[:min(len(about), keep)]...)
	}
	return strings.Join(out[:min(len(out), height)], "\n")
}

// heading says what was typed, or how far the learner is.
func (s *labsScreen) heading(width int) string {
	if s.filter != "" {
		found := 0
		for _, row := range s.rows {
			if row.lab != nil {
				found++
			}
		}
		return labEdges(s.theme.Accent.Render("Filter: "+clip(s.filter, width-30)+"▏"), s.theme.Faint.Render(plural(found, "lab")), width)
	}
	left := s.theme.Faint.Render("Type to filter.")
	if !s.loaded || s.err != nil {
		return left
	}
	passed, all := s.count("")
	right := fmt.Sprintf("%d of %s passed ", passed, plural(all, "lab"))
	return labEdges(left, s.theme.Strong.Render(right)+labBar(s.theme, passed, all, 12), width)
}

// length is how many lines the list has at most.
func (s *labsScreen) length() int {
	n := len(s.rows)
	for _, row := range s.rows {
		if row.domain != nil {
			n++
		}
	}
	return n
}

func (s *labsScreen) drawList(width, height int) []string {
	list := make([]string, 0, len(s.rows)+8)
	first, last := 0, 0
	for i, row := range s.rows {
		if row.domain != nil && len(list) > 0 && height > 14 {
			list = append(list, "")
		}
		if i == s.cursor {
			first, last = len(list), len(list)
			if i > 0 && s.rows[i-1].domain != nil {
				first-- // its domain is seen with it
			}
		}
		list = append(list, s.drawRow(row, i == s.cursor, width-2))
	}
	s.list.height, s.list.length = height, len(list)
	s.list.show(first, last)
	if s.cursor == s.firstLab() && last < height {
		s.list.top = 0
	}
	return s.list.draw(s.theme, list, width, height)
}

func (s *labsScreen) drawRow(row labsRow, selected bool, width int) string {
	var line string
	switch {
	case row.domain != nil:
		return s.drawDomain(row.domain, width)
	case row.isExam():
		line = labPad("  "+s.examLine(), width)
	default:
		line = s.drawLab(row.lab, width, !selected)
	}
	if selected {
		return s.theme.Selected.Render(labPad("›"+strings.TrimPrefix(line, " "), width))
	}
	return line
}

func (s *labsScreen) examLine() string {
	if s.exam {
		return "~ Exam: one is under way; go on with it"
	}
	return "○ Exam: tasks of all domains against the clock"
}

func (s *labsScreen) drawDomain(d *lab.Domain, width int) string {
	passed, all := s.count(d.ID)
	right := fmt.Sprintf(" %d/%d ", passed, all)
	bar := labBar(s.theme, passed, all, 8)
	weight := fmt.Sprintf("  %s %d %%", d.Exam, d.Weight)
	name := clip(d.Title, width-lipgloss.Width(right)-lipgloss.Width(weight)-9)
	return labEdges(s.theme.Strong.Render(name)+s.theme.Faint.Render(weight), s.theme.Faint.Render(right)+bar, width)
}

// drawLab draws the line of a lab, with styles or without.
func (s *labsScreen) drawLab(l *lab.Lab, width int, styled bool) string {
	state := s.state(l)
	sign := fmt.Sprintf("%s %-8s ", state.Sign(), state)
	points := fmt.Sprintf("%d/%d", s.progress[l.ID].Points, l.Points())
	right := fmt.Sprintf(" %7s %4d min", points, l.Minutes)
	note := strings.Join(l.Needs, ", ")
	if lacking := s.lacking(l); len(lacking) > 0 {
		note = "no " + strings.Join(lacking, ", ")
	}
	if note != "" {
		right = " " + clip(note, width/4) + right
	}
	name := clip(l.Title, width-4-lipgloss.Width(sign)-lipgloss.Width(right))
	if !styled {
		return labEdges("  "+sign+name, right, width)
	}
	style := [...]lipgloss.Style{s.theme.Faint, s.theme.Accent, s.theme.Good, s.theme.Warn}[state]
	return labEdges("  "+style.Render(sign)+name, s.theme.Faint.Render(right), width)
}

// about describes what the cursor is on, the most important first.
func (s *labsScreen) about(width int) []string {
	row := s.selected()
	if row.lab == nil {
		return breakLines(s.aboutExam(), width)
	}
	l := row.lab
	p := s.progress[l.ID]
	out := []string{ansi.Truncate(s.theme.Strong.Render(text(l.Title)), width, "…")}
	facts := fmt.Sprintf("%s, %s, %s", plural(len(l.Tasks), "task"), plural(l.Points(), "point"), plural(l.Minutes, "minute"))
	if p.Spent > 0 {
		facts += ", open for " + labClock(p.Spent)
	}
	if p.GaveUp && !p.PassedAt.IsZero() {
		facts += ", passed with the solution"
	}
	out = append(out, labStyled(s.theme.Faint, breakLines(facts, width))...)
	out = append(out, s.aboutNeeds(l, width)...)
	if p.Dir != "" {
		out = append(out, s.theme.Faint.Render(clip("in "+p.Dir, width)))
	}
	out = append(out, "")
	return append(out, labWrap(l.Scenario, width)...)
}

// aboutNeeds says what a lab needs of the machine, and whether that is not there.
func (s *labsScreen) aboutNeeds(l *lab.Lab, width int) []string {
	var out []string
	for _, need := range l.Needs {
		if why, lacks := s.lacks[need]; lacks {
			out = append(out, labStyled(s.theme.Warn, breakLines("✗ needs "+text(need)+", which this machine lacks: "+text(why), width))...)
		} else {
			out = append(out, s.theme.Faint.Render(clip("Needs "+need+".", width)))
		}
	}
	return out
}

func (s *labsScreen) aboutExam() string {
	if s.exam {
		return "An exam is under way: its clock goes on also while the wizard is closed."
	}
	return fmt.Sprintf("Tasks of all domains against one clock, without hints; %d %% of the points pass. "+
		"You can flag tasks and go from one to another. Grades come at the end.", lab.PassMark)
}
