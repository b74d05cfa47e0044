package lab

import (
	"context"
	"time"
)

// Grade grades a workspace, and takes down what is better than before. A grade that
// is not writes nothing.
func (s *ProgressStore) Grade(ctx context.Context, w *Workspace, now time.Time) (*Result, Progress, error) {
	result, err := w.Check(ctx, now)
	if err != nil {
		return nil, Progress{}, err
	}
	kept, err := s.Get(w.Lab.ID)
	if err != nil {
		return result, kept, err
	}
	better := kept
	better.Graded(result, now)
	if better == kept {
		return result, kept, nil
	}
	kept, err = s.Update(ctx, w.Lab.ID, func(p *Progress) error {
		p.Graded(result, now)
		return nil
	})
	return result, kept, err
}

// Next is the lab to go on with when one is done: the first behind it, or else before
// it, that has not passed and can be done on the machine; nil if there is none.
func Next(labs []*Lab, after *Lab, progress []Progress, m *Machine) *Lab {
	passed := map[string]bool{}
	for _, p := range progress {
		passed[p.Lab] = p.State() == StatePassed
	}
	at := 0
	for i, l := range labs {
		if l.ID == after.ID {
			at = i
		}
	}
	for i := 1; i < len(labs); i++ {
		if l := labs[(at+i)%len(labs)]; !passed[l.ID] && m.meets(l) {
			return l
		}
	}
	return nil
}
