package kubeconfig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// listOf returns one of the lists with its key, and where it ends, with comments
// behind it.
func (e *edits) listOf(root *yaml.Node, s section) (key, list *yaml.Node, end int) {
	end = len(e.text.Data)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != s.list {
			continue
		}
		key, list = root.Content[i], root.Content[i+1]
		if i+2 < len(root.Content) {
			end = e.text.LineAt(root.Content[i+2].Line)
		}
	}
	return key, list, end
}

// spliceList returns the edits of a list in block style, or of an empty one.
func (e *edits) spliceList(root *yaml.Node, s section, c *change) ([]yamlfile.Splice, bool) {
	key, list, end := e.listOf(root, s)
	if list != nil && isEmpty(list) {
		return e.fill(key, c.added[s])
	}
	if list == nil || list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 || len(list.Content) == 0 {
		return nil, false
	}
	indent := -1
	var splices []yamlfile.Splice
	for i, item := range list.Content {
		from, to := e.text.ItemAt(item), end
		if i+1 < len(list.Content) {
			to = e.text.ItemAt(list.Content[i+1])
		}
		spaces := len(e.text.Data[from:]) - len(bytes.TrimLeft(e.text.Data[from:], " "))
		if from+spaces >= len(e.text.Data) || e.text.Data[from+spaces] != '-' || indent >= 0 && spaces != indent {
			return nil, false
		}
		indent = spaces
		if node := c.replaced[s][nameOf(item)]; node != nil {
			text, ok := itemsText([]*yaml.Node{node}, indent)
			if !ok {
				return nil, false
			}
			splices = append(splices, yamlfile.Splice{From: from, To: e.text.Trim(from, to), Text: text})
		}
		if i+1 == len(list.Content) && len(c.added[s]) > 0 {
			text, ok := itemsText(c.added[s], indent)
			if !ok {
				return nil, false
			}
			at := e.text.Trim(from, to)
			splices = append(splices, yamlfile.Splice{From: at, To: at, Text: text})
		}
	}
	return splices, true
}

// isEmpty says whether a list has nothing in it, in a form that is edited.
func isEmpty(list *yaml.Node) bool {
	if list.Anchor != "" || list.Style&yaml.TaggedStyle != 0 {
		return false
	}
	return list.Kind == yaml.SequenceNode && len(list.Content) == 0 || list.Kind == yaml.ScalarNode && list.Tag == "!!null"
}

// fill puts items below the key of an empty list. What stands for nothing goes;
// a comment behind it stays.
func (e *edits) fill(key *yaml.Node, items []*yaml.Node) ([]yamlfile.Splice, bool) {
	from := e.text.Place(key)
	if from < 0 || !bytes.HasPrefix(e.text.Data[from:], []byte(key.Value+":")) {
		return nil, false
	}
	from += len(key.Value) + 1
	line, _, _ := bytes.Cut(e.text.Data[from:], []byte("\n"))
	next := min(from+len(line)+1, len(e.text.Data))
	line = bytes.TrimRight(line, " \t\r")
	gone := 0 // how much of the line goes
	for _, nothing := range []string{"[]", "null", "~"} {
		if behind, found := bytes.CutPrefix(bytes.TrimLeft(line, " "), []byte(nothing)); found {
			gone = len(line) - len(behind)
		}
	}
	if rest := bytes.TrimLeft(line[gone:], " \t"); len(rest) > 0 && rest[0] != '#' {
		return nil, false
	}
	text, ok := itemsText(items, key.Column-1)
	return []yamlfile.Splice{{From: from, To: from + gone}, {From: next, To: next, Text: text}}, ok
}

// itemsText returns items of a list, indented.
func itemsText(items []*yaml.Node, indent int) ([]byte, bool) {
	margin := strings.Repeat(" ", indent)
	var b bytes.Buffer
	for _, item := range items {
		if isPlain(item) {
			b.WriteString(margin + "- ")
			writePlain(&b, item, margin+"  ")
			continue
		}
		text, err := encode(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}})
		if err != nil {
			return nil, false
		}
		for line := range bytes.Lines(text) {
			b.WriteString(margin)
			b.Write(line)
		}
	}
	return b.Bytes(), true
}

// isPlain says whether all of a node is words without spaces, each on one line.
func isPlain(node *yaml.Node) bool {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle
	switch node.Kind {
	case yaml.ScalarNode:
		return node.Tag == "!!str" && len(node.Value) >= 4 && node.Style&^quoted == 0 && isWord(node.Value)
	case yaml.MappingNode, yaml.SequenceNode:
		return len(node.Content) > 0 && !slices.ContainsFunc(node.Content, func(child *yaml.Node) bool { return !isPlain(child) })
	}
	return false
}

func isWord(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("-_./:@=+", c) < 0:
			return false
		}
	}
	return true
}

// writePlain writes a node that isPlain as the encoder does, which takes much
// longer. It begins behind a dash or a key, and ends with a line.
func writePlain(b *bytes.Buffer, node *yaml.Node, margin string) {
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Style != 0 {
			fmt.Fprintf(b, "%q\n", node.Value)
		} else {
			b.WriteString(node.Value + "\n")
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			if i > 0 {
				b.WriteString(margin)
			}
			b.WriteString("- ")
			writePlain(b, item, margin+"  ")
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if i > 0 {
				b.WriteString(margin)
			}
			key, value := node.Content[i], node.Content[i+1]
			b.WriteString(key.Value + ":")
			switch value.Kind {
			case yaml.MappingNode:
				b.WriteString("\n" + margin + "  ")
				writePlain(b, value, margin+"  ")
			case yaml.SequenceNode:
				b.WriteString("\n" + margin)
				writePlain(b, value, margin)
			default:
				b.WriteString(" ")
				writePlain(b, value, margin)
			}
		}
	}
}
