package audit

import (
	"cmp"
	"slices"
	"strings"
)

// shownProblems is how many are told where they are.
const shownProblems = 5

// Problem is a line that was not counted as an event.
type Problem struct {
	Log    string `json:"log"`
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
}

// place is a line of a log, and the order of logs.
type place struct {
	order int
	log   string
	line  int64
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.order, other.order), cmp.Compare(p.line, other.line))
}

type problem struct {
	order int
	Problem
}

// problems are counted by reason, and the first of them kept.
type problems struct {
	counts map[string]int64
	first  []problem
}

func (p *problems) add(one problem) {
	if p.counts == nil {
		p.counts = map[string]int64{}
	}
	reason, _, _ := strings.Cut(one.Reason, ": ")
	p.counts[reason]++
	p.keep(one)
}

func (p *problems) keep(one problem) {
	p.first = append(p.first, one)
	slices.SortStableFunc(p.first, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Line, b.Line))
	})
	p.first = p.first[:min(len(p.first), shownProblems)]
}

func (p *problems) merge(other *problems) {
	for reason, n := range other.counts {
		if p.counts == nil {
			p.counts = map[string]int64{}
		}
		p.counts[reason] += n
	}
	for _, one := range other.first {
		p.keep(one)
	}
}
