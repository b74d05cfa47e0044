package audit

import (
	"bytes"
	"strings"
	"unsafe"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// What bounds the memory that names in a log can take. In the logs of real
// clusters there are far fewer.
const (
	maxNames      = 10_000 // users, resources or days that are counted apart
	maxNameLength = 200    // bytes
	othersName    = "(others)"
)

// Tally counts events and the bytes of their lines.
type Tally struct {
	Events int64 `json:"events"`
	Bytes  int64 `json:"bytes"`
	// Incomplete are the events among them whose bytes are a lower bound: the policy
	// wants an object of the request or the response, which the log does not have.
	Incomplete int64 `json:"incomplete,omitempty"`
}

func (t *Tally) add(size int64, incomplete bool) {
	t.Events++
	t.Bytes += size
	if incomplete {
		t.Incomplete++
	}
}

func (t *Tally) merge(other Tally) {
	t.Events += other.Events
	t.Bytes += other.Bytes
	t.Incomplete += other.Incomplete
}

// named is what is counted of a user, a resource or a day: of the log, and of what
// each policy keeps.
type named struct {
	log  Tally
	kept [2]Tally
}

func (n *named) merge(other *named) {
	n.log.merge(other.log)
	for i := range n.kept {
		n.kept[i].merge(other.kept[i])
	}
}

type names map[string]*named

// of returns the counter of a name, of which it keeps a copy.
func (n names) of(name string) *named {
	if found := n[name]; found != nil {
		return found
	}
	if len(name) > maxNameLength {
		name = name[:maxNameLength] + "..."
	}
	if len(n) >= maxNames && n[name] == nil {
		name = othersName
	}
	found := n[name]
	if found == nil {
		found = new(named)
		n[strings.Clone(name)] = found
	}
	return found
}

// judged is what a policy makes of the log.
type judged struct {
	evaluator *Evaluator
	rules     []ruleCount // the last is that of requests that no rule matches
	levels    [len(levels)]Tally
	// requests and watches are those of which the policy also keeps the stages
	// RequestReceived and ResponseStarted.
	requests, watches int64
}

type ruleCount struct {
	events int64 // of requests that the rule decides about
	kept   Tally
}

// counts is all that is counted, by one goroutine.
type counts struct {
	log       Tally
	levels    [len(levels)]Tally // of the log
	stages    [len(stages)]int64
	truncated int64
	lines     int64
	bytes     int64
	first     string // times
	last      string

	policies               []judged
	users, resources, days names
	changes                map[changeKey]*change
	changedResources       map[string]*changed
	problems               problems

	sizes [2]int64 // of the event at hand, as each policy keeps it
}

func newCounts(policies []*Policy) *counts {
	c := &counts{users: names{}, resources: names{}, days: names{}, changes: map[changeKey]*change{}, changedResources: map[string]*changed{}}
	for _, p := range policies {
		c.policies = append(c.policies, judged{evaluator: p.Evaluator(), rules: make([]ruleCount, len(p.Rules)+1)})
	}
	return c
}

const byteOrderMark = "\ufeff"

func (c *counts) countBatch(b batch) {
	at := b.first
	c.bytes += int64(len(b.data))
	for rest := b.data; len(rest) > 0; at++ {
		line, after, _ := bytes.Cut(rest, newline)
		rest = after
		c.lines++
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if at == 1 {
			line = bytes.TrimPrefix(line, []byte(byteOrderMark))
		}
		if bytes.IndexByte(line, 0) >= 0 {
			c.problem(b, at, ReasonNUL)
			line = bytes.Trim(line, "\x00")
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			// Not copied, which would be half of all garbage: what outlives the line,
			// names and examples, is.
			c.countLine(b, at, unsafe.String(&line[0], len(line))) //nolint:gosec // nothing of it is written to while it is read
		}
	}
}

func (c *counts) countLine(b batch, at int64, line string) {
	reason := eachEvent(line, func(e *event) { c.count(e, place{order: b.order, log: b.input.name, line: at}) })
	if reason != "" {
		c.problem(b, at, reason)
	}
}

func (c *counts) problem(b batch, line int64, reason string) {
	c.problems.add(problem{order: b.order, Problem: Problem{Log: b.input.name, Line: line, Reason: reason}})
}

func (c *counts) count(e *event, at place) {
	c.log.add(e.bytes, false)
	c.levels[levelIndex(e.level)].add(e.bytes, false)
	c.stages[stageIndex(e.stage)]++
	if e.truncated {
		c.truncated++
	}
	day := "unknown"
	if e.time != "" {
		day = e.time[:len("2006-01-02")]
		if c.first == "" || e.time < c.first {
			c.first = strings.Clone(e.time)
		}
		if e.time > c.last {
			c.last = strings.Clone(e.time)
		}
	}
	counted := [...]*named{c.users.of(e.request.User), c.resources.of(e.request.about()), c.days.of(day)}
	for _, n := range counted {
		n.log.add(e.bytes, false)
	}
	var decisions [2]Decision
	for i := range c.policies {
		d := c.policies[i].evaluator.Decide(&e.request)
		decisions[i] = d
		size, incomplete, kept := c.policies[i].judge(e, &d)
		c.sizes[i] = size
		for _, n := range counted {
			if kept {
				n.kept[i].add(size, incomplete)
			}
		}
	}
	if len(c.policies) == 2 {
		c.compare(e, at, &decisions[0], &decisions[1])
	}
}

// judge counts an event by what the policy decides about it. The size is that of
// an event that is kept.
func (j *judged) judge(e *event, d *Decision) (size int64, incomplete, kept bool) {
	rule := &j.rules[len(j.rules)-1]
	if d.Rule != NoRule {
		rule = &j.rules[d.Rule]
	}
	rule.events++
	if e.isOver() && d.Keeps(internal.StageRequestReceived) {
		j.requests++
	}
	if e.isOver() && e.request.Verb == "watch" && d.Keeps(internal.StageResponseStarted) {
		j.watches++
	}
	if !d.Keeps(e.stage) {
		j.levels[0].Events++ // reported as NotKept
		return 0, false, false
	}
	size, incomplete = e.sizeAt(d)
	rule.kept.add(size, incomplete)
	j.levels[levelIndex(d.Level)].add(size, incomplete)
	return size, incomplete, true
}

// about names what a request is about: pods, pods/exec, deployments.apps/scale, or
// the beginning of a path.
func (r *Request) about() string {
	if !r.IsResource {
		first, _, more := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		if more {
			return "/" + first + "/*"
		}
		return "/" + first
	}
	return r.What()
}

// merge adds what another goroutine has counted.
func (c *counts) merge(other *counts) {
	c.log.merge(other.log)
	c.truncated += other.truncated
	c.lines += other.lines
	c.bytes += other.bytes
	for i := range c.levels {
		c.levels[i].merge(other.levels[i])
	}
	for i := range c.stages {
		c.stages[i] += other.stages[i]
	}
	if other.first != "" && (c.first == "" || other.first < c.first) {
		c.first = other.first
	}
	c.last = max(c.last, other.last)
	for i := range c.policies {
		c.policies[i].merge(&other.policies[i])
	}
	for to, from := range map[*names]names{&c.users: other.users, &c.resources: other.resources, &c.days: other.days} {
		for name, n := range from {
			to.of(name).merge(n)
		}
	}
	c.mergeChanges(other)
	c.problems.merge(&other.problems)
}

func (j *judged) merge(other *judged) {
	j.requests += other.requests
	j.watches += other.watches
	for i := range j.rules {
		j.rules[i].events += other.rules[i].events
		j.rules[i].kept.merge(other.rules[i].kept)
	}
	for i := range j.levels {
		j.levels[i].merge(other.levels[i])
	}
}
