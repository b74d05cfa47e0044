package lab

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// manyLabs are four of each domain, of 5 to 11 minutes; one in two needs a cluster.
func manyLabs() []*Lab {
	var labs []*Lab
	for _, d := range Domains() {
		for i := range 4 {
			l := &Lab{ID: fmt.Sprintf("%s-%d", d.ID, i), Domain: d.ID, Minutes: 5 + 2*i}
			if i%2 == 0 {
				l.Needs = []string{NeedsCluster}
			}
			labs = append(labs, l)
		}
	}
	return labs
}

func TestChoose(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		o := ExamOptions{Minutes: 60 + int(seed), Random: rand.New(rand.NewPCG(seed, 0))}
		if seed%2 == 0 {
			o.Machine = &Machine{} // with a control plane
		}
		chosen := choose(manyLabs(), o)
		weights := weigh(chosen)
		minutes, sum, perDomain := 0, 0, map[string]int{}
		seen := map[string]bool{}
		for i, l := range chosen {
			d, _ := DomainNamed(l.Domain)
			if d.Exam != ExamCKS || seen[l.ID] || o.Machine == nil && len(l.Needs) > 0 || weights[i] < 1 {
				t.Errorf("seed %d: chose %s at %d percent", seed, l.ID, weights[i])
			}
			seen[l.ID] = true
			minutes, sum = minutes+l.Minutes, sum+weights[i]
			perDomain[l.Domain] += weights[i]
		}
		if minutes > o.Minutes || sum != 100 {
			t.Errorf("seed %d: %d minutes of %d, %d percent", seed, minutes, o.Minutes, sum)
		}
		for _, d := range Domains() {
			// All six are there, so the weights are the curriculum's; each of four labs
			// at most may be rounded by less than one.
			if got := perDomain[d.ID]; d.Exam == ExamCKS && (got < d.Weight-3 || got > d.Weight+3) {
				t.Errorf("seed %d: %s has %d percent, want %d", seed, d.ID, got, d.Weight)
			}
		}
	}
	first := func(seed uint64) string {
		return choose(manyLabs(), ExamOptions{Minutes: 90, Random: rand.New(rand.NewPCG(seed, 0))})[0].ID
	}
	var firsts []string
	for seed := range uint64(20) {
		firsts = append(firsts, first(seed))
	}
	if slices.Sort(firsts); len(slices.Compact(firsts)) < 2 {
		t.Errorf("each exam begins with %s", firsts[0])
	}
	if got := choose(manyLabs(), ExamOptions{Minutes: 4}); got != nil {
		t.Errorf("chose %v for four minutes", got)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		tasks  []ExamTask
		score  int
		passed bool
	}{
		{"nothing", []ExamTask{{Domain: "storage", Weight: 100, Total: 3}}, 0, false},
		{"all", []ExamTask{{Domain: "storage", Weight: 100, Points: 3, Total: 3}}, 100, true},
		{"two thirds are not enough", []ExamTask{{Domain: "storage", Weight: 100, Points: 2, Total: 3}}, 66, false},
		{"just enough, in thirds", []ExamTask{
			{Domain: "storage", Weight: 99, Points: 2, Total: 3}, {Domain: "storage", Weight: 1, Points: 1, Total: 1}}, 67, true},
		{"by weight, not by points", []ExamTask{
			{Domain: "storage", Weight: 67, Points: 1, Total: 1}, {Domain: "workloads", Weight: 33, Points: 0, Total: 99}}, 67, true},
	} {
		r := (&Exam{Tasks: test.tasks}).Report()
		if r.Score != test.score || r.Passed != test.passed {
			t.Errorf("%s: %d percent, passed %v", test.name, r.Score, r.Passed)
		}
	}
	r := (&Exam{Tasks: []ExamTask{
		{Domain: "storage", Weight: 30, Points: 1, Total: 2}, {Domain: "workloads", Weight: 70, Points: 1, Total: 1}}}).Report()
	want := []DomainScore{{"workloads", "Workloads and Scheduling", 70, 100}, {"storage", "Storage", 30, 50}}
	if !slices.Equal(r.Domains, want) || r.Score != 85 {
		t.Errorf("%+v", r)
	}
}
