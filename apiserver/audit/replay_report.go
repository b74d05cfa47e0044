package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// ReplayReport is what policies would have kept of a log.
type ReplayReport struct {
	Logs  []string `json:"logs"`  // in the order in which they were read
	Bytes int64    `json:"bytes"` // of their text
	Lines int64    `json:"lines"`
	// First and Last are the times of the earliest and the latest event.
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`

	Log     Tally         `json:"log"` // all events
	Policy  PolicyReplay  `json:"policy"`
	Against *PolicyReplay `json:"against,omitempty"`
	// Levels are those at which the log has events and the policies keep them. The
	// first is NotKept: for level None or an omitted stage.
	Levels     []Row       `json:"levels"`
	Days       []Row       `json:"days"`      // of UTC
	Users      []Row       `json:"users"`     // those with the most bytes in the log, and the others as one
	Resources  []Row       `json:"resources"` // likewise; of paths that are no resources the first element
	Difference *Difference `json:"difference,omitempty"`

	// NotEvents counts the lines that are no event, by reason, and Problems has the
	// first of them.
	NotEvents map[string]int64 `json:"notEvents,omitempty"`
	Problems  []Problem        `json:"problems,omitempty"`
	Notes     []string         `json:"notes,omitempty"` // what the log cannot tell
}

// NotKept stands among the levels for what a policy does not keep.
const NotKept = "not kept"

// PolicyReplay is what a policy keeps.
type PolicyReplay struct {
	Policy string `json:"policy"`
	Kept   Tally  `json:"kept"`
	// BytesADay is extrapolated where the log covers less than a day, and 0 where
	// that is less than a minute.
	BytesADay int64     `json:"bytesADay,omitempty"`
	Rules     []RuleRow `json:"rules"`
}

// RuleRow is what is decided by a rule.
type RuleRow struct {
	Rule   int            `json:"rule"`           // counted from 1; 0: none matches
	Line   int            `json:"line,omitempty"` // of the policy
	Level  internal.Level `json:"level"`
	Text   string         `json:"text"`
	Events int64          `json:"events"` // of the log
	Kept   Tally          `json:"kept"`   // without those of stages that are omitted
}

// Row is what the log has, and what the policies keep, of one thing.
type Row struct {
	Name    string `json:"name"`
	Log     Tally  `json:"log"`
	Kept    Tally  `json:"kept"`
	Against *Tally `json:"against,omitempty"`
}

func (r *Row) merge(other Row) {
	r.Log.merge(other.Log)
	r.Kept.merge(other.Kept)
	if other.Against != nil {
		if r.Against == nil {
			r.Against = new(Tally)
		}
		r.Against.merge(*other.Against)
	}
}

// Span is the time from the first event to the last.
func (r *ReplayReport) Span() time.Duration {
	if r.First == nil || r.Last == nil {
		return 0
	}
	return r.Last.Sub(*r.First)
}

func (r *ReplayReport) logNames() string {
	names := make([]string, len(r.Logs))
	for i, name := range r.Logs {
		names[i] = fmt.Sprintf("%q", name)
		if name == stdin {
			names[i] = "standard input"
		}
	}
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

func (c *counts) report(inputs []*input, policies []*Policy, top int) *ReplayReport {
	r := &ReplayReport{Bytes: c.bytes, Lines: c.lines + c.problems.counts[ReasonTooLong], Log: c.log, NotEvents: c.problems.counts}
	for _, in := range inputs {
		r.Logs = append(r.Logs, in.name)
	}
	for _, p := range c.problems.first {
		r.Problems = append(r.Problems, p.Problem)
	}
	r.First, r.Last = timeOf(c.first), timeOf(c.last)
	r.Policy = c.policies[0].report(policies[0], r.Span())
	if len(policies) == 2 {
		against := c.policies[1].report(policies[1], r.Span())
		r.Against, r.Difference = &against, c.difference(top)
		r.Difference.Bytes = r.Policy.Kept.Bytes - against.Kept.Bytes
	}
	r.Levels = c.levelRows()
	r.Days = c.days.rows(len(policies))
	slices.SortFunc(r.Days, func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
	r.Users, r.Resources = c.users.topRows(len(policies), top), c.resources.topRows(len(policies), top)
	r.Notes = c.notes(r)
	return r
}

func timeOf(text string) *time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil
	}
	return &t
}

func (j *judged) report(p *Policy, span time.Duration) PolicyReplay {
	r := PolicyReplay{Policy: p.Name, Rules: []RuleRow{}}
	for i, n := range j.rules {
		row := RuleRow{Rule: i + 1, Line: p.Line(i), Events: n.events, Kept: n.kept}
		if i == len(p.Rules) {
			row.Rule, row.Level, row.Text = 0, internal.LevelNone, "no rule matches"
		} else {
			row.Level, row.Text = p.Rules[i].Level, ruleText(&p.Rules[i])
		}
		r.Kept.merge(n.kept)
		r.Rules = append(r.Rules, row)
	}
	if span >= time.Minute {
		r.BytesADay = int64(float64(r.Kept.Bytes) / span.Hours() * 24)
	}
	return r
}

func (c *counts) levelRows() []Row {
	rows := make([]Row, len(levels))
	for i, level := range levels {
		rows[i] = Row{Name: string(level), Log: c.levels[i], Kept: c.policies[0].levels[i]}
		if len(c.policies) == 2 {
			rows[i].Against = &c.policies[1].levels[i]
		}
	}
	rows[0].Name = NotKept // a log has no event at level None
	return rows
}

func (n names) rows(policies int) []Row {
	rows := []Row{}
	for _, name := range slices.Sorted(maps.Keys(n)) {
		of := n[name]
		row := Row{Name: name, Log: of.log, Kept: of.kept[0]}
		if policies == 2 {
			row.Against = &of.kept[1]
		}
		rows = append(rows, row)
	}
	return rows
}

// topRows returns those with the most bytes, and the others as one.
func (n names) topRows(policies, top int) []Row {
	rows := n.rows(policies)
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Log.Bytes, a.Log.Bytes) })
	others := Row{Name: othersName}
	if i := slices.IndexFunc(rows, func(r Row) bool { return r.Name == othersName }); i >= 0 {
		others.merge(rows[i])
		rows = slices.Delete(rows, i, i+1)
	}
	if top > 0 && len(rows) > top {
		for _, row := range rows[top:] {
			others.merge(row)
		}
		rows = rows[:top]
	}
	if others.Log.Events > 0 {
		rows = append(rows, others)
	}
	return rows
}

// notes says what the log cannot tell, beside what its own policy left out.
func (c *counts) notes(r *ReplayReport) []string {
	var notes []string
	for i := range c.policies {
		j, name := &c.policies[i], r.Policy.Policy
		kept := r.Policy.Kept
		if i == 1 {
			name, kept = r.Against.Policy, r.Against.Kept
		}
		if kept.Incomplete > 0 {
			notes = append(notes, fmt.Sprintf("%s wants objects that the log does not have, of %s: the bytes are a lower bound", name, events(kept.Incomplete)))
		}
		if c.stages[0] == 0 && j.requests > 0 {
			notes = append(notes, fmt.Sprintf("%s keeps the stage RequestReceived, of which the log has no event: it would keep up to %d more", name, j.requests))
		}
		if c.stages[1] == 0 && j.watches > 0 {
			notes = append(notes, fmt.Sprintf("%s keeps the stage ResponseStarted, of which the log has no event: it would keep up to %d more", name, j.watches))
		}
	}
	if c.truncated > 0 {
		notes = append(notes, fmt.Sprintf("%s lost objects to --audit-log-truncate-enabled; what they had is not counted", events(c.truncated)))
	}
	if unknown := c.days["unknown"]; unknown != nil {
		notes = append(notes, fmt.Sprintf("of %s the time is not known", events(unknown.log.Events)))
	}
	return notes
}

func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}
