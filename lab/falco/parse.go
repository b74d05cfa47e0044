package falco

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// expr is a condition: *binary, *not, *check or *macroUse.
type expr any

type binary struct {
	or    bool
	parts []expr
}

type not struct{ part expr }

type macroUse struct {
	name  string
	macro *macro
}

// operand is a field, with an argument, below transformers, the last of which is
// applied first.
type operand struct {
	name, argument string
	transformers   []string
}

// check compares a field with values, or with another field.
type check struct {
	left   operand
	op     string
	values []string
	right  *operand

	field   field
	matcher func(value) bool
	hint    string // what to do where prepare has failed
}

// The operators, in an order in which none is the beginning of a later one.
var (
	numberOperators = []string{"<=", "<", ">=", ">"}
	textOperators   = []string{"==", "=", "!=", "glob", "iglob", "contains", "icontains", "startswith", "endswith", "regex"}
	listOperators   = []string{"intersects", "in", "pmatch"}
	transformers    = []string{"tolower(", "toupper(", "basename("}
)

// parser reads a condition by the grammar in userspace/libsinsp/filter/parser.h.
type parser struct {
	text    string
	at      int
	depth   int
	grammar *grammar
}

// grammar has the regular expressions of the tokens.
type grammar struct{ identifier, field, argument, number, bare, not *regexp.Regexp }

func newGrammar() *grammar {
	at := func(pattern string) *regexp.Regexp {
		re := regexp.MustCompile(`^(?:` + pattern + `)`)
		re.Longest() // as POSIX has it
		return re
	}
	return &grammar{
		identifier: at(identifier),
		field:      at(identifier + `(\.[a-zA-Z]+[a-zA-Z0-9_]*)+`),
		argument:   at(`[^\]\["'\s]+`),
		number:     at(`0[xX][0-9a-zA-Z]+|[+\-]?[0-9]+[.]?[0-9]*([eE][+\-][0-9]+)?`),
		bare:       at(bareText),
		not:        at(`not\s+`),
	}
}

func parse(text string, g *grammar) (expr, error) {
	p := &parser{text: text, grammar: g}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.text) {
		return nil, p.unexpected("and, or, or the end")
	}
	return e, nil
}

// unexpected says what stands where something else is expected, and after what.
func (p *parser) unexpected(expected string) error {
	rest := strings.TrimLeft(p.text[p.at:], blanks)
	if rest == "" {
		return fmt.Errorf("it ends where %s is expected", expected)
	}
	word := rest
	if i := strings.IndexAny(rest, blanks+"()"); i > 0 {
		word = rest[:i]
	} else if i == 0 {
		word = rest[:1]
	}
	if len(word) > 40 {
		word = word[:40] + "…"
	}
	before := strings.Fields(p.text[:p.at])
	after := ""
	if len(before) > 0 {
		after = " after " + before[len(before)-1]
	}
	return fmt.Errorf("unexpected %q%s, where %s is expected", word, after, expected)
}

func (p *parser) blank() bool {
	start := p.at
	for p.at < len(p.text) && strings.ContainsRune(" \t\b\r\n", rune(p.text[p.at])) {
		p.at++
	}
	return p.at > start
}

func (p *parser) token(text string) bool {
	if strings.HasPrefix(p.text[p.at:], text) {
		p.at += len(text)
		return true
	}
	return false
}

func (p *parser) pattern(re *regexp.Regexp) (string, bool) {
	match := re.FindString(p.text[p.at:])
	p.at += len(match)
	return match, match != ""
}

func (p *parser) or() (expr, error)  { return p.joined("or", true, p.and) }
func (p *parser) and() (expr, error) { return p.joined("and", false, p.not) }

// joined reads parts with a word between them, which a blank or a parenthesis follows.
func (p *parser) joined(word string, or bool, part func() (expr, error)) (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("its parentheses are nested too deep")
	}
	defer func() { p.depth-- }()
	p.blank()
	first, err := part()
	if err != nil {
		return nil, err
	}
	parts := []expr{first}
	for p.blank(); p.token(word); p.blank() {
		var next expr
		switch {
		case p.blank():
			next, err = part()
		case p.token("("):
			next, err = p.parenthesis()
		default:
			err = p.unexpected("a blank or ( after " + word)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, next)
	}
	if len(parts) == 1 {
		return first, nil
	}
	return &binary{or, parts}, nil
}

// parenthesis reads what follows a (.
func (p *parser) parenthesis() (expr, error) {
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.blank(); !p.token(")") {
		return nil, p.unexpected("and, or, or )")
	}
	return e, nil
}

func (p *parser) not() (expr, error) {
	p.blank()
	negative := false
	for {
		if _, ok := p.pattern(p.grammar.not); !ok {
			break
		}
		negative = !negative
	}
	var e expr
	var err error
	if p.token("not(") {
		negative = !negative
		e, err = p.parenthesis()
	} else {
		e, err = p.check()
	}
	if negative && err == nil {
		e = &not{e}
	}
	return e, err
}

func (p *parser) check() (expr, error) {
	p.blank()
	if p.token("(") {
		return p.parenthesis()
	}
	left, ok, err := p.operand(false)
	if err != nil {
		return nil, err
	}
	if ok {
		return p.comparison(left)
	}
	if name, ok := p.pattern(p.grammar.identifier); ok {
		return &macroUse{name: name}, nil
	}
	return nil, p.unexpected("a field, a macro or (")
}

// operand reads a field with what is around it; val( marks one on the right side.
func (p *parser) operand(right bool) (o operand, ok bool, err error) {
	open := 0
	if right && p.token("val(") {
		open++
		p.blank()
	}
	for found := open == 0; found; {
		found = false
		for _, transformer := range transformers {
			if p.token(transformer) {
				o.transformers = append(o.transformers, strings.TrimSuffix(transformer, "("))
				found = true
				open++
				p.blank()
			}
		}
	}
	if right && open == 0 {
		return o, false, nil
	}
	if o.name, ok = p.pattern(p.grammar.field); !ok {
		if open > 0 {
			return o, false, p.unexpected("a field")
		}
		return o, false, nil
	}
	if p.token("[") {
		argument, ok := p.quotedText()
		if !ok {
			argument, ok = p.pattern(p.grammar.argument)
		}
		if !ok || !p.token("]") {
			return o, false, p.unexpected("an argument and ]")
		}
		o.argument = argument
	}
	for ; open > 0; open-- {
		if p.blank(); !p.token(")") {
			return o, false, p.unexpected(")")
		}
	}
	return o, true, nil
}

func (p *parser) comparison(left operand) (expr, error) {
	p.blank()
	c := &check{left: left}
	if p.token("exists") {
		c.op = "exists"
		return c, nil
	}
	for _, op := range numberOperators {
		if p.token(op) {
			c.op = op
			return c, p.number(c)
		}
	}
	for _, op := range textOperators {
		word := op[0] >= 'a'
		start := p.at
		if !p.token(op) || word && !p.blank() {
			p.at = start
			continue
		}
		c.op = op
		return c, p.textValue(c)
	}
	for _, op := range listOperators {
		if p.token(op) {
			c.op = op
			return c, p.listValue(c)
		}
	}
	return nil, p.unexpected("an operator such as =, !=, in or contains")
}

// rightField reads a field as the right side.
func (p *parser) rightField(c *check) (bool, error) {
	p.blank()
	o, ok, err := p.operand(true)
	if ok {
		c.right = &o
	}
	return ok, err
}

func (p *parser) number(c *check) error {
	if ok, err := p.rightField(c); ok || err != nil {
		return err
	}
	value, ok := p.pattern(p.grammar.number)
	if !ok {
		return p.unexpected("a number")
	}
	c.values = []string{value}
	return nil
}

func (p *parser) textValue(c *check) error {
	if ok, err := p.rightField(c); ok || err != nil {
		return err
	}
	value, ok := p.value()
	if !ok {
		return p.unexpected("a value")
	}
	c.values = []string{value}
	return nil
}

func (p *parser) value() (string, bool) {
	p.blank()
	if value, ok := p.quotedText(); ok {
		return value, true
	}
	return p.pattern(p.grammar.bare)
}

// quotedText reads a text in quotes, in which \ takes the meaning from what follows.
func (p *parser) quotedText() (string, bool) {
	rest := p.text[p.at:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '\\' && i+1 < len(rest) && strings.IndexByte(`\"'`, rest[i+1]) >= 0:
			i++
			b.WriteByte(rest[i])
		case rest[i] == rest[0]:
			p.at += i + 1
			return b.String(), true
		default:
			b.WriteByte(rest[i])
		}
	}
	return "", false
}

func (p *parser) listValue(c *check) error {
	p.blank()
	if !p.token("(") {
		if ok, err := p.rightField(c); ok || err != nil {
			return err
		}
		value, ok := p.pattern(p.grammar.identifier)
		if !ok {
			return p.unexpected("(")
		}
		c.values = []string{value}
		return nil
	}
	value, ok := p.value()
	for ok {
		c.values = append(c.values, value)
		if p.blank(); !p.token(",") {
			break
		}
		if value, ok = p.value(); !ok {
			return p.unexpected("a value")
		}
	}
	if p.blank(); !p.token(")") {
		return p.unexpected(", or )")
	}
	return nil
}

// walk calls visit for all parts of a condition but those in macros.
func walk(e expr, visit func(expr) error) error {
	switch e := e.(type) {
	case *binary:
		for _, part := range e.parts {
			if err := walk(part, visit); err != nil {
				return err
			}
		}
		return nil
	case *not:
		return walk(e.part, visit)
	}
	return visit(e)
}
