package apiserver

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// field is a key and its value, or an object below it, in the order in which
// they are written.
type field struct {
	key   string
	value any // a text, true, or []field
}

// volumeFields and mountFields write their keys in the order of the alphabet, as
// kubeadm does.
func volumeFields(v Volume) []field {
	return []field{
		{"hostPath", []field{{"path", v.Path}, {"type", string(v.Type)}}},
		{"name", v.Name},
	}
}

func mountFields(v Volume) []field {
	fields := []field{{"mountPath", v.Path}, {"name", v.Name}}
	if v.ReadOnly {
		fields = append(fields, field{"readOnly", true})
	}
	return fields
}

// spliceMounts makes the edits of spec.volumes and of the container's mounts.
func (e *edit) spliceMounts() error {
	for _, i := range e.mounts.writable {
		value := yamlfile.Field(yamlfile.Field(e.container, "volumeMounts").Content[i], "readOnly")
		s, ok := e.text.ReplaceScalar(value, []byte("false"))
		if !ok {
			return e.formError(value)
		}
		e.splices = append(e.splices, s)
	}
	if err := e.insert(e.container, "volumeMounts", e.mounts.mounts, mountFields, &e.mounts.mountsFirst); err != nil {
		return err
	}
	return e.insert(yamlfile.Field(e.root, "spec"), "volumes", e.mounts.volumes, volumeFields, &e.mounts.volumesFirst)
}

// insert puts objects into the list below a key of a mapping, and says whether
// before those that are there.
func (e *edit) insert(mapping *yaml.Node, key string, added []Volume, fields func(Volume) []field, first *bool) error {
	if len(added) == 0 {
		return nil
	}
	var items [][]field
	for _, v := range added {
		items = append(items, fields(v))
	}
	list := yamlfile.Field(mapping, key)
	switch {
	case mapping.Style&yaml.FlowStyle != 0 && list == nil:
		return e.insertFront(mapping, '{', flowText(key)+": ["+flowItems(items)+"]", len(mapping.Content) > 0)
	case list == nil:
		return e.insertKey(mapping, key, items)
	case list.Kind == yaml.ScalarNode && list.Tag == "!!null" && mapping.Style&yaml.FlowStyle == 0:
		return e.fill(mapping, key, list, items)
	case list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle != 0:
		*first = true
		return e.insertFront(list, '[', flowItems(items), len(list.Content) > 0)
	case list.Kind == yaml.SequenceNode && len(list.Content) > 0:
		_, to, indent, ok := e.linesOf(list, len(list.Content)-1)
		if !ok {
			return e.formError(list)
		}
		e.splices = append(e.splices, yamlfile.Splice{From: to, To: to, Text: blockItems(items, indent)})
		return nil
	}
	return e.formError(list)
}

// insertFront puts a text behind the bracket with which a node in flow style
// begins: where it ends the nodes do not say.
func (e *edit) insertFront(node *yaml.Node, bracket byte, text string, more bool) error {
	at := e.text.Place(node)
	if at < 0 || at >= len(e.text.Data) || e.text.Data[at] != bracket {
		return e.formError(node)
	}
	if at++; more {
		text += ", "
	}
	e.splices = append(e.splices, yamlfile.Splice{From: at, To: at, Text: []byte(text)})
	return nil
}

// insertKey puts a new key behind all others of a mapping in block style.
func (e *edit) insertKey(mapping *yaml.Node, key string, items [][]field) error {
	at := e.text.Trim(e.text.LineAt(mapping.Line), e.endOf(mapping))
	margin := mapping.Column - 1
	text := append([]byte(strings.Repeat(" ", margin)+key+":\n"), blockItems(items, margin)...)
	e.splices = append(e.splices, yamlfile.Splice{From: at, To: at, Text: text})
	return nil
}

// fill puts items below a key that has nothing, or a word for it.
func (e *edit) fill(mapping *yaml.Node, key string, nothing *yaml.Node, items [][]field) error {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		node := mapping.Content[i]
		if node.Value != key {
			continue
		}
		if nothing.Value != "" {
			s, ok := e.text.ReplaceScalar(nothing, nil)
			if !ok {
				return e.formError(nothing)
			}
			e.splices = append(e.splices, s)
		}
		at := e.text.LineAt(node.Line + 1)
		e.splices = append(e.splices, yamlfile.Splice{From: at, To: at, Text: blockItems(items, node.Column-1)})
	}
	return nil
}

// blockItems writes the items of a list, indented.
func blockItems(items [][]field, indent int) []byte {
	var b bytes.Buffer
	for _, item := range items {
		before := strings.Repeat(" ", indent) + "- "
		for _, f := range item {
			b.WriteString(before)
			before = strings.Repeat(" ", indent+2)
			writeField(&b, f, before)
		}
	}
	return b.Bytes()
}

func writeField(b *bytes.Buffer, f field, margin string) {
	b.WriteString(f.key + ":")
	switch value := f.value.(type) {
	case []field:
		b.WriteString("\n")
		for _, inner := range value {
			b.WriteString(margin + "  ")
			writeField(b, inner, margin+"  ")
		}
	case string:
		text, _ := scalarText(value, 0, false) // a path or a name: what is written is read again
		b.WriteString(" " + text + "\n")
	default:
		b.WriteString(" true\n")
	}
}

// flowItems writes the items of a list in flow style, which is JSON too.
func flowItems(items [][]field) string {
	var all []string
	for _, item := range items {
		all = append(all, flowFields(item))
	}
	return strings.Join(all, ", ")
}

func flowFields(fields []field) string {
	var all []string
	for _, f := range fields {
		value := "true"
		switch v := f.value.(type) {
		case []field:
			value = flowFields(v)
		case string:
			value = flowText(v)
		}
		all = append(all, flowText(f.key)+": "+value)
	}
	return "{" + strings.Join(all, ", ") + "}"
}

func flowText(text string) string {
	quoted, _ := json.Marshal(text) // a string always can be
	return string(quoted)
}
