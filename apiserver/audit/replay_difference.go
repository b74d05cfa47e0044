package audit

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// Kinds of a difference between two policies, as seen from the first.
const (
	Gained  = "gained"  // it keeps an event that the other does not
	Lost    = "lost"    // it does not keep one that the other does
	Raised  = "raised"  // both keep it, it at a higher level
	Lowered = "lowered" // both keep it, it at a lower level
)

var changeKinds = [...]string{Gained, Lost, Raised, Lowered}

// changeKey is what differences are summed up by: the rules that decide.
type changeKey struct {
	kind           int // in changeKinds
	rule, rule2    int // or NoRule
	level1, level2 int
}

type change struct {
	events, bytes int64
	at            place // of the example, the first
	example       Example
}

// changed counts events by kind of difference, and by how many bytes the policy
// keeps more than the other.
type changed struct {
	events [len(changeKinds)]int64
	bytes  int64
}

// Example is one event of many.
type Example struct {
	Log   string         `json:"log"`
	Line  int64          `json:"line"`
	User  string         `json:"user,omitempty"`
	Verb  string         `json:"verb"`
	Path  string         `json:"path"` // without the query
	Stage internal.Stage `json:"stage"`
}

// compare counts an event about which the policies decide differently.
func (c *counts) compare(e *event, at place, one, two *Decision) {
	kind, differ := changeOf(e, one, two)
	if !differ {
		return
	}
	bytes := c.sizes[0] - c.sizes[1]
	key := changeKey{kind, one.Rule, two.Rule, levelIndex(one.Level), levelIndex(two.Level)}
	found := c.changes[key]
	if found == nil {
		found = &change{at: at, example: Example{
			Log: at.log, Line: at.line, User: clip(e.request.User), Verb: clip(e.request.Verb), Path: clip(e.request.Path), Stage: stages[stageIndex(e.stage)],
		}}
		c.changes[key] = found
	}
	found.events++
	found.bytes += bytes
	of := c.changedOf(e.request.about())
	of.events[kind]++
	of.bytes += bytes
}

func changeOf(e *event, one, two *Decision) (kind int, differ bool) {
	keeps, keeps2 := one.Keeps(e.stage), two.Keeps(e.stage)
	switch level, level2 := levelIndex(one.Level), levelIndex(two.Level); {
	case keeps && !keeps2:
		return 0, true
	case !keeps && keeps2:
		return 1, true
	case keeps && level > level2:
		return 2, true
	case keeps && level < level2:
		return 3, true
	}
	return 0, false
}

// clip returns a copy that is not too long.
func clip(s string) string {
	if len(s) > maxNameLength {
		return s[:maxNameLength] + "..."
	}
	return strings.Clone(s)
}

func (c *counts) changedOf(name string) *changed {
	if found := c.changedResources[name]; found != nil {
		return found
	}
	name = clip(name)
	if len(c.changedResources) >= maxNames && c.changedResources[name] == nil {
		name = othersName
	}
	found := c.changedResources[name]
	if found == nil {
		found = new(changed)
		c.changedResources[name] = found
	}
	return found
}

func (c *counts) mergeChanges(other *counts) {
	for key, from := range other.changes {
		to := c.changes[key]
		if to == nil {
			c.changes[key] = from
			continue
		}
		to.events += from.events
		to.bytes += from.bytes
		if from.at.compare(to.at) < 0 {
			to.at, to.example = from.at, from.example
		}
	}
	for name, from := range other.changedResources {
		to := c.changedOf(name)
		to.bytes += from.bytes
		for i := range to.events {
			to.events[i] += from.events[i]
		}
	}
}

// Difference is what a policy gains and loses against another.
type Difference struct {
	Gained    int64            `json:"gained"` // events
	Lost      int64            `json:"lost"`
	Raised    int64            `json:"raised"`
	Lowered   int64            `json:"lowered"`
	Bytes     int64            `json:"bytes"` // that are kept more in all; below 0: less
	Rules     []RuleChange     `json:"rules"`
	Resources []ResourceChange `json:"resources"`
}

// RuleChange is what is decided differently because of two rules.
type RuleChange struct {
	Change  string `json:"change"`
	Rule    int    `json:"rule"`    // counted from 1; 0: none matches
	Against int    `json:"against"` // the other policy's
	// Level and AgainstLevel are what the rules say. An event may still not be kept,
	// for its stage.
	Level        internal.Level `json:"level"`
	AgainstLevel internal.Level `json:"againstLevel"`
	Events       int64          `json:"events"`
	Bytes        int64          `json:"bytes"`
	Example      Example        `json:"example"`
}

// ResourceChange is what is kept differently of a resource.
type ResourceChange struct {
	Name    string `json:"name"`
	Gained  int64  `json:"gained"`
	Lost    int64  `json:"lost"`
	Raised  int64  `json:"raised"`
	Lowered int64  `json:"lowered"`
	Bytes   int64  `json:"bytes"`
}

func (c *counts) difference(top int) *Difference {
	d := &Difference{Rules: []RuleChange{}, Resources: []ResourceChange{}}
	totals := [...]*int64{&d.Gained, &d.Lost, &d.Raised, &d.Lowered}
	keys := slices.SortedFunc(maps.Keys(c.changes), func(a, b changeKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(c.changes[b].events, c.changes[a].events),
			cmp.Compare(a.rule, b.rule), cmp.Compare(a.rule2, b.rule2))
	})
	for _, key := range keys {
		found := c.changes[key]
		*totals[key.kind] += found.events
		d.Rules = append(d.Rules, RuleChange{
			Change: changeKinds[key.kind], Rule: key.rule + 1, Against: key.rule2 + 1,
			Level: levels[key.level1], AgainstLevel: levels[key.level2],
			Events: found.events, Bytes: found.bytes, Example: found.example,
		})
	}
	for name, of := range c.changedResources {
		d.Resources = append(d.Resources, ResourceChange{
			Name: name, Gained: of.events[0], Lost: of.events[1], Raised: of.events[2], Lowered: of.events[3], Bytes: of.bytes,
		})
	}
	slices.SortFunc(d.Resources, func(a, b ResourceChange) int {
		return cmp.Or(cmp.Compare(b.events(), a.events()), strings.Compare(a.Name, b.Name))
	})
	if top > 0 && len(d.Resources) > top {
		others := ResourceChange{Name: othersName}
		for _, r := range d.Resources[top:] {
			others.Gained += r.Gained
			others.Lost += r.Lost
			others.Raised += r.Raised
			others.Lowered += r.Lowered
			others.Bytes += r.Bytes
		}
		d.Resources = append(d.Resources[:top], others)
	}
	return d
}

func (r *ResourceChange) events() int64 { return r.Gained + r.Lost + r.Raised + r.Lowered }
