package tui

import (
	"context"
	"errors"
	"io/fs"

	"github.com/pkictl/pkictl/lab"
)

// What the lab screens have package lab do. All of it touches the disk, and some of
// it a cluster: it runs in commands alone.

// loadLabs reads the catalogue and what the learner has done.
func loadLabs(w *world) (labsState, error) {
	labs, err := lab.Catalogue()
	if err != nil {
		return labsState{}, err
	}
	state := labsState{labs: labs, progress: map[string]lab.Progress{}, lacks: map[string]string{}}
	for _, need := range lab.Needs() {
		if err := w.Machine.Lacks(need); err != nil {
			state.lacks[need] = err.Error()
		}
	}
	all, err := lab.OpenProgress(w.LabDir).All()
	for _, p := range all {
		state.progress[p.Lab] = p
	}
	if err != nil {
		return state, err
	}
	state.exam, err = labExamGoesOn(w)
	return state, err
}

// labSay is told what begins, and with done what has ended. It may be nil.
type labSay func(step string, done bool)

// labResume opens the workspace of a lab that was started; there is none for a lab
// that was not, or whose directory is gone or half made. Its cluster is started if it
// does not run. One that an exam asks for is not opened: here are hints and grades.
func labResume(ctx context.Context, w *world, l *lab.Lab, _ *lab.Workspace, say labSay) (*lab.Workspace, lab.Progress, error) {
	p, err := lab.OpenProgress(w.LabDir).Get(l.ID)
	if err == nil {
		err = lab.RefuseInExam(w.LabDir, l.ID, w.Now())
	}
	if err != nil || p.StartedAt.IsZero() {
		return nil, p, err
	}
	space, err := lab.OpenWorkspace(w.LabDir, l, w.Machine)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, lab.ErrUnfinished) {
		return nil, p, nil
	}
	if err == nil {
		err = space.Up(ctx, w.Now(), say)
	}
	return space, p, err
}

// labStart makes the workspace, or completes it.
func labStart(ctx context.Context, w *world, l *lab.Lab, _ *lab.Workspace, say labSay) (*lab.Workspace, lab.Progress, error) {
	space, err := lab.Start(ctx, lab.StartOptions{Lab: l, Root: w.LabDir, Now: w.Now(), Machine: w.Machine, Progress: say})
	if err != nil {
		return nil, lab.Progress{Lab: l.ID}, err
	}
	p, err := labSave(ctx, w, l, func(p *lab.Progress) { p.Started(space) })
	return space, p, err
}

// labReset begins the lab anew, in the same directory.
func labReset(ctx context.Context, w *world, l *lab.Lab, space *lab.Workspace, say labSay) (*lab.Workspace, lab.Progress, error) {
	if _, err := space.Reset(ctx, w.Now(), say); err != nil {
		return space, lab.Progress{}, err
	}
	anew, err := lab.OpenWorkspace(w.LabDir, l, w.Machine)
	if err != nil {
		return space, lab.Progress{}, err
	}
	p, err := lab.OpenProgress(w.LabDir).Get(l.ID)
	return anew, p, err
}

// labCheck grades what is there, and takes down what is better than before. An exam may
// have begun since the lab was opened.
func labCheck(ctx context.Context, w *world, space *lab.Workspace) (*lab.Result, lab.Progress, error) {
	if err := lab.RefuseInExam(w.LabDir, space.Lab.ID, w.Now()); err != nil {
		return nil, lab.Progress{}, err
	}
	return lab.OpenProgress(w.LabDir).Grade(ctx, space, w.Now())
}

func labSave(ctx context.Context, w *world, l *lab.Lab, change func(*lab.Progress)) (lab.Progress, error) {
	return lab.OpenProgress(w.LabDir).Update(ctx, l.ID, func(p *lab.Progress) error {
		change(p)
		return nil
	})
}

// labNext is the next lab that has not passed: behind one, or else before it.
func labNext(w *world, l *lab.Lab) (*lab.Lab, error) {
	labs, err := lab.Catalogue()
	if err != nil {
		return nil, err
	}
	progress, err := lab.OpenProgress(w.LabDir).All()
	return lab.Next(labs, l, progress, w.Machine), err
}
