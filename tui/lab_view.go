package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/pkictl/pkictl/lab"
)

func (s *labScreen) View(width, height int) string {
	out := s.head(width)
	status := s.status(width)
	status = status[:min(len(status), max(height/4, 1))]
	if height > labTall {
		out = append(out, "")
	}
	room := height - len(out) - len(status)
	switch {
	case s.space == nil:
		out = append(out, s.tasks.draw(s.theme, s.taskLines(width-2), width, room)...)
	case width >= labWide:
		left := width/2 - 2
		out = append(out, labBeside(s.theme, s.drawTasks(left, room, true), s.drawChecks(width-left-3, room, true))...)
	case s.side == 0:
		out = append(out, s.tabs(width))
		out = append(out, s.drawTasks(width, room-1, false)...)
	default:
		out = append(out, s.tabs(width))
		out = append(out, s.drawChecks(width, room-1, false)...)
	}
	out = append(out, status...)
	return strings.Join(s.question.draw(s.theme, out[:min(len(out), height)], width), "\n")
}

// head says how far the lab is, its time and where it is.
func (s *labScreen) head(width int) []string {
	state := s.progress.State()
	if state == lab.StateNew && s.space != nil {
		state = lab.StateStarted
	}
	left := s.theme.Strong.Render(state.Sign() + " " + state.String())
	if r := s.result; r != nil {
		left += fmt.Sprintf("  %d of %s ", r.Points, plural(r.Total, "point")) + labBar(s.theme, r.Points, r.Total, 10)
	}
	right := fmt.Sprintf("%d minutes in an exam", s.lab.Minutes)
	if s.space != nil {
		right = labClock(s.elapsed()) + fmt.Sprintf(" of %d min", s.lab.Minutes)
		if int(s.elapsed().Minutes()) >= s.lab.Minutes {
			right = s.theme.Warn.Render(right)
		}
	}
	out := []string{labEdges(left, right, width)}
	if s.space != nil {
		return append(out, labEdges(s.theme.Accent.Render(clip(s.cd(), width-12)), s.theme.Faint.Render("y copies it"), width))
	}
	return append(out, s.theme.Faint.Render(clip(s.where(), width)))
}

// where says what is not begun yet.
func (s *labScreen) where() string {
	switch domain, known := lab.DomainNamed(s.lab.Domain); {
	case known:
		return domain.Exam + ": " + domain.Title
	default:
		return s.lab.Domain
	}
}

// tabs names the two parts where there is room for one.
func (s *labScreen) tabs(width int) string {
	names := []string{"Tasks", s.checksTitle()}
	for i, name := range names {
		names[i] = s.tab(name, i == s.side)
	}
	return labEdges(strings.Join(names, "  "), s.theme.Faint.Render("tab changes"), width)
}

func (s *labScreen) tab(name string, here bool) string {
	if here {
		return s.theme.Title.Render("▸ " + name)
	}
	return s.theme.Faint.Render("  " + name)
}

func (s *labScreen) checksTitle() string {
	title := "Checks"
	if s.result != nil {
		passed := 0
		for _, c := range s.result.Checks {
			if c.Passed {
				passed++
			}
		}
		title += fmt.Sprintf(" %d/%d", passed, len(s.result.Checks))
	}
	return title
}

func (s *labScreen) drawTasks(width, height int, titled bool) []string {
	var out []string
	if titled {
		out = append(out, labPad(s.tab("Tasks", s.side == 0), width))
		height--
	}
	list := s.taskLines(width - 2)
	if s.showLastHint {
		s.showLastHint = false
		s.tasks.height, s.tasks.length = height, len(list)
		s.tasks.key("end")
	}
	return append(out, s.tasks.draw(s.theme, list, width, height)...)
}

// taskLines are the scenario, the tasks and the hints that were shown.
func (s *labScreen) taskLines(width int) []string {
	width = min(width, labMeasure)
	out := labTaskLines(s.theme, s.lab, s.result, width)
	shown := min(s.progress.Hints, len(s.lab.Hints))
	if shown == 0 && s.space != nil && len(s.lab.Hints) > 0 {
		out = append(out, "", s.theme.Faint.Render(clip("h shows the first of "+plural(len(s.lab.Hints), "hint")+".", width)))
	}
	for i, hint := range s.lab.Hints[:shown] {
		out = append(out, "", s.theme.Warn.Render(fmt.Sprintf("Hint %d of %d", i+1, len(s.lab.Hints))))
		out = append(out, labWrap(hint, width)...)
	}
	if shown > 0 && shown < len(s.lab.Hints) {
		out = append(out, "", s.theme.Faint.Render("h shows the next one."))
	}
	return out
}

// labTaskLines are the scenario and the tasks of a lab, those that are done marked
// where there is a result.
func labTaskLines(t *theme, l *lab.Lab, result *lab.Result, width int) []string {
	out := append(labWrap(l.Scenario, width), "")
	for i, task := range l.Tasks {
		lead := fmt.Sprintf("%2d. ", i+1)
		style := t.Text
		if labTaskDone(result, i+1) {
			lead, style = fmt.Sprintf("✓%d. ", i+1), t.Good
		}
		out = append(out, labStyled(style, labIndent(lead, labWrap(task, width-lipgloss.Width(lead))))...)
	}
	return out
}

// labTaskDone says whether all checks of a task have passed.
func labTaskDone(result *lab.Result, task int) bool {
	if result == nil {
		return false
	}
	some := false
	for _, c := range result.Checks {
		if c.Task == task && !c.Passed {
			return false
		}
		some = some || c.Task == task
	}
	return some
}

func (s *labScreen) drawChecks(width, height int, titled bool) []string {
	var out []string
	if titled {
		out = append(out, labPad(s.tab(s.checksTitle(), s.side == 1), width))
		height--
	}
	var list []string
	first, last := 0, 0
	for i, check := range s.lab.Checks {
		drawn := labCheckLines(s.theme, labResultOf(s.result, i, check), s.result != nil, s.expanded[i], s.side == 1 && i == s.cursor, width-2)
		if i == s.cursor {
			first, last = len(list), len(list)+len(drawn)-1
		}
		list = append(list, drawn...)
	}
	s.list.height, s.list.length = height, len(list)
	if s.side == 1 {
		s.list.show(first, last)
	}
	return append(out, s.list.draw(s.theme, list, width, height)...)
}

// labResultOf returns what a check found, or only what it is.
func labResultOf(result *lab.Result, i int, check lab.Check) lab.CheckResult {
	if result != nil && i < len(result.Checks) {
		return result.Checks[i]
	}
	return lab.CheckResult{Check: check}
}

// labCheckLines draws a check: whether it has passed, its points, and when it is
// expanded what was wanted and what was found.
func labCheckLines(t *theme, c lab.CheckResult, known, expanded, selected bool, width int) []string {
	sign, got, style := "·", "", t.Faint
	switch {
	case known && c.Passed:
		sign, got, style = "✓", fmt.Sprint(c.Points), t.Good
	case known:
		sign, got, style = "✗", "0", t.Bad
	default:
		got = "–"
	}
	lead := "  "
	if selected {
		lead = t.Accent.Render("› ")
	}
	points := fmt.Sprintf(" %2s/%d", got, c.Points)
	name := breakLines(text(c.Name), width-4-lipgloss.Width(points))
	nameStyle := t.Text
	if selected {
		nameStyle = t.Strong
	}
	out := []string{labEdges(lead+style.Render(sign)+" "+nameStyle.Render(name[0]), t.Faint.Render(points), width)}
	for _, more := range name[1:] {
		out = append(out, "    "+nameStyle.Render(more))
	}
	if !expanded || !known {
		return out
	}
	out = append(out, labStyled(t.Faint, labFact("wanted", c.Wanted, width))...)
	found := t.Warn
	if c.Passed {
		found = t.Faint
	}
	return append(out, labStyled(found, labFact("found", c.Found, width))...)
}

// maxFactLines bounds what is drawn of what a learner's file says.
const maxFactLines = 8

func labFact(label, value string, width int) []string {
	if value == "" {
		return nil
	}
	list := breakLines(text(value), width-12)
	if len(list) > maxFactLines {
		list = append(list[:maxFactLines:maxFactLines], "…")
	}
	return labIndent(fmt.Sprintf("    %-7s ", label), list)
}

// status is what is said at the bottom.
func (s *labScreen) status(width int) []string {
	faint := func(line string) []string { return labStyled(s.theme.Faint, breakLines(line, width)) }
	switch {
	case s.clusterDown():
		return labStyled(s.theme.Bad, breakLines("✗ "+text(s.err.Error())+"; c starts it, with all that was done", width))
	case s.err != nil:
		return labStyled(s.theme.Bad, breakLines("✗ "+labError(s.err), width))
	case s.doing != "":
		return faint(s.doing + "…")
	case s.space == nil && !s.progress.StartedAt.IsZero():
		return labStyled(s.theme.Accent, breakLines("Its directory is gone, or was never completed: enter makes it anew.", width))
	case s.space == nil:
		return labStyled(s.theme.Accent, breakLines(s.beginText(), width))
	case s.note != "":
		return faint(text(s.note))
	case s.passed():
		return labStyled(s.theme.Good, breakLines(s.passedText(), width))
	case s.checking:
		return faint("Checking…")
	case s.result == nil:
		return faint("c checks what is there.")
	case s.lab.HasCluster():
		return faint("Checked at " + s.checkedAt.Format("15:04:05") + "; again when files change, and every 10 seconds. Its cluster runs until x ends it.")
	}
	return faint("Checked at " + s.checkedAt.Format("15:04:05") + "; again as soon as files change.")
}

func (s *labScreen) beginText() string {
	if s.lab.HasCluster() {
		return "enter makes a directory for it and starts a cluster of its own; the clock runs from then on."
	}
	return "enter makes a directory with the files to start from; the clock runs from then on."
}

func (s *labScreen) passedText() string {
	line := fmt.Sprintf("✓ Done: %s, %s, in %s.", labAll(len(s.result.Checks)), plural(s.result.Total, "point"), labClock(s.elapsed()))
	if s.next != nil {
		return line + " n goes on to the next lab: " + text(s.next.Title) + "."
	}
	return line + " Every lab has passed; an exam is the next thing."
}

func labAll(n int) string {
	if n == 1 {
		return "the one check passes"
	}
	return fmt.Sprintf("all %d checks pass", n)
}
