package kubeconfig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// splice is a text that takes the place of a part of another.
type splice struct {
	from, to int
	text     []byte
}

// lines is a text and where its lines begin.
type lines struct {
	text   []byte
	starts []int
}

// at returns where a line begins, of which the first is 1.
func (l *lines) at(line int) int {
	if line < 1 || line > len(l.starts) {
		return len(l.text)
	}
	return l.starts[line-1]
}

// itemAt returns where an item of a list begins: its dash may have a line of its
// own, above.
func (l *lines) itemAt(item *yaml.Node) int {
	from, above := l.at(item.Line), l.at(item.Line-1)
	if above < from && string(bytes.TrimSpace(l.text[above:from])) == "-" {
		return above
	}
	return from
}

// listOf returns one of the lists with its key, and where it ends, with comments
// behind it.
func (l *lines) listOf(root *yaml.Node, s section) (key, list *yaml.Node, end int) {
	end = len(l.text)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != s.list {
			continue
		}
		key, list = root.Content[i], root.Content[i+1]
		if i+2 < len(root.Content) {
			end = l.at(root.Content[i+2].Line)
		}
	}
	return key, list, end
}

// spliceList returns the edits of a list in block style, or of an empty one.
func (l *lines) spliceList(root *yaml.Node, s section, c *change) ([]splice, bool) {
	key, list, end := l.listOf(root, s)
	if list != nil && isEmpty(list) {
		return l.fill(key, c.added[s])
	}
	if list == nil || list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 || len(list.Content) == 0 {
		return nil, false
	}
	indent := -1
	var splices []splice
	for i, item := range list.Content {
		from, to := l.itemAt(item), end
		if i+1 < len(list.Content) {
			to = l.itemAt(list.Content[i+1])
		}
		spaces := len(l.text[from:]) - len(bytes.TrimLeft(l.text[from:], " "))
		if from+spaces >= len(l.text) || l.text[from+spaces] != '-' || indent >= 0 && spaces != indent {
			return nil, false
		}
		indent = spaces
		if node := c.replaced[s][nameOf(item)]; node != nil {
			text, ok := itemsText([]*yaml.Node{node}, indent)
			if !ok {
				return nil, false
			}
			splices = append(splices, splice{from, l.trim(from, to), text})
		}
		if i+1 == len(list.Content) && len(c.added[s]) > 0 {
			text, ok := itemsText(c.added[s], indent)
			if !ok {
				return nil, false
			}
			at := l.trim(from, to)
			splices = append(splices, splice{at, at, text})
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
func (l *lines) fill(key *yaml.Node, items []*yaml.Node) ([]splice, bool) {
	from := place(l.text, key)
	if from < 0 || !bytes.HasPrefix(l.text[from:], []byte(key.Value+":")) {
		return nil, false
	}
	from += len(key.Value) + 1
	line, _, _ := bytes.Cut(l.text[from:], []byte("\n"))
	next := min(from+len(line)+1, len(l.text))
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
	return []splice{{from, from + gone, nil}, {next, next, text}}, ok
}

// trim returns where an item that begins at from ends, without the comments and
// blank lines between it and what comes at to.
func (l *lines) trim(from, to int) int {
	for to > from {
		begin := bytes.LastIndexByte(l.text[:to-1], '\n') + 1
		line := bytes.TrimSpace(l.text[begin:to])
		if begin <= from || len(line) > 0 && line[0] != '#' {
			break
		}
		to = begin
	}
	return to
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

// spliceText replaces a text in one line, with its quotes.
func (l *lines) spliceText(node *yaml.Node, by []byte) (splice, bool) {
	at := place(l.text, node)
	if node.Kind != yaml.ScalarNode || at < 0 || !bytes.HasPrefix(l.text[at:], []byte(node.Value)) {
		return splice{}, false
	}
	to := at + len(node.Value)
	if node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		if at--; to < len(l.text) {
			to++
		}
	}
	if at == to && at > 0 && l.text[at-1] == ':' {
		by = append([]byte(" "), by...)
	}
	return splice{at, to, by}, true
}

// apply makes the edits. New lines end as the others do.
func (l *lines) apply(splices []splice) []byte {
	slices.SortStableFunc(splices, func(a, b splice) int { return a.from - b.from })
	crlf := bytes.Contains(l.text, []byte("\r\n"))
	var out []byte
	done := 0
	for _, s := range splices {
		if s.from < done {
			return nil // overlapping: the text is read otherwise than it seems
		}
		out = append(out, l.text[done:s.from]...)
		isLines := bytes.HasSuffix(s.text, []byte("\n"))
		if isLines && len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		if crlf {
			s.text = bytes.ReplaceAll(s.text, []byte("\n"), []byte("\r\n"))
		}
		out = append(out, s.text...)
		done = s.to
	}
	return append(out, l.text[done:]...)
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
