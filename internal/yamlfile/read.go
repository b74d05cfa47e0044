package yamlfile

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
)

// Root returns the root of the one document of a file.
func (f File) Root(data []byte) (*yaml.Node, error) {
	roots, err := f.Documents(data)
	if err != nil {
		return nil, err
	}
	if len(roots) > 1 {
		return nil, f.ErrorAt(roots[1], "put one document into a file", "a second document begins")
	}
	return roots[0], nil
}

// At adds the place in the file to an error.
func (f File) At(n *yaml.Node, err error) error {
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.Usage, "", "%q, line %d, column %d", f.Name, n.Line, n.Column)
}

// Key is something that a mapping may hold: its name, and what reads its value.
type Key struct {
	Name string
	Read func(value *yaml.Node) error
}

// Mapping reads a mapping whose keys are all known.
func (f File) Mapping(n *yaml.Node, what string, keys ...Key) error {
	return f.Entries(n, what, func(key, value *yaml.Node) error {
		names := make([]string, len(keys))
		for i, k := range keys {
			if k.Name == key.Value {
				return k.Read(value)
			}
			names[i] = k.Name
		}
		return f.ErrorAt(key, failure.Suggest(key.Value, names), "unknown field %q in %s", key.Value, what)
	})
}

// Entries reads a mapping whose keys are distinct.
func (f File) Entries(n *yaml.Node, what string, read func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return f.ErrorAt(n, "write fields with their values, as in name: value", "%s is not a mapping", what)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return f.ErrorAt(key, "", "a field of %s has no plain name", what)
		}
		if line, again := seen[key.Value]; again {
			return f.ErrorAt(key, fmt.Sprintf("it stands in line %d; keep one of the two", line), "field %q of %s is given twice", key.Value, what)
		}
		seen[key.Value] = key.Line
		if value.ShortTag() == "!!null" {
			return f.ErrorAt(key, "give it a value, or leave the field out", "field %q of %s has no value", key.Value, what)
		}
		if err := read(key, value); err != nil {
			return err
		}
	}
	return nil
}

// List reads each element of a list of distinct texts.
func (f File) List(n *yaml.Node, what string, read func(element *yaml.Node, text string) error) error {
	if n.Kind != yaml.SequenceNode {
		return f.ErrorAt(n, "write a list, as in [a, b]", "%s is not a list", what)
	}
	seen := map[string]bool{}
	for _, element := range n.Content {
		text, err := f.Text(element, "an element of "+what)
		if err != nil {
			return err
		}
		if seen[text] {
			return f.ErrorAt(element, "name it once", "%q stands twice in %s", text, what)
		}
		seen[text] = true
		if err := read(element, text); err != nil {
			return err
		}
	}
	return nil
}

// Texts returns a list of distinct texts, which is not nil.
func (f File) Texts(n *yaml.Node, what string) ([]string, error) {
	list := []string{}
	err := f.List(n, what, func(_ *yaml.Node, text string) error {
		list = append(list, text)
		return nil
	})
	return list, err
}

// Text returns a text that is not empty.
func (f File) Text(n *yaml.Node, what string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", f.ErrorAt(n, "write one value", "%s is not a text", what)
	case n.ShortTag() != "!!str":
		return "", f.ErrorAt(n, fmt.Sprintf("write it in quotes, as in %q", n.Value), "%s is not a text", what)
	case n.Value == "":
		return "", f.ErrorAt(n, "give it a value, or leave it out", "%s is empty", what)
	}
	return n.Value, nil
}

// Boolean returns true or false.
func (f File) Boolean(n *yaml.Node, what string) (bool, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		if value, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return value, nil
		}
	}
	return false, f.ErrorAt(n, "write true or false, without quotes", "%s is neither true nor false", what)
}

// Number reads a number from 0 to max.
func (f File) Number(n *yaml.Node, what string, max int) (int, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		if value, err := strconv.Atoi(n.Value); err == nil && value >= 0 && value <= max {
			return value, nil
		}
	}
	return 0, f.ErrorAt(n, fmt.Sprintf("write a number from 0 to %d, without quotes", max), "%s is no such number", what)
}
