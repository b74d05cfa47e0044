package audit

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
)

// checkRule looks at one rule by itself.
func (l *linter) checkRule(i int) {
	rule, at := &l.policy.Rules[i], &l.source.rules[i]
	l.checkLevel(rule.Level, at)
	l.checkUsers(rule, at)
	l.checkNamespaces(rule, at)
	for j, verb := range rule.Verbs {
		l.checkVerb(verb, at.verbs.at(j), rule)
	}
	for j, url := range rule.NonResourceURLs {
		l.checkURL(url, at.urls.at(j))
	}
	if len(rule.NonResourceURLs) > 0 && (len(rule.Resources) > 0 || len(rule.Namespaces) > 0) {
		l.report(at.urls.key, SeverityError, "mixed-rule", "make two rules of it", "a rule is about resources and namespaces, or about nonResourceURLs, not both")
	}
	for j := range rule.Resources {
		if j < len(at.resources) {
			l.checkResources(rule, &rule.Resources[j], &at.resources[j])
		}
	}
	for _, list := range []texts{at.users, at.userGroups, at.verbs, at.namespaces, at.urls, at.omitStages} {
		l.checkTwice(list)
	}
	for _, r := range at.resources {
		l.checkTwice(r.resources)
		l.checkTwice(r.names)
	}
}

// checkTwice reports what stands twice in a list.
func (l *linter) checkTwice(list texts) {
	seen := make(map[string]bool, len(list.items))
	for j, item := range list.items {
		if value := textOf(item); !seen[value] {
			seen[value] = true
			continue
		}
		f := l.report(item, SeverityNote, "duplicate-value", "write it once", "%q stands twice in %s", textOf(item), list.key.Value)
		f.fixedBy(&edit{kind: remove, node: item, prior: list.items[j-1]}, l.file)
	}
}

func (l *linter) checkLevel(level internal.Level, at *ruleSource) {
	switch {
	case level == "":
		where := at.node
		if at.level != nil {
			where = at.level
		}
		l.report(where, SeverityError, "level-missing", "write a level: "+strings.Join(levelNames(), ", "), "the rule has no level")
	case !slices.Contains(levelNames(), string(level)):
		l.unknownWord(at.level, "unknown-level", "level", string(level), levelNames())
	}
}

// unknownWord reports a level or stage that does not exist. What differs in case
// alone is certain.
func (l *linter) unknownWord(at *yaml.Node, id, what, word string, known []string) {
	mend := "the " + what + "s are " + strings.Join(known, ", ")
	meant := failure.Closest(word, known)
	if meant != "" {
		mend = "write " + meant
	}
	f := l.report(at, SeverityError, id, mend, "there is no %s %q", what, word)
	if meant != "" && strings.EqualFold(meant, strings.TrimSpace(word)) && at != nil {
		f.fixedBy(&edit{kind: replace, node: at, value: meant}, l.file)
	}
}

// isGroup says whether kube-apiserver itself gives groups of that name, or beginning,
// to users (k8s.io/apiserver/pkg/authentication/user).
func isGroup(name string) bool {
	return slices.Contains([]string{"system:masters", "system:nodes", "system:authenticated", "system:unauthenticated", "system:monitoring", "system:bootstrappers"}, name) ||
		name == "system:serviceaccounts" || strings.HasPrefix(name, "system:serviceaccounts:") || strings.HasPrefix(name, "system:bootstrappers:")
}

func isUser(name string) bool {
	return slices.Contains([]string{"system:anonymous", "system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy", "system:apiserver"}, name) ||
		strings.HasPrefix(name, "system:node:") || strings.HasPrefix(name, "system:serviceaccount:")
}

func (l *linter) checkUsers(rule *internal.PolicyRule, at *ruleSource) {
	for j, name := range rule.Users {
		where := at.users.at(j)
		parts := strings.Split(name, ":")
		switch {
		case l.literal(where, "users", name):
		case isGroup(name):
			l.report(where, SeverityFinding, "group-as-user", "write it below userGroups", "%q is a group, and no user is called so", name)
		case strings.HasPrefix(name, "system:serviceaccount:") && (len(parts) != 4 || parts[2] == "" || parts[3] == ""):
			l.report(where, SeverityFinding, "service-account-name", "write system:serviceaccount:NAMESPACE:NAME, or for all of a namespace userGroups: [system:serviceaccounts:NAMESPACE]",
				"no service account is called %q", name)
		}
	}
	for j, name := range rule.UserGroups {
		where := at.userGroups.at(j)
		if !l.literal(where, "userGroups", name) && isUser(name) {
			l.report(where, SeverityFinding, "user-as-group", "write it below users", "%q is a user, and no group is called so", name)
		}
	}
}

// literal reports a text that is written as a pattern, where kube-apiserver
// compares letter by letter (k8s.io/apiserver/pkg/audit/policy/checker.go).
func (l *linter) literal(at *yaml.Node, where, text string) bool {
	switch {
	case strings.Contains(text, "*"):
		mend := "name them one by one"
		switch text {
		case "*":
			mend = "leave " + where + " out: without it the rule matches all"
		case "system:serviceaccount:*", "system:node:*":
			mend = "write userGroups: [" + strings.TrimSuffix(text, ":*") + "s]"
		}
		l.report(at, SeverityFinding, "no-wildcard", mend, "%s have no wildcards: %q matches nobody and nothing but itself", where, text)
		return true
	case text == "":
		switch where {
		case "namespaces": // of requests in none, or in all at once
		case "resourceNames":
			l.report(at, SeverityNote, "empty-name", "leave resourceNames out, if it is meant for all", "an empty text in resourceNames matches requests without a name alone: create, list, watch and deletecollection")
		default:
			l.report(at, SeverityFinding, "empty-value", "leave it out", "an empty text in %s matches nothing", where)
		}
		return true
	}
	return false
}

func (l *linter) checkNamespaces(rule *internal.PolicyRule, at *ruleSource) {
	for j, name := range rule.Namespaces {
		where := at.namespaces.at(j)
		if l.literal(where, "namespaces", name) {
			continue
		}
		if strings.ToLower(name) != name || strings.ContainsAny(name, " _./:") {
			l.report(where, SeverityFinding, "namespace-name", "namespaces have lower-case letters, digits and hyphens alone", "no namespace can be called %q", name)
		}
	}
}

// checkURL looks at a path, of which kube-apiserver wants that it begins with a
// slash and has a wildcard at its end alone.
func (l *linter) checkURL(url string, at *yaml.Node) {
	path := strings.TrimRight(url, "*")
	switch {
	case url == "*":
	case !strings.HasPrefix(url, "/"):
		f := l.report(at, SeverityError, "url-slash", "write /"+url, "the path %q does not begin with a slash", url)
		if url != "" && !strings.Contains(url, ":") {
			f.fixedBy(&edit{kind: replace, node: at, value: "/" + url}, l.file)
		}
	case strings.Contains(url[:len(url)-1], "*"):
		l.report(at, SeverityError, "url-wildcard", "end the path with one *", "in the path %q the wildcard is not the last character", url)
	case strings.ContainsAny(url, "?#"):
		l.report(at, SeverityFinding, "url-query", "write "+strconv.Quote(path[:strings.IndexAny(path, "?#")]), "a path has no query: %q matches no request", url)
	default:
		if r, err := ParseRequest("GET", path); err == nil && r.IsResource {
			l.report(at, SeverityFinding, "url-of-resource", "name it below resources", "%q is the path of a resource, and nonResourceURLs match none", url)
		}
	}
}
