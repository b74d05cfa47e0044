package tui

import (
	"context"
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/lab"
)

// examStart is where an exam is begun or gone on with, and the report of the last
// one is found.
type examStart struct {
	*world
	found  *examFound
	err    error
	doing  string
	cancel context.CancelFunc
	choice int // of examMinutes
}

// examFoundMsg brings the exam that there is, to whichever screen asked.
type examFoundMsg struct {
	of    screen
	found *examFound
	err   error
}

// examStepMsg says how far the beginning of an exam is.
type examStepMsg struct {
	of   *examStart
	step string
}

// examMinutes are how long an exam may be.
func examMinutes() []int { return []int{30, 60, 90, lab.DefaultExamMinutes} }

func newExam(w *world) screen {
	return &examStart{world: w, choice: len(examMinutes()) - 1}
}

func (s *examStart) Init() tea.Cmd {
	return func() tea.Msg {
		found, err := examFind(s.world)
		return examFoundMsg{s, found, err}
	}
}

func (s *examStart) Title() string { return "Exam" }

func (s *examStart) Keys() []key.Binding {
	back := binding("back", "esc")
	switch {
	case s.found == nil || s.doing != "":
		return []key.Binding{back}
	case s.found.goesOn():
		return []key.Binding{binding("go on", "enter"), back}
	case s.found.exam != nil:
		return []key.Binding{binding("begin", "enter"), binding("length", "←→"), binding("last report", "r"), back}
	}
	return []key.Binding{binding("begin", "enter"), binding("length", "←→"), back}
}

func (s *examStart) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case examFoundMsg:
		if msg.of != s {
			return s, nil
		}
		began := s.doing != ""
		s.doing, s.cancel, s.err = "", nil, msg.err
		if msg.err == nil {
			s.found = msg.found
			if began {
				tasks := newExamTasks(s.world, s.found)
				tasks.note = fmt.Sprintf("%s in %s. The clock runs.", plural(len(s.found.exam.Tasks), "task"),
					plural(int(s.found.exam.EndsAt.Sub(s.found.exam.StartedAt).Minutes()), "minute"))
				return s, replace(tasks)
			}
		}
	case examStepMsg:
		if msg.of == s && s.doing != "" {
			s.doing = "Starting the clusters of tasks: " + text(msg.step)
		}
	case resumedMsg:
		return s, s.Init()
	case tea.KeyPressMsg:
		return s, s.key(msg.String())
	}
	return s, nil
}

func (s *examStart) key(name string) tea.Cmd {
	if name == "esc" {
		if s.cancel != nil {
			s.cancel()
		}
		return pop
	}
	if s.found == nil || s.doing != "" {
		return nil
	}
	switch {
	case name == "enter" && s.found.goesOn():
		return replace(newExamTasks(s.world, s.found))
	case s.found.goesOn():
	case name == "enter":
		return s.begin()
	case name == "r" && s.found.exam != nil:
		return push(newExamReport(s.world))
	case name == "left" || name == "down":
		s.choice = max(s.choice-1, 0)
	case name == "right" || name == "up":
		s.choice = min(s.choice+1, len(examMinutes())-1)
	}
	return nil
}

func (s *examStart) begin() tea.Cmd {
	ctx, cancel := context.WithCancel(s.ctx)
	s.doing, s.cancel, s.err = "Choosing tasks and writing their files", cancel, nil
	minutes := examMinutes()[s.choice]
	say := func(step string, done bool) {
		if !done {
			s.send(examStepMsg{s, step})
		}
	}
	return s.work(func(context.Context) tea.Msg {
		defer cancel()
		found, err := examBegin(ctx, s.world, minutes, say)
		return examFoundMsg{s, found, err}
	})
}

func (s *examStart) isBusy() bool { return s.doing != "" }
func (s *examStart) stop()        { s.cancel() }

func (s *examStart) View(width, height int) string {
	var out []string
	say := func(line string) { out = append(out, breakLines(line, width)...) }
	switch {
	case s.found == nil && s.err == nil:
		say("Looking for an exam under way…")
	case s.found == nil:
	case s.found.goesOn():
		out = append(out, s.theme.Strong.Render("An exam is under way"), "")
		say(examLeft(s.found.exam, s.Now()))
		if s.Now().Before(s.found.exam.EndsAt) {
			say("Its clock goes on also while nobody looks. Enter goes on with it.")
		} else {
			say("Enter grades what was there when it ended, and shows the report.")
		}
	default:
		out = s.intro(width)
	}
	if s.doing != "" {
		out = append(append(out, ""), labStyled(s.theme.Faint, breakLines(s.doing+"…", width))...)
	}
	if s.err != nil {
		out = append(out, "")
		out = append(out, labStyled(s.theme.Bad, breakLines("✗ "+labError(s.err), width))...)
	}
	if len(out) > height { // what went wrong is at the end
		out = out[len(out)-height:]
	}
	return strings.Join(out, "\n")
}

// intro says what an exam is, and asks how long it may be.
func (s *examStart) intro(width int) []string {
	out := []string{s.theme.Strong.Render("An exam as the CKS sets it")}
	for _, line := range examRules() {
		out = append(out, labIndent("· ", breakLines(line, width-2))...)
	}
	var lengths []string
	for i, minutes := range examMinutes() {
		if i == s.choice {
			lengths = append(lengths, s.theme.Selected.Render(fmt.Sprintf("› %d ", minutes)))
		} else {
			lengths = append(lengths, fmt.Sprintf("  %d ", minutes))
		}
	}
	out = append(out, "", "Minutes:"+strings.Join(lengths, ""), s.found.sizes[s.choice])
	if s.found.exam != nil {
		report := s.found.exam.Report()
		out = append(out, s.theme.Faint.Render(clip(fmt.Sprintf("The last one: %d %%, %s. r shows its report.", report.Score, examVerdict(report)), width)))
	}
	return out
}

// examRules are what to know before.
func examRules() []string {
	return []string{
		"Tasks are chosen by chance, as many as fit, by the weights of the CKS's domains.",
		fmt.Sprintf("%d %% of the points pass. There are no hints, and no grades before the end.", lab.PassMark),
		"Go from task to task as you like, and flag those to come back to.",
		"What you write is kept: the wizard may be closed in between, but the clock goes on.",
	}
}

func examVerdict(r *lab.Report) string {
	if r.Passed {
		return "passed"
	}
	return "not passed"
}
