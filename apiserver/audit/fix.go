package audit

import (
	"bytes"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	"k8s.io/apiserver/pkg/audit/policy"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// maxRounds is how often Fix looks again: what is mended may show what else is
// wrong, as a group that nobody read.
const maxRounds = 16

// edit is a change of one place in the file.
type edit struct {
	kind  editKind
	node  *yaml.Node
	value string     // of replace
	prior *yaml.Node // of remove: the item before
}

type editKind int

const (
	replace editKind = iota // the text of a scalar, which keeps its quotes
	wrap                    // a scalar becomes a list of one
	unwrap                  // a list of one becomes a scalar
	remove                  // an item of a list
)

// Fix mends what is certain in a policy and returns the new file, with what it has
// mended. Comments, order, quotes and line ends stay. The data are the old ones
// where there is nothing to mend. Errors are those of Lint.
func Fix(name string, data []byte) ([]byte, []Finding, error) {
	var mended []Finding
	fixed := data
	for range maxRounds {
		findings, err := Lint(name, fixed)
		if err != nil {
			return data, nil, err
		}
		next, done := fixOnce(fixed, findings)
		if len(done) == 0 {
			break
		}
		fixed, mended = next, append(mended, done...)
	}
	if isAccepted(data) && !isAccepted(fixed) { // better as it was
		return data, nil, nil
	}
	return fixed, mended, nil
}

func isAccepted(data []byte) bool {
	_, err := policy.LoadPolicyFromBytes(data)
	return err == nil
}

// fixOnce makes the edits of all findings at once, and where the file would then
// say something else than it is to say, one by one.
func fixOnce(data []byte, findings []Finding) ([]byte, []Finding) {
	t := yamlfile.NewText(data)
	var fixable []Finding
	taken := make(map[int]bool) // bytes: of what overlaps one is mended now, and the other in the next round
	for _, f := range findings {
		if !f.Fixable {
			continue
		}
		s, ok := f.edit.splice(t)
		if ok && !taken[s.From] && !taken[s.To] {
			fixable = append(fixable, f)
			for at := s.From; at <= s.To; at++ {
				taken[at] = true
			}
		}
	}
	if len(fixable) == 0 {
		return data, nil
	}
	if fixed := applyEdits(data, fixable); fixed != nil {
		return fixed, fixable
	}
	for _, f := range fixable {
		if fixed := applyEdits(data, []Finding{f}); fixed != nil {
			return fixed, []Finding{f}
		}
	}
	return data, nil
}

// applyEdits returns the edited file, nil where it does not read as it should.
func applyEdits(data []byte, findings []Finding) []byte {
	t := yamlfile.NewText(data)
	var splices []yamlfile.Splice
	edits := make(map[*yaml.Node]*edit)
	for _, f := range findings {
		s, ok := f.edit.splice(t)
		if !ok {
			return nil
		}
		splices = append(splices, s)
		edits[f.edit.node] = f.edit
	}
	fixed := t.Apply(splices)
	if fixed == nil || !readsAs(data, fixed, edits) {
		return nil
	}
	return fixed
}

// readsAs says whether the new text differs from the old one in the edits alone.
func readsAs(old, fixed []byte, edits map[*yaml.Node]*edit) bool {
	before, _, err := lintDocument("", old)
	if err != nil {
		return false
	}
	after, _, err := lintDocument("", fixed)
	if err != nil {
		return false
	}
	places := make(map[[2]int]*edit)
	for n, e := range edits {
		places[[2]int{n.Line, n.Column}] = e
	}
	return sameBut(before, after, places)
}

func sameBut(before, after *yaml.Node, edits map[[2]int]*edit) bool {
	if e := edits[[2]int{before.Line, before.Column}]; e != nil && before.Kind == e.node.Kind {
		switch e.kind {
		case replace:
			return after.Kind == yaml.ScalarNode && after.Value == e.value && isText(after)
		case wrap:
			return after.Kind == yaml.SequenceNode && len(after.Content) == 1 && after.Content[0].Value == before.Value && isText(after.Content[0])
		case unwrap:
			return after.Kind == yaml.ScalarNode && after.Value == before.Content[0].Value
		}
	}
	if before.Kind != after.Kind || before.Tag != after.Tag || before.Value != after.Value {
		return false
	}
	children := make([]*yaml.Node, 0, len(before.Content))
	for _, child := range before.Content {
		if e := edits[[2]int{child.Line, child.Column}]; e == nil || e.kind != remove {
			children = append(children, child)
		}
	}
	return slices.EqualFunc(children, after.Content, func(a, b *yaml.Node) bool { return sameBut(a, b, edits) })
}

// splice returns the change of the text; not ok where the place is not clear.
func (e *edit) splice(t *yamlfile.Text) (yamlfile.Splice, bool) {
	if e.kind == unwrap {
		return spliceUnwrap(e.node, t)
	}
	s, ok := t.ReplaceScalar(e.node, nil)
	if !ok || e.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || e.node.Anchor != "" {
		return s, false
	}
	was := t.Data[s.From:s.To]
	switch e.kind {
	case replace:
		s.Text = quoteAs(was, e.value)
	case wrap:
		if len(was) == 0 || bytes.ContainsAny(was, "{}[],\n") {
			return s, false
		}
		s.Text = slices.Concat([]byte("["), was, []byte("]"))
	case remove:
		prior, ok := t.ReplaceScalar(e.prior, nil)
		if !ok || prior.To > s.From || len(bytes.Trim(t.Data[prior.To:s.From], " \t\r\n,-")) > 0 {
			return s, false // there is a comment, or something else, between
		}
		s.From = prior.To
	}
	return s, true
}

// spliceUnwrap takes the brackets off a list of one that stands in one line.
func spliceUnwrap(list *yaml.Node, t *yamlfile.Text) (yamlfile.Splice, bool) {
	from := t.Place(list)
	item, ok := t.ReplaceScalar(list.Content[0], nil)
	if !ok || from < 0 || list.Style&yaml.FlowStyle == 0 || list.Anchor != "" || list.Content[0].Anchor != "" ||
		item.From < from || string(bytes.TrimSpace(t.Data[from:item.From])) != "[" {
		return yamlfile.Splice{}, false
	}
	end := bytes.IndexByte(t.Data[item.To:], ']')
	if end < 0 || len(bytes.TrimSpace(t.Data[item.To:item.To+end])) > 0 {
		return yamlfile.Splice{}, false
	}
	return yamlfile.Splice{From: from, To: item.To + end + 1, Text: t.Data[item.From:item.To]}, true
}

// quoteAs writes a value as another one is quoted. What would not be read as a
// text without quotes gets them.
func quoteAs(was []byte, value string) []byte {
	switch {
	case bytes.HasPrefix(was, []byte("'")):
		return []byte("'" + value + "'")
	case bytes.HasPrefix(was, []byte(`"`)) || value == "":
		return []byte(strconv.Quote(value))
	}
	var n yaml.Node
	if yaml.Unmarshal([]byte(value), &n) != nil || len(n.Content) == 0 || !isText(n.Content[0]) || n.Content[0].Value != value {
		return []byte(strconv.Quote(value))
	}
	return []byte(value)
}
