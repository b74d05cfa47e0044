package lab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readAnswersCheck reads the parameters of a check of a file with answers: lines such
// as "image: shop/api:1.2", and for several values a list, in any order. What is
// right stays hidden: the finding says which answers are wrong, and no more.
//
//	file     the answers'
//	answers  a hidden table of questions:
//	  question    what begins the line
//	  about       the question in words
//	  answer      the right value, or the list of the right ones
//	  ignoreCase  true: an answer may be in small or large letters
//	  mayBegin, mayEnd  what an answer may begin or end with besides: of a file its
//	              directory, or .crt
func readAnswersCheck(p *params) (grader, error) {
	c := &answersCheck{}
	if err := p.fields(p.file("file", &c.file), p.table("answers", c.row)); err != nil {
		return nil, err
	}
	return c.grade, p.someOf(len(c.rows), c.file)
}

type answersCheck struct {
	file string
	rows []answerRow
}

// answerRow is a question.
type answerRow struct {
	question, about string
	right           []string
	several         bool
	ignoreCase      bool
	// mayBegin and mayEnd do not count.
	mayBegin, mayEnd string
}

func (c *answersCheck) row(f yamlfile.File, n *yaml.Node) error {
	var row answerRow
	err := f.Mapping(n, "a question",
		rowText(f, "question", &row.question), rowText(f, "about", &row.about),
		yamlfile.Key{Name: "answer", Read: func(n *yaml.Node) (err error) {
			if row.several = n.Kind == yaml.SequenceNode; row.several {
				row.right, err = f.Texts(n, "answer")
				return err
			}
			right, err := f.Text(n, "answer")
			row.right = []string{right}
			return err
		}},
		rowText(f, "mayBegin", &row.mayBegin), rowText(f, "mayEnd", &row.mayEnd),
		yamlfile.Key{Name: "ignoreCase", Read: func(n *yaml.Node) (err error) {
			row.ignoreCase, err = f.Boolean(n, "ignoreCase")
			return err
		}},
	)
	if err == nil && (row.question == "" || row.about == "" || len(row.right) == 0) {
		err = f.ErrorAt(n, "give it question, about and answer", "a question is not complete")
	}
	row.right = row.plain(row.right)
	c.rows = append(c.rows, row)
	return err
}

// plain is what is compared: values in order, each once.
func (r *answerRow) plain(values []string) []string {
	var plain []string
	for _, value := range values {
		if r.ignoreCase {
			value = strings.ToLower(value)
		}
		plain = append(plain, strings.TrimSuffix(strings.TrimPrefix(value, r.mayBegin), r.mayEnd))
	}
	slices.Sort(plain)
	return slices.Compact(plain)
}

func (c *answersCheck) grade(_ context.Context, w *work) finding {
	given, found := w.answers(c.file)
	if found != "" {
		return finding{wanted: "answers in " + c.file, found: found}
	}
	var all, wanted, wrong []string
	for i := range c.rows {
		row := &c.rows[i]
		say := row.question + ": " + row.about
		all = append(all, say)
		if why := row.compare(given); why != "" {
			wanted, wrong = append(wanted, say), append(wrong, why)
		}
	}
	if len(wrong) > 0 {
		return finding{wanted: strings.Join(wanted, "; "), found: strings.Join(wrong, "; ")}
	}
	return finding{true, strings.Join(all, "; "), "as wanted"}
}

// compare says why an answer does not count, without saying what would.
func (r *answerRow) compare(given map[string]*yaml.Node) string {
	node, ok := given[r.question]
	if !ok {
		known := slices.Sorted(maps.Keys(given))
		if like := failure.Closest(r.question, known); like != "" {
			return fmt.Sprintf("there is no line %q, but %q", r.question+":", like+":")
		}
		return fmt.Sprintf("there is no line %q", r.question+":")
	}
	values, why := r.values(node)
	switch {
	case why != "":
		return r.question + " " + why
	case len(values) == 0:
		return r.question + " has no answer yet"
	case !slices.Equal(r.plain(values), r.right):
		return r.question + " is not right: " + strings.Join(values, ", ")
	}
	return ""
}

// values reads an answer: of one value, or of several in a list, or in a line with
// blanks or commas between them.
func (r *answerRow) values(n *yaml.Node) (values []string, why string) {
	switch n.Kind {
	case yaml.ScalarNode:
		text := strings.TrimSpace(n.Value)
		switch {
		case n.ShortTag() == "!!null" && text != "null", text == "":
			return nil, ""
		case r.several:
			return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\t' }), ""
		}
		return []string{text}, ""
	case yaml.SequenceNode:
		for _, element := range n.Content {
			if element.Kind != yaml.ScalarNode {
				return nil, "is not a list of plain values"
			}
			if text := strings.TrimSpace(element.Value); text != "" {
				values = append(values, text)
			}
		}
		if !r.several && len(values) > 1 {
			return nil, "has several answers, and one is asked for"
		}
		return values, ""
	}
	return nil, "is neither a value nor a list"
}

// answers reads a learner's file of answers.
func (w *work) answers(name string) (given map[string]*yaml.Node, found string) {
	data, found := w.learner.file(name, maxManifest)
	if found != "" {
		return nil, found
	}
	f := yamlfile.File{Name: name, Hint: "write lines such as question: answer"}
	root, err := f.Root(data)
	if err == nil {
		err = f.Check(root)
	}
	switch {
	case err != nil:
		return nil, err.Error()
	case root.Kind != yaml.MappingNode:
		return nil, name + " has no lines such as question: answer"
	}
	given = map[string]*yaml.Node{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		question := root.Content[i].Value
		if _, again := given[question]; again {
			return nil, fmt.Sprintf("line %d of %s answers %s again", root.Content[i].Line, name, question)
		}
		given[question] = root.Content[i+1]
	}
	return given, ""
}
