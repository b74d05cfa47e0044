package apiserver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// policy reads the audit policy by which kube-apiserver would log.
func (p *checkedPod) policy() (*audit.Policy, string, *finding) {
	file, _ := p.value("audit-policy-file")
	if file == "" {
		f := fail("there is no policy: nothing is logged", "")
		return nil, "", &f
	}
	path, data, err := p.read(file, store.MaxYAML)
	var policy *audit.Policy
	if err == nil {
		policy, err = audit.Parse(path, data)
	}
	if err != nil {
		f := p.unreadable("audit-policy-file", err)
		f.mend = fixHint("see what is wrong with: pkictl audit lint " + shell.Quote(path) + "; or have another written: pkictl audit generate")
		return nil, path, f
	}
	return policy, path, nil
}

func judgePolicy(_ *cisChecker, p *checkedPod) finding {
	policy, path, f := p.policy()
	if f != nil {
		return *f
	}
	return finding{status: StatusPass, found: fmt.Sprintf("%s in %s", countRules(len(policy.Rules)), path), flag: "audit-policy-file"}
}

func countRules(n int) string {
	if n == 1 {
		return "1 rule"
	}
	return fmt.Sprintf("%d rules", n)
}

// judgePolicyRules has the API server's own code decide about requests that the
// benchmark names (3.2.2).
func judgePolicyRules(_ *cisChecker, p *checkedPod) finding {
	policy, path, f := p.policy()
	if f != nil {
		return *f
	}
	j := &policyJudge{policy: policy, evaluator: policy.Evaluator()}
	j.findBodies()
	j.findGaps()
	if len(j.found) == 0 {
		return finding{status: StatusPass, found: "it does", file: path}
	}
	slices.SortStableFunc(j.found, func(a, b policyFinding) int { return cmp.Compare(a.line, b.line) })
	var texts []string
	for _, found := range j.found {
		texts = append(texts, found.text)
	}
	return finding{
		status: StatusFail, found: strings.Join(texts, "; "), file: path, line: j.found[0].line,
		mend: fixHint("look at the rules with: pkictl audit lint " + shell.Quote(path) + "; write others with: pkictl audit generate"),
	}
}

// policyJudge collects what is wrong with a policy.
type policyJudge struct {
	policy    *audit.Policy
	evaluator *audit.Evaluator
	found     []policyFinding
}

type policyFinding struct {
	line int
	text string
}

// findBodies finds rules that log bodies of what is not to be read there.
func (j *policyJudge) findBodies() {
	for _, b := range j.policy.Bodies() {
		j.add(b.Rule, fmt.Sprintf("rule %d logs bodies of %s (%s)", b.Rule+1, b.Resource, b.Level))
	}
}

func resourceName(r audit.Request) string {
	if r.Subresource != "" {
		return r.Resource + "/" + r.Subresource
	}
	return r.Resource
}

// needed are the requests that are to be logged, whoever sends them.
func needed() []audit.Request {
	var all []audit.Request
	add := func(group, resource, subresource string, verbs ...string) {
		for _, verb := range verbs {
			all = append(all, audit.Request{Verb: verb, IsResource: true, Group: group, Version: "v1", Resource: resource, Subresource: subresource, Name: "some-name"})
		}
	}
	add("", "secrets", "", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
	add("", "pods", "", "create", "update", "patch", "delete", "deletecollection")
	add("apps", "deployments", "", "create", "update", "patch", "delete", "deletecollection")
	// kubectl begins them with GET since 1.31, and with POST before.
	add("", "pods", "exec", "get", "create")
	add("", "pods", "portforward", "get", "create")
	for _, resource := range []string{"pods", "services"} {
		add("", resource, "proxy", "get", "create", "update", "patch", "delete")
	}
	return all
}

// findGaps finds requests that are not logged: those of people, in a namespace
// that no rule names and in those that rules of level None do.
func (j *policyJudge) findGaps() {
	namespaces := []string{"some-namespace", ""}
	for _, rule := range j.policy.Rules {
		if rule.Level == internal.LevelNone {
			namespaces = append(namespaces, rule.Namespaces...)
		}
	}
	type gap struct {
		rule int
		name string
	}
	verbs, order := map[gap][]string{}, []gap{}
	for _, r := range needed() {
		for _, namespace := range namespaces {
			for _, groups := range [][]string{{"system:authenticated"}, {"system:masters", "system:authenticated"}, {"kubeadm:cluster-admins", "system:authenticated"}} {
				r.User, r.Groups, r.Namespace = "somebody", groups, namespace
				d := j.evaluator.Decide(&r)
				if d.Keeps(internal.StageRequestReceived) || d.Keeps(internal.StageResponseStarted) || d.Keeps(internal.StageResponseComplete) {
					continue
				}
				g := gap{d.Rule, resourceName(r)}
				if verbs[g] == nil {
					order = append(order, g)
				}
				if !slices.Contains(verbs[g], r.Verb) {
					verbs[g] = append(verbs[g], r.Verb)
				}
			}
		}
	}
	for _, g := range order {
		by := "no rule logs"
		if g.rule != audit.NoRule {
			by = fmt.Sprintf("rule %d does not log", g.rule+1)
		}
		j.add(g.rule, fmt.Sprintf("%s %s of %s", by, strings.Join(verbs[g], ", "), g.name))
	}
}

func (j *policyJudge) add(rule int, text string) {
	line := j.policy.Line(rule)
	if line > 0 {
		text += fmt.Sprintf(" (line %d)", line)
	}
	j.found = append(j.found, policyFinding{line, text})
}
