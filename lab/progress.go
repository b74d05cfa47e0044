package lab

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// ProgressStore keeps a learner's progress, in one file below the root of all
// workspaces. Several processes may use it at once.
type ProgressStore struct{ file kept }

// OpenProgress returns the progress that is kept below root. It touches no disk.
func OpenProgress(root string) *ProgressStore {
	return &ProgressStore{kept{root: root, name: "progress.json", kind: "LabProgress"}}
}

// All returns the progress of every lab that was ever started, by the labs' IDs in
// their order.
func (s *ProgressStore) All() ([]Progress, error) {
	list, err := load[[]Progress](s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// Get returns the progress of a lab; where there is none it names the lab alone.
func (s *ProgressStore) Get(id string) (Progress, error) {
	list, err := s.All()
	for _, p := range list {
		if p.Lab == id {
			return p, err
		}
	}
	return Progress{Lab: id}, err
}

// Update changes the progress of a lab, and returns it as it then is. No change of
// another process is lost. An error of change leaves all as it was.
func (s *ProgressStore) Update(ctx context.Context, id string, change func(*Progress) error) (Progress, error) {
	var changed Progress
	err := update(ctx, s.file, func(list *[]Progress, _ bool) error {
		i, found := slices.BinarySearchFunc(*list, id, func(p Progress, id string) int { return cmp.Compare(p.Lab, id) })
		if !found {
			*list = slices.Insert(*list, i, Progress{Lab: id})
		}
		if err := change(&(*list)[i]); err != nil {
			return err
		}
		(*list)[i].Lab = id
		changed = (*list)[i]
		return nil
	})
	return changed, err
}

// Started notes that a workspace is worked in.
func (p *Progress) Started(w *Workspace) {
	p.Dir = w.Dir
	if p.StartedAt.IsZero() {
		p.StartedAt = w.StartedAt
	}
}

// Graded notes a grade: the best one counts, and the first time that it passed.
func (p *Progress) Graded(r *Result, now time.Time) {
	p.Points, p.Total = max(p.Points, r.Points), r.Total
	if r.Passed() && p.PassedAt.IsZero() {
		p.PassedAt = now
	}
}

// ShowedHints notes that so many hints have been seen.
func (p *Progress) ShowedHints(count int) { p.Hints = max(p.Hints, count) }

// ShowedSolution notes that the solution was shown, which is giving up unless the
// lab has passed.
func (p *Progress) ShowedSolution() { p.GaveUp = p.GaveUp || p.PassedAt.IsZero() }
