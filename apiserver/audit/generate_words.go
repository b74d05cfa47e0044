package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// Words is the grammar of Options.Log, for people. That of Options.Ignore has no
// "at".
const Words = "[VERBS] RESOURCES [in NAMESPACES] [named NAMES] [by USERS] [by group GROUPS] at LEVEL"

const wordsHint = `write it like "delete pods in prod-namespace at RequestResponse"`

// anything are the words for all verbs, or all resources.
var anything = []string{"any", "all", "*"}

// everything is the word for all requests, those for no resource too.
const everything = "everything"

// parseWords reads a rule from words. Where no level is given it says it itself.
func parseWords(flag, text string, level internal.Level) (rule, error) {
	r := rule{from: flag + " " + shell.Quote(text)}
	fail := func(hint, format string, args ...any) (rule, error) {
		return rule{}, failure.New(failure.Usage, hint, flag+" %q: "+format, append([]any{text}, args...)...)
	}
	head, clauses, problem := splitWords(text)
	if problem != "" {
		return fail(wordsHint, "%s", problem)
	}
	draft := draft{level: level, clauses: clauses}
	switch {
	case level == "" && clauses["at"] == nil:
		return fail("end it with: at LEVEL, which is one of "+list(levelNames()), "it has no level")
	case level != "" && clauses["at"] != nil:
		return fail("leave it out, or use --log", "what is ignored has no level")
	case len(head) == 1:
		draft.resources = splitList(head[0])
	case len(head) == 2:
		draft.verbs, draft.resources = splitList(head[0]), splitList(head[1])
	default:
		return fail(wordsHint+"; lists have commas between", "it begins with verbs and resources, not with %q", strings.Join(head, " "))
	}
	if level == "" {
		draft.levelText = clauses["at"]
	}
	policyRule, err := draft.rule()
	if err != nil {
		return rule{}, failure.Wrap(err, failure.KindOf(err), failure.HintOf(err), "%s %q", flag, text)
	}
	if policyRule.Level != internal.LevelNone {
		policyRule.Verbs = withDeleteCollection(policyRule)
	}
	r.PolicyRule = policyRule
	return r, nil
}

// withDeleteCollection returns the verbs with deletecollection where delete is
// one: it deletes too, and its requests have no name.
func withDeleteCollection(r internal.PolicyRule) []string {
	if !slices.Contains(r.Verbs, "delete") || slices.Contains(r.Verbs, "deletecollection") || len(r.NonResourceURLs) > 0 {
		return r.Verbs
	}
	for _, group := range r.Resources {
		if len(group.ResourceNames) > 0 {
			return r.Verbs
		}
	}
	i := slices.Index(r.Verbs, "delete")
	return slices.Insert(slices.Clone(r.Verbs), i+1, "deletecollection")
}

// splitWords separates the words before the first clause from the clauses,
// which are lists by their word: in, named, by, "by group" and at.
func splitWords(text string) (head []string, clauses map[string][]string, problem string) {
	words := strings.Fields(strings.NewReplacer(", ", ",", " ,", ",").Replace(text))
	clauses = map[string][]string{}
	for i := 0; i < len(words); i++ {
		word := words[i]
		if !slices.Contains([]string{"in", "named", "by", "at"}, word) {
			if len(clauses) > 0 {
				return nil, nil, "it is not clear what " + word + " means there"
			}
			head = append(head, word)
			continue
		}
		if word == "by" && i+1 < len(words) && (words[i+1] == "group" || words[i+1] == "groups") {
			word, i = "by group", i+1
		}
		if i++; i == len(words) {
			return nil, nil, "nothing follows " + word
		}
		if clauses[word] != nil {
			return nil, nil, word + " is there twice"
		}
		clauses[word] = splitList(words[i])
	}
	if len(head) == 0 {
		return nil, nil, "it names no resources"
	}
	return head, clauses, ""
}

func splitList(text string) []string { return strings.Split(text, ",") }

// list joins words for people.
func list(words []string) string { return strings.Join(words, ", ") }
