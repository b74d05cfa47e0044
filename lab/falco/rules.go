// Package falco reads rules files of Falco and evaluates their conditions on recorded
// events, without Falco: it is what grades rules where no kernel may be watched.
//
// It follows the sources of Falco 0.40 (userspace/engine/rule_loader_*.cpp) and of
// its libraries (userspace/libsinsp/filter/parser.cpp, filter_compare.cpp) in how
// files are joined, names are resolved and values compared. It knows the fields of
// the source syscall that the documentation lists (fields.go), all operators but
// bcontains and bstartswith, and of the transformers tolower, toupper, basename and
// val. It does not know which types of events there are.
package falco

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// File is a rules file: its name for errors, and what is in it.
type File struct {
	Name string
	Data []byte
}

// Priority is how severe an alert is: Emergency, the first, is the most severe.
type Priority int

var priorityNames = [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

// String is the name as Falco writes it.
func (p Priority) String() string { return priorityNames[p] }

// ParsePriority reads a priority as rules files have it: in small or capital letters,
// and Info for Informational (falco_common::parse_priority).
func ParsePriority(text string) (Priority, bool) {
	if strings.EqualFold(text, "info") {
		text = "Informational"
	}
	i := slices.IndexFunc(priorityNames[:], func(name string) bool { return strings.EqualFold(name, text) })
	return Priority(i), i >= 0
}

// Rule is a rule as it is after all files were read.
type Rule struct {
	Name, Description string
	Condition, Output string // as they are written
	Priority          Priority
	Tags              []string
	Source            string // of the events that it looks at: syscall
	Enabled           bool
	// File and Line say where it was defined, or last changed.
	File string
	Line int

	exceptions []exception
	expr       expr
	lists      []string // that its condition names
}

// Rules are the lists, macros and rules of several files.
type Rules struct {
	lists    []*list
	macros   []*macro
	rules    []*Rule
	fields   map[string]field
	grammar  *grammar
	position int // of the next item in all files
	together int // bytes of all conditions
}

// Named returns a rule, or nil where there is none of that name.
func (r *Rules) Named(name string) *Rule { return named(r.rules, name) }

// All returns all rules in the order in which they were first defined.
func (r *Rules) All() []*Rule { return slices.Clone(r.rules) }

// List returns the values of a list. Lists in it are resolved as Falco does.
func (r *Rules) List(name string) (values []string, ok bool) {
	l := named(r.lists, name)
	if l == nil {
		return nil, false
	}
	return slices.Clone(l.resolved), true
}

// Macro returns the condition of a macro as it is written.
func (r *Rules) Macro(name string) (condition string, ok bool) {
	m := named(r.macros, name)
	if m == nil {
		return "", false
	}
	return m.condition, true
}

// Holds says whether a macro's condition is met by an event. The error says why it
// cannot be: there is no such macro, or no field that it names.
func (r *Rules) Holds(name string, e Event) (bool, error) {
	m := named(r.macros, name)
	if m == nil {
		return false, failure.New(failure.Usage, "", "there is no macro %s", name)
	}
	use := &macroUse{name, m}
	if err := r.checkFields(use, m.at, map[*macro]bool{}); err != nil {
		return false, err
	}
	return evaluate(use, e, map[*macro]bool{}), nil
}

// Uses returns the lists and macros that a rule's condition names, and those that
// these name.
func (r *Rules) Uses(rule *Rule) []string {
	names := slices.Clone(rule.lists)
	seen := map[*macro]bool{}
	var visit func(e expr) error
	visit = func(e expr) error {
		if use, ok := e.(*macroUse); ok && !seen[use.macro] {
			seen[use.macro] = true
			names = append(append(names, use.name), use.macro.lists...)
			return walk(use.macro.expr, visit)
		}
		return nil
	}
	_ = walk(rule.expr, visit)
	for i := 0; i < len(names); i++ { // lists in lists
		for _, item := range named(r.lists, names[i]).values() {
			if named(r.lists, item) != nil && !slices.Contains(names, item) {
				names = append(names, item)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Suspects returns the words in a rule's condition that are taken as they are, but
// look like the name of a list that there is not: Falco says nothing of them.
func (r *Rules) Suspects(rule *Rule) []string {
	var words []string
	seen := map[*macro]bool{}
	var visit func(e expr) error
	visit = func(e expr) error {
		switch e := e.(type) {
		case *macroUse:
			if !seen[e.macro] {
				seen[e.macro] = true
				return walk(e.macro.expr, visit)
			}
		case *check:
			for _, word := range e.values {
				if slices.Contains(listOperators, e.op) && strings.Contains(word, "_") && matches(identifier, word) && !r.isItem(word) {
					words = append(words, word)
				}
			}
		}
		return nil
	}
	_ = walk(rule.expr, visit)
	return words
}

// isItem says whether a word may have come from a list.
func (r *Rules) isItem(word string) bool {
	for _, l := range r.lists {
		if slices.Contains(l.items, word) {
			return true
		}
	}
	return false
}

// list and macro have the position at which they were first defined, and the one at
// which they were last changed: what stands before the last is visible to them
// (define_info in rule_loader_collector.cpp).
type list struct {
	name            string
	items, resolved []string
	index, visible  int
}

type macro struct {
	name, condition string
	index, visible  int
	at              place
	expr            expr
	lists           []string // that its condition names
	state           int      // of its resolution
}

// values are the items of a list as they are written; that there is no list is no fault.
func (l *list) values() []string {
	if l == nil {
		return nil
	}
	return l.items
}

func (l *list) called() string  { return l.name }
func (m *macro) called() string { return m.name }
func (r *Rule) called() string  { return r.Name }

func named[T interface{ called() string }](all []T, name string) T {
	for _, it := range all {
		if it.called() == name {
			return it
		}
	}
	var none T
	return none
}

// place says where in the files something stands, for errors.
type place struct {
	file yamlfile.File
	node *yaml.Node
	what string
}

func (p place) errorf(hint, format string, args ...any) error {
	return p.file.ErrorAt(p.node, hint, "%s: %s", p.what, fmt.Sprintf(format, args...))
}

// Limits on what strangers write.
const (
	maxItems     = 1000
	maxCondition = 64 << 10 // bytes, after lists were put in
	maxTogether  = 1 << 20  // bytes of all conditions so
	maxDepth     = 400      // of and, or and parentheses
)

// Read reads rules files in the order in which Falco's configuration names them: what
// stands later overrides, appends to or replaces what stands before. As Falco does, it
// stops at the first fault, which the error names with file and line.
func Read(files ...File) (*Rules, error) {
	r := &Rules{fields: knownFields(), grammar: newGrammar()}
	for _, file := range files {
		if err := r.read(yamlfile.File{Name: file.Name, Hint: "see falco.org/docs/concepts/rules"}, file.Data); err != nil {
			return nil, err
		}
	}
	r.resolveLists()
	if err := r.compile(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Rules) read(file yamlfile.File, data []byte) error {
	var any yaml.Node
	if err := yaml.Unmarshal(data, &any); err == nil && any.Kind == 0 {
		return nil // comments alone
	}
	roots, err := file.Documents(data)
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := file.Check(root); err != nil {
			return err
		}
		if root.ShortTag() == "!!null" {
			continue
		}
		if root.Kind != yaml.SequenceNode {
			return file.ErrorAt(root, "begin each list, macro and rule with -", "it is no list of lists, macros and rules")
		}
		for _, item := range root.Content {
			if err := r.readItem(file, item); err != nil {
				return err
			}
			if r.position++; r.position > maxItems {
				return file.ErrorAt(item, "", "there are more than %d lists, macros and rules", maxItems)
			}
		}
	}
	return nil
}
