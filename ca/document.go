package ca

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

const documentHint = "see pkictl issue --help for what goes into such a file"

// document is a configuration in YAML or JSON that is read strictly: what is
// not understood is an error that names the line. JSON and YAML end in the same
// kind of nodes, so that both are read by the same code.
type document struct{ yamlfile.File }

func newDocument(name string) document {
	return document{yamlfile.File{Name: name, Hint: documentHint}}
}

// parse returns the root of the document. JSON is read as JSON, not as the
// YAML that it almost is.
func (d document) parse(data []byte) (*yaml.Node, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(trimmed) == 0:
		return nil, d.Empty()
	case trimmed[0] == '{':
		return d.parseJSON(data)
	}
	root, err := d.Root(data)
	if err != nil {
		return nil, err
	}
	return root, d.Check(root)
}

// field is something a mapping may hold: its name, and what reads its value.
type field struct {
	name string
	read func(value *yaml.Node) error
}

// mapping reads a mapping whose fields are all known.
func (d document) mapping(n *yaml.Node, what string, fields ...field) error {
	keys := make([]yamlfile.Key, len(fields))
	for i, f := range fields {
		keys[i] = yamlfile.Key{Name: f.name, Read: f.read}
	}
	return d.Mapping(n, what, keys...)
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
		return nil, d.ErrorAt(&r.node, "put one document into a file", "there is more behind the end of the JSON document")
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
		return nil, r.TooDeep(&node)
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
	return r.ErrorAt(&r.node, "check commas, quotes and brackets; JSON has no comments", "not valid JSON: %s", text)
}
