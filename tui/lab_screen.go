package tui

import (
	"context"
	"errors"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/lab"
)

const (
	// labPoll is how often a workspace is looked at for changes.
	labPoll = time.Second
	// labClusterPoll is how often a lab is checked whose state is in a cluster,
	// where no file says that something has changed.
	labClusterPoll = 10 * time.Second
	// labSaveEvery is how much time of a learner is lost at most.
	labSaveEvery = 30 * time.Second
	// labMaxStep bounds what one tick of the clock counts: a machine that slept did
	// not work on the lab.
	labMaxStep = 5 * time.Second
)

// labScreen is one lab: what is asked, and what is right already. It looks at the
// workspace and runs its clock only while it is on top.
type labScreen struct {
	*world
	lab *lab.Lab

	space  *lab.Workspace // nil until it is there
	loaded bool           // what is kept of it is known
	doing  string         // what is under way, in words; not a check
	cancel context.CancelFunc
	err    error // of that, or of the last check

	progress lab.Progress
	unsaved  time.Duration // of the time that it was open
	saving   int           // so many writes are under way
	leaving  bool          // as soon as it is saved
	stopped  bool          // the program ends

	result    *lab.Result
	next      *lab.Lab // what to do when it has passed
	checking  bool
	checks    int                // which check counts
	forget    context.CancelFunc // cancels that
	checkedAt time.Time
	stamp     string // of the files that were checked
	looking   bool

	covered bool // another screen is on top
	ticks   int  // which chain of ticks counts
	last    time.Time

	side         int // 0: the tasks, 1: the checks
	tasks, list  labPane
	cursor       int // of the checks
	expanded     map[int]bool
	showLastHint bool

	question *labQuestion
	note     string

	noteAfter string // what to say when the work has ended well
}

// newLab returns the screen of a lab.
func newLab(w *world, l *lab.Lab) screen {
	return &labScreen{world: w, lab: l, doing: "Reading what there is", expanded: map[int]bool{}}
}

type (
	// labOpenedMsg says that a workspace was opened, made or reset; space is nil
	// where there is none yet.
	labOpenedMsg struct {
		of       *labScreen
		space    *lab.Workspace
		progress lab.Progress
		err      error
	}
	labCheckedMsg struct {
		of       *labScreen
		check    int
		result   *lab.Result
		next     *lab.Lab
		progress lab.Progress
		stamp    string
		err      error
	}
	// labSavedMsg says that progress was written.
	labSavedMsg struct {
		of       *labScreen
		progress lab.Progress
		counted  time.Duration // what of the time is in it
		then     tea.Cmd
		err      error
	}
	// labSeenMsg says what the files of the workspace look like.
	labSeenMsg struct {
		of    *labScreen
		stamp string
	}
	// labStepMsg says how far that is, where it takes some time.
	labStepMsg struct {
		of   *labScreen
		step string
	}
	// labEndedMsg says that the lab's cluster has ended.
	labEndedMsg struct {
		of  *labScreen
		err error
	}
	labTickMsg struct {
		of    *labScreen
		ticks int
	}
)

func (s *labScreen) Init() tea.Cmd {
	return tea.Batch(s.prepare("Reading what there is", labResume), s.startTicks())
}

func (s *labScreen) Title() string { return s.lab.Title }

func (s *labScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case labOpenedMsg:
		if msg.of == s {
			return s, s.opened(msg)
		}
	case labCheckedMsg:
		if msg.of == s && msg.check == s.checks {
			return s, s.checked(msg)
		}
	case labSavedMsg:
		if msg.of == s {
			return s, s.saved(msg)
		}
	case labStepMsg:
		if msg.of == s && s.doing != "" {
			s.doing = "Starting its cluster: " + text(msg.step)
		}
	case labEndedMsg:
		if msg.of == s {
			return s, s.ended(msg.err)
		}
	case labSeenMsg:
		if msg.of == s {
			return s, s.seen(msg.stamp)
		}
	case labTickMsg:
		if msg.of == s && msg.ticks == s.ticks && !s.covered {
			return s, s.tick()
		}
	case resumedMsg:
		s.covered = false
		return s, s.startTicks()
	case tea.KeyPressMsg:
		return s, s.key(msg.String())
	}
	return s, nil
}

// labWork opens, makes or resets a workspace.
type labWork func(context.Context, *world, *lab.Lab, *lab.Workspace, labSay) (*lab.Workspace, lab.Progress, error)

// prepare runs what makes or opens the workspace, and nothing else beside it.
func (s *labScreen) prepare(doing string, do labWork) tea.Cmd {
	ctx, cancel := context.WithCancel(s.ctx)
	s.doing, s.cancel, s.err, s.note = doing, cancel, nil, ""
	space := s.space
	say := func(step string, done bool) {
		if !done {
			s.send(labStepMsg{s, step})
		}
	}
	return s.work(func(context.Context) tea.Msg {
		defer cancel()
		space, progress, err := do(ctx, s.world, s.lab, space, say)
		return labOpenedMsg{s, space, progress, err}
	})
}

func (s *labScreen) opened(msg labOpenedMsg) tea.Cmd {
	s.doing, s.cancel, s.err, s.loaded = "", nil, msg.err, s.loaded || msg.err == nil
	note := s.noteAfter
	s.noteAfter = ""
	if msg.err != nil {
		return nil
	}
	s.note = note
	s.space = msg.space
	s.take(msg.progress)
	s.result, s.stamp = nil, ""
	if s.space == nil {
		return nil
	}
	return s.check()
}

// end ends the lab's cluster. The work stays.
func (s *labScreen) end() tea.Cmd {
	s.cancelCheck()
	s.doing, s.err, s.note = "Ending its cluster", nil, ""
	space := s.space
	return s.work(func(ctx context.Context) tea.Msg { return labEndedMsg{s, space.Stop(ctx)} })
}

// ended goes back: there is nothing to be checked any more.
func (s *labScreen) ended(err error) tea.Cmd {
	s.doing, s.err = "", err
	if err != nil {
		return nil
	}
	return s.leave()
}

// check has what is there graded.
func (s *labScreen) check() tea.Cmd {
	if s.checking || s.space == nil || s.doing != "" {
		return nil
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.checks++
	s.checking, s.forget = true, cancel
	check := s.checks
	space := s.space
	return s.work(func(context.Context) tea.Msg {
		defer cancel()
		msg := labCheckedMsg{of: s, check: check, stamp: space.Stamp()}
		msg.result, msg.progress, msg.err = labCheck(ctx, s.world, space)
		if msg.err == nil && msg.result.Passed() {
			msg.next, msg.err = labNext(s.world, s.lab)
		}
		return msg
	})
}

func (s *labScreen) checked(msg labCheckedMsg) tea.Cmd {
	s.checking, s.err = false, msg.err
	s.stamp, s.checkedAt = msg.stamp, s.Now()
	if msg.result != nil {
		s.result, s.next = msg.result, msg.next
	}
	if msg.err != nil {
		return nil
	}
	s.take(msg.progress)
	if s.passed() {
		return s.save(nil, nil)
	}
	return nil
}

// clusterDown says whether the lab's cluster was found not to run: somebody else has
// ended it, or killed it.
func (s *labScreen) clusterDown() bool { return errors.Is(s.err, lab.ErrClusterDown) }

// cancelCheck has the check under way end, and forgets it.
func (s *labScreen) cancelCheck() {
	if s.checking {
		s.forget()
		s.checks++
		s.checking = false
	}
}

// take takes what was read over. What was written here in the meantime stays.
func (s *labScreen) take(p lab.Progress) {
	p.Spent = max(p.Spent, s.progress.Spent)
	p.Hints = max(p.Hints, s.progress.Hints)
	p.GaveUp = p.GaveUp || s.progress.GaveUp
	s.progress = p
}

func (s *labScreen) passed() bool { return s.result != nil && s.result.Passed() }

// elapsed is how long the lab was open in all.
func (s *labScreen) elapsed() time.Duration { return s.progress.Spent + s.unsaved }

func (s *labScreen) startTicks() tea.Cmd {
	s.ticks++
	s.last = s.Now()
	return s.nextTick()
}

func (s *labScreen) nextTick() tea.Cmd {
	msg := labTickMsg{s, s.ticks}
	return tea.Tick(labPoll, func(time.Time) tea.Msg { return msg })
}

// tick counts the time, and has the files looked at.
func (s *labScreen) tick() tea.Cmd {
	now := s.Now()
	step := min(max(now.Sub(s.last), 0), labMaxStep)
	s.last = now
	next := s.nextTick()
	if s.space == nil || s.doing != "" || s.leaving {
		return next
	}
	if !s.passed() {
		s.unsaved += step
	}
	if s.unsaved >= labSaveEvery {
		next = tea.Batch(next, s.save(nil, nil))
	}
	switch {
	case s.checking || s.looking:
	case s.lab.HasCluster() && now.Sub(s.checkedAt) >= labClusterPoll:
		return tea.Batch(next, s.check())
	default:
		s.looking = true
		space := s.space
		return tea.Batch(next, func() tea.Msg { return labSeenMsg{s, space.Stamp()} })
	}
	return next
}

// seen has the lab checked where the files are not those that were.
func (s *labScreen) seen(stamp string) tea.Cmd {
	s.looking = false
	if stamp == s.stamp || s.covered {
		return nil
	}
	return s.check()
}

// save writes the time and a change to what is kept of the learner's work.
func (s *labScreen) save(change func(*lab.Progress), then tea.Cmd) tea.Cmd {
	if s.unsaved == 0 && change == nil {
		return then
	}
	counted := s.unsaved
	s.progress.Spent += counted
	s.unsaved = 0
	s.saving++
	return s.work(func(ctx context.Context) tea.Msg {
		progress, err := labSave(ctx, s.world, s.lab, func(p *lab.Progress) {
			p.Spent += counted
			if change != nil {
				change(p)
			}
		})
		return labSavedMsg{s, progress, counted, then, err}
	})
}

func (s *labScreen) saved(msg labSavedMsg) tea.Cmd {
	s.saving--
	if msg.err != nil {
		s.err, s.leaving, s.covered = msg.err, false, false
		s.progress.Spent -= msg.counted
		s.unsaved += msg.counted
		return s.startTicks()
	}
	s.take(msg.progress)
	return msg.then
}

// leave goes back when the time is saved; where that cannot be, a second time.
func (s *labScreen) leave() tea.Cmd {
	if s.leaving || s.err != nil || s.doing != "" {
		return pop
	}
	s.leaving = true
	return s.save(nil, pop)
}

// isBusy is true also while there is time to be saved.
func (s *labScreen) isBusy() bool {
	return s.doing != "" || s.checking || s.saving > 0 || s.unsaved > 0 && !s.stopped
}

func (s *labScreen) stop() {
	s.cancelCheck()
	if s.cancel != nil {
		s.cancel()
	}
	if cmd := s.save(nil, nil); cmd != nil {
		go s.send(runMsg{cmd}) // not from here: send waits for the update loop
	}
	s.stopped = true
}

func (s *labScreen) Keys() []key.Binding {
	switch {
	case s.question != nil:
		return []key.Binding{binding("yes", "y"), binding("no", "n")}
	case s.space == nil && s.loaded && s.doing == "":
		return []key.Binding{binding("start", "enter"), binding("scroll", "↑↓"), binding("back", "esc")}
	case s.space == nil:
		return []key.Binding{binding("back", "esc")}
	}
	keys := []key.Binding{binding([]string{"checks", "tasks"}[s.side], "tab"), binding("hint", "h"), binding("check", "c"),
		binding("back", "esc"), binding("solution", "s"), binding("copy cd", "y"), binding("reset", "r")}
	if s.side == 1 {
		keys = append([]key.Binding{binding("why", "enter")}, keys...)
	}
	if s.passed() && s.next != nil {
		keys = append([]key.Binding{binding("next lab", "n")}, keys...)
	}
	if s.lab.HasCluster() {
		keys = append(keys, binding("end cluster", "x"))
	}
	return append(keys, binding("why, for all", "e"))
}
