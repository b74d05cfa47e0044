package audit

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	internal "k8s.io/apiserver/pkg/apis/audit"
)

const (
	maxNodes = 1 << 21 // more than 4 MiB hold without aliases
	maxMerge = 8       // mappings that are merged into each other
)

// policySource is where the parts of a policy stand in the file. What is not
// there is nil.
type policySource struct {
	node, rulesKey *yaml.Node
	omitStages     texts
	omitManaged    *yaml.Node
	rules          []ruleSource
}

type ruleSource struct {
	node, level, omitManaged                         *yaml.Node
	users, userGroups, verbs, namespaces, omitStages texts
	urls                                             texts
	resources                                        []resourceSource
}

type resourceSource struct {
	node, group      *yaml.Node
	resources, names texts
}

// texts is a list of texts.
type texts struct {
	key, node *yaml.Node
	items     []*yaml.Node
}

// at returns where an item stands, or else the list.
func (t texts) at(i int) *yaml.Node {
	if i < len(t.items) {
		return t.items[i]
	}
	return t.node
}

func (t texts) values() []string {
	var all []string
	for _, item := range t.items {
		all = append(all, textOf(item))
	}
	return all
}

// textOf is the text of a scalar, "" of what is null.
func textOf(n *yaml.Node) string {
	if n = target(n); n == nil || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// pair is a key with its value.
type pair struct{ key, value *yaml.Node }

// readPolicy reads the document into the source, and reports what does not fit.
func (l *linter) readPolicy(root *yaml.Node) {
	l.source.node = root
	if !l.checkHead(root) {
		return
	}
	fields := l.fields(root, knownShape(), "policy")
	l.source.omitStages = l.texts(fields["omitStages"])
	l.source.omitManaged = l.boolean(fields["omitManagedFields"])
	l.checkMetadata(fields["metadata"])
	rules := fields["rules"]
	l.source.rulesKey = rules.key
	if rules.value == nil || rules.value.Tag == "!!null" || rules.value.Kind == yaml.SequenceNode && len(rules.value.Content) == 0 {
		at := rules.key
		if at == nil {
			at = root
		}
		l.report(at, SeverityError, "no-rules", `the rule "- level: Metadata" alone logs who did what; pkictl audit generate writes more`,
			"there are no rules, and without kube-apiserver does not start")
		return
	}
	if !l.isA(rules, yaml.SequenceNode, "a list of rules", "begin each rule with a dash") {
		return
	}
	for _, item := range rules.value.Content {
		if l.nodes++; l.nodes > maxNodes {
			return
		}
		l.source.rules = append(l.source.rules, l.readRule(pair{item, target(item)}))
	}
}

func (l *linter) readRule(item pair) ruleSource {
	rule := ruleSource{node: item.key}
	if item.value.Tag == "!!null" || !l.isA(item, yaml.MappingNode, "a rule with its fields", "write: - level: Metadata") {
		return rule
	}
	fields := l.fields(item.value, *knownShape().fields["rules"].item, "rule")
	rule.level = l.text(fields["level"])
	rule.users, rule.userGroups = l.texts(fields["users"]), l.texts(fields["userGroups"])
	rule.verbs, rule.namespaces = l.texts(fields["verbs"]), l.texts(fields["namespaces"])
	rule.urls, rule.omitStages = l.texts(fields["nonResourceURLs"]), l.texts(fields["omitStages"])
	rule.omitManaged = l.boolean(fields["omitManagedFields"])
	resources := fields["resources"]
	if resources.value == nil {
		return rule
	}
	if resources.value.Tag == "!!null" || resources.value.Kind == yaml.SequenceNode && len(resources.value.Content) == 0 {
		l.emptyList(resources)
		return rule
	}
	if !l.isA(resources, yaml.SequenceNode, "a list of groups with their resources", `write: resources: [{group: "", resources: ["pods"]}]`) {
		return rule
	}
	for _, n := range resources.value.Content {
		rule.resources = append(rule.resources, l.readResource(pair{n, target(n)}))
	}
	return rule
}

func (l *linter) readResource(item pair) resourceSource {
	l.nodes++
	r := resourceSource{node: item.key}
	mend := `write: {group: "", resources: ["pods"]}`
	if item.value.Kind == yaml.ScalarNode && item.value.Tag == "!!str" {
		if found := FindResources(item.value.Value); len(found) > 0 {
			mend = `write: {group: "` + found[0].Group + `", resources: ["` + found[0].Name + `"]}`
		}
	}
	if item.value.Tag == "!!null" || !l.isA(item, yaml.MappingNode, "a group with its resources", mend) {
		return r
	}
	fields := l.fields(item.value, *knownShape().fields["rules"].item.fields["resources"].item, "group of resources")
	r.group = l.text(fields["group"])
	r.resources, r.names = l.texts(fields["resources"]), l.texts(fields["resourceNames"])
	return r
}

// fields returns the known fields of a mapping, of a key that stands twice the
// last, and reports all others.
func (l *linter) fields(mapping *yaml.Node, s shape, of string) map[string]pair {
	found := make(map[string]pair)
	l.mergeFields(mapping, found, 0)
	for _, p := range ownPairs(mapping) {
		if l.nodes++; l.nodes > maxNodes {
			return nil
		}
		switch first, ok := found[p.key.Value]; {
		case ok && slices.Contains(mapping.Content, first.key):
			l.report(p.key, SeverityFinding, "duplicate-field", "write it once", "%q stands here and on line %d, and kube-apiserver takes the last", p.key.Value, first.key.Line)
		case ok: // the order decides, and differs between parsers
			l.report(p.key, SeverityFinding, "duplicate-field", "write it once", "%q stands here and in what is merged, on line %d", p.key.Value, first.key.Line)
		}
		found[p.key.Value] = p
	}
	for _, p := range ownPairs(mapping) {
		if _, ok := s.fields[p.key.Value]; !ok {
			l.unknownField(p, found, s, of)
		}
	}
	return found
}

// mergeFields adds the fields of mappings that "<<" merges into another, which
// kube-apiserver follows.
func (l *linter) mergeFields(mapping *yaml.Node, found map[string]pair, depth int) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Tag != "!!merge" || depth > maxMerge {
			continue
		}
		merged := []*yaml.Node{target(mapping.Content[i+1])}
		if merged[0].Kind == yaml.SequenceNode {
			merged = slices.Clone(merged[0].Content)
			slices.Reverse(merged) // the first counts
		}
		for _, m := range merged {
			if m = target(m); m.Kind != yaml.MappingNode {
				continue
			}
			if l.nodes += len(m.Content); l.nodes > maxNodes {
				return
			}
			l.mergeFields(m, found, depth+1)
			for _, p := range ownPairs(m) {
				found[p.key.Value] = p
			}
		}
	}
}

// ownPairs returns the pairs of a mapping, without what is merged into it.
func ownPairs(mapping *yaml.Node) []pair {
	var pairs []pair
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if key := target(mapping.Content[i]); key.Tag != "!!merge" {
			pairs = append(pairs, pair{key, target(mapping.Content[i+1])})
		}
	}
	return pairs
}

// isA reports a value of the wrong kind, with which kube-apiserver does not start.
func (l *linter) isA(p pair, kind yaml.Kind, what, mend string) bool {
	if p.value.Kind == kind {
		return true
	}
	name := "it"
	if p.key.Kind == yaml.ScalarNode && p.key != p.value {
		name = p.key.Value
	}
	l.report(p.value, SeverityError, "wrong-type", mend, "%s is to be %s, and is %s", name, what, describe(p.value))
	return false
}

// text returns the scalar of a field that is a text.
func (l *linter) text(p pair) *yaml.Node {
	switch {
	case p.value == nil:
		return nil
	case p.value.Kind == yaml.SequenceNode && len(p.value.Content) == 1:
		f := l.report(p.value, SeverityError, "wrong-type", "write: "+p.key.Value+": "+strconv.Quote(textOf(p.value.Content[0])),
			"%s is to be one text, and is a list", p.key.Value)
		f.fixedBy(&edit{kind: unwrap, node: p.value}, l.file)
		return target(p.value.Content[0])
	case p.value.Kind != yaml.ScalarNode:
		l.report(p.value, SeverityError, "wrong-type", "write one for each", "%s is to be one text, and is %s", p.key.Value, describe(p.value))
		return nil
	case p.value.Tag != "!!null":
		l.checkText(p.value, p.key.Value)
	}
	return p.value
}

// checkText reports a scalar that kube-apiserver, whose YAML is of version 1.1,
// takes for something else than a text.
func (l *linter) checkText(n *yaml.Node, name string) {
	if n.Tag == "!!str" && !isTruth(n) || n.Tag == "!!timestamp" || n.Tag == "!!null" {
		return
	}
	f := l.report(n, SeverityError, "wrong-type", "write it in quotes: "+strconv.Quote(n.Value), "%s is to be a text, and is %s", name, describe(n))
	f.fixedBy(&edit{kind: replace, node: n, value: n.Value}, l.file)
}

// boolean returns the scalar of a field that is true or false.
func (l *linter) boolean(p pair) *yaml.Node {
	if p.value == nil || p.value.Tag == "!!null" {
		return nil
	}
	if p.value.Kind != yaml.ScalarNode || !isTruth(p.value) {
		l.report(p.value, SeverityError, "wrong-type", "write: "+p.key.Value+": true", "%s is to be true or false, and is %s", p.key.Value, describe(p.value))
		return nil
	}
	return p.value
}

// texts returns a list of texts. A single text is taken for a list of one, as it
// is meant so.
func (l *linter) texts(p pair) texts {
	list := texts{key: p.key, node: p.value}
	switch {
	case p.value == nil:
		return list
	case p.value.Tag == "!!null" || p.value.Kind == yaml.SequenceNode && len(p.value.Content) == 0:
		l.emptyList(p)
		return list
	case p.value.Kind == yaml.ScalarNode:
		f := l.report(p.value, SeverityError, "wrong-type", "write: "+p.key.Value+": "+asList(p.value.Value),
			"%s is to be a list of texts, and is %s", p.key.Value, describe(p.value))
		if !strings.ContainsAny(p.value.Value, ", ") {
			f.fixedBy(&edit{kind: wrap, node: p.value}, l.file)
		}
		list.items = []*yaml.Node{p.value}
		return list
	case !l.isA(p, yaml.SequenceNode, "a list of texts", "write: "+p.key.Value+`: ["..."]`):
		return list
	}
	for _, item := range p.value.Content {
		if l.nodes++; l.nodes > maxNodes {
			return list
		}
		n := target(item)
		if l.isA(pair{n, n}, yaml.ScalarNode, "a text", "write the texts one by one") {
			l.checkText(n, "an item of "+p.key.Value)
		}
		list.items = append(list.items, n)
	}
	return list
}

// emptyList is for a list without items, which is as none: no restriction.
func (l *linter) emptyList(p pair) {
	if p.key.Value == "omitStages" {
		return
	}
	l.report(p.key, SeverityFinding, "empty-list", "leave the field out, or name what it is to match", "%s is empty, which matches all", p.key.Value)
}

// policy returns the policy as it would be read if its values were of the right
// kinds.
func (s *policySource) policy() *internal.Policy {
	p := &internal.Policy{OmitStages: stagesOf(s.omitStages), OmitManagedFields: s.omitManaged != nil && isTrue(s.omitManaged)}
	for _, r := range s.rules {
		rule := internal.PolicyRule{
			Level: internal.Level(textOf(r.level)), Users: r.users.values(), UserGroups: r.userGroups.values(), Verbs: r.verbs.values(),
			Namespaces: r.namespaces.values(), NonResourceURLs: r.urls.values(), OmitStages: stagesOf(r.omitStages),
		}
		if r.omitManaged != nil {
			omit := isTrue(r.omitManaged)
			rule.OmitManagedFields = &omit
		}
		for _, g := range r.resources {
			rule.Resources = append(rule.Resources, internal.GroupResources{Group: textOf(g.group), Resources: g.resources.values(), ResourceNames: g.names.values()})
		}
		p.Rules = append(p.Rules, rule)
	}
	return p
}

func stagesOf(t texts) []internal.Stage {
	var stages []internal.Stage
	for _, s := range t.values() {
		stages = append(stages, internal.Stage(s))
	}
	return stages
}

func isTrue(n *yaml.Node) bool {
	return slices.Contains([]string{"true", "y", "yes", "on"}, strings.ToLower(n.Value))
}
