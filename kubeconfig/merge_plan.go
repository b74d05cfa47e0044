package kubeconfig

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// plan is what a merge will do.
type plan struct {
	MergeOptions
	into []*document
	home *document // gets what is new

	changes map[*document]*change
	want    map[*document]*api.Config // after the changes
	result  *MergeResult

	renames    map[string]string // new names of contexts by old ones
	sourceOf   map[string]string // source of an entry that this merge brings, by noun and name
	collisions []string
	dangers    []danger
	context    string // whose collision came first, for the hint
}

// change is what changes in one file.
type change struct {
	added    map[section][]*yaml.Node
	replaced map[section]map[string]*yaml.Node // by name
	current  string                            // new current context, empty: as it is
}

func (c *change) isEmpty() bool {
	return len(c.added) == 0 && len(c.replaced) == 0 && c.current == ""
}

// entry is an entry of a source on its way to the target.
type entry struct {
	section
	source    *document
	was, name string     // in the source and in the target
	node      *yaml.Node // of the item, a copy
	value     any        // as kubectl reads it, all paths absolute
}

func newPlan(o MergeOptions, into []*document, home string) *plan {
	p := &plan{
		MergeOptions: o, into: into, changes: map[*document]*change{}, want: map[*document]*api.Config{},
		renames: map[string]string{}, sourceOf: map[string]string{}, result: &MergeResult{refs: map[string][4]string{}},
	}
	for _, doc := range into {
		p.changes[doc] = &change{added: map[section][]*yaml.Node{}, replaced: map[section]map[string]*yaml.Node{}}
		want := *doc.config
		want.Clusters, want.AuthInfos, want.Contexts = maps.Clone(want.Clusters), maps.Clone(want.AuthInfos), maps.Clone(want.Contexts)
		p.want[doc] = &want
		if doc.path == home {
			p.home = doc
		}
	}
	return p
}

// makeUp fills the plan, or says why there is none.
func (p *plan) makeUp(sources []*document) error {
	chosen, err := p.choose(sources)
	if err != nil {
		return err
	}
	current := ""
	var all []string
	for _, source := range sources {
		names, err := p.addSource(source, chosen[source])
		if err != nil {
			return err
		}
		all = append(all, slices.Collect(maps.Values(names))...)
		if name, comes := names[source.config.CurrentContext]; comes && current == "" {
			current = name
		}
	}
	if err := p.refuseDangers(); err != nil {
		return err
	}
	if err := p.refuseCollisions(); err != nil {
		return err
	}
	if current == "" && len(all) == 1 {
		current = all[0]
	}
	return p.setCurrent(current)
}

// addSource plans what comes from one source. It returns the new names of its
// contexts. Contexts that are renamed come first: what they share with others,
// and collides, has their name then for all.
func (p *plan) addSource(source *document, names []string) (map[string]string, error) {
	items := map[section]map[string]*yaml.Node{}
	for _, s := range sections {
		items[s] = map[string]*yaml.Node{}
		for _, item := range entries(valueOf(source.root, s.list)) {
			node := plainCopy(item)
			if name := valueOf(node, "name"); name != nil {
				items[s][name.Value] = node
			}
		}
	}
	taken := map[section]map[string]string{clusters: {}, users: {}} // new names of what has come
	comes := map[string]string{}
	for _, now := range []bool{true, false} {
		for _, name := range names {
			to := p.renames[name]
			if (to != "") != now {
				continue
			}
			if err := p.addContext(source, items, taken, name, to); err != nil {
				return nil, err
			}
			comes[name] = name
			if to != "" {
				comes[name] = to
			}
		}
	}
	return comes, nil
}

// addContext plans a context with its cluster and user. What of them collides
// takes the context's new name, if it has one.
func (p *plan) addContext(source *document, items map[section]map[string]*yaml.Node, taken map[section]map[string]string, name, to string) error {
	context := source.config.Contexts[name].DeepCopy()
	old := *context
	refs := map[section]*string{clusters: &context.Cluster, users: &context.AuthInfo}
	node := items[contexts][name]
	for _, s := range []section{clusters, users} {
		ref := *refs[s]
		value := s.valueIn(source.config, ref)
		if value == nil || items[s][ref] == nil {
			return missing(source, s, name, ref)
		}
		if _, done := taken[s][ref]; !done {
			e := &entry{section: s, source: source, was: ref, name: ref, node: items[s][ref]}
			if err := p.resolve(e, value); err != nil {
				return err
			}
			if have, _ := p.lookUp(s, ref, e.value); to != "" && have != nil {
				e.name = to
			}
			taken[s][ref] = e.name
			p.place(e, name)
		}
		if *refs[s] = taken[s][ref]; *refs[s] != ref {
			setValue(valueOf(node, contexts.noun), s.noun, *refs[s])
		}
	}
	p.result.refs[source.path+"\x00"+name] = [4]string{old.Cluster, context.Cluster, old.AuthInfo, context.AuthInfo}
	e := &entry{section: contexts, source: source, was: name, name: name, node: node, value: context}
	if to != "" {
		e.name = to
	}
	p.place(e, name)
	return nil
}

func missing(source *document, s section, context, ref string) error {
	if ref == "" {
		return failure.New(failure.Failed, "add it to the file, or choose other contexts with --context", "context %q of %q names no %s", context, source.path, s.noun)
	}
	return failure.New(failure.Failed, "add it to the file, or choose other contexts with --context",
		"context %q of %q names the %s %q, which is not in the file", context, source.path, s.noun, ref)
}

// lookUp returns the file in which kubectl finds an entry of that name, and
// whether it says the same. The file is nil where there is none, or where it is
// the same.
func (p *plan) lookUp(s section, name string, value any) (differs, has *document) {
	for _, doc := range p.into {
		have := s.valueIn(p.want[doc], name)
		if have == nil {
			continue
		}
		if reflect.DeepEqual(absolute(have, doc.path), value) {
			return nil, doc
		}
		return doc, doc
	}
	return nil, nil
}

// place plans an entry; the context is that for whose sake it comes.
func (p *plan) place(e *entry, context string) {
	differs, has := p.lookUp(e.section, e.name, e.value)
	merged := MergedEntry{Kind: e.noun, Name: e.name, Source: e.source.path, Action: Added, File: p.home.path}
	if e.was != e.name {
		merged.Was = e.was
	}
	doc := p.home
	switch {
	case differs == nil && has != nil:
		merged.Action, merged.File = Unchanged, has.path
		p.result.Entries = append(p.result.Entries, merged)
		return
	case differs != nil && !p.Replace:
		p.collide(e, differs, context)
		return
	case differs != nil:
		doc = differs
		merged.Action, merged.File = Replaced, doc.path
		p.warnOfOthers(e, doc)
	}
	p.result.Entries = append(p.result.Entries, merged)
	p.dangers = append(p.dangers, dangersOf(e)...)
	value := relative(e, doc.path)
	e.put(p.want[doc], e.name, value)
	if e.was != e.name {
		setValue(e.node, "name", e.name)
	}
	p.sourceOf[e.noun+"\x00"+e.name] = e.source.path
	p.record(e, doc, differs != nil)
}

// record notes a new item, or one in the place of another, be that one of this
// very merge.
func (p *plan) record(e *entry, doc *document, replaces bool) {
	c := p.changes[doc]
	if !replaces {
		c.added[e.section] = append(c.added[e.section], e.node)
		return
	}
	for i, node := range c.added[e.section] {
		if valueOf(node, "name").Value == e.name {
			c.added[e.section][i] = e.node
			return
		}
	}
	if c.replaced[e.section] == nil {
		c.replaced[e.section] = map[string]*yaml.Node{}
	}
	c.replaced[e.section][e.name] = e.node
}

// warnOfOthers warns when contexts that do not come over use what is replaced.
func (p *plan) warnOfOthers(e *entry, doc *document) {
	if e.section == contexts {
		return
	}
	var names []string
	for _, d := range p.into {
		for name, c := range d.config.Contexts {
			uses := c.Cluster
			if e.section == users {
				uses = c.AuthInfo
			}
			if own := e.source.config.Contexts[name]; uses == e.name && own == nil {
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		p.warn("the %s %q that is replaced in %s is also that of the context %s", e.noun, e.name, doc.path, listed(names))
	}
}

func (p *plan) collide(e *entry, doc *document, context string) {
	if p.collisions == nil {
		p.context = context
	}
	other := doc.path
	if source, isNew := p.sourceOf[e.noun+"\x00"+e.name]; isNew {
		other = source
	}
	p.collisions = append(p.collisions, fmt.Sprintf("%s %q of %q (%s) is not that of %q (%s)", e.noun, e.name,
		e.source.path, describe(e.value), other, describe(e.valueIn(p.want[doc], e.name))))
}

func (p *plan) refuseCollisions() error {
	if p.collisions == nil {
		return nil
	}
	const most = 3
	text := strings.Join(p.collisions[:min(most, len(p.collisions))], "; ")
	if more := len(p.collisions) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return failure.New(failure.Failed, fmt.Sprintf("take it under another name with --rename %s=NEW, or have it replace the other with --replace", quoteIfNeeded(p.context)), "%s", text)
}

func quoteIfNeeded(word string) string {
	if isPlainText(word) {
		return word
	}
	return shell.Quote(word)
}

// setCurrent plans the current context: kubectl writes it to the default file
// (writeCurrentContext in clientcmd/config.go).
func (p *plan) setCurrent(name string) error {
	have := currentContext(p.into)
	p.result.CurrentContext = have
	switch {
	case p.SetCurrent && name == "":
		return failure.New(failure.Usage, "choose one with --context, or set it with: kubectl config use-context NAME",
			"--set-current: the source has no current context among those that come over")
	case have != "" && !p.SetCurrent, name == "", name == have:
		return nil
	}
	p.changes[p.home].current = name
	p.want[p.home].CurrentContext = name
	p.result.CurrentContext, p.result.CurrentChanged = name, true
	// Files before it would win.
	for _, doc := range p.into {
		if doc == p.home {
			break
		}
		if doc.config.CurrentContext != "" {
			return failure.New(failure.Failed, "remove it there", "%q sets the current context, before %q", doc.path, p.home.path)
		}
	}
	return nil
}

// directory returns that to which paths in a kubeconfig are relative.
func directory(path string) string {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return filepath.Dir(path)
	}
	return dir
}
