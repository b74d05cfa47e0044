// Package yamlfile reads files that people write in YAML into nodes that know
// their lines, and says where in them something is wrong.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
)

// MaxDepth is more than any configuration needs.
const MaxDepth = 32

// File is a file in YAML. All its errors are of kind Usage.
type File struct {
	Name string // what errors call it
	Hint string // what goes into such a file
}

// Documents returns the roots of all documents, those without contents, which
// are null, included. It is an error if there is none.
func (f File) Documents(data []byte) ([]*yaml.Node, error) {
	var roots []*yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF) && roots == nil: // comments alone
			return nil, f.Empty()
		case errors.Is(err, io.EOF):
			return roots, nil
		case err != nil:
			return nil, f.syntax(data, err)
		}
		roots = append(roots, document.Content[0])
	}
}

// Empty is the error for a file without contents.
func (f File) Empty() error {
	return failure.New(failure.Usage, f.Hint, "%q is empty", f.Name)
}

func (f File) syntax(data []byte, err error) error {
	hint := "check indentation and quotes"
	if bytes.HasPrefix(data, []byte("\t")) || bytes.Contains(data, []byte("\n\t")) {
		hint = "indent with spaces; YAML takes no tabs there"
	}
	return failure.New(failure.Usage, hint, "%q is not valid YAML: %s", f.Name, strings.TrimPrefix(err.Error(), "yaml: "))
}

// Check refuses what makes a small document large: aliases, and nodes in nodes
// without end.
func (f File) Check(root *yaml.Node) error { return f.check(root, 0) }

func (f File) check(n *yaml.Node, depth int) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return f.ErrorAt(n, "write the value out", "alias %q is not allowed", "*"+n.Value)
	case depth > MaxDepth:
		return f.TooDeep(n)
	}
	for _, child := range n.Content {
		if err := f.check(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// TooDeep is the error for a node below more than MaxDepth others.
func (f File) TooDeep(n *yaml.Node) error {
	return f.ErrorAt(n, f.Hint, "it is nested more than %d levels deep", MaxDepth)
}

// ErrorAt is an error that says where in the file it is.
func (f File) ErrorAt(n *yaml.Node, hint, format string, args ...any) error {
	return failure.New(failure.Usage, hint, "%q, line %d, column %d: %s", f.Name, n.Line, n.Column, fmt.Sprintf(format, args...))
}
