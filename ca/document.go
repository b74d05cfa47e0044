package ca

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

const documentHint = "see pkictl issue --help for what goes into such a file"

// document is a configuration in YAML or JSON that is read strictly: what is
// not understood is an error that names the line. JSON and YAML end in the same
// kind of nodes, so that both are read by the same code.
type document struct{ name string }

// parse returns the root of the document. JSON is read as JSON, not as the
// YAML that it almost is.
func (d document) parse(data []byte) (*yaml.Node, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(trimmed) == 0:
		return nil, d.file().Empty()
	case trimmed[0] == '{':
		return d.parseJSON(data)
	}
	root, err := d.decode(data)
	if err != nil {
		return nil, err
	}
	return root, d.file().Check(root)
}

func (d document) file() yamlfile.File { return yamlfile.File{Name: d.name, Hint: documentHint} }

// decode reads the one document of a YAML file.
func (d document) decode(data []byte) (*yaml.Node, error) {
	roots, err := d.file().Documents(data)
	if err != nil {
		return nil, err
	}
	if len(roots) > 1 {
		return nil, d.errorAt(roots[1], "put one document into a file", "a second document begins")
	}
	return roots[0], nil
}

// errorAt is an error that says where in the document it is.
func (d document) errorAt(n *yaml.Node, hint, format string, args ...any) error {
	return d.file().ErrorAt(n, hint, format, args...)
}

// at adds the place in the document to an error.
func (d document) at(n *yaml.Node, err error) error {
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.Usage, "", "%q, line %d, column %d", d.name, n.Line, n.Column)
}

// field is something a mapping may hold: its name, and what reads its value.
type field struct {
	name string
	read func(value *yaml.Node) error
}

// mapping reads a mapping whose fields are all known.
func (d document) mapping(n *yaml.Node, what string, fields ...field) error {
	return d.entries(n, what, func(key, value *yaml.Node) error {
		names := make([]string, len(fields))
		for i, f := range fields {
			if f.name == key.Value {
				return f.read(value)
			}
			names[i] = f.name
		}
		return d.errorAt(key, failure.Suggest(key.Value, names), "unknown field %q in %s", key.Value, what)
	})
}

// entries reads a mapping whose keys are distinct.
func (d document) entries(n *yaml.Node, what string, read func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return d.errorAt(n, "write fields with their values, as in name: value", "%s is not a mapping", what)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return d.errorAt(key, "", "a field of %s has no plain name", what)
		}
		if line, again := seen[key.Value]; again {
			return d.errorAt(key, fmt.Sprintf("it stands in line %d; keep one of the two", line), "field %q of %s is given twice", key.Value, what)
		}
		seen[key.Value] = key.Line
		if value.ShortTag() == "!!null" {
			return d.errorAt(key, "give it a value, or leave the field out", "field %q of %s has no value", key.Value, what)
		}
		if err := read(key, value); err != nil {
			return err
		}
	}
	return nil
}

// list reads each element of a list of texts.
func (d document) list(n *yaml.Node, what string, read func(element *yaml.Node, text string) error) error {
	if n.Kind != yaml.SequenceNode {
		return d.errorAt(n, "write a list, as in [a, b]", "%s is not a list", what)
	}
	seen := map[string]bool{}
	for _, element := range n.Content {
		text, err := d.text(element, "an element of "+what)
		if err != nil {
			return err
		}
		if seen[text] {
			return d.errorAt(element, "name it once", "%q stands twice in %s", text, what)
		}
		seen[text] = true
		if err := read(element, text); err != nil {
			return err
		}
	}
	return nil
}

// texts returns a list of texts, which is not nil.
func (d document) texts(n *yaml.Node, what string) ([]string, error) {
	list := []string{}
	err := d.list(n, what, func(_ *yaml.Node, text string) error {
		list = append(list, text)
		return nil
	})
	return list, err
}

func (d document) text(n *yaml.Node, what string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", d.errorAt(n, "write one value", "%s is not a text", what)
	case n.ShortTag() != "!!str":
		return "", d.errorAt(n, fmt.Sprintf("write it in quotes, as in %q", n.Value), "%s is not a text", what)
	case n.Value == "":
		return "", d.errorAt(n, "give it a value, or leave it out", "%s is empty", what)
	}
	return n.Value, nil
}

func (d document) boolean(n *yaml.Node, what string) (bool, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		if value, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return value, nil
		}
	}
	return false, d.errorAt(n, "write true or false, without quotes", "%s is neither true nor false", what)
}

// number reads a number from 0 to max.
func (d document) number(n *yaml.Node, what string, max int) (int, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		if value, err := strconv.Atoi(n.Value); err == nil && value >= 0 && value <= max {
			return value, nil
		}
	}
	return 0, d.errorAt(n, fmt.Sprintf("write a number from 0 to %d, without quotes", max), "%s is no such number", what)
}

// readJSON turns JSON into nodes. It takes the tokens one by one: decoding
// into maps would lose lines, and fields that stand twice.
type readJSON struct {
	document
	data    []byte
	decoder *json.Decoder
	node    yaml.Node // where the next token is
	offset  int       // as far as lines are counted
	line    int       // where the line of that offset begins
}

func (d document) parseJSON(data []byte) (*yaml.Node, error) {
	r := &readJSON{document: d, data: data, decoder: json.NewDecoder(bytes.NewReader(data)), node: yaml.Node{Line: 1}}
	r.decoder.UseNumber()
	root, err := r.value(0)
	if err != nil {
		return nil, err
	}
	r.locate()
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, d.errorAt(&r.node, "put one document into a file", "there is more behind the end of the JSON document")
	}
	return root, nil
}

// locate sets line and column to those of the next token.
func (r *readJSON) locate() {
	offset := max(r.offset, int(r.decoder.InputOffset()))
	for offset < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[offset]) >= 0 {
		offset++
	}
	passed := r.data[r.offset:offset]
	r.node.Line += bytes.Count(passed, []byte("\n"))
	if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
		r.line = r.offset + last + 1
	}
	r.node.Column = offset - r.line + 1
	r.offset = offset
}

func (r *readJSON) value(depth int) (*yaml.Node, error) {
	r.locate()
	node := r.node
	token, err := r.decoder.Token()
	if err != nil {
		return nil, r.broken(err)
	}
	if depth > yamlfile.MaxDepth {
		return nil, r.file().TooDeep(&node)
	}
	node.Kind = yaml.ScalarNode
	switch token := token.(type) {
	case string:
		node.Tag, node.Value = "!!str", token
	case json.Number:
		node.Tag, node.Value = "!!float", token.String()
		if _, err := strconv.Atoi(node.Value); err == nil {
			node.Tag = "!!int"
		}
	case bool:
		node.Tag, node.Value = "!!bool", strconv.FormatBool(token)
	case nil:
		node.Tag = "!!null"
	case json.Delim:
		node.Kind, node.Tag = yaml.MappingNode, "!!map"
		if token == '[' {
			node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		}
		for r.decoder.More() {
			child, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		if _, err := r.decoder.Token(); err != nil { // the closing one
			r.locate()
			return nil, r.broken(err)
		}
	}
	return &node, nil
}

func (r *readJSON) broken(err error) error {
	text := err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		text = "it ends too early"
	}
	return r.errorAt(&r.node, "check commas, quotes and brackets; JSON has no comments", "not valid JSON: %s", text)
}
