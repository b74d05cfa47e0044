package falco

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readRule reads a rule: a new one, one that takes the place of an earlier one, a
// change to an earlier one, or one with nothing but enabled, which switches it.
func (r *Rules) readRule(it item, name string) error {
	appendable := []string{"condition", "output", "desc", "tags", "exceptions"}
	err := it.readOverrides(appendable, []string{"priority", "enabled", "warn_evttypes", "skip-if-unknown-filter"})
	if err != nil {
		return err
	}
	previous := r.Named(name)
	has := func(key string) bool { return it.keys[key] != nil }
	switch {
	case it.append || len(it.override) > 0:
		if previous == nil {
			return it.errorf("write the name as the rule has it, and load its file before", "there is no rule of that name to change")
		}
		return r.change(it, previous)
	case !has("condition") && !has("output") && !has("desc") && !has("priority"):
		enabled, err := it.boolean("enabled", true)
		switch {
		case err != nil:
			return err
		case !has("enabled"):
			return it.errorf("give it condition, output, desc and priority", "it has no condition")
		case previous == nil:
			return it.errorf("", "it has nothing but enabled, and there is no rule of that name before it")
		}
		previous.Enabled = enabled
		return nil
	}
	rule := &Rule{Name: name, Source: "syscall", Enabled: true, File: it.file.Name, Line: it.node.Line}
	if err := r.define(it, rule); err != nil {
		return err
	}
	if previous != nil {
		*previous = *rule
		return nil
	}
	r.rules = append(r.rules, rule)
	return nil
}

// define reads all of a rule.
func (r *Rules) define(it item, rule *Rule) (err error) {
	for _, key := range [...]struct {
		name string
		to   *string
	}{{"condition", &rule.Condition}, {"output", &rule.Output}, {"desc", &rule.Description}} {
		if *key.to, err = it.text(key.name); err != nil {
			return err
		}
	}
	rule.Output = strings.TrimSpace(rule.Output)
	if rule.Priority, err = it.priority(); err != nil {
		return err
	}
	if it.keys["source"] != nil {
		if rule.Source, err = it.text("source"); err != nil {
			return err
		}
	}
	if rule.Enabled, err = it.boolean("enabled", true); err != nil {
		return err
	}
	if it.keys["tags"] != nil {
		if rule.Tags, err = it.texts("tags"); err != nil {
			return err
		}
	}
	rule.exceptions, err = it.exceptions()
	return err
}

func (it item) priority() (Priority, error) {
	text, err := it.text("priority")
	if err != nil {
		return 0, err
	}
	priority, ok := ParsePriority(text)
	if !ok {
		return 0, it.at(it.keys["priority"]).errorf("take one of "+strings.ToUpper(strings.Join(priorityNames[:], ", ")), "there is no priority %q", text)
	}
	return priority, nil
}

// change appends to and replaces parts of an earlier rule. The older append: true is
// for conditions and exceptions alone.
func (r *Rules) change(it item, rule *Rule) error {
	if it.append {
		for _, key := range [...]string{"condition", "exceptions"} {
			if it.keys[key] != nil {
				it.override[key] = "append"
			}
		}
		if len(it.override) == 0 {
			return it.errorf("give it a condition to append", "what is appended has neither condition nor exceptions")
		}
	} else if err := it.allOverridden(); err != nil {
		return err
	}
	for key, how := range it.override {
		if err := it.changeKey(rule, key, how == "append"); err != nil {
			return err
		}
	}
	rule.File, rule.Line = it.file.Name, it.node.Line
	return nil
}

// allOverridden says which key override does not speak of.
func (it item) allOverridden() error {
	for _, key := range [...]string{"condition", "output", "desc", "tags", "exceptions", "priority", "enabled", "warn_evttypes", "skip-if-unknown-filter"} {
		if n := it.keys[key]; n != nil && it.override[key] == "" {
			return it.at(n).errorf("add "+key+" to override", "there is a %s, but override does not say what to do with it", key)
		}
	}
	return nil
}

func (it item) changeKey(rule *Rule, key string, add bool) (err error) {
	text := func(to *string) {
		var value string
		if value, err = it.text(key); err == nil && add {
			value = *to + " " + value
		}
		*to = value
	}
	switch key {
	case "condition":
		text(&rule.Condition)
	case "output":
		text(&rule.Output)
	case "desc":
		text(&rule.Description)
	case "priority":
		rule.Priority, err = it.priority()
	case "enabled":
		rule.Enabled, err = it.boolean(key, true)
	case "tags":
		var tags []string
		if tags, err = it.texts(key); add {
			tags = append(slices.Clone(rule.Tags), tags...)
		}
		rule.Tags = tags
	case "exceptions":
		var more []exception
		more, err = it.exceptions()
		if add {
			err = it.appendExceptions(rule, more, err)
		} else {
			rule.exceptions = more
		}
	}
	return err
}

// exception is a condition under which a rule is silent, written as a table.
type exception struct {
	name          string
	fields, comps []string
	list          bool // fields is a list
	values        []*yaml.Node
}

func (it item) exceptions() ([]exception, error) {
	n := it.keys["exceptions"]
	if n == nil || n.ShortTag() == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, it.at(n).errorf("write - name: NAME with fields, comps and values", "its exceptions are not a list")
	}
	var all []exception
	for _, element := range n.Content {
		e, err := it.exception(element)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (it item) exception(n *yaml.Node) (e exception, err error) {
	bad := it.at(n).errorf("write - name: NAME with fields, comps and values", "an exception cannot be read")
	if n.Kind != yaml.MappingNode {
		return e, bad
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		switch n.Content[i].Value {
		case "name":
			e.name = value.Value
		case "fields":
			e.fields, e.list = scalars(value), value.Kind == yaml.SequenceNode
		case "comps":
			e.comps = scalars(value)
		case "values":
			e.values = value.Content
		}
	}
	if e.name == "" {
		return e, bad
	}
	return e, nil
}

func scalars(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var texts []string
	for _, element := range n.Content {
		texts = append(texts, element.Value)
	}
	return texts
}

// appendExceptions adds values to exceptions, and new exceptions.
func (it item) appendExceptions(rule *Rule, more []exception, err error) error {
	if err != nil {
		return err
	}
	rule.exceptions = slices.Clone(rule.exceptions)
	for _, e := range more {
		i := slices.IndexFunc(rule.exceptions, func(old exception) bool { return old.name == e.name })
		switch {
		case i < 0:
			rule.exceptions = append(rule.exceptions, e)
		case e.fields != nil || e.comps != nil:
			return it.errorf("leave fields and comps out", "exception %s is there: values alone can be appended to it", e.name)
		default:
			rule.exceptions[i].values = append(slices.Clone(rule.exceptions[i].values), e.values...)
		}
	}
	return nil
}
