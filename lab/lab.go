// Package lab holds the practice labs: tasks as the CKA and CKS exams set them,
// which are graded by looking at what a learner has made.
//
// A lab is data (package examples, or a directory of somebody's own). Start writes
// its files into a workspace, Check grades what is there: it reads, and never runs,
// changes or sends anything. Progress is what is kept of a learner's work, a
// Session is an exam against the clock.
package lab

import (
	"io/fs"
	"slices"
	"time"
)

// Lab is one exercise, as its lab.yaml has it (apiVersion pkictl.dev/v1, kind Lab).
// It is shared: do not change it.
type Lab struct {
	ID     string `json:"id"` // that of its directory: lower-case words joined with -
	Number int    `json:"number,omitempty"`
	Title  string `json:"title"`
	Domain string `json:"domain"` // the ID of one of Domains
	// Minutes is how long an exam would give for it.
	Minutes int `json:"minutes"`
	// Needs names what a machine must have: some of Needs().
	Needs []string `json:"needs,omitempty"`
	// Scenario, each of Tasks and each of Hints are paragraphs, of one long line each.
	Scenario string   `json:"scenario"`
	Tasks    []string `json:"tasks"`
	Hints    []string `json:"hints"` // each says more than the one before
	Solution Solution `json:"-"`     // not before it is asked for
	Checks   []Check  `json:"checks"`
	Mutants  []Mutant `json:"-"`

	graders []grader    // of each check
	given   fs.FS       // its directory
	from    string      // the path of that, of a lab of somebody's own
	cluster *ownCluster // nil: it has none
	asked   []string    // files below start that checks compare with
	// The checks whose questions opa is asked together.
	regoChecks       []*regoCheck
	gatekeeperChecks []*gatekeeperCheck
}

// HasCluster says whether the lab has a cluster of its own.
func (l *Lab) HasCluster() bool { return slices.Contains(l.Needs, NeedsCluster) }

// Points is what all checks are worth together.
func (l *Lab) Points() int {
	sum := 0
	for _, check := range l.Checks {
		sum += check.Points
	}
	return sum
}

// Solution shows how it is done, in commands for a POSIX shell in the workspace: as
// people do it without pkictl, and with it. The files are below solution in the
// lab's directory.
type Solution struct {
	Tools  string `json:"tools"`  // openssl, kubectl, an editor
	Pkictl string `json:"pkictl"` // empty where pkictl is of no use
	// Second is another right answer, which proves that the checks ask for what the
	// tasks say and nothing else.
	Second string `json:"-"`
}

// Mutant is a typical mistake, which proves that the checks find it. Its script is
// mutants/ID.sh in the lab's directory, and runs where the solution has run.
type Mutant struct {
	ID      string
	Mistake string   // in words
	Loses   []string // the checks that it fails, and no others
	Script  string
}

// Check is one thing that is graded.
type Check struct {
	ID     string `json:"id"`   // unique in its lab
	Name   string `json:"name"` // what is right when it passes: "ca.crt is a CA"
	Kind   string `json:"kind"` // of check, such as certificate
	Points int    `json:"points"`
	Task   int    `json:"task"` // the number of the task that it belongs to, from 1
}

// CheckResult is what a check found. Wanted and Found are for people, one line
// each, and come from a learner's files: show.Text before they reach a terminal.
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
	Points  int    `json:"points"`  // when it was last graded, before the end
	Total   int    `json:"total"`
	// Checks is what was found then.
	Checks []CheckResult `json:"checks,omitempty"`
	// Ungraded says why it was not graded when the exam was finished: what it had
	// before counts.
	Ungraded string `json:"ungraded,omitempty"`
}

// grade notes how a task stands.
func (t *ExamTask) grade(r *Result) { t.Points, t.Total, t.Checks = r.Points, r.Total, r.Checks }

// PassMark is the percentage that passes an exam.
const PassMark = 67
