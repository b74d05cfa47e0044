// Package lab holds the practice labs: tasks as the CKA and CKS exams set them,
// which are graded by looking at what a learner has made.
package lab

import "time"

// Lab is one exercise, as its lab.yaml has it (apiVersion pkictl.dev/v1, kind Lab).
type Lab struct {
	ID     string `json:"id"` // that of its directory: lower-case words joined with -
	Title  string `json:"title"`
	Domain string `json:"domain"` // of the exam's curriculum; one of Domains
	// Minutes is how long an exam would give for it.
	Minutes int `json:"minutes"`
	// Needs names what a machine must have, such as "cluster" or "opa".
	Needs    []string `json:"needs,omitempty"`
	Scenario string   `json:"scenario"`
	Tasks    []string `json:"tasks"`
	Hints    []string `json:"hints"` // each says more than the one before
	Solution Solution `json:"solution"`
	Checks   []Check  `json:"checks"`
}

// Solution shows how it is done, in commands: as people do it without pkictl, and
// with it.
type Solution struct {
	Tools  string `json:"tools"` // openssl, kubectl, an editor
	Pkictl string `json:"pkictl"`
}

// Check is one thing that is graded.
type Check struct {
	Name   string `json:"name"` // what is right when it passes: "ca.crt is a CA"
	Kind   string `json:"kind"` // of check, such as certificate
	Points int    `json:"points"`
	Task   int    `json:"task"` // the number of the task that it belongs to, from 1
}

// CheckResult is what a check found. Wanted and Found are for people, and come
// from a learner's files: show.Text before they reach a terminal.
type CheckResult struct {
	Check
	Passed bool   `json:"passed"`
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
}

// Result is the grade of a lab.
type Result struct {
	Lab    string        `json:"lab"`
	Checks []CheckResult `json:"checks"`
	Points int           `json:"points"` // of those that passed
	Total  int           `json:"total"`
}

// Passed says whether every check has passed.
func (r *Result) Passed() bool { return r.Points == r.Total }

// Progress is what is kept of a learner's work on a lab.
type Progress struct {
	Lab       string    `json:"lab"`
	Dir       string    `json:"dir,omitempty"` // its workspace
	StartedAt time.Time `json:"startedAt,omitzero"`
	// Spent is how long it was open in all, before the time that it is open now.
	Spent    time.Duration `json:"spent"`
	Points   int           `json:"points"` // the best so far
	Total    int           `json:"total"`
	Hints    int           `json:"hints"`  // how many were shown
	GaveUp   bool          `json:"gaveUp"` // the solution was shown before it passed
	PassedAt time.Time     `json:"passedAt,omitzero"`
}

// Exam is a set of labs against the clock, as it is kept between runs.
type Exam struct {
	StartedAt time.Time  `json:"startedAt"`
	EndsAt    time.Time  `json:"endsAt"`
	EndedAt   time.Time  `json:"endedAt,omitzero"` // zero while it goes on
	Tasks     []ExamTask `json:"tasks"`
}

// ExamTask is a lab in an exam.
type ExamTask struct {
	Lab     string `json:"lab"`
	Domain  string `json:"domain"`
	Weight  int    `json:"weight"` // percent of the exam
	Dir     string `json:"dir"`
	Flagged bool   `json:"flagged"` // to come back to
	Points  int    `json:"points"`
	Total   int    `json:"total"`
}

// PassMark is the percentage that passes an exam.
const PassMark = 67
