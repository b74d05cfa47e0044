package kubeconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// choose returns the names of the contexts that come from each source, in the
// order in which they stand there.
func (p *plan) choose(sources []*document) (map[*document][]string, error) {
	chosen := map[*document][]string{}
	var known, come []string
	for _, source := range sources {
		for _, item := range entries(valueOf(source.root, contexts.list)) {
			node := valueOf(plainCopy(item), "name")
			if node == nil || source.config.Contexts[node.Value] == nil {
				return nil, failure.New(failure.Failed, "write it anew with: kubectl config view --raw --flatten",
					"%q has a context in line %d whose name stands there in a form that pkictl does not know", source.path, item.Line)
			}
			known = append(known, node.Value)
			if len(p.Contexts) == 0 || slices.Contains(p.Contexts, node.Value) {
				chosen[source] = append(chosen[source], node.Value)
				come = append(come, node.Value)
			}
		}
		if len(source.config.Contexts) == 0 {
			return nil, failure.New(failure.Failed, "give it one with: kubectl config set-context NAME --cluster CLUSTER --user USER --kubeconfig FILE",
				"%q has no context to merge", source.path)
		}
	}
	for _, name := range p.Contexts {
		if !slices.Contains(known, name) {
			return nil, failure.New(failure.Usage, "choose one of: "+listed(known), "there is no context %q in %s", name, listed(p.Sources))
		}
	}
	return chosen, p.parseRenames(come)
}

// parseRenames fills in the new names of the contexts that come over.
func (p *plan) parseRenames(come []string) error {
	for _, text := range p.Rename {
		old, name, err := parseRename(text, come)
		switch {
		case err != nil:
			return err
		case p.renames[old] != "":
			return failure.New(failure.Usage, "write --rename OLD=NEW once for each context", "--rename %q is one too many", text)
		case name == "" || !isPrintable(name):
			return failure.New(failure.Usage, "choose another name", "--rename: %q cannot be the name of a context", name)
		}
		p.renames[old] = name
	}
	return nil
}

// parseRename splits OLD=NEW, where both may hold a =, and OLD is one of the
// contexts that come over; or takes NEW for the only one.
func parseRename(text string, come []string) (old, name string, err error) {
	for i := range len(text) {
		if text[i] != '=' || !slices.Contains(come, text[:i]) {
			continue
		}
		if old != "" {
			return "", "", failure.New(failure.Usage, "bring one of them over at a time, with --context", "--rename %q may be for context %q and for %q", text, old, text[:i])
		}
		old, name = text[:i], text[i+1:]
	}
	first, _, both := strings.Cut(text, "=")
	switch {
	case old != "" && name != "":
		return old, name, nil
	case old != "", both && first == "":
		return "", "", failure.New(failure.Usage, "write --rename OLD=NEW", "--rename %q lacks a name", text)
	case both:
		return "", "", failure.New(failure.Usage, "choose one of: "+listed(come), "--rename %s: no context %q comes over", text, first)
	case len(come) != 1:
		return "", "", failure.New(failure.Usage, "write --rename OLD=NEW, or choose one with --context", "--rename %s is for one context, but %d come over", text, len(come))
	}
	return come[0], text, nil
}

// listed is a list of names for an error.
func listed(names []string) string {
	const most = 5
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, ", ") + more
}
