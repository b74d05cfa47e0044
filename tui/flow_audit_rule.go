package tui

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

// auditRule is a rule of one's own, in its parts.
type auditRule struct {
	level                                       string
	verbs, resources, namespaces, users, groups []string
	more                                        bool // another one follows
}

func (r *auditRule) asked() audit.Asked {
	return audit.Asked{Verbs: r.verbs, Resources: r.resources, Namespaces: r.namespaces, Users: r.users, Groups: r.groups, Level: r.level}
}

// ruleCount is how many rules are asked for.
func (f *flowAudit) ruleCount() int {
	if !f.hasRules {
		return 0
	}
	n := 1
	for n < maxAuditRules && f.rules[n-1].more {
		n++
	}
	return n
}

// addRules adds at most so many rules to what a policy is to log.
func (f *flowAudit) addRules(o *audit.Options, most int) error {
	for i := range min(most, f.ruleCount()) {
		if err := f.rules[i].asked().AddTo(o); err != nil {
			return err
		}
	}
	return nil
}

func (f *flowAudit) ruleStep(i int) step {
	r := &f.rules[i]
	s := step{
		title:  fmt.Sprintf("Rule %d", i+1),
		intro:  "What is left empty counts as all. Where users and groups are given, a user must match both.",
		hidden: func() bool { return f.isLint() || i >= f.ruleCount() },
		fields: []field{
			{title: "What is logged", choice: &r.level, options: auditLevelOptions},
			{title: "Verbs", many: &r.verbs, options: auditVerbOptions, help: "What is done. Who deletes many with one request does it with deletecollection."},
			{title: "Resources", list: &r.resources, suggestions: audit.ResourceNames,
				check: r.checkPart(func(name string) audit.Asked { return audit.Asked{Resources: []string{name}, Level: r.level} }),
				help:  "As for kubectl: pods, deploy, pods/exec, pods/*, widgets.example.com; or paths: /healthz, /logs*"},
			{title: "Namespaces", list: &r.namespaces,
				check: r.checkPart(func(name string) audit.Asked {
					return audit.Asked{Resources: []string{"any"}, Namespaces: []string{name}, Level: "Metadata"}
				}),
				help: "In which namespaces, as in: prod, prod-eu. Empty: in all, and outside of them."},
			{title: "Users", list: &r.users,
				check: r.checkPart(func(name string) audit.Asked { return audit.Asked{Users: []string{name}, Level: "Metadata"} }),
				help:  "Names of users, as in: jane, system:serviceaccount:prod:deployer"},
			{title: "Groups", list: &r.groups,
				check: r.checkPart(func(name string) audit.Asked { return audit.Asked{Groups: []string{name}, Level: "Metadata"} }),
				help:  "Groups that the user is in, as in: developers, system:serviceaccounts"},
		},
		check: func() error { return f.checkRules(i) },
	}
	if i+1 < maxAuditRules {
		s.fields = append(s.fields, field{title: "Another rule", yes: &r.more, help: fmt.Sprintf("There is room for %d; more go into the file, or to further flags.", maxAuditRules)})
	}
	return s
}

// checkPart holds what is typed into one field against the grammar of rules, as
// audit generate does with the whole.
func (r *auditRule) checkPart(of func(name string) audit.Asked) func(string) error {
	return func(name string) error {
		var o audit.Options
		if err := of(name).AddTo(&o); err != nil {
			return err
		}
		return withoutRule(o.Check())
	}
}

// withoutRule is an error without the rule that it is about, which is on the
// screen.
func withoutRule(err error) error {
	var known *failure.Error
	if errors.As(err, &known) && known.Err != nil {
		return failure.New(known.Kind, known.Hint, "%v", known.Err)
	}
	return err
}

// checkRules says whether a policy can be made with the rules so far.
func (f *flowAudit) checkRules(last int) error {
	if err := f.rules[last].checkIsAsked(); err != nil {
		return err
	}
	o := audit.Options{Preset: f.preset}
	if err := f.addRules(&o, last+1); err != nil {
		return err
	}
	_, err := audit.Generate(o)
	return err
}

// checkIsAsked is for a step that was passed without an answer.
func (r *auditRule) checkIsAsked() error {
	if r.level == "None" && slices.Concat(r.verbs, r.resources, r.namespaces, r.users, r.groups) == nil {
		return failure.New(failure.Usage, "say which requests: some verbs, resources, namespaces, users or groups", "a rule that ignores everything leaves nothing to log")
	}
	return nil
}

func auditLevelOptions() []option {
	var list []option
	for _, l := range audit.LevelRows() {
		o := option{l.Name, l.Name, l.What}
		if l.Name == "None" {
			o.label = "None"
		}
		list = append(list, o)
	}
	return slices.Concat(list[1:], list[:1]) // what is logged is more often what is meant
}

func auditVerbOptions() []option {
	list := []option{{"reads", "reads", "get, list and watch"}, {"changes", "changes", "create, update, patch, delete and deletecollection"}}
	for _, verb := range audit.Verbs() {
		list = append(list, option{verb, verb, ""})
	}
	return list
}
