package falco

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// item is a mapping of a rules file. Keys that are not known are of no effect, as in
// Falco.
type item struct {
	place
	keys     map[string]*yaml.Node
	override map[string]string // key to append or replace
	append   bool              // the older form
}

// readItem reads a list, a macro or a rule.
func (r *Rules) readItem(file yamlfile.File, n *yaml.Node) error {
	if n.ShortTag() == "!!null" {
		return nil
	}
	it := item{place: place{file, n, "item"}, keys: map[string]*yaml.Node{}, override: map[string]string{}}
	if n.Kind != yaml.MappingNode {
		return it.errorf("write - rule: NAME with its fields below it", "it is not a mapping")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if it.keys[key.Value] != nil {
			return place{file, key, it.what}.errorf("keep one of the two", "%q is given twice", key.Value)
		}
		it.keys[key.Value] = n.Content[i+1]
	}
	for _, kind := range [...]struct {
		name string
		read func(item, string) error
	}{{"list", r.readList}, {"macro", r.readMacro}, {"rule", r.readRule}} {
		if it.keys[kind.name] == nil {
			continue
		}
		name, err := it.text(kind.name)
		if err != nil {
			return err
		}
		it.what = kind.name + " " + name
		return kind.read(it, name)
	}
	return nil // required_engine_version, and what Falco warns of
}

// text returns a scalar that must be there.
func (it item) text(key string) (string, error) {
	n := it.keys[key]
	switch {
	case n == nil:
		return "", it.errorf("give it "+key, "it has no %s", key)
	case n.Kind != yaml.ScalarNode:
		return "", it.at(n).errorf("write one value", "its %s is not a text", key)
	case n.ShortTag() == "!!null" || n.Value == "":
		return "", it.at(n).errorf("give it a value", "its %s is empty", key)
	}
	return n.Value, nil
}

func (it item) at(n *yaml.Node) place { return place{it.file, n, it.what} }

func (it item) boolean(key string, otherwise bool) (bool, error) {
	n := it.keys[key]
	if n == nil {
		return otherwise, nil
	}
	switch strings.ToLower(n.Value) { // those that yaml-cpp takes
	case "true", "yes", "y", "on":
		return true, nil
	case "false", "no", "n", "off":
		return false, nil
	}
	return false, it.at(n).errorf("write true or false", "its %s is neither true nor false", key)
}

// texts returns a list of scalars.
func (it item) texts(key string) ([]string, error) {
	n := it.keys[key]
	if n == nil {
		return nil, it.errorf("give it "+key, "it has no %s", key)
	}
	if n.Kind != yaml.SequenceNode {
		return nil, it.at(n).errorf("write a list, as in [a, b]", "its %s is not a list", key)
	}
	texts := make([]string, 0, len(n.Content))
	for _, element := range n.Content {
		if element.Kind != yaml.ScalarNode {
			return nil, it.at(element).errorf("write texts, separated by commas", "an element of its %s is not a text", key)
		}
		texts = append(texts, element.Value)
	}
	return texts, nil
}

// readOverrides reads how an item changes an earlier one of its name: append: true,
// or since Falco 0.36 a mapping of override. What may be replaced, the first of which
// may be appended to as well, are keys of the item.
func (it *item) readOverrides(appendable, replaceable []string) (err error) {
	if it.append, err = it.boolean("append", false); err != nil {
		return err
	}
	n := it.keys["override"]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return it.at(n).errorf("write it like override: {condition: append}", "override is not a mapping")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, how := n.Content[i], n.Content[i+1].Value
		switch {
		case how != "append" && how != "replace":
			return it.at(key).errorf("write append or replace", "override knows no %q", how)
		case how == "append" && !slices.Contains(appendable, key.Value):
			return it.at(key).errorf("use replace instead", "%s cannot be appended to", key.Value)
		case !slices.Contains(appendable, key.Value) && !slices.Contains(replaceable, key.Value):
			return it.at(key).errorf(failure.Suggest(key.Value, append(slices.Clone(appendable), replaceable...)), "%s cannot be replaced", key.Value)
		case it.keys[key.Value] == nil:
			return it.at(key).errorf("give it "+key.Value+", or take it out of override", "an override of %s is asked for, but there is no %s", key.Value, key.Value)
		}
		it.override[key.Value] = how
	}
	if it.append && len(it.override) > 0 {
		return it.at(n).errorf("leave append out", "append and override exclude each other")
	}
	return nil
}

func (it item) appends(key string) bool { return it.append || it.override[key] == "append" }

// matches says whether a name is what the grammar of Falco's filters takes.
func matches(pattern, name string) bool {
	ok, err := regexp.MatchString(`^(?:`+pattern+`)$`, name)
	return err == nil && ok
}

const (
	identifier = `[a-zA-Z]+[a-zA-Z0-9_]*`
	bareText   = `[^()"'\s=,]+`
)

func (r *Rules) readList(it item, name string) error {
	if !matches(bareText, name) {
		return it.errorf("take letters, digits and _", "%q is no name for a list", name)
	}
	items, err := it.texts("items")
	if err != nil {
		return err
	}
	if err := it.readOverrides([]string{"items"}, nil); err != nil {
		return err
	}
	previous := named(r.lists, name)
	switch {
	case it.appends("items") && previous == nil:
		return it.errorf("define it before, or leave out what appends", "there is no list %s to append to", name)
	case it.appends("items"):
		previous.items, previous.visible = append(previous.items, items...), r.position
	case previous != nil:
		previous.items, previous.visible = items, r.position
	default:
		r.lists = append(r.lists, &list{name: name, items: items, index: r.position, visible: r.position})
	}
	return nil
}

func (r *Rules) readMacro(it item, name string) error {
	if !matches(identifier, name) {
		return it.errorf("take letters, digits and _", "%q is no name for a macro", name)
	}
	condition, err := it.text("condition")
	if err != nil {
		return err
	}
	if err := it.readOverrides([]string{"condition"}, nil); err != nil {
		return err
	}
	at := it.at(it.keys["condition"])
	previous := named(r.macros, name)
	switch {
	case it.appends("condition") && previous == nil:
		return it.errorf("define it before, or leave out what appends", "there is no macro %s to append to", name)
	case it.appends("condition"):
		previous.condition, previous.visible, previous.at = previous.condition+" "+condition, r.position, at
	case previous != nil:
		previous.condition, previous.visible, previous.at = condition, r.position, at
	default:
		r.macros = append(r.macros, &macro{name: name, condition: condition, index: r.position, visible: r.position, at: at})
	}
	return nil
}
