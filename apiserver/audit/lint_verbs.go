package audit

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
)

// methods are the verbs of requests for no resource
// (k8s.io/apiserver/pkg/endpoints/request/requestinfo.go).
func methods() []string {
	return []string{"get", "head", "post", "put", "patch", "delete", "options", "connect", "trace"}
}

// methodVerb is the verb of a request for a resource with an HTTP method, and what
// kubectl calls some of them.
func methodVerb(word string) string {
	switch strings.ToLower(word) {
	case "post":
		return "create"
	case "put":
		return "update"
	case "head":
		return "get"
	}
	return ""
}

// verbMeant is what is probably meant by the words of kubectl.
func verbMeant(word string) string {
	switch strings.ToLower(word) {
	case "apply", "edit", "label", "annotate", "scale":
		return "patch"
	case "write", "modify":
		return "create, update, patch"
	case "read", "view":
		return "get, list, watch"
	case "replace":
		return "update"
	case "delete_collection", "delete-collection", "deletecollections":
		return "deletecollection"
	}
	return ""
}

func (l *linter) checkVerb(verb string, at *yaml.Node, rule *internal.PolicyRule) {
	ofResources := len(rule.Resources) > 0 || len(rule.Namespaces) > 0
	known := Verbs()
	switch {
	case !ofResources && len(rule.NonResourceURLs) > 0:
		known = methods()
	case !ofResources:
		known = append(known, methods()...)
	}
	lower := strings.ToLower(strings.TrimSpace(verb))
	switch {
	case slices.Contains(known, verb):
	case l.literal(at, "verbs", verb):
	case slices.Contains(known, lower):
		f := l.report(at, SeverityFinding, "verb-case", "write "+lower, "verbs are compared letter by letter, and none is written %q", verb)
		f.fixedBy(&edit{kind: replace, node: at, value: lower}, l.file)
	case ofResources && methodVerb(lower) != "":
		f := l.report(at, SeverityFinding, "http-method", "write "+methodVerb(lower), "%q is a method of HTTP, and no verb of a request for resources", verb)
		if !slices.Contains(rule.Verbs, methodVerb(lower)) {
			f.fixedBy(&edit{kind: replace, node: at, value: methodVerb(lower)}, l.file)
		}
	case slices.Contains(Verbs(), lower):
		l.report(at, SeverityFinding, "unknown-verb", "the verb of a path is the HTTP method in lower case: get, post, put, patch, delete", "%q is a verb of requests for resources, and of none for nonResourceURLs", verb)
	case slices.Contains([]string{"impersonate", "bind", "escalate", "use", "approve", "sign", "attest"}, lower):
		l.report(at, SeverityFinding, "unknown-verb", "leave it out", "%q is a verb of RBAC rules alone, and no request has it", verb)
	case slices.Contains([]string{"exec", "attach", "portforward", "port-forward", "log", "logs", "proxy"}, lower):
		l.report(at, SeverityFinding, "unknown-verb", "name the subresource (pods/exec), whose verbs are get and create", "%q is a subresource, and no verb", verb)
	default:
		l.unknownVerb(verb, at, known)
	}
}

func (l *linter) unknownVerb(verb string, at *yaml.Node, known []string) {
	mend := "the verbs are " + strings.Join(known, ", ")
	meant := verbMeant(verb)
	if meant == "" {
		meant = failure.Closest(verb, known)
	}
	if meant != "" {
		mend = "write " + meant
	}
	f := l.report(at, SeverityFinding, "unknown-verb", mend, "no request has the verb %q", verb)
	if meant == "deletecollection" {
		f.fixedBy(&edit{kind: replace, node: at, value: meant}, l.file)
	}
}

// checkStages looks at the stages that are left out, of which no event is logged.
func (l *linter) checkStages() {
	l.checkOmitted(l.policy.OmitStages, l.source.omitStages, "no request")
	logged, early := false, false
	for i := range l.policy.Rules {
		rule := &l.policy.Rules[i]
		who := "no request that this rule decides"
		if rule.Level == internal.LevelNone {
			for j, s := range rule.OmitStages {
				l.checkStage(string(s), l.source.rules[i].omitStages.at(j))
			}
			continue
		}
		both := slices.Concat(l.policy.OmitStages, rule.OmitStages)
		logged = true
		early = early || !slices.Contains(both, internal.StageRequestReceived)
		if !hasAll(both) || hasAll(l.policy.OmitStages) || hasAll(rule.OmitStages) {
			l.checkOmitted(rule.OmitStages, l.source.rules[i].omitStages, who)
		} else {
			l.report(l.source.rules[i].omitStages.key, SeverityFinding, "stages-lost", "leave ResponseComplete in", "with those of the policy all stages are omitted: %s leaves an event", who)
		}
	}
	if logged && early {
		l.report(l.source.rulesKey, SeverityNote, "two-events", `write: omitStages: ["RequestReceived"]`, "RequestReceived is not omitted, so that a request leaves an event when it comes, and another when it is answered")
	}
}

func hasAll(omitted []internal.Stage) bool {
	return !slices.ContainsFunc(stageNames(), func(s string) bool { return !slices.Contains(omitted, internal.Stage(s)) })
}

func (l *linter) checkStage(stage string, at *yaml.Node) bool {
	if slices.Contains(stageNames(), stage) {
		return true
	}
	l.unknownWord(at, "unknown-stage", "stage", stage, stageNames())
	return false
}

// checkOmitted reports the stages of a list whose omission loses something.
func (l *linter) checkOmitted(omitted []internal.Stage, at texts, who string) {
	if hasAll(omitted) {
		l.report(at.key, SeverityFinding, "stages-lost", "leave ResponseComplete in, or write level: None", "all stages are omitted: %s leaves an event", who)
		return
	}
	for j, stage := range omitted {
		where := at.at(j)
		if !l.checkStage(string(stage), where) {
			continue
		}
		switch stage {
		case internal.StageResponseComplete:
			l.report(where, SeverityFinding, "stages-lost", "leave it in", "ResponseComplete is omitted: %s leaves the event that says how it ended", who)
		case internal.StagePanic:
			l.report(where, SeverityFinding, "stages-lost", "leave it in: it costs nothing until it happens", "Panic is omitted: requests at which kube-apiserver panics leave no event")
		case internal.StageResponseStarted:
			l.report(where, SeverityNote, "late-events", "leave it in", "ResponseStarted is omitted: watch, exec and port-forward leave an event when they end, and not when they begin")
		}
	}
}
