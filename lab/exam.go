package lab

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// DefaultExamMinutes is how long the CKS exam takes.
const DefaultExamMinutes = 120

// examsDir below the root has the workspaces of exams, in a directory for each.
const examsDir = "exams"

// ExamOptions say what exam is to begin.
type ExamOptions struct {
	Root    string // the directory of all workspaces, such as ~/pkictl-labs
	Now     time.Time
	Minutes int // at most; 0 for DefaultExamMinutes
	// Machine is what the machine has: labs that need more are left out.
	Machine *Machine
	// Progress is told what begins, and with done what has ended. It may be nil.
	Progress func(step string, done bool)
	// Random chooses among the labs of a domain.
	Random *rand.Rand
}

// Session is an exam as it goes on. What happens in it is on the disk before a
// method returns; ResumeExam goes on with it after any end of the process. Several
// goroutines may use it at once, and several processes the same exam.
type Session struct {
	root    string
	machine *Machine

	mu   sync.Mutex // guards exam
	exam Exam
}

// ErrNoExam says that there has been no exam.
var ErrNoExam = errors.New("no exam has begun there")

func examFile(root string) kept { return kept{root: root, name: "exam.json", kind: "LabExam"} }

// NewExam chooses labs whose needs are met, weighted by the domains of the CKS, makes
// a workspace for each that nobody has worked in, runs the clusters of those that have
// one, and starts the clock. It is refused while another exam goes on.
func NewExam(ctx context.Context, o ExamOptions) (*Session, error) {
	labs, err := Catalogue()
	if err != nil {
		return nil, err
	}
	if o.Minutes == 0 {
		o.Minutes = DefaultExamMinutes
	}
	if o.Root, err = absolute(o.Root); err != nil {
		return nil, err
	}
	chosen := choose(labs, o)
	if len(chosen) == 0 {
		return nil, failure.New(failure.Failed, "give it more time, or install what the labs need", "no lab fits into an exam of %d minutes", o.Minutes)
	}
	s := &Session{root: o.Root, machine: o.Machine}
	err = update(ctx, examFile(o.Root), func(exam *Exam, found bool) error {
		if found && exam.EndedAt.IsZero() {
			return failure.New(failure.Refused, "resume it, or finish it", "an exam has begun at %s and is not finished", exam.StartedAt.Local().Format(time.DateTime))
		}
		*exam, err = prepareExam(ctx, o, chosen)
		s.exam = *exam
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// prepareExam makes the workspaces.
func prepareExam(ctx context.Context, o ExamOptions, labs []*Lab) (Exam, error) {
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return Exam{}, store.ReadError(err, o.Root)
	}
	defer root.Close()
	below, err := newDir(root, examsDir, "")
	if err != nil {
		return Exam{}, failure.Wrap(store.Cause(err), failure.Failed, "", "cannot make a directory in %q", filepath.Join(o.Root, examsDir))
	}
	began := time.Now()
	if err := sweep(ctx, o.Root); err != nil {
		return Exam{}, err
	}
	exam := Exam{StartedAt: o.Now}
	weights := weigh(labs)
	var started []*Workspace
	for i, lab := range labs {
		w, err := Start(ctx, StartOptions{Lab: lab, Root: filepath.Join(o.Root, below), Now: o.Now, Machine: o.Machine, Progress: o.Progress})
		if err != nil {
			return Exam{}, errors.Join(err, stopAll(context.WithoutCancel(ctx), started))
		}
		started = append(started, w)
		exam.Tasks = append(exam.Tasks, ExamTask{Lab: lab.ID, Domain: lab.Domain, Weight: weights[i], Dir: w.Dir, Total: lab.Points()})
	}
	if slices.ContainsFunc(labs, func(l *Lab) bool { return l.cluster != nil }) {
		exam.StartedAt = o.Now.Add(time.Since(began)) // the learner does not wait for clusters
	}
	exam.EndsAt = exam.StartedAt.Add(examTime(labs))
	return exam, nil
}

func examTime(labs []*Lab) time.Duration {
	minutes := 0
	for _, lab := range labs {
		minutes += lab.Minutes
	}
	return time.Duration(minutes) * time.Minute
}

// stopAll ends the clusters of workspaces.
func stopAll(ctx context.Context, list []*Workspace) error {
	var errs []error
	for _, w := range list {
		errs = append(errs, w.Stop(ctx))
	}
	return errors.Join(errs...)
}

// ResumeExam returns the last exam that was begun below root, one that has ended
// included: its report can still be read. Without one the error is ErrNoExam.
func ResumeExam(root string, machine *Machine) (*Session, error) {
	exam, err := load[Exam](examFile(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.Wrap(ErrNoExam, failure.Usage, "begin one", "cannot resume an exam in %q", root)
	}
	if err != nil {
		return nil, err
	}
	return &Session{root: root, machine: machine, exam: exam}, nil
}

// Exam returns the exam as it is.
func (s *Session) Exam() Exam {
	s.mu.Lock()
	defer s.mu.Unlock()
	exam := s.exam
	exam.Tasks = slices.Clone(exam.Tasks)
	return exam
}

// Remaining returns how much time is left: none when the exam has ended.
func (s *Session) Remaining(now time.Time) time.Duration {
	exam := s.Exam()
	if !exam.EndedAt.IsZero() {
		return 0
	}
	return max(0, exam.EndsAt.Sub(now))
}

// change changes the exam on the disk, which another process may have changed.
func (s *Session) change(ctx context.Context, change func(*Exam) error) error {
	begun := s.Exam().StartedAt
	return update(ctx, examFile(s.root), func(exam *Exam, found bool) error {
		if !found || !exam.StartedAt.Equal(begun) {
			return failure.New(failure.Refused, "resume that one", "another exam has taken the place of this one")
		}
		if err := change(exam); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.exam = *exam
		return nil
	})
}

func (e *Exam) isOver(now time.Time) bool { return !e.EndedAt.IsZero() || now.After(e.EndsAt) }

func errExamOver() error {
	return failure.New(failure.Refused, "finish it, and see the report", "the exam is over")
}

// task changes a task of an exam that goes on.
func (s *Session) task(ctx context.Context, id string, now time.Time, change func(*ExamTask)) error {
	return s.change(ctx, func(exam *Exam) error {
		i := slices.IndexFunc(exam.Tasks, func(t ExamTask) bool { return t.Lab == id })
		switch {
		case i < 0:
			return failure.New(failure.Usage, "", "lab %q is not in this exam", id)
		case exam.isOver(now):
			return errExamOver()
		}
		change(&exam.Tasks[i])
		return nil
	})
}

// Flag notes whether a task is to be come back to.
func (s *Session) Flag(ctx context.Context, id string, flagged bool, now time.Time) error {
	return s.task(ctx, id, now, func(t *ExamTask) { t.Flagged = flagged })
}

// Workspace returns where a task is worked on.
func (s *Session) Workspace(id string) (*Workspace, error) {
	lab, err := Named(id)
	if err != nil {
		return nil, err
	}
	for _, t := range s.Exam().Tasks {
		if t.Lab == id {
			return OpenWorkspace(filepath.Dir(t.Dir), lab, s.machine)
		}
	}
	return nil, failure.New(failure.Usage, "", "lab %q is not in this exam", id)
}

// Grade grades a task as it is now, and notes the points. It is refused when the
// time is up. A cluster that does not run is started again.
func (s *Session) Grade(ctx context.Context, id string, now time.Time) (*Result, error) {
	if exam := s.Exam(); exam.isOver(now) { // before a cluster is started that nobody would end
		return nil, errExamOver()
	}
	w, err := s.Workspace(id)
	if err == nil {
		err = w.Up(ctx, now, nil)
	}
	if err != nil {
		return nil, err
	}
	result, err := w.Check(ctx, now)
	if err != nil {
		return nil, err
	}
	return result, s.task(ctx, id, now, func(t *ExamTask) { t.grade(result) })
}

// Finish ends the exam: it grades all tasks, and reports. When the time is up before,
// a task in which something was changed afterwards keeps the points that it had when
// it was last graded; so does one with a cluster, in which a change leaves no trace,
// when that is longer than a minute ago. The clusters are ended. To finish an exam that
// has ended changes nothing.
func (s *Session) Finish(ctx context.Context, now time.Time) (*Report, error) {
	err := s.change(ctx, func(exam *Exam) error {
		if !exam.EndedAt.IsZero() {
			return nil
		}
		exam.EndedAt = now
		if now.After(exam.EndsAt) {
			exam.EndedAt = exam.EndsAt
		}
		for i := range exam.Tasks {
			if err := s.settle(ctx, exam, &exam.Tasks[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	exam := s.Exam()
	return exam.Report(), s.stop(ctx)
}

// stop ends the clusters of all tasks.
func (s *Session) stop(ctx context.Context) error {
	var list []*Workspace
	for _, t := range s.Exam().Tasks {
		if w, err := s.Workspace(t.Lab); err == nil { // or the learner has taken it away
			list = append(list, w)
		}
	}
	return stopAll(ctx, list)
}

// lateFinish is how long after its end an exam with clusters is graded as it is: who
// had it open finishes it at once.
const lateFinish = time.Minute

// settle grades a task for good.
func (s *Session) settle(ctx context.Context, exam *Exam, t *ExamTask, now time.Time) error {
	if _, err := os.Stat(t.Dir); err == nil && now.After(exam.EndsAt) && s.changedAfter(t, exam.EndsAt) {
		t.Ungraded = "something was changed after the end"
		return nil
	}
	w, err := s.Workspace(t.Lab)
	if err == nil && w.Lab.cluster != nil {
		if now.Sub(exam.EndsAt) > lateFinish {
			t.Ungraded = "it has a cluster, where a change leaves no trace, and the exam was finished more than a minute after its end"
			return nil
		}
		err = w.Up(ctx, now, nil)
	}
	if err == nil {
		var result *Result
		if result, err = w.Check(ctx, exam.EndedAt); err == nil {
			t.grade(result)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil { // the learner has taken the workspace away, say
		t.Ungraded = oneLine(err.Error())
	}
	return nil
}

// maxLooked is how many files are looked at for a change.
const maxLooked = 10_000

// changedAfter says whether something in a task's workspace is younger than a time.
func (s *Session) changedAfter(t *ExamTask, limit time.Time) bool {
	lab, err := Named(t.Lab)
	if err != nil {
		return true
	}
	w := &Workspace{Lab: lab, Dir: t.Dir}
	looked, changed := 0, errors.New("something is younger")
	err = filepath.WalkDir(t.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if w.isRunDir(path) {
			return fs.SkipDir
		}
		info, err := entry.Info() // of a link itself
		if looked++; err == nil && (info.ModTime().After(limit) || looked > maxLooked) {
			err = changed
		}
		return err
	})
	return err != nil
}
