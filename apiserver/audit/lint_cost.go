package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// noise is what a cluster does by itself all the time.
type noise struct {
	what string
	Request
}

func noises() []noise {
	node, controller := "system:node:worker-1", "system:serviceaccount:kube-system:endpointslice-controller"
	at := func(what, user, verb, group, resource, sub, namespace string) noise {
		return noise{what, Request{User: user, Groups: groupsWith(user, ""), Verb: verb, IsResource: true, Group: group, Version: "v1",
			Resource: resource, Subresource: sub, Namespace: namespace, Name: "worker-1"}}
	}
	return []noise{
		at("leases of nodes", node, "update", "coordination.k8s.io", "leases", "", "kube-node-lease"),
		at("leases of leaders", "system:kube-scheduler", "update", "coordination.k8s.io", "leases", "", "kube-system"),
		at("status of nodes", node, "patch", "", "nodes", "status", ""),
		at("events", node, "create", "", "events", "", "default"),
		at("events", "system:kube-scheduler", "create", "events.k8s.io", "events", "", "default"),
		at("endpoint slices", controller, "update", "discovery.k8s.io", "endpointslices", "", "default"),
	}
}

// checkCost notes what makes a log large.
func (l *linter) checkCost() {
	bodies := func(level internal.Level) bool { return levelIndex(level) >= levelIndex(internal.LevelRequest) }
	loud := make(map[int][]string)
	for _, n := range noises() {
		if i, level := l.index.decide(&n.Request); bodies(level) && !slices.Contains(loud[i], n.what) {
			loud[i] = append(loud[i], n.what)
		}
	}
	f := l.index.choose()
	list := Request{User: f.user, Groups: groupsWith(f.user, ""), Verb: "list", IsResource: true, Version: "v1", Resource: "pods", Namespace: f.namespace}
	reads, level := l.index.decide(&list)
	managed := NoRule
	for i := range l.policy.Rules {
		rule, at := &l.policy.Rules[i], l.source.rules[i].level
		if what := loud[i]; what != nil {
			l.report(at, SeverityNote, "logs-noise", "put a rule above it that has them at level None or Metadata",
				"rule %d logs the bodies of what the cluster writes all the time: %s", i+1, strings.Join(what, ", "))
		}
		if i == reads && level == internal.LevelRequestResponse {
			l.report(at, SeverityNote, "logs-lists", "put a rule above it that has get, list and watch at level Metadata",
				"rule %d logs the answers to list, which are all objects each time", i+1)
		}
		omits := l.policy.OmitManagedFields
		if rule.OmitManagedFields != nil {
			omits = *rule.OmitManagedFields
		}
		if managed == NoRule && bodies(rule.Level) && !omits {
			managed = i
		}
	}
	if managed != NoRule {
		l.report(l.source.rules[managed].level, SeverityNote, "managed-fields", "write: omitManagedFields: true",
			"rule %d logs bodies with their managedFields, which say nothing of who did what", managed+1)
	}
}
