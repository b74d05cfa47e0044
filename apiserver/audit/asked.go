package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/internal/failure"
)

// Asked is a rule in its parts, each of which may be empty but the level. None
// has nothing logged.
type Asked struct {
	Verbs, Resources, Namespaces, Users, Groups []string
	Level                                       string
}

// LevelRow is a level, with what it has logged of a request.
type LevelRow struct{ Name, What string }

// LevelRows returns all levels for people, the one that logs least first.
func LevelRows() []LevelRow {
	return []LevelRow{
		{Name: "None", What: "nothing: these requests leave no line"},
		{Name: "Metadata", What: "who did what, to which object, when, from where and with what result; no bodies"},
		{Name: "Request", What: "also the body that was sent"},
		{Name: "RequestResponse", What: "also the body of the answer: the log grows by every object that is read"},
	}
}

// AddTo adds the rule to what a policy is to log: in Words where they can say it,
// and in Keys where a name has spaces. What neither can say is an error of kind
// Usage. Whether the rule makes sense Options.Check says.
func (r Asked) AddTo(o *Options) error {
	level := cmp.Or(r.Level, "None")
	words, clauses := r.words()
	head, read, problem := splitWords(words)
	isSaid := problem == "" && slices.Equal(head, r.head()) && maps.EqualFunc(read, clauses, slices.Equal)
	switch {
	case isSaid && level == "None":
		o.Ignore = append(o.Ignore, words)
		return nil
	case isSaid:
		o.Log = append(o.Log, words+" at "+level)
		return nil
	}
	keys, err := r.keys(level)
	if err == nil {
		o.Rules = append(o.Rules, keys)
	}
	return err
}

// head are the words before the first clause.
func (r Asked) head() []string {
	var head []string
	if len(r.Verbs) > 0 {
		head = append(head, strings.Join(r.Verbs, ","))
	}
	switch {
	case len(r.Resources) > 0:
		return append(head, strings.Join(r.Resources, ","))
	case len(r.Namespaces) > 0 || len(r.Verbs) > 0:
		return append(head, "any")
	}
	return append(head, everything)
}

// words returns the rule without its level, and the clauses that are to be read
// from it again.
func (r Asked) words() (string, map[string][]string) {
	text, clauses := strings.Join(r.head(), " "), map[string][]string{}
	for _, c := range []struct {
		word string
		list []string
	}{{"in", r.Namespaces}, {"by", r.Users}, {"by group", r.Groups}} {
		if len(c.list) > 0 {
			text += " " + c.word + " " + strings.Join(c.list, ",")
			clauses[c.word] = c.list
		}
	}
	return text, clauses
}

// keys returns the rule as keys and values. A name that would end its list, or
// begin another, cannot be said.
func (r Asked) keys(level string) (string, error) {
	text := "level=" + level
	known := keyClauses()
	resources, verbs := r.Resources, r.Verbs
	if len(resources) == 0 {
		resources = r.head()[len(r.head())-1:]
	}
	if level != "None" && slices.Contains(verbs, "delete") && !slices.Contains(verbs, "deletecollection") && !strings.HasPrefix(resources[0], "/") {
		verbs = append(slices.Clone(verbs), "deletecollection") // as in Words
	}
	for _, c := range []struct {
		key  string
		list []string
	}{{"verbs", verbs}, {"resources", resources}, {"namespaces", r.Namespaces}, {"users", r.Users}, {"groups", r.Groups}} {
		for i, name := range c.list {
			key, _, hasKey := strings.Cut(name, "=")
			if _, isKey := known[key]; hasKey && isKey && i > 0 || strings.ContainsAny(name, ";,") || strings.TrimSpace(name) != name {
				return "", failure.New(failure.Usage, "write the rule into the policy by hand", "the name %q cannot be said in a rule", name)
			}
		}
		if len(c.list) > 0 {
			text += fmt.Sprintf(";%s=%s", c.key, strings.Join(c.list, ","))
		}
	}
	return text, nil
}

// Check says whether each rule is understood, makes sense and may be, and whether
// they can be put into an order. Generate looks at more.
func (o Options) Check() error {
	if _, err := findPreset(cmp.Or(o.Preset, DefaultPreset)); err != nil {
		return err
	}
	_, err := askedFor(o)
	return err
}

// ResourceNames returns the names of all resources that Kubernetes itself serves,
// as kubectl and rules take them: pods, pods/exec, deployments.apps.
//
// The caller does not change it.
var ResourceNames = sync.OnceValue(func() []string {
	var names []string
	for _, r := range Resources() {
		name, sub, hasSub := strings.Cut(r.Name, "/")
		if first := FindResources(name); len(first) > 0 && first[0].Group != r.Group {
			name += "." + r.Group
		}
		if hasSub {
			name += "/" + sub
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
})
