package tui

import (
	"context"
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/pkictl/pkictl/lab"
)

// examReport says how an exam went, by domain and by task.
type examReport struct {
	*world
	reported *examReported
	err      error
	cancel   context.CancelFunc
	cursor   int // of the tasks
	expanded map[int]bool
	pane     labPane
	moved    bool // the cursor: it is to be seen

	first, last int // the lines of the task that the cursor is on, as drawn last
}

type examReportedMsg struct {
	of       *examReport
	reported *examReported
	err      error
}

// newExamReport returns the report of the last exam, which it reads.
func newExamReport(w *world) screen {
	return &examReport{world: w, expanded: map[int]bool{}}
}

// newExamReported returns a report that was just made.
func newExamReported(w *world, r *examReported) screen {
	return &examReport{world: w, reported: r, expanded: map[int]bool{}}
}

func (s *examReport) Init() tea.Cmd {
	if s.reported != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.cancel = cancel
	return s.work(func(context.Context) tea.Msg {
		defer cancel()
		reported, err := examFinish(ctx, s.world) // it has ended: nothing changes
		return examReportedMsg{s, reported, err}
	})
}

func (s *examReport) Title() string { return "Report" }

func (s *examReport) Keys() []key.Binding {
	return []key.Binding{binding("what was missed", "enter"), binding("tasks", "↑↓"), binding("all", "e"),
		binding("solution", "s"), binding("practise it", "p"), binding("back", "esc")}
}

func (s *examReport) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case examReportedMsg:
		if msg.of == s {
			s.reported, s.err, s.cancel = msg.reported, msg.err, nil
		}
	case tea.KeyPressMsg:
		return s, s.key(msg.String())
	}
	return s, nil
}

func (s *examReport) isBusy() bool { return s.cancel != nil }
func (s *examReport) stop()        { s.cancel() }

func (s *examReport) key(name string) tea.Cmd {
	if name == "esc" {
		if s.cancel != nil {
			s.cancel()
		}
		return pop
	}
	if s.reported == nil {
		return nil
	}
	last := len(s.reported.report.Tasks) - 1
	switch name {
	case "up", "k":
		s.up()
	case "down", "j":
		s.down(last)
	case "enter", "space":
		s.expanded[s.cursor] = !s.expanded[s.cursor]
		s.moved = true
	case "e":
		all := true
		for i := range s.reported.report.Tasks {
			all = all && s.expanded[i]
		}
		for i := range s.reported.report.Tasks {
			s.expanded[i] = !all
		}
	case "s":
		return push(newLabSolution(s.world, s.lab()))
	case "p":
		return push(newLab(s.world, s.lab()))
	default:
		s.pane.key(name)
	}
	return nil
}

// up goes to the task above, once all of this one that is above was seen; at the
// first it goes on to the verdict.
func (s *examReport) up() {
	if s.cursor == 0 || s.first < s.pane.top {
		s.pane.key("up")
		return
	}
	s.cursor, s.moved = s.cursor-1, true
}

// down goes to the task below, once all of this one was seen.
func (s *examReport) down(last int) {
	if s.cursor == last || s.last >= s.pane.top+s.pane.height {
		s.pane.key("down")
		return
	}
	s.cursor, s.moved = s.cursor+1, true
}

func (s *examReport) lab() *lab.Lab {
	return s.reported.lab(s.reported.report.Tasks[s.cursor])
}

func (s *examReport) View(width, height int) string {
	if s.err != nil {
		return strings.Join(labStyled(s.theme.Bad, breakLines("✗ "+labError(s.err), width)), "\n")
	}
	if s.reported == nil {
		return s.theme.Faint.Render("Grading…")
	}
	inner := min(width-2, labMeasure)
	list := append(s.verdict(inner), "")
	for _, d := range s.reported.report.Domains {
		list = append(list, s.drawDomain(d, inner))
	}
	list = append(list, "")
	for i, t := range s.reported.report.Tasks {
		drawn := s.drawTask(i, t, inner)
		if i == s.cursor {
			s.first, s.last = len(list), len(list)+len(drawn)-1
		}
		list = append(list, drawn...)
	}
	s.pane.height, s.pane.length = height, len(list)
	if s.moved {
		s.moved = false
		s.pane.show(s.first, s.last)
	}
	return strings.Join(s.pane.draw(s.theme, list, width, height), "\n")
}

// verdict says whether it passed.
func (s *examReport) verdict(width int) []string {
	r := s.reported.report
	style, sign, line := s.theme.Good, "✓", "Passed"
	if !r.Passed {
		style, sign, line = s.theme.Bad, "✗", "Not passed"
	}
	line = fmt.Sprintf("%s %s: %d %% of the points, where %d %% pass", sign, line, r.Score, r.PassMark)
	out := labStyled(style.Bold(true), breakLines(line, width))
	exam := s.reported.exam
	took := fmt.Sprintf("It took %s of %s, and ended at %s.", labClock(r.Took), labClock(exam.EndsAt.Sub(exam.StartedAt)), exam.EndedAt.Local().Format("2006-01-02 15:04"))
	return append(out, labStyled(s.theme.Faint, breakLines(took, width))...)
}

func (s *examReport) drawDomain(d lab.DomainScore, width int) string {
	right := fmt.Sprintf("  weight %3d %%  %3d %% ", d.Weight, d.Score)
	room := width - lipgloss.Width(right) - 12
	return labEdges(clip(d.Title, room), s.theme.Faint.Render(right)+labBar(s.theme, d.Score, 100, 10), width)
}

// drawTask draws a task, and what it missed when it is expanded.
func (s *examReport) drawTask(i int, t lab.ExamTask, width int) []string {
	sign, style := "✗", s.theme.Bad
	switch {
	case t.Points == t.Total:
		sign, style = "✓", s.theme.Good
	case t.Points > 0:
		sign, style = "~", s.theme.Warn
	}
	right := fmt.Sprintf(" %d/%d points %3d %%", t.Points, t.Total, t.Weight)
	lead, nameStyle := "  ", s.theme.Text
	if i == s.cursor {
		lead, nameStyle = s.theme.Accent.Render("› "), s.theme.Strong
	}
	name := fmt.Sprintf("%2d %s", i+1, clip(s.reported.lab(t).Title, width-8-lipgloss.Width(right)))
	out := []string{labEdges(lead+style.Render(sign)+" "+nameStyle.Render(name), s.theme.Faint.Render(right), width)}
	if !s.expanded[i] {
		return out
	}
	result := s.reported.results[t.Lab]
	if why := examUngraded(t); why != "" {
		out = append(out, labStyled(s.theme.Faint, labIndent("      ", breakLines(why, width-6)))...)
	}
	if result == nil {
		return out
	}
	if result.Passed() {
		return append(out, "      "+s.theme.Faint.Render("Nothing was missed."))
	}
	for _, c := range result.Checks {
		if !c.Passed {
			out = append(out, labIndent("    ", labCheckLines(s.theme, c, true, true, false, width-4))...)
		}
	}
	return out
}

// examUngraded says why a task was not graded at the end, empty where it was.
func examUngraded(t lab.ExamTask) string {
	switch {
	case t.Ungraded == "":
		return ""
	case t.Checks == nil:
		return "It was not graded: " + text(t.Ungraded) + "."
	}
	return "The last grade before the end counts: " + text(t.Ungraded) + "."
}
