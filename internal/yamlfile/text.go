package yamlfile

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle

// Splice is a text that takes the place of a part of another.
type Splice struct {
	From, To int
	Text     []byte
}

// Text is a file in YAML that is edited in place, so that all else in it stays as
// it is: comments, order, quotes and line ends.
type Text struct {
	Data   []byte
	starts []int // of its lines
}

// NewText returns a text to edit.
func NewText(data []byte) *Text {
	t := &Text{Data: data}
	for i := range data {
		if i == 0 || data[i-1] == '\n' {
			t.starts = append(t.starts, i)
		}
	}
	return t
}

// LineAt returns where a line begins, of which the first is 1; behind the last one
// it is the end of the text.
func (t *Text) LineAt(line int) int {
	if line < 1 || line > len(t.starts) {
		return len(t.Data)
	}
	return t.starts[line-1]
}

// ItemAt returns where the lines of a list's item begin: its dash may have a line
// of its own, above.
func (t *Text) ItemAt(item *yaml.Node) int {
	from, above := t.LineAt(item.Line), t.LineAt(item.Line-1)
	if above < from && string(bytes.TrimSpace(t.Data[above:from])) == "-" {
		return above
	}
	return from
}

// Trim returns where what begins at from ends, without the comments and blank
// lines between it and what comes at to.
func (t *Text) Trim(from, to int) int {
	for to > from {
		begin := bytes.LastIndexByte(t.Data[:to-1], '\n') + 1
		line := bytes.TrimSpace(t.Data[begin:to])
		if begin <= from || len(line) > 0 && line[0] != '#' {
			break
		}
		to = begin
	}
	return to
}

// Place returns where the text of a scalar begins, behind its quote if it has one;
// -1 where that is unclear.
func (t *Text) Place(node *yaml.Node) int {
	if node.Line < 1 || node.Line > len(t.starts) {
		return -1
	}
	at := t.starts[node.Line-1]
	for range node.Column - 1 { // columns count characters
		_, size := utf8.DecodeRune(t.Data[min(at, len(t.Data)):])
		at += size
	}
	if node.Style&quoted != 0 {
		at++
	}
	if at > len(t.Data) {
		return -1
	}
	return at
}

// ReplaceScalar replaces a text in one line, with its quotes. It is not ok where
// the text does not stand there as it reads: escaped, folded, or an alias.
func (t *Text) ReplaceScalar(node *yaml.Node, by []byte) (s Splice, ok bool) {
	at := t.Place(node)
	if node.Kind != yaml.ScalarNode || at < 0 || !bytes.HasPrefix(t.Data[at:], []byte(node.Value)) {
		return Splice{}, false
	}
	to := at + len(node.Value)
	if node.Style&quoted != 0 {
		if at--; to < len(t.Data) {
			to++
		}
	}
	if at == to && at > 0 && t.Data[at-1] == ':' {
		by = append([]byte(" "), by...)
	}
	return Splice{at, to, by}, true
}

// Apply makes the edits, and returns nil where they overlap: then the text is read
// otherwise than it seems. New lines end as the others do. What is edited has to be
// read again, and compared with what it is to say.
func (t *Text) Apply(splices []Splice) []byte {
	splices = slices.Clone(splices)
	slices.SortStableFunc(splices, func(a, b Splice) int { return a.From - b.From })
	crlf := bytes.Contains(t.Data, []byte("\r\n"))
	var out []byte
	done := 0
	for _, s := range splices {
		if s.From < done {
			return nil
		}
		out = append(out, t.Data[done:s.From]...)
		isLines := bytes.HasSuffix(s.Text, []byte("\n"))
		if isLines && len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		if crlf {
			s.Text = bytes.ReplaceAll(s.Text, []byte("\n"), []byte("\r\n"))
		}
		out = append(out, s.Text...)
		done = s.To
	}
	return append(out, t.Data[done:]...)
}

// Field returns the value of a key in a mapping, nil where it has none or is no
// mapping.
func Field(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}
