package apiserver

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
	kubeyaml "sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// listText makes the edits of a list of texts, in block or in flow style.
type listText struct {
	*Manifest
	node    *yaml.Node
	key     string
	splices []yamlfile.Splice
	removed int
	failed  bool // it has a form that is not edited
}

func (l *listText) isFlow() bool { return l.node.Style&yaml.FlowStyle != 0 }

func (l *listText) splice(from, to int, text string) {
	l.splices = append(l.splices, yamlfile.Splice{From: from, To: to, Text: []byte(text)})
}

// span returns where the text of a scalar is, with its quotes.
func (m *Manifest) span(node *yaml.Node) (from, to int, ok bool) {
	s, ok := m.text.ReplaceScalar(node, nil)
	return s.From, s.To, ok && s.From < s.To
}

// linesOf returns where the lines of an item of a list in block style are,
// without the comments behind them. It is not ok if the item shares its line.
func (m *Manifest) linesOf(list *yaml.Node, i int) (from, to, indent int, ok bool) {
	from = m.text.ItemAt(list.Content[i])
	to = m.text.Trim(from, m.endOf(list.Content[i]))
	line := m.text.Data[from:]
	indent = len(line) - len(bytes.TrimLeft(line, " "))
	return from, to, indent, from < to && line[indent] == '-'
}

// endOf returns where the next node begins that is no part of this one: its line,
// or the end of the text.
func (m *Manifest) endOf(node *yaml.Node) int {
	passed, found := false, false
	end := len(m.text.Data)
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		if found {
			return
		}
		if passed {
			found, end = true, m.text.ItemAt(n)
			return
		}
		if n == node {
			passed = true // and what is in it with it
			return
		}
		for _, child := range n.Content {
			visit(child)
		}
	}
	visit(m.root)
	return end
}

// replace gives an item another text, in its own quotes.
func (l *listText) replace(i int, value string) {
	item := l.node.Content[i]
	text, ok := scalarText(value, item.Style, l.isFlow())
	if from, to, isHere := l.span(item); ok && isHere {
		l.splice(from, to, text)
		return
	}
	from, to, indent, isLine := l.linesOf(l.node, i)
	if !ok || l.isFlow() || !isLine {
		l.failed = true
		return
	}
	l.splice(from, to, strings.Repeat(" ", indent)+"- "+text+"\n")
}

// remove takes an item out, with its lines or with its comma.
func (l *listText) remove(i int) {
	if l.removed++; l.removed == len(l.node.Content) {
		l.failed = true // nothing would be left that is a list
		return
	}
	if !l.isFlow() {
		from, to, _, ok := l.linesOf(l.node, i)
		l.splice(from, to, "")
		l.failed = l.failed || !ok
		return
	}
	if i == 0 { // the program, or the first of args
		from, _, ok := l.span(l.node.Content[0])
		to, _, isNext := l.span(l.node.Content[1])
		l.splice(from, to, "")
		l.failed = l.failed || !ok || !isNext
		return
	}
	_, from, ok := l.span(l.node.Content[i-1])
	_, to, isHere := l.span(l.node.Content[i])
	l.failed = l.failed || !ok || !isHere || !isComma(l.text.Data[from:to-1])
	l.splice(from, to, "")
}

// isComma says whether the first of a text is a comma, but for white space.
func isComma(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte(",")) }

// append puts items behind the last one, in its form.
func (l *listText) append(values []string) {
	if len(values) == 0 {
		return
	}
	last := len(l.node.Content) - 1
	to, indent, isLine := 0, 0, true
	if !l.isFlow() {
		_, to, indent, isLine = l.linesOf(l.node, last)
	}
	before := ", "
	if l.isFlow() {
		from, end, ok := l.span(l.node.Content[last])
		if !ok {
			l.failed = true
			return
		}
		to = end
		if margin, alone := l.marginOf(from); alone && last > 0 {
			before = ",\n" + margin
		}
	}
	var b strings.Builder
	for _, value := range values {
		text, ok := scalarText(value, l.node.Content[last].Style, l.isFlow())
		l.failed = l.failed || !ok || !isLine
		if l.isFlow() {
			b.WriteString(before + text)
		} else {
			b.WriteString(strings.Repeat(" ", indent) + "- " + text + "\n")
		}
	}
	l.splice(to, to, b.String())
}

// marginOf returns the white space before a place, and whether there is nothing
// else in its line before it.
func (m *Manifest) marginOf(at int) (string, bool) {
	line := m.text.Data[bytes.LastIndexByte(m.text.Data[:at], '\n')+1 : at]
	return string(line), len(bytes.TrimSpace(line)) == 0
}

// scalarText writes a text as YAML: in these quotes, or plain where it can be.
func scalarText(value string, style yaml.Style, flow bool) (string, bool) {
	style &= yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle
	text, ok := styledText(value, style, flow)
	if style == 0 && ok && !readsAs(text, value) {
		return styledText(value, yaml.DoubleQuotedStyle, flow)
	}
	return text, ok
}

// readsAs says whether the kubelet reads a text in YAML as that value: to it, by
// YAML 1.1, no is a boolean.
func readsAs(text, value string) bool {
	var got any
	return kubeyaml.Unmarshal([]byte(text), &got) == nil && got == value
}

func styledText(value string, style yaml.Style, flow bool) (string, bool) {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: style}
	if flow {
		node = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{node}}
	}
	out, err := yaml.Marshal(node)
	text := strings.TrimSuffix(string(out), "\n")
	if flow && err == nil {
		text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	}
	return text, err == nil && text != "" && !strings.Contains(text, "\n")
}
