package tui

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pkictl/pkictl/lab"
)

// What the exam screens have package lab do, in commands alone. A session is opened
// for each: what another process did is then known, and none is used twice at once.

// examFound is an exam with the labs of its tasks.
type examFound struct {
	exam *lab.Exam // nil where there was none yet
	labs map[string]*lab.Lab
	// sizes say what an exam of each of examMinutes would be.
	sizes []string
}

func (f *examFound) goesOn() bool { return f.exam != nil && f.exam.EndedAt.IsZero() }

// lab returns that of a task.
func (f *examFound) lab(t lab.ExamTask) *lab.Lab {
	if l := f.labs[t.Lab]; l != nil {
		return l
	}
	return &lab.Lab{ID: t.Lab, Title: t.Lab}
}

func examFind(w *world) (*examFound, error) {
	session, err := lab.ResumeExam(w.LabDir, w.Machine)
	if err != nil && !errors.Is(err, lab.ErrNoExam) {
		return nil, err
	}
	found := &examFound{}
	if session != nil {
		if found, err = examOf(session); err != nil {
			return nil, err
		}
	}
	for _, minutes := range examMinutes() {
		tasks, minutes, err := lab.ExamSize(examOptions(w, minutes))
		if err != nil {
			return nil, err
		}
		found.sizes = append(found.sizes, "About "+plural(tasks, "task")+" in "+plural(minutes, "minute")+".")
	}
	return found, nil
}

func examOptions(w *world, minutes int) lab.ExamOptions {
	return lab.ExamOptions{Root: w.LabDir, Now: w.Now(), Minutes: minutes, Machine: w.Machine}
}

func examOf(session *lab.Session) (*examFound, error) {
	labs, err := lab.Catalogue()
	exam := session.Exam()
	found := &examFound{exam: &exam, labs: map[string]*lab.Lab{}}
	for _, l := range labs {
		found.labs[l.ID] = l
	}
	return found, err
}

// labExamGoesOn says whether an exam is under way.
func labExamGoesOn(w *world) (bool, error) {
	found, err := examFind(w)
	return err == nil && found.goesOn(), err
}

func examBegin(ctx context.Context, w *world, minutes int, say labSay) (*examFound, error) {
	o := examOptions(w, minutes)
	o.Progress = say
	if o.Random = w.chance; o.Random == nil {
		o.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // which tasks come is no secret
	}
	session, err := lab.NewExam(ctx, o)
	if err != nil {
		return nil, err
	}
	return examOf(session)
}

func examFlag(ctx context.Context, w *world, id string, flagged bool) (*examFound, error) {
	session, err := lab.ResumeExam(w.LabDir, w.Machine)
	if err != nil {
		return nil, err
	}
	if err := session.Flag(ctx, id, flagged, w.Now()); err != nil {
		return nil, err
	}
	return examOf(session)
}

// examSeen is what the files of the tasks look like, by the lab.
type examSeen struct {
	stamps  map[string]string
	touched map[string]bool
}

// examClusterEvery is how often a task is graded that has a cluster.
const examClusterEvery = 30 * time.Second

// examLook looks at the workspaces, and grades those in which something has changed
// without telling: what is changed after the end does not count then, what was there
// before does.
func examLook(ctx context.Context, w *world, before map[string]string) (examSeen, error) {
	seen := examSeen{map[string]string{}, map[string]bool{}}
	session, err := lab.ResumeExam(w.LabDir, w.Machine)
	if err != nil {
		return seen, err
	}
	for _, t := range session.Exam().Tasks {
		space, err := session.Workspace(t.Lab)
		if err != nil {
			continue // the learner has taken it away: nothing to be graded
		}
		stamp := space.Stamp()
		seen.touched[t.Lab] = space.Touched()
		if space.Lab.HasCluster() { // work in a cluster leaves no trace in the files
			stamp += w.Now().Truncate(examClusterEvery).String()
		}
		seen.stamps[t.Lab] = stamp
		if stamp == before[t.Lab] || !seen.touched[t.Lab] && !space.Lab.HasCluster() {
			continue
		}
		if _, err := session.Grade(ctx, t.Lab, w.Now()); err != nil {
			delete(seen.stamps, t.Lab)
		}
	}
	return seen, nil
}

// examFinish ends the exam, if it has not ended, and reports.
func examFinish(ctx context.Context, w *world) (*examReported, error) {
	session, err := lab.ResumeExam(w.LabDir, w.Machine)
	if err != nil {
		return nil, err
	}
	report, err := session.Finish(ctx, w.Now())
	if err != nil {
		return nil, err
	}
	return examDetails(session, report)
}

// examReported is a report, and what the checks of its tasks say.
type examReported struct {
	examFound
	report  *lab.Report
	results map[string]*lab.Result // none of a task that was never graded
}

func examDetails(session *lab.Session, report *lab.Report) (*examReported, error) {
	found, err := examOf(session)
	if err != nil {
		return nil, err
	}
	return &examReported{*found, report, report.Results()}, nil
}
