package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/pkictl/pkictl/lab"
)

// examShort is when the countdown warns.
const examShort = 10 * time.Minute

func (s *examTasks) View(width, height int) string {
	out := s.head(width)
	status := s.status(width)
	status = status[:min(len(status), max(height/4, 1))]
	if height > labTall {
		out = append(out, "")
	}
	room := height - len(out) - len(status)
	l := s.found.lab(s.task())
	switch {
	case width >= labWide:
		left := width / 3
		text := append([]string{s.theme.Title.Render(clip(l.Title, width-left-3))}, labTaskLines(s.theme, l, nil, min(width-left-5, labMeasure))...)
		out = append(out, labBeside(s.theme, s.drawList(left, room), s.text.draw(s.theme, text, width-left-3, room))...)
	case s.side == 1:
		out = append(out, s.drawList(width, room)...)
	default:
		out = append(out, s.theme.Title.Render(clip(l.Title, width)))
		out = append(out, s.text.draw(s.theme, labTaskLines(s.theme, l, nil, min(width-2, labMeasure)), width, room-1)...)
	}
	out = append(out, status...)
	return strings.Join(s.question.draw(s.theme, out[:min(len(out), height)], width), "\n")
}

// head says which task this is, where it is worked on, and how much time is left.
func (s *examTasks) head(width int) []string {
	t := s.task()
	left := fmt.Sprintf("Task %d of %d  %d %%", s.at+1, len(s.found.exam.Tasks), t.Weight)
	if t.Flagged {
		left += s.theme.Warn.Render("  ⚑ flagged")
	}
	remaining := s.found.exam.EndsAt.Sub(s.Now())
	style := s.theme.Strong
	if remaining < examShort {
		style = s.theme.Bad
	}
	right := style.Render(labClock(remaining) + " left")
	return []string{
		labEdges(left, right, width),
		labEdges(s.theme.Accent.Render(clip(s.cd(), width-12)), s.theme.Faint.Render("y copies it"), width),
	}
}

// drawList lists the tasks with their flags.
func (s *examTasks) drawList(width, height int) []string {
	var list []string
	for i, t := range s.found.exam.Tasks {
		list = append(list, s.drawTask(i, t, width-2))
	}
	s.list.height, s.list.length = height, len(list)
	s.list.show(s.at, s.at)
	return s.list.draw(s.theme, list, width, height)
}

func (s *examTasks) drawTask(i int, t lab.ExamTask, width int) string {
	flag, work := "  ", "–"
	if t.Flagged {
		flag = "⚑ "
	}
	if s.seen.touched[t.Lab] {
		work = "worked on"
	}
	right := fmt.Sprintf(" %9s %3d %%", work, t.Weight)
	line := labEdges(fmt.Sprintf("  %2d %s%s", i+1, flag, clip(s.found.lab(t).Title, width-8-len(right))), right, width)
	switch {
	case i == s.at:
		return s.theme.Selected.Render(labPad("›"+line[1:], width))
	case t.Flagged:
		return s.theme.Warn.Render(line)
	}
	return line
}

func (s *examTasks) status(width int) []string {
	switch {
	case s.err != nil:
		return labStyled(s.theme.Bad, breakLines("✗ "+labError(s.err), width))
	case s.ending && s.over():
		return labStyled(s.theme.Warn, breakLines("The time is over. Grading…", width))
	case s.ending:
		return []string{s.theme.Faint.Render("Grading…")}
	case s.note != "":
		return labStyled(s.theme.Faint, breakLines(text(s.note), width))
	case s.digits != "":
		return []string{s.theme.Faint.Render("Task " + s.digits + "…")}
	}
	flagged := 0
	for _, t := range s.found.exam.Tasks {
		if t.Flagged {
			flagged++
		}
	}
	return []string{s.theme.Faint.Render(clip(fmt.Sprintf("%d flagged. x finishes; what you write is kept as you write it.", flagged), width))}
}
