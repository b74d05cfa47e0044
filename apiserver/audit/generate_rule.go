package audit

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// Keys is the grammar of Options.Rules, for people.
const Keys = "level=LEVEL[;verbs=LIST][;resources=LIST][;namespaces=LIST][;names=LIST][;users=LIST][;groups=LIST][;urls=LIST]"

// keyClauses are the keys of a rule with the words that they stand for.
func keyClauses() map[string]string {
	return map[string]string{
		"level": "at", "verbs": "verbs", "resources": "resources", "namespaces": "in", "names": "named",
		"users": "by", "groups": "by group", "urls": "urls",
	}
}

// parseKeys reads a rule from keys and values. What has no key belongs to the
// list before it, so that commas do between keys as well.
func parseKeys(flag, text string) (rule, error) {
	fail := func(hint, format string, args ...any) (rule, error) {
		return rule{}, failure.New(failure.Usage, hint, flag+" %q: "+format, append([]any{text}, args...)...)
	}
	known := keyClauses()
	names := slices.Sorted(maps.Keys(known))
	clauses := map[string][]string{}
	current := ""
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ',' }) {
		key, value, hasKey := strings.Cut(strings.TrimSpace(part), "=")
		switch clause, isKnown := known[key]; {
		case hasKey && isKnown && clauses[clause] != nil:
			return fail("write it once, with commas between what it lists", "%s is there twice", key)
		case hasKey && isKnown:
			current = clause
			clauses[current] = []string{value}
		case current == "" || hasKey && current != "by" && current != "by group": // a name in a directory has =
			return fail(failure.DidYouMean(key, names, "keys are "+list(names)), "there is no key %q", key)
		default:
			clauses[current] = append(clauses[current], strings.TrimSpace(part))
		}
	}
	if clauses["at"] == nil {
		return fail("add level=LEVEL, which is one of "+list(levelNames()), "it has no level")
	}
	d := draft{levelText: clauses["at"], verbs: clauses["verbs"], resources: clauses["resources"], clauses: clauses}
	if urls := clauses["urls"]; urls != nil {
		if d.resources != nil {
			return fail("make two rules of it", "a rule is for resources or for urls")
		}
		d.resources = urls
	}
	if d.resources == nil {
		d.resources = []string{everything}
		if clauses["in"] != nil || clauses["named"] != nil {
			d.resources = []string{"any"}
		}
	}
	policyRule, err := d.rule()
	if err != nil {
		return rule{}, failure.Wrap(err, failure.KindOf(err), failure.HintOf(err), "%s %q", flag, text)
	}
	return rule{from: flag + " " + shell.Quote(text), PolicyRule: policyRule}, nil
}

// draft is a rule as it was written.
type draft struct {
	level            internal.Level // where levelText is nil
	levelText        []string
	verbs, resources []string
	clauses          map[string][]string // in, named, by, by group
}

// rule checks what was written and makes the rule of it.
func (d *draft) rule() (internal.PolicyRule, error) {
	r := internal.PolicyRule{Level: d.level, Namespaces: d.clauses["in"], Users: d.clauses["by"], UserGroups: d.clauses["by group"]}
	if err := d.checkTexts(); err != nil {
		return r, err
	}
	if d.levelText != nil {
		level, err := parseLevel(d.levelText)
		if err != nil {
			return r, err
		}
		r.Level = level
	}
	if strings.HasPrefix(d.resources[0], "/") {
		return d.urlRule(r)
	}
	var err error
	if r.Verbs, err = parseVerbs(d.verbs); err != nil {
		return r, err
	}
	if len(d.resources) == 1 && d.resources[0] == everything {
		return d.everythingRule(r)
	}
	if r.Resources, err = findGroups(d.resources, r.Level, len(r.Namespaces) > 0); err != nil {
		return r, err
	}
	if err := checkGuarded(r); err != nil {
		return r, err
	}
	if names := d.clauses["named"]; names != nil {
		if r.Verbs, err = d.namedVerbs(r); err != nil {
			return r, err
		}
		for i := range r.Resources {
			r.Resources[i].ResourceNames = names
			if r.Resources[i].Resources == nil { // k8s.io/apiserver/pkg/apis/audit/validation wants them named
				r.Resources[i].Resources = []string{"*"}
			}
		}
	}
	return r, d.checkPossible(r)
}

// namedVerbs returns the verbs whose requests have a name: of changes not all do
// (k8s.io/apiserver/pkg/endpoints/request, NewRequestInfo). Those for
// subresources always have one.
func (d *draft) namedVerbs(r internal.PolicyRule) ([]string, error) {
	for _, group := range r.Resources {
		if slices.ContainsFunc(group.Resources, func(name string) bool { return strings.Contains(name, "/") }) {
			return r.Verbs, nil
		}
	}
	nameless := []string{"create", "deletecollection"}
	for _, verb := range d.verbs {
		if slices.Contains(nameless, verb) {
			return nil, failure.New(failure.Usage, "leave "+verb+" out, or the names", "a request to %s %s has no name in it when it is decided", verb, list(d.resources))
		}
	}
	return slices.DeleteFunc(r.Verbs, func(verb string) bool { return slices.Contains(nameless, verb) }), nil
}

// checkTexts refuses lists with nothing between two commas.
func (d *draft) checkTexts() error {
	for _, texts := range [][]string{d.levelText, d.verbs, d.resources, d.clauses["in"], d.clauses["named"], d.clauses["by"], d.clauses["by group"]} {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.TrimSpace(text) == "" }) {
			return failure.New(failure.Usage, "write lists like get,list", "a name is empty")
		}
	}
	return nil
}

// checkText refuses what would end a comment, or a terminal would act on.
func checkText(flag, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
		return failure.New(failure.Usage, "write it on one line, with spaces between words", "%s %q has characters that cannot be printed", flag, text)
	}
	return nil
}

// everythingRule is for all requests, with a resource or without.
func (d *draft) everythingRule(r internal.PolicyRule) (internal.PolicyRule, error) {
	switch {
	case len(r.Namespaces) > 0 || d.clauses["named"] != nil:
		return r, failure.New(failure.Usage, "say any in place of everything", "what has no resource has no namespace and no name")
	case aboveMetadata(r.Level):
		return r, failure.New(failure.Refused, "say any in place of everything: it stands for Kubernetes' own resources; name custom resources one by one",
			"bodies of everything are not logged: nobody knows which of them are secrets")
	}
	return r, nil
}

// urlRule is for requests that are for no resource.
func (d *draft) urlRule(r internal.PolicyRule) (internal.PolicyRule, error) {
	for _, url := range d.resources {
		if !strings.HasPrefix(url, "/") || strings.Contains(strings.TrimSuffix(url, "*"), "*") {
			return r, failure.New(failure.Usage, "write it like /healthz, or /healthz* for all that begin so", "%q is no path", url)
		}
	}
	if r.Namespaces != nil || d.clauses["named"] != nil {
		return r, failure.New(failure.Usage, "leave them out", "what is no resource has no namespace and no name")
	}
	r.NonResourceURLs = d.resources
	known := []string{"get", "head", "post", "put", "patch", "delete", "options"}
	for _, verb := range d.verbs {
		switch {
		case slices.Contains(anything, verb) && len(d.verbs) == 1:
			return r, nil
		case !slices.Contains(known, verb):
			return r, failure.New(failure.Usage, "it is the HTTP method, one of "+list(known), "there is no verb %q for paths", verb)
		}
	}
	r.Verbs = d.verbs
	return r, nil
}

// checkPossible refuses a rule that no request can match.
func (d *draft) checkPossible(r internal.PolicyRule) error {
	for _, group := range r.Resources {
		for _, name := range group.Resources {
			if resource, found := findResource(group.Group, strings.TrimSuffix(name, "/*")); found && len(r.Namespaces) > 0 && !inNamespaces(&resource) {
				return failure.New(failure.Usage, "leave them out, or the namespaces", "%s are in no namespace", name)
			}
		}
	}
	if len(r.Verbs) == 0 {
		return nil
	}
	var known []string
	for _, group := range r.Resources {
		for _, name := range group.Resources {
			resource, found := findResource(group.Group, name)
			if !found {
				return nil // a custom resource, or several
			}
			known = append(known, resource.Verbs...)
		}
		if group.Resources == nil {
			return nil
		}
	}
	if !slices.ContainsFunc(r.Verbs, func(verb string) bool { return slices.Contains(known, verb) }) {
		slices.Sort(known)
		return failure.New(failure.Usage, "its verbs are "+list(slices.Compact(known)), "nobody can %s %s", list(r.Verbs), list(d.resources))
	}
	return nil
}

// inNamespaces says whether requests for a resource have a namespace. Those for one
// namespace have its name (k8s.io/apiserver/pkg/endpoints/request, NewRequestInfo).
func inNamespaces(r *Resource) bool { return r.Namespaced || strings.HasPrefix(r.Name, "namespaces") }

func aboveMetadata(level internal.Level) bool { return internal.LevelMetadata.Less(level) }

func parseLevel(texts []string) (internal.Level, error) {
	if len(texts) == 1 {
		for _, level := range levelNames() {
			if strings.EqualFold(level, texts[0]) {
				return internal.Level(level), nil
			}
		}
	}
	text := strings.Join(texts, ",")
	return "", failure.New(failure.Usage, failure.DidYouMean(text, levelNames(), "it is one of "+list(levelNames())), "there is no level %q", text)
}

// parseVerbs returns the verbs of a list, in which reads and changes stand for
// several; nil are all.
func parseVerbs(words []string) ([]string, error) {
	known := Verbs()
	var verbs []string
	for _, word := range words {
		switch {
		case slices.Contains(anything, word) || word == everything:
			if len(words) > 1 {
				return nil, failure.New(failure.Usage, "leave the others out", "%s are all verbs already", word)
			}
			return nil, nil
		case word == "reads":
			verbs = append(verbs, reads...)
		case word == "changes":
			verbs = append(verbs, changes...)
		case slices.Contains(known, word):
			verbs = append(verbs, word)
		default:
			groups := slices.Concat(known, []string{"reads", "changes", "any"})
			return nil, failure.New(failure.Usage, failure.DidYouMean(word, groups, "verbs are "+list(groups)), "there is no verb %q", word)
		}
	}
	var unique []string
	for _, verb := range verbs {
		if !slices.Contains(unique, verb) {
			unique = append(unique, verb)
		}
	}
	return unique, nil
}
