package kubeconfig

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// change returns the text of a kubeconfig after a change, which kubectl reads
// as want. The text is edited in place: then it is read again, and its nodes are
// compared with what was meant; kubectl's own parser, which is slow, need read
// only what was inserted. Where the text's form is not one that is edited, all
// of it is written anew, and read by both: edited is false then.
func (d *document) change(c *change, want *api.Config) (data []byte, edited bool, err error) {
	root := d.changed(c)
	data, edited = d.edit(c, root)
	if !edited || !hasNodes(data, root) || !c.reads(want) {
		edited = false
		if data, err = encode(block(root)); err != nil {
			return nil, false, err
		}
		if !reads(data, root, want) {
			return nil, false, failure.New(failure.Failed, "write it anew with: kubectl config view --raw --flatten", "%q has a form that pkictl does not edit", d.path)
		}
	}
	if len(data) > store.MaxYAML {
		return nil, false, failure.New(failure.Failed, "merge into another file with --into", "%q would be larger than 4 MiB", d.path)
	}
	return data, edited, nil
}

// changed returns the nodes of the kubeconfig after the change; those of the
// file stay as they are.
func (d *document) changed(c *change) *yaml.Node {
	root := *d.root
	root.Content = slices.Clone(root.Content)
	fresh := len(root.Content) == 0
	if fresh { // in the order in which kubectl writes
		root.Content = []*yaml.Node{textNode("apiVersion"), textNode("v1")}
	}
	changeList(&root, clusters, c)
	changeList(&root, contexts, c)
	if c.current != "" {
		setValue(&root, "current-context", c.current)
	}
	if fresh {
		setValue(&root, "kind", "Config")
	}
	changeList(&root, users, c)
	return &root
}

// changeList changes one of the lists.
func changeList(root *yaml.Node, s section, c *change) {
	added, replaced := c.added[s], c.replaced[s]
	if len(added)+len(replaced) == 0 {
		return
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	if old := valueOf(root, s.list); old != nil && old.Kind == yaml.SequenceNode {
		copied := *old
		list = &copied
		list.Content = slices.Clone(list.Content)
	}
	for i, item := range list.Content {
		if node := replaced[nameOf(item)]; node != nil {
			list.Content[i] = node
		}
	}
	list.Content = append(list.Content, added...)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == s.list {
			root.Content[i+1] = list
			return
		}
	}
	root.Content = append(root.Content, textNode(s.list), list)
}

// nameOf returns the name of an item of a list.
func nameOf(item *yaml.Node) string {
	if node := valueOf(item, "name"); node != nil {
		return node.Value
	}
	return ""
}

// reads says whether a text has these nodes, and is to kubectl what is wanted.
func reads(data []byte, root *yaml.Node, want *api.Config) bool {
	config, err := load(data)
	return err == nil && reflect.DeepEqual(config, want) && hasNodes(data, root)
}

// hasNodes says whether a text has these nodes.
func hasNodes(data []byte, root *yaml.Node) bool {
	var got yaml.Node
	return yaml.Unmarshal(data, &got) == nil && len(got.Content) == 1 && sameNodes(got.Content[0], root)
}

// reads says whether the new entries are to kubectl what is wanted. Those that
// are made of plain words need no reading: each stands there as it stood in the
// source, and kubectl has read that.
func (c *change) reads(want *api.Config) bool {
	part := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range sections {
		items := c.notPlain(s)
		part.Content = append(part.Content, textNode(s.list), &yaml.Node{Kind: yaml.SequenceNode, Content: items})
	}
	setValue(part, "current-context", c.current)
	data, err := encode(part)
	if err != nil {
		return false
	}
	config, err := load(data)
	if err != nil || config.CurrentContext != c.current {
		return false
	}
	for _, s := range sections {
		for _, item := range c.notPlain(s) {
			name := nameOf(item)
			if got := s.valueIn(config, name); got == nil || !reflect.DeepEqual(got, s.valueIn(want, name)) {
				return false
			}
		}
	}
	return true
}

// notPlain returns the new items of a list that are not made of plain words.
func (c *change) notPlain(s section) []*yaml.Node {
	var found []*yaml.Node
	for _, item := range slices.Concat(c.added[s], slices.Collect(maps.Values(c.replaced[s]))) {
		if !isPlain(item) {
			found = append(found, item)
		}
	}
	return found
}

// sameNodes says whether two nodes are the same, but for where and how they stand.
func sameNodes(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || a.Anchor != b.Anchor || a.ShortTag() != b.ShortTag() || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameNodes(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// block returns a node in block style, with the lists in it, as kubectl writes.
// An object in one line is not taken apart below that.
func block(root *yaml.Node) *yaml.Node {
	root.Style &^= yaml.FlowStyle
	for i := 0; i+1 < len(root.Content); i += 2 {
		value := root.Content[i+1]
		if value.Kind == yaml.SequenceNode {
			copied := *value
			copied.Style &^= yaml.FlowStyle
			root.Content[i+1] = &copied
		}
	}
	return root
}

// encode writes nodes as kubectl would.
func encode(node *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	e.CompactSeqIndent()
	if err := e.Encode(node); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// edit makes the change in the text. It knows the forms that kubectl and people
// write: lists in block style, an item beginning in a line of its own.
func (d *document) edit(c *change, root *yaml.Node) (edited []byte, ok bool) {
	e := &edits{text: yamlfile.NewText(d.data), document: d}
	e.list(clusters, c)
	e.list(contexts, c)
	e.current(c.current)
	e.list(users, c)
	if e.failed {
		return nil, false
	}
	splices, tail := e.splices, e.tail
	if tail != nil {
		if d.root.Style&yaml.FlowStyle != 0 {
			return nil, false
		}
		if len(d.root.Content) == 0 { // nothing, or comments
			var err error
			if tail, err = encode(root); err != nil {
				return nil, false
			}
		}
		splices = append(splices, yamlfile.Splice{From: len(d.data), To: len(d.data), Text: tail})
	}
	return e.text.Apply(splices), true
}

// edits are the edits of a document, in the order of changed.
type edits struct {
	*document
	text    *yamlfile.Text
	splices []yamlfile.Splice
	tail    []byte // what the file has not at all
	failed  bool   // it has a form that is not edited
}

func (e *edits) list(s section, c *change) {
	if len(c.added[s])+len(c.replaced[s]) == 0 || e.failed {
		return
	}
	if valueOf(e.root, s.list) == nil {
		items, ok := itemsText(c.added[s], 0)
		e.tail, e.failed = slices.Concat(e.tail, []byte(s.list+":\n"), items), !ok
		return
	}
	more, ok := e.spliceList(e.root, s, c)
	e.splices, e.failed = append(e.splices, more...), !ok
}

func (e *edits) current(name string) {
	if name == "" || e.failed {
		return
	}
	text, err := encode(textNode(name))
	if err != nil {
		e.failed = true
		return
	}
	value := valueOf(e.root, "current-context")
	if value == nil {
		e.tail = slices.Concat(e.tail, []byte("current-context: "), text)
		return
	}
	one, ok := e.text.ReplaceScalar(value, bytes.TrimSpace(text))
	e.splices, e.failed = append(e.splices, one), !ok
}
