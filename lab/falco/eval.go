package falco

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Matches says whether an event meets a rule's condition. That the rule is enabled is
// another question.
func (r *Rule) Matches(e Event) bool {
	if r.expr == nil {
		return false
	}
	return evaluate(r.expr, e, map[*macro]bool{})
}

// evaluate asks for each macro once: they may use each other many times.
func evaluate(x expr, e Event, known map[*macro]bool) bool {
	switch x := x.(type) {
	case *binary:
		for _, part := range x.parts {
			if evaluate(part, e, known) == x.or {
				return x.or
			}
		}
		return !x.or
	case *not:
		return !evaluate(x.part, e, known)
	case *macroUse:
		is, ok := known[x.macro]
		if !ok {
			is = evaluate(x.macro.expr, e, known)
			known[x.macro] = is
		}
		return is
	case *check:
		return x.holds(e)
	}
	return false
}

// holds compares. A field without a value meets no comparison, != included
// (sinsp_filter_check::compare_nocache); not before it makes that true.
func (c *check) holds(e Event) bool {
	values := c.left.of(e, c.field)
	if len(values) == 0 {
		return false
	}
	if c.op == "exists" {
		return true
	}
	matcher := c.matcher
	if c.right != nil {
		right := c.right.of(e, c.field)
		if len(right) == 0 {
			return false
		}
		matcher = func(v value) bool { return compare(c.op, v, right) }
	}
	// Of several values, such as the names of all ancestors, one is enough.
	return slices.ContainsFunc(values, matcher)
}

// prepare looks up the fields of a check, and reads its values as their type has it.
func (c *check) prepare(fields map[string]field) error {
	if c.matcher != nil {
		return nil
	}
	var err error
	if c.field, err = c.resolve(c.left, fields); err != nil {
		return err
	}
	k := c.field.kind
	if !operatorFits(c.op, k) {
		c.hint = "see falco.org/docs/concepts/rules/conditions for what an operator is for"
		return fmt.Errorf("operator %s is not for %s, which is no text", c.op, c.left.name)
	}
	if c.right != nil {
		right, err := c.resolve(*c.right, fields)
		if err == nil && right.kind != k {
			err = fmt.Errorf("%s and %s are of different types", c.left.name, c.right.name)
		}
		if err == nil && (c.op == "pmatch" || c.op == "regex") {
			err = fmt.Errorf("operator %s takes no field on its right side", c.op)
		}
		c.matcher = func(value) bool { return false } // it depends on the event
		return err
	}
	var values []value
	for _, text := range c.values {
		v, err := parseValue(text, k)
		if err != nil {
			c.hint = "see the type of " + c.left.name + " at falco.org/docs/reference/rules/supported-fields"
			return fmt.Errorf("%s cannot be compared: %w", c.left.name, err)
		}
		values = append(values, v)
	}
	if c.op == "regex" {
		re, err := regexp.Compile(`^(?:` + c.values[0] + `)$`)
		if err != nil {
			return fmt.Errorf("%q is no regular expression", c.values[0])
		}
		c.matcher = func(v value) bool { return re.MatchString(v.text) }
		return nil
	}
	c.matcher = func(v value) bool { return compare(c.op, v, values) }
	return nil
}

func (c *check) resolve(o operand, fields map[string]field) (field, error) {
	f, ok := lookUp(fields, o.name)
	switch {
	case !ok:
		c.hint = suggestField(fields, o.name)
		return f, fmt.Errorf("there is no field %s", o.name)
	case f.argument == '!' && o.argument == "":
		c.hint = "write it like " + o.name + "[1]"
		return f, fmt.Errorf("field %s needs an argument", o.name)
	case f.argument == 0 && o.argument != "":
		return f, fmt.Errorf("field %s takes no argument", o.name)
	case f.kind != text && len(o.transformers) > 0:
		return f, fmt.Errorf("%s is for texts, which %s is not", o.transformers[0], o.name)
	}
	return f, nil
}

// operatorFits says which operators a type knows (flt_is_comparable).
func operatorFits(op string, k kind) bool {
	switch op {
	case "exists", "=", "==", "!=", "in", "intersects":
		return true
	case "<", "<=", ">", ">=":
		return k == number || k == text
	}
	return k == text
}

// compare compares one value with those on the right side.
func compare(op string, v value, right []value) bool {
	switch op {
	case "!=":
		return !slices.ContainsFunc(right, func(r value) bool { return equal(v, r) })
	case "=", "==", "in", "intersects":
		return slices.ContainsFunc(right, func(r value) bool { return equal(v, r) })
	}
	return slices.ContainsFunc(right, func(r value) bool { return compareText(op, v, r) })
}

func equal(a, b value) bool {
	switch a.kind {
	case number:
		return a.number == b.number
	case address:
		return a.address == b.address
	case network:
		return a.address.IsValid() && b.prefix.Contains(a.address)
	}
	return a.text == b.text
}

func compareText(op string, v, r value) bool {
	order := strings.Compare(v.text, r.text)
	if v.kind == number {
		order = cmp.Compare(v.number, r.number)
	}
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "contains":
		return strings.Contains(v.text, r.text)
	case "icontains":
		return strings.Contains(strings.ToLower(v.text), strings.ToLower(r.text))
	case "startswith":
		return strings.HasPrefix(v.text, r.text)
	case "endswith":
		return strings.HasSuffix(v.text, r.text)
	case "glob":
		return glob(r.text, v.text)
	case "iglob":
		return glob(strings.ToLower(r.text), strings.ToLower(v.text))
	case "pmatch":
		return isBelow(r.text, v.text)
	}
	return false
}

// isBelow says whether a path is another or below it. Each part of the other may be
// a pattern.
func isBelow(prefix, name string) bool {
	split := func(p string) []string {
		return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
	}
	above, parts := split(prefix), split(name)
	if len(above) > len(parts) {
		return false
	}
	for i := range above {
		if !glob(above[i], parts[i]) {
			return false
		}
	}
	return true
}

// glob matches as fnmatch(3) does without flags: * takes / as well.
func glob(pattern, name string) bool {
	star, from := -1, 0
	p, n := 0, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, n
			p++
			continue
		}
		if width, ok := globByte(pattern[p:], name[n]); ok {
			p += width
			n++
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, n = star+1, from
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// globByte matches one byte by what a pattern begins with, which is so many bytes wide.
func globByte(pattern string, b byte) (width int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == b
		}
	case '[':
		if width, in, closed := globClass(pattern, b); closed {
			return width, in
		}
	}
	return 1, pattern[0] == b
}

func globClass(pattern string, b byte) (width int, in, closed bool) {
	i := 1
	negative := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negative {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, in != negative, true
		}
		low := pattern[i]
		high := low
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		in = in || low <= b && b <= high
		i++
	}
	return 0, false, false
}
