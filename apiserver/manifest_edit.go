package apiserver

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// edit is a change of a manifest: what it will mean, and the text that says so.
type edit struct {
	*Manifest
	words   []word // as they will be
	mounts  mountEdit
	splices []yamlfile.Splice
}

// Apply returns the text of the manifest after a change; the same text where
// nothing changes. Only the lines of what changes are touched. A flag that is
// set stands once afterwards; a mount that is there already, or one of a
// directory above, is used. The text is read again, and what the kubelet
// reads is compared with what was meant; one of a form that is not edited is
// an error.
func (m *Manifest) Apply(c Change) ([]byte, error) {
	e := &edit{Manifest: m, words: slices.Clone(m.words)}
	for _, name := range c.Remove {
		e.remove(name)
	}
	for _, flag := range c.Set {
		e.set(flag)
	}
	for _, volume := range c.Volumes {
		if err := e.mount(volume); err != nil {
			return nil, err
		}
	}
	if err := e.spliceWords(); err != nil {
		return nil, err
	}
	if err := e.spliceMounts(); err != nil {
		return nil, err
	}
	if len(e.splices) == 0 {
		return bytes.Clone(m.data), nil
	}
	data := m.text.Apply(e.splices)
	if data == nil {
		return nil, m.formError(m.container)
	}
	return data, e.check(data, c)
}

func (m *Manifest) formError(at *yaml.Node) error {
	return m.file().ErrorAt(at, "write it as kubeadm does, each item in a line of its own, or make the change by hand", "what stands here has a form that pkictl does not edit")
}

// remove takes all flags of a name out.
func (e *edit) remove(name string) {
	for _, f := range slices.Backward(e.flagsOf(e.words)) {
		if f.Name == normal(name) {
			e.words = slices.Delete(e.words, f.from, f.to)
		}
	}
}

// set has a flag stand with a value, where it stands last if it does.
func (e *edit) set(flag Flag) {
	flag.Name = normal(flag.Name)
	flags := e.flagsOf(e.words)
	old, found := valueOf(flags, flag.Name)
	switch {
	case !found:
		e.add("--" + flag.Name + "=" + flag.Value)
	case flag.Add:
		if missing := notIn(old, flag.Value); missing != "" {
			last := lastOf(flags, flag.Name)
			e.setAt(last, joinLists(last.Value, missing))
		}
	case old != flag.Value:
		e.setOnce(flag)
	}
}

// setOnce sets the last flag of a name, and takes those before it out.
func (e *edit) setOnce(flag Flag) {
	flags := e.flagsOf(e.words)
	last := lastOf(flags, flag.Name)
	e.setAt(last, flag.Value)
	for _, f := range slices.Backward(flags) {
		if f.Name == flag.Name && f.from != last.from {
			e.words = slices.Delete(e.words, f.from, f.to)
		}
	}
}

// setAt changes the value of a flag, in its own form.
func (e *edit) setAt(f ManifestFlag, value string) {
	first := &e.words[f.from]
	if f.to-f.from == 2 {
		e.words[f.from+1].value = value
		return
	}
	name, _, _ := strings.Cut(first.value, "=")
	if !strings.HasPrefix(name, "--") { // -v4
		name = "-" + f.Name
	}
	first.value = name + "=" + value
}

// add adds a word behind the last flag, or where flags would be looked for.
func (e *edit) add(text string) {
	list := e.words[len(e.words)-1].list
	if flags := e.flagsOf(e.words); len(flags) > 0 {
		list = e.words[flags[len(flags)-1].from].list
	}
	at := len(e.words)
	for e.words[at-1].list != list {
		at--
	}
	e.words = slices.Insert(e.words, at, word{list: list, value: text})
}

func lastOf(flags []ManifestFlag, name string) ManifestFlag {
	for _, f := range slices.Backward(flags) {
		if f.Name == name {
			return f
		}
	}
	return ManifestFlag{}
}

// notIn returns the items of a list with commas that another has not.
func notIn(list, wanted string) string {
	have := strings.Split(list, ",")
	var missing []string
	for _, item := range strings.Split(wanted, ",") {
		if !slices.Contains(have, item) {
			missing = append(missing, item)
			have = append(have, item)
		}
	}
	return strings.Join(missing, ",")
}

func joinLists(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}

// spliceWords makes the edits of command and args.
func (e *edit) spliceWords() error {
	for _, list := range wordLists {
		if err := e.spliceList(list); err != nil {
			return err
		}
	}
	return nil
}

// spliceList makes the edits of one of the two.
func (e *edit) spliceList(list string) error {
	node := yamlfile.Field(e.container, list)
	if node == nil || len(node.Content) == 0 {
		return nil
	}
	after := map[*yaml.Node]string{}
	var added []string
	for _, w := range e.words {
		switch {
		case w.list != list:
		case w.node == nil:
			added = append(added, w.value)
		default:
			after[w.node] = w.value
		}
	}
	l := &listText{Manifest: e.Manifest, node: node, key: list}
	for i, item := range node.Content {
		value, stays := after[item]
		switch {
		case !stays:
			l.remove(i)
		case value != item.Value:
			l.replace(i, value)
		}
	}
	l.append(added)
	if l.failed {
		return e.formError(node)
	}
	e.splices = append(e.splices, l.splices...)
	return nil
}

// check reads a text again, as the kubelet does, and compares it with what was
// meant.
func (e *edit) check(data []byte, c Change) error {
	want, err := generic(e.data)
	if err != nil {
		return err
	}
	e.mounts.putInto(want, e.index)
	for _, list := range wordLists {
		var items []any
		for _, w := range e.words {
			if w.list == list {
				items = append(items, w.value)
			}
		}
		setList(containerIn(want, e.index), list, items)
	}
	got, err := generic(data)
	var after *Manifest
	if err == nil {
		after, err = ParseManifest(e.Name, data)
	}
	if err == nil {
		if err := after.checkSet(c); err != nil {
			return err
		}
	}
	if err != nil || !sameMeaning(got, want, e.index) {
		return failure.New(failure.Failed, "make the change by hand; what it would be shows: pkictl apiserver patch --explain",
			"%q has a form that pkictl cannot edit: the text after the change would not say what is meant", e.Name)
	}
	return nil
}

// checkSet sees that the flags of a change have their values: one before them
// that lacks its own would take the next word for it.
func (m *Manifest) checkSet(c Change) error {
	want := map[string]Flag{}
	for _, flag := range c.Set {
		want[normal(flag.Name)] = flag // the last counts
	}
	for name, flag := range want {
		value, _ := m.Value(name)
		if flag.Add && notIn(value, flag.Value) != "" || !flag.Add && value != flag.Value {
			return failure.New(failure.Refused, "see whether each flag in the manifest has a value", "in %q --%s would not be %q, but %q", m.Name, name, flag.Value, value)
		}
	}
	return nil
}
