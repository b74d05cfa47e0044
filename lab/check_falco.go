package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/falco"
)

// maxFalco is more than Falco's own rules need, in bytes.
const maxFalco = 256 << 10

// readFalcoCheck reads the parameters of a check of Falco's rules:
//
//	files      the rules files, in the order in which Falco reads them
//	unchanged  one of them that is to be as the lab gives it, byte by byte
//	rule       the name of a rule that must be there, and enabled; what follows is of it
//	macro      instead: the name of a macro, of which events alone may follow
//	list       instead: {name: NAME, items: [VALUE, ...]}, all and no others, in any order
//	priority   WARNING and the like
//	output     fields that its output must name: [container.id, ...]
//	uses       lists and macros that its condition must name
//	events     a hidden file of recorded events, each in a line, as
//	           {"event": "in words", "holds": [rules and macros], "fields": {FIELD: VALUE}}
//
// That Falco would read the files is part of each.
func readFalcoCheck(p *params) (grader, error) {
	c := &falcoCheck{params: p}
	var events []byte
	err := p.fields(
		yamlfile.Key{Name: "files", Read: func(n *yaml.Node) (err error) { c.files, err = p.fileNames(n, "files"); return err }},
		p.given("unchanged", &c.unchanged),
		yamlfile.Key{Name: "rule", Read: p.line("rule", &c.rule)},
		yamlfile.Key{Name: "macro", Read: p.line("macro", &c.macro)},
		add(&c.conditions, "list", c.list),
		add(&c.conditions, "priority", c.priority),
		add(&c.conditions, "output", c.output),
		add(&c.conditions, "uses", c.uses),
		p.hidden("events", &events),
	)
	if err != nil {
		return nil, err
	}
	if err := c.consistent(); err != nil {
		return nil, err
	}
	if events != nil {
		if err := c.readEvents(events); err != nil {
			return nil, err
		}
		c.conditions = append(c.conditions, c.alerts)
	}
	return c.grade, nil
}

type falcoCheck struct {
	*params
	files                  []string
	unchanged, rule, macro string
	conditions             []condition[*falco.Rules]
	events                 []falcoEvent
	ofRule                 bool // it asks for what a rule alone has
}

type falcoEvent struct {
	Event  string          `json:"event"`
	Holds  []string        `json:"holds"`
	Fields json.RawMessage `json:"fields"`
	fields falco.Event
}

// consistent says which parameters do not go together.
func (c *falcoCheck) consistent() error {
	switch {
	case len(c.files) == 0:
		return c.ErrorAt(c.node, "name them, as in files: [falco_rules.yaml]", "%s has no field %q", c.what, "files")
	case c.rule != "" && c.macro != "":
		return c.ErrorAt(c.node, "make two checks of it", "%s asks for a rule and a macro", c.what)
	case c.ofRule && c.rule == "":
		return c.ErrorAt(c.node, "name the rule", "%s has no field %q", c.what, "rule")
	case c.unchanged != "" && !slices.Contains(c.files, c.unchanged):
		return c.ErrorAt(c.node, "name it in files as well", "%q is none of the files", c.unchanged)
	}
	return nil
}

// fileNames reads a list of names of files in the workspace.
func (p *params) fileNames(n *yaml.Node, what string) ([]string, error) {
	names, err := p.Texts(n, what)
	for _, name := range names {
		if err == nil && !isFileName(name) {
			err = p.ErrorAt(n, "write names below the workspace", "%q is no file in the workspace", name)
		}
	}
	return names, err
}

// readEvents reads the recorded events: each must be one that Falco could have seen.
func (c *falcoCheck) readEvents(data []byte) error {
	name := c.rule + c.macro
	if name == "" {
		return c.ErrorAt(c.node, "name the rule or the macro", "%s has events, but no field %q", c.what, "rule")
	}
	counts := map[bool]int{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxGivenFile)
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var e falcoEvent
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&e)
		if err == nil {
			e.fields, err = falco.ReadEvent(e.Fields)
		}
		if err == nil {
			err = falco.CheckEvent(e.fields)
		}
		if err != nil || e.Event == "" {
			return c.ErrorAt(c.node, `write {"event": "in words", "holds": ["rule"], "fields": {}}`, "line %d of the events cannot be read: %v", number, err)
		}
		counts[slices.Contains(e.Holds, name)]++
		c.events = append(c.events, e)
	}
	if lines.Err() != nil || counts[true] == 0 || counts[false] == 0 {
		return c.ErrorAt(c.node, "record what must alert, and what must not", "the events do not tell a right %q from a wrong one", name)
	}
	return nil
}

func (c *falcoCheck) grade(_ context.Context, w *work) finding {
	wanted := "rules that Falco reads in " + strings.Join(c.files, " and ")
	rules, found := c.read(w)
	if found != "" {
		return finding{wanted: wanted, found: found}
	}
	first := isThere[*falco.Rules](wanted)
	switch {
	case c.rule != "":
		first = c.hasRule
	case c.macro != "":
		first = c.hasMacro
	}
	return judge(rules, w, append([]condition[*falco.Rules]{first}, c.conditions...))
}

// read reads the files as Falco does, or says what it would stumble over.
func (c *falcoCheck) read(w *work) (*falco.Rules, string) {
	var files []falco.File
	for _, name := range c.files {
		data, found := w.learner.file(name, maxFalco)
		if found != "" && !strings.HasSuffix(found, " is empty") {
			return nil, found
		}
		if name == c.unchanged && !bytes.Equal(data, w.givenData(name)) {
			return nil, name + " was changed: an update of Falco would overwrite that"
		}
		files = append(files, falco.File{Name: name, Data: data})
	}
	rules, err := falco.Read(files...)
	if err != nil {
		return nil, withHint(err)
	}
	return rules, ""
}

// givenData returns a file as the lab gives it.
func (w *work) givenData(name string) []byte {
	files, err := w.lab.givenFiles()
	if err != nil {
		return nil
	}
	for _, file := range files {
		if file.name == name {
			return file.data
		}
	}
	return nil
}

func (c *falcoCheck) hasRule(rules *falco.Rules, _ *work) (wanted, found string, ok bool) {
	wanted = fmt.Sprintf("a rule %q that is enabled", c.rule)
	rule := rules.Named(c.rule)
	switch {
	case rule == nil:
		var names []string
		for _, rule := range rules.All() {
			names = append(names, rule.Name)
		}
		return wanted, failure.DidYouMean(c.rule, names, "there is no rule of that name"), false
	case !rule.Enabled:
		return wanted, "it is switched off", false
	}
	return wanted, "", true
}

func (c *falcoCheck) hasMacro(rules *falco.Rules, _ *work) (wanted, found string, ok bool) {
	_, ok = rules.Macro(c.macro)
	return "a macro " + c.macro, "there is no macro of that name", ok
}

func (c *falcoCheck) list(n *yaml.Node) (condition[*falco.Rules], error) {
	var name string
	var want []string
	err := c.Mapping(n, "list",
		yamlfile.Key{Name: "name", Read: c.line("name", &name)},
		yamlfile.Key{Name: "items", Read: func(n *yaml.Node) (err error) { want, err = c.Texts(n, "items"); return err }},
	)
	if err == nil && (name == "" || len(want) == 0) {
		err = c.ErrorAt(n, "write it like {name: shells, items: [bash, sh]}", "list has no name or no items")
	}
	want = slices.Sorted(slices.Values(want))
	return func(rules *falco.Rules, _ *work) (string, string, bool) {
		wanted := fmt.Sprintf("a list %s of %s", name, strings.Join(want, ", "))
		is, ok := rules.List(name)
		if !ok {
			return wanted, "there is no list of that name", false
		}
		is = slices.Compact(slices.Sorted(slices.Values(is)))
		return wanted, "its items are " + list(is), slices.Equal(is, want)
	}, err
}

func (c *falcoCheck) priority(n *yaml.Node) (condition[*falco.Rules], error) {
	c.ofRule = true
	text, err := c.Text(n, "priority")
	want, ok := falco.ParsePriority(text)
	if err == nil && !ok {
		err = c.ErrorAt(n, "write WARNING, for one", "there is no priority %q", text)
	}
	return func(rules *falco.Rules, _ *work) (string, string, bool) {
		wanted := "priority " + strings.ToUpper(text)
		rule := rules.Named(c.rule)
		if rule == nil {
			return wanted, "no rule", false
		}
		return wanted, "priority " + strings.ToUpper(rule.Priority.String()), rule.Priority == want
	}, err
}

func (c *falcoCheck) output(n *yaml.Node) (condition[*falco.Rules], error) {
	c.ofRule = true
	return c.names(n, "output", "an output with", "its output has", "%", func(rules *falco.Rules, rule *falco.Rule) []string { return rules.OutputFields(rule) })
}

func (c *falcoCheck) uses(n *yaml.Node) (condition[*falco.Rules], error) {
	c.ofRule = true
	return c.names(n, "uses", "a condition that uses", "of lists and macros it uses", "", func(rules *falco.Rules, rule *falco.Rule) []string { return rules.Uses(rule) })
}

// names asks that a rule has names among others.
func (c *falcoCheck) names(n *yaml.Node, what, wants, has, mark string, of func(*falco.Rules, *falco.Rule) []string) (condition[*falco.Rules], error) {
	want, err := c.Texts(n, what)
	marked := func(names []string) string {
		var all []string
		for _, name := range names {
			all = append(all, mark+name)
		}
		return list(all)
	}
	return func(rules *falco.Rules, _ *work) (string, string, bool) {
		wanted := wants + " " + marked(want)
		rule := rules.Named(c.rule)
		if rule == nil {
			return wanted, "no rule", false
		}
		is := of(rules, rule)
		lacks := func(name string) bool { return !slices.Contains(is, name) }
		return wanted, has + " " + marked(is), !slices.ContainsFunc(want, lacks)
	}, err
}

// alerts has the rule, or the macro, look at the recorded events.
func (c *falcoCheck) alerts(rules *falco.Rules, _ *work) (wanted, found string, ok bool) {
	name, should, does := c.rule, "alerts", "is silent"
	if c.macro != "" {
		name, should, does = c.macro, "holds", "does not hold"
	}
	for _, e := range c.events {
		want := slices.Contains(e.Holds, name)
		is, reason := c.holds(rules, e.fields)
		if is == want && reason == "" {
			continue
		}
		if !want {
			should, does = does, should
		}
		if rule := rules.Named(c.rule); rule != nil && reason == "" {
			reason = suspects(rules, rule)
		}
		return fmt.Sprintf("it %s: %s", should, e.Event), "it " + does + reason, false
	}
	return fmt.Sprintf("it %s where it should on %d recorded events", should, len(c.events)), "", true
}

// holds says whether it holds, or why it cannot be asked.
func (c *falcoCheck) holds(rules *falco.Rules, e falco.Event) (is bool, reason string) {
	if c.macro != "" {
		is, err := rules.Holds(c.macro, e)
		if err != nil {
			return false, ": " + err.Error()
		}
		return is, ""
	}
	rule := rules.Named(c.rule)
	if rule == nil || rule.Source != "syscall" {
		return false, ": it looks at no system calls"
	}
	return rule.Matches(e) && rule.Enabled, ""
}

// suspects adds that a word in the condition is probably meant as a list.
func suspects(rules *falco.Rules, rule *falco.Rule) string {
	if words := rules.Suspects(rule); len(words) > 0 {
		return " (" + words[0] + " is no list, and compared as it is written)"
	}
	return ""
}
