package tui

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/lab"
)

// examLookEvery is how often the workspaces of an exam are looked at.
const examLookEvery = 5 * time.Second

// examTasks is an exam under way. As in a real one, nothing is told about grades.
type examTasks struct {
	*world
	found *examFound
	at    int // the task that is shown

	seen     examSeen
	looking  bool
	lookedAt time.Time
	flagging int // so many writes are under way
	ending   bool
	cancels  map[int]context.CancelFunc // of what is under way
	begun    int
	ticks    int

	side     int // where there is room for one: 0 the task, 1 the list
	text     labPane
	list     labPane
	digits   string // of the number to jump to
	question *labQuestion
	note     string
	err      error
}

func newExamTasks(w *world, found *examFound) *examTasks {
	return &examTasks{world: w, found: found, cancels: map[int]context.CancelFunc{}}
}

type (
	examTickMsg struct {
		of    *examTasks
		ticks int
	}
	examSeenMsg struct {
		of   *examTasks
		work int
		seen examSeen
		err  error
	}
	examFlaggedMsg struct {
		of    *examTasks
		work  int
		found *examFound
		err   error
	}
	examEndedMsg struct {
		of       *examTasks
		work     int
		reported *examReported
		err      error
	}
)

func (s *examTasks) Init() tea.Cmd {
	if s.over() {
		return tea.Batch(s.finish(), s.startTicks())
	}
	return tea.Batch(s.look(), s.startTicks())
}

func (s *examTasks) Title() string { return "Exam" }

func (s *examTasks) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case examTickMsg:
		if msg.of == s && msg.ticks == s.ticks {
			return s, s.tick()
		}
	case examSeenMsg:
		if msg.of == s {
			s.ended(msg.work)
			s.looking = false
			if msg.err == nil {
				s.seen = msg.seen
			}
		}
	case examFlaggedMsg:
		if msg.of == s {
			s.ended(msg.work)
			s.flagging--
			s.err = msg.err
			if msg.err == nil {
				s.found = msg.found
			}
		}
	case examEndedMsg:
		if msg.of == s {
			s.ended(msg.work)
			s.ending, s.err = false, msg.err
			if msg.err == nil {
				return s, replace(newExamReported(s.world, msg.reported))
			}
		}
	case resumedMsg:
		return s, s.startTicks()
	case tea.KeyPressMsg:
		return s, s.key(msg.String())
	}
	return s, nil
}

// begins notes that work is under way, which ctx cancels.
func (s *examTasks) begins() (context.Context, int) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.begun++
	s.cancels[s.begun] = cancel
	return ctx, s.begun
}

func (s *examTasks) ended(work int) {
	if cancel := s.cancels[work]; cancel != nil {
		cancel()
	}
	delete(s.cancels, work)
}

func (s *examTasks) isBusy() bool { return len(s.cancels) > 0 }

func (s *examTasks) stop() {
	for _, cancel := range s.cancels {
		cancel()
	}
}

func (s *examTasks) startTicks() tea.Cmd {
	s.ticks++
	return s.nextTick()
}

func (s *examTasks) nextTick() tea.Cmd {
	msg := examTickMsg{s, s.ticks}
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return msg })
}

// tick moves the countdown on, has the files looked at, and ends the exam when the
// time is over.
func (s *examTasks) tick() tea.Cmd {
	now := s.Now()
	switch {
	case s.over():
		if !s.ending && s.err == nil {
			return tea.Batch(s.nextTick(), s.finish())
		}
	case !s.looking && now.Sub(s.lookedAt) >= examLookEvery:
		return tea.Batch(s.nextTick(), s.look())
	}
	return s.nextTick()
}

func (s *examTasks) over() bool { return !s.Now().Before(s.found.exam.EndsAt) }

func (s *examTasks) look() tea.Cmd {
	ctx, work := s.begins()
	s.looking, s.lookedAt = true, s.Now()
	before := s.seen.stamps
	return s.work(func(context.Context) tea.Msg {
		seen, err := examLook(ctx, s.world, before)
		return examSeenMsg{s, work, seen, err}
	})
}

func (s *examTasks) finish() tea.Cmd {
	ctx, work := s.begins()
	s.ending, s.err, s.question = true, nil, nil
	return s.work(func(context.Context) tea.Msg {
		reported, err := examFinish(ctx, s.world)
		return examEndedMsg{s, work, reported, err}
	})
}

func (s *examTasks) Keys() []key.Binding {
	if s.question != nil {
		return []key.Binding{binding("yes", "y"), binding("no", "n")}
	}
	return []key.Binding{binding("next", "n"), binding("previous", "p"), binding("jump", "1-9"), binding("flag", "f"),
		binding("list", "tab"), binding("copy cd", "y"), binding("finish", "x"), binding("scroll", "↑↓"), binding("leave", "esc")}
}

func (s *examTasks) task() lab.ExamTask { return s.found.exam.Tasks[s.at] }

func (s *examTasks) key(name string) tea.Cmd {
	if s.question != nil {
		return labAnswer(&s.question, name)
	}
	if name == "esc" {
		return pop
	}
	if s.ending {
		return nil
	}
	s.note = ""
	if len(name) == 1 && name >= "0" && name <= "9" {
		s.jump(name)
		return nil
	}
	s.digits = ""
	switch name {
	case "n", "right":
		s.show(s.at + 1)
	case "p", "left":
		s.show(s.at - 1)
	case "f":
		return s.flag()
	case "tab", "shift+tab":
		s.side = 1 - s.side
	case "g", "c", "h", "s":
		s.note = "As in a real exam there are no hints, and no grades before the end. x finishes."
	case "y":
		s.note = "Copied: " + s.cd()
		return tea.SetClipboard(s.cd())
	case "x":
		return s.askFinish()
	default:
		s.scroll(name)
	}
	return nil
}

// scroll moves in the list where that has the keys, and else in the text.
func (s *examTasks) scroll(name string) {
	switch {
	case s.side == 0:
		s.text.key(name)
	case name == "up" || name == "k":
		s.show(s.at - 1)
	case name == "down" || name == "j":
		s.show(s.at + 1)
	case name == "home":
		s.show(0)
	case name == "end":
		s.show(len(s.found.exam.Tasks) - 1)
	case name == "enter":
		s.side = 0
	}
}

func (s *examTasks) show(at int) {
	at = max(min(at, len(s.found.exam.Tasks)-1), 0)
	if at != s.at {
		s.at, s.text.top = at, 0
	}
}

// jump goes to the task with the number that is typed, digit by digit.
func (s *examTasks) jump(digit string) {
	s.digits += digit
	number, err := strconv.Atoi(s.digits)
	if err != nil || number < 1 || number > len(s.found.exam.Tasks) {
		s.note = fmt.Sprintf("There is no task %s.", s.digits)
		s.digits = ""
		return
	}
	s.show(number - 1)
	if number*10 > len(s.found.exam.Tasks) {
		s.digits = ""
	}
}

func (s *examTasks) cd() string { return s.found.lab(s.task()).Enter(s.task().Dir) }

// flag flags the task, or takes its flag away. It is drawn at once, and true when it
// is on the disk.
func (s *examTasks) flag() tea.Cmd {
	_, work := s.begins() // it is short, and not cancelled
	s.flagging++
	t := &s.found.exam.Tasks[s.at]
	t.Flagged = !t.Flagged
	id, flagged := t.Lab, t.Flagged
	return s.work(func(ctx context.Context) tea.Msg {
		found, err := examFlag(ctx, s.world, id, flagged)
		return examFlaggedMsg{s, work, found, err}
	})
}

// askFinish asks, and says what is open.
func (s *examTasks) askFinish() tea.Cmd {
	s.question = &labQuestion{lines: examOpen(s.found, s.seen, s.Now()), yes: "finish and see the report", then: s.finish}
	return nil
}

// examOpen asks whether to finish, and says what is open.
func examOpen(found *examFound, seen examSeen, now time.Time) []string {
	untouched, flagged := 0, 0
	for _, t := range found.exam.Tasks {
		if !seen.touched[t.Lab] {
			untouched++
		}
		if t.Flagged {
			flagged++
		}
	}
	ask := []string{"Finish the exam? " + examLeft(found.exam, now)}
	if untouched > 0 {
		ask = append(ask, "No file was written yet in "+plural(untouched, "task")+".")
	}
	if flagged > 0 {
		ask = append(ask, "Flagged to come back to: "+plural(flagged, "task")+".")
	}
	return ask
}

// examLeft says how much time is left.
func examLeft(e *lab.Exam, now time.Time) string {
	if left := e.EndsAt.Sub(now); left > 0 {
		return labClock(left) + " are left."
	}
	return "The time is over."
}
