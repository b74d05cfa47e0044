package lab

import (
	"math/big"
	"slices"
	"time"
)

// Report is how an exam went. Percentages are rounded down; Passed is not.
type Report struct {
	Score    int           `json:"score"` // percent
	PassMark int           `json:"passMark"`
	Passed   bool          `json:"passed"`
	Took     time.Duration `json:"took"`
	Domains  []DomainScore `json:"domains"` // those that were in it
	Tasks    []ExamTask    `json:"tasks"`
}

// DomainScore is how a domain of an exam went.
type DomainScore struct {
	Domain string `json:"domain"`
	Title  string `json:"title"`
	Weight int    `json:"weight"` // percent of this exam
	Score  int    `json:"score"`  // percent of the domain
}

// Report reports how the exam went, or would have gone if it ended now.
func (e *Exam) Report() *Report {
	r := &Report{PassMark: PassMark, Took: e.EndedAt.Sub(e.StartedAt), Tasks: slices.Clone(e.Tasks)}
	if e.EndedAt.IsZero() {
		r.Took = 0
	}
	all := new(big.Rat)
	for _, d := range Domains() {
		weight, got := 0, new(big.Rat)
		for _, t := range e.Tasks {
			if t.Domain == d.ID {
				weight += t.Weight
				got.Add(got, t.score())
			}
		}
		if weight == 0 {
			continue
		}
		all.Add(all, got)
		share := new(big.Rat).Quo(got, big.NewRat(int64(weight), 100))
		r.Domains = append(r.Domains, DomainScore{d.ID, d.Title, weight, floor(share)})
	}
	r.Score, r.Passed = floor(all), all.Cmp(big.NewRat(PassMark, 1)) >= 0
	return r
}

// score is the part of its weight that a task has earned.
func (t ExamTask) score() *big.Rat {
	if t.Total == 0 {
		return new(big.Rat)
	}
	return big.NewRat(int64(t.Weight*t.Points), int64(t.Total))
}

func floor(r *big.Rat) int { return int(new(big.Int).Quo(r.Num(), r.Denom()).Int64()) }

// Results returns what the checks said when each task was graded last, by its lab; none
// of a task that was never graded.
func (r *Report) Results() map[string]*Result {
	results := map[string]*Result{}
	for _, t := range r.Tasks {
		if t.Checks != nil {
			results[t.Lab] = &Result{Lab: t.Lab, Checks: t.Checks, Points: t.Points, Total: t.Total}
		}
	}
	return results
}
