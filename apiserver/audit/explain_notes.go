package audit

import (
	"fmt"
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// notes are about what is easily taken for something else. Each is there only
// where it makes a difference.
func (p *Policy) notes(evaluator *Evaluator, e *Explanation) []string {
	var notes []string
	add := func(note string) {
		if note != "" {
			notes = append(notes, note)
		}
	}
	add(whoNote(e))
	for _, earlier := range e.Earlier {
		add(groupNote(e, earlier))
	}
	if e.Decision.Level != internal.LevelNone && len(e.Events) == 0 {
		add("omitStages leaves out every stage of it, so nothing is logged")
	}
	if e.Decision.Rule != NoRule {
		add(subresourceNote(&p.Rules[e.Decision.Rule], &e.Request))
	}
	add(bodyNote(e))
	for _, s := range siblings(e.Request) {
		if d := evaluator.Decide(&s.request); d.Level != e.Decision.Level {
			add(fmt.Sprintf("%s is another request: %s", s.what, d.text()))
		}
	}
	return notes
}

// text says in short what is decided.
func (d *Decision) text() string {
	if d.Rule == NoRule {
		return "no rule matches it, and nothing is logged"
	}
	return fmt.Sprintf("rule %d, level %s", d.Rule+1, d.Level)
}

// whoNote says for whom the decision is, where nobody is named.
func whoNote(e *Explanation) string {
	for _, earlier := range e.Earlier {
		switch {
		case !earlier.Who:
		case len(e.Request.Groups) > 0:
			return "the user is not said: the decision is that for whom no rule before it names"
		default:
			return "who asks is not said: the decision is that for whom no rule before it names, and for requests that are refused with 401"
		}
	}
	return ""
}

// groupNote is about a rule that groups of a user would make match, where all
// groups that are known are those that the API server adds by itself.
func groupNote(e *Explanation, earlier Earlier) string {
	if len(earlier.Reasons) != 1 || earlier.Reasons[0].Field != "userGroups" || !slices.Equal(e.Request.Groups, GroupsOf(e.Request.User, nil)) {
		return ""
	}
	return fmt.Sprintf("rule %d would match, if %q were in one of its groups", earlier.Rule+1, e.Request.User)
}

// subresourceNote is for rules that match because of pods/* alone, which the
// documentation has as "all subresources of pods".
func subresourceNote(rule *internal.PolicyRule, r *Request) string {
	if !r.IsResource || r.Subresource != "" {
		return ""
	}
	all := r.Resource + "/*"
	without := rule.DeepCopy()
	found := false
	for i := range without.Resources {
		list := without.Resources[i].Resources
		kept := slices.DeleteFunc(slices.Clone(list), func(spec string) bool { return spec == all })
		if len(kept) < len(list) {
			found = true
			without.Resources[i].Resources = append(kept, "-") // with none, it would be for all
		}
	}
	if !found || len(reasonsOf(without, r)) == 0 {
		return ""
	}
	return fmt.Sprintf("%s matches %s itself too, and not its subresources alone", all, r.Resource)
}

// bodyNote is about secrets that the log holds from then on.
func bodyNote(e *Explanation) string {
	if !e.holdsSecret() {
		return ""
	}
	what := e.Request.What()
	if e.Request.Verb == "delete" {
		what += " that do not go at once (finalizers, --cascade=foreground)"
	}
	return "the log then holds what is in " + what + ", readable for all who may read the log: Metadata is enough to know who did what"
}

// holdsSecret says whether a body that is logged is one of a resource with secrets.
func (e *Explanation) holdsSecret() bool {
	r := &e.Request
	for _, s := range secretResources() {
		if !r.IsResource || s.group != r.Group || s.name != r.full() {
			continue
		}
		for _, event := range e.Events {
			// A request that writes is answered with what was written.
			if event.RequestBody && slices.Contains(s.requests, r.Verb) || event.ResponseBody && slices.Contains(slices.Concat(s.requests, s.answers), r.Verb) {
				return true
			}
		}
	}
	return false
}

// sibling is a request that people take for the one they ask about.
type sibling struct {
	what    string
	request Request
}

func siblings(r Request) []sibling {
	if !r.IsResource {
		return nil
	}
	var all []sibling
	as := func(verb, what string) {
		other := r
		other.Verb = verb
		all = append(all, sibling{what, other})
	}
	many := r // of a whole namespace
	many.Name = ""
	asMany := func(verb, what string) {
		other := many
		other.Verb = verb
		all = append(all, sibling{what, other})
	}
	switch {
	case isInteractive(&r) && r.Verb == "get":
		as("create", "the same with a POST (create), as kubectl before 1.31 and some clients begin it,")
	case isInteractive(&r) && r.Verb == "create":
		as("get", "the same with a GET by WebSocket (get), as kubectl begins it since 1.31,")
	case r.Subresource != "":
	case r.Verb == "get":
		asMany("list", "kubectl get without a name (list)")
	case r.Verb == "list":
		as("watch", "kubectl get --watch (watch)")
	case r.Verb == "watch":
		as("list", "the list before it")
	case r.Verb == "delete":
		asMany("deletecollection", "deletecollection, as when a whole namespace is deleted,")
	case r.Verb == "deletecollection":
		as("delete", "delete of a single one, as kubectl delete --all sends it for each,")
	case r.Verb == "update":
		as("patch", "patch, as kubectl apply and edit send it,")
	case r.Verb == "patch":
		as("update", "update, as kubectl replace sends it,")
	}
	if r.Namespace != "" && r.Subresource == "" && slices.Contains([]string{"list", "watch"}, r.Verb) {
		everywhere := r
		everywhere.Namespace = ""
		all = append(all, sibling{"the same for all namespaces (kubectl -A), which is in none,", everywhere})
	}
	return all
}

// WhoseText says of whom a rule that depends on it is.
func WhoseText(rule *internal.PolicyRule) string {
	var parts []string
	if len(rule.Users) > 0 {
		parts = append(parts, "users "+some(rule.Users))
	}
	if len(rule.UserGroups) > 0 {
		parts = append(parts, "members of "+some(rule.UserGroups))
	}
	return strings.Join(parts, " who are ")
}
