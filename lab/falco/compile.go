package falco

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// resolveLists puts the items of lists in the place of their names in other lists, one
// level deep (compile_list_infos).
func (r *Rules) resolveLists() {
	for _, l := range r.lists {
		for _, item := range l.items {
			if other := named(r.lists, item); other != nil && other.index < l.visible && len(l.resolved) < maxCondition {
				l.resolved = append(l.resolved, other.items...)
			} else {
				l.resolved = append(l.resolved, item)
			}
		}
	}
}

// compile parses all conditions. There is an order between macros, but none between
// macros and the rules that use them, nor between conditions and lists.
func (r *Rules) compile() error {
	for _, m := range r.macros {
		var err error
		if m.expr, m.lists, err = r.parse(m.condition, m.at); err != nil {
			return err
		}
	}
	for _, m := range r.macros {
		if err := r.resolve(m); err != nil {
			return err
		}
	}
	for _, rule := range r.rules {
		if rule.Source != "syscall" {
			continue // its fields are another's
		}
		at := place{yamlfile.File{Name: rule.File}, &yaml.Node{Line: rule.Line, Column: 1}, "rule " + rule.Name}
		condition, err := withExceptions(rule, at)
		if err != nil {
			return err
		}
		if rule.expr, rule.lists, err = r.parse(condition, at); err == nil {
			err = r.resolveMacros(rule.expr, r.position+1, at)
		}
		if err == nil {
			err = r.checkFields(rule.expr, at, map[*macro]bool{})
		}
		if err == nil {
			err = r.checkOutput(rule, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parse puts the values of lists in the place of their names in the text, wherever
// they stand between blanks, parentheses, commas and = (resolve_list), and parses it.
func (r *Rules) parse(condition string, at place) (e expr, lists []string, err error) {
	for _, l := range r.lists {
		before := condition
		if condition = putList(condition, l); condition != before {
			lists = append(lists, l.name)
		}
		if len(condition) > maxCondition {
			return nil, nil, at.errorf("", "the condition is longer than %d KiB", maxCondition>>10)
		}
	}
	if r.together += len(condition); r.together > maxTogether {
		return nil, nil, at.errorf("", "all conditions together are longer than %d KiB", maxTogether>>10)
	}
	if e, err = parse(condition, r.grammar); err != nil {
		return nil, nil, at.errorf("see falco.org/docs/concepts/rules/conditions", "its condition cannot be read: %v", err)
	}
	return e, lists, nil
}

const (
	blanks     = " \t\n\r"
	delimiters = blanks + "(),="
)

func putList(condition string, l *list) string {
	if l.name == "" || !strings.Contains(condition, l.name) {
		return condition
	}
	var items []string
	for _, item := range l.resolved {
		if strings.Contains(item, " ") && item[0] != '"' && item[0] != '\'' {
			item = `"` + item + `"`
		}
		items = append(items, item)
	}
	values := strings.Join(items, ", ")
	start := 0
	for {
		i := strings.Index(condition[start:], l.name)
		if i < 0 || len(condition) > maxCondition {
			return condition
		}
		start += i
		end := start + len(l.name)
		if start > 0 && !strings.ContainsRune(delimiters, rune(condition[start-1])) || end < len(condition) && !strings.ContainsRune(delimiters, rune(condition[end])) {
			start = end
			continue
		}
		before, after := strings.TrimRight(condition[:start], blanks), strings.TrimLeft(condition[end:], blanks)
		if values == "" && strings.HasSuffix(before, ",") {
			before = strings.TrimSuffix(before, ",")
		} else if values == "" {
			after = strings.TrimPrefix(after, ",")
		}
		before += " " + values + " "
		condition, start = before+after, len(before)
	}
}

const (
	resolving = 1 + iota
	resolved
)

// resolve finds the macros that a macro uses: those that stand before it, or before
// what changed it last.
func (r *Rules) resolve(m *macro) error {
	switch m.state {
	case resolving:
		return m.at.errorf("take it out of its own condition", "macro %s uses itself", m.name)
	case resolved:
		return nil
	}
	m.state = resolving
	err := r.resolveMacros(m.expr, m.visible, m.at)
	m.state = resolved
	return err
}

func (r *Rules) resolveMacros(e expr, visible int, at place) error {
	return walk(e, func(e expr) error {
		use, ok := e.(*macroUse)
		if !ok {
			return nil
		}
		m := named(r.macros, use.name)
		if m == nil {
			var names []string
			for _, m := range r.macros {
				names = append(names, m.name)
			}
			return at.errorf(failure.DidYouMean(use.name, names, "define it, or write out its condition"), "there is no macro %s", use.name)
		}
		if m.index >= visible {
			return at.errorf("define macro "+use.name+" before it", "macro %s is not defined before it", use.name)
		}
		use.macro = m
		return r.resolve(m)
	})
}

// checkFields looks at the fields of a condition, and of the macros that it uses.
func (r *Rules) checkFields(e expr, at place, seen map[*macro]bool) error {
	return walk(e, func(e expr) error {
		switch e := e.(type) {
		case *macroUse:
			if seen[e.macro] {
				return nil
			}
			seen[e.macro] = true
			return r.checkFields(e.macro.expr, e.macro.at, seen)
		case *check:
			if err := e.prepare(r.fields); err != nil {
				return at.errorf(e.hint, "%v", err)
			}
		}
		return nil
	})
}

// withExceptions adds to a condition what its exceptions say (build_rule_exception_infos).
func withExceptions(rule *Rule, at place) (string, error) {
	condition := rule.Condition
	if len(rule.exceptions) == 0 {
		return condition, nil
	}
	condition = "(" + condition + ")"
	for _, e := range rule.exceptions {
		text, err := e.condition(at)
		if err != nil {
			return "", err
		}
		if text != "" {
			condition += " and not (" + text + ")"
		}
	}
	return condition, nil
}

func (e exception) condition(at place) (string, error) {
	if len(e.fields) == 0 {
		return "", at.errorf("give it fields", "exception %s has no fields", e.name)
	}
	comps := e.comps
	if comps == nil && !e.list {
		comps = []string{"in"}
	}
	for comps == nil || len(comps) < len(e.fields) && e.comps == nil {
		comps = append(comps, "=")
	}
	if len(comps) != len(e.fields) {
		return "", at.errorf("give each field its comparison", "exception %s has %d fields and %d comps", e.name, len(e.fields), len(comps))
	}
	if !e.list {
		var values []string
		for _, n := range e.values {
			values = append(values, quoted(n.Value))
		}
		if values == nil {
			return "", nil
		}
		return e.fields[0] + " " + comps[0] + " (" + strings.Join(values, ", ") + ")", nil
	}
	var rows []string
	for _, row := range e.values {
		if len(row.Content) != len(e.fields) {
			return "", at.errorf("give each field its value", "exception %s has %d fields, but a row of %d values", e.name, len(e.fields), len(row.Content))
		}
		var parts []string
		for i, value := range row.Content {
			parts = append(parts, e.fields[i]+" "+comps[i]+" "+exceptionValue(value, comps[i]))
		}
		rows = append(rows, "("+strings.Join(parts, " and ")+")")
	}
	return strings.Join(rows, " or "), nil
}

func exceptionValue(n *yaml.Node, comp string) string {
	if n.Kind == yaml.SequenceNode {
		var values []string
		for _, value := range n.Content {
			values = append(values, quoted(value.Value))
		}
		return "(" + strings.Join(values, ", ") + ")"
	}
	if slices.Contains(listOperators, comp) {
		if strings.HasPrefix(n.Value, "(") {
			return n.Value
		}
		return "(" + n.Value + ")"
	}
	return quoted(n.Value)
}

func quoted(value string) string {
	if strings.Contains(value, " ") && value[0] != '"' && value[0] != '\'' {
		return `"` + value + `"`
	}
	return value
}
