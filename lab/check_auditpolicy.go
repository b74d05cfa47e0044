package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	kyaml "sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readAuditPolicyCheck reads the parameters of a check of an audit policy, about which
// the API server's own evaluator decides:
//
//	file      the policy's
//	strict    true: it has no field that kube-apiserver does not read
//	requests  a hidden table of requests and what is to be logged of them:
//	  what           the request in words
//	  user, groups   whose it is; system:authenticated comes by itself
//	  verb           get, list, delete, deletecollection, ...
//	  resource       as kubectl names it: pods, pods/exec, deployments.apps
//	  namespace, name
//	  path           instead of resource: one that is none
//	  level          the level of the event
//	  atLeast        instead of level: the lowest that will do
//	  omitStages     those for which there is no event, and no others
func readAuditPolicyCheck(p *params) (grader, error) {
	c := &auditPolicyCheck{params: p}
	err := p.fields(
		p.file("file", &c.file),
		p.onlyTrue("strict", &c.strict),
		p.table("requests", c.row),
	)
	if err != nil {
		return nil, err
	}
	asks := len(c.rows)
	if c.strict {
		asks++
	}
	return c.grade, p.someOf(asks, c.file)
}

type auditPolicyCheck struct {
	*params
	file   string
	strict bool
	rows   []auditRow
}

// auditRow is a request, and what is to be logged of it.
type auditRow struct {
	what           string
	request        audit.Request
	level, atLeast string
	omit           []string // nil: whatever they are
}

// auditLevels are all, of which each logs more than the one before it.
func auditLevels() []string {
	return []string{string(auditv1.LevelNone), string(auditv1.LevelMetadata), string(auditv1.LevelRequest), string(auditv1.LevelRequestResponse)}
}

func auditStages() []string {
	return []string{string(auditv1.StageRequestReceived), string(auditv1.StageResponseStarted), string(auditv1.StageResponseComplete), string(auditv1.StagePanic)}
}

// row reads a row of the table.
func (c *auditPolicyCheck) row(f yamlfile.File, n *yaml.Node) error {
	var row auditRow
	var named audit.Named
	var user, path string
	var groups []string
	level := func(what string, to *string) yamlfile.Key {
		return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) {
			if *to, err = f.Text(n, what); err == nil && !slices.Contains(auditLevels(), *to) {
				err = f.ErrorAt(n, failure.Suggest(*to, auditLevels()), "there is no level %q", *to)
			}
			return err
		}}
	}
	err := f.Mapping(n, "a request",
		rowText(f, "what", &row.what), rowText(f, "user", &user), rowTexts(f, "groups", &groups),
		rowText(f, "verb", &named.Verb), rowText(f, "resource", &named.Resource), rowText(f, "namespace", &named.Namespace), rowText(f, "name", &named.Name),
		rowText(f, "path", &path), level("level", &row.level), level("atLeast", &row.atLeast),
		yamlfile.Key{Name: "omitStages", Read: func(n *yaml.Node) error {
			row.omit = []string{}
			return f.List(n, "omitStages", func(n *yaml.Node, stage string) error {
				if !slices.Contains(auditStages(), stage) {
					return f.ErrorAt(n, failure.Suggest(stage, auditStages()), "there is no stage %q", stage)
				}
				row.omit = append(row.omit, stage)
				return nil
			})
		}},
	)
	switch {
	case err != nil:
		return err
	case row.what == "" || user == "" || named.Verb == "" || (named.Resource == "") == (path == ""):
		return f.ErrorAt(n, "give it what, user, verb and either resource or path", "a request is not complete")
	case row.level != "" && row.atLeast != "" || row.level+row.atLeast == "" && row.omit == nil:
		return f.ErrorAt(n, "give it level or atLeast, or omitStages", "a request says not what is to be logged")
	}
	row.request = audit.Request{Verb: named.Verb, Path: path}
	if path == "" {
		if row.request, _, err = named.Request(); err != nil {
			return f.At(n, err)
		}
	}
	row.request.User, row.request.Groups = user, audit.GroupsOf(user, groups)
	c.rows = append(c.rows, row)
	return nil
}

func (c *auditPolicyCheck) grade(_ context.Context, w *work) finding {
	const wanted = "an audit policy with which kube-apiserver starts"
	data, found := w.learner.file(c.file, maxManifest)
	if found != "" {
		return finding{wanted: wanted + ", in " + c.file, found: found}
	}
	policy, err := audit.Parse(c.file, data)
	if err != nil {
		return finding{wanted: wanted, found: err.Error()}
	}
	if c.strict {
		if found := unreadFields(policy, data); found != "" {
			return finding{wanted: "a policy that has only fields which kube-apiserver reads", found: found}
		}
	}
	if len(c.rows) == 0 {
		return finding{true, wanted + ", and which has no field that it does not read", "as wanted"}
	}
	return c.decide(policy)
}

// unreadFields names what kube-apiserver passes over: with fields that it does not
// know it starts, and logs other things than the author meant.
func unreadFields(policy *audit.Policy, data []byte) string {
	var unread []string
	for _, field := range policy.Unread() {
		unread = append(unread, fmt.Sprintf("line %d: there is no field %s", field.Line, field.Field))
	}
	if len(unread) > 0 {
		return strings.Join(unread, "; ")
	}
	if policy.HasMore() {
		return "kube-apiserver reads the first document alone, and there are more"
	}
	if err := kyaml.UnmarshalStrict(data, new(auditv1.Policy)); err != nil {
		return err.Error()
	}
	return ""
}

// decide asks the evaluator about each request.
func (c *auditPolicyCheck) decide(policy *audit.Policy) finding {
	evaluator := policy.Evaluator()
	var m missed
	for i := range c.rows {
		row := &c.rows[i]
		d := evaluator.Decide(&row.request)
		by := "no rule matches it"
		if d.Rule != audit.NoRule {
			by = fmt.Sprintf("by rule %d in line %d", d.Rule+1, policy.Line(d.Rule))
		}
		switch is := string(d.Level); {
		case row.level != "" && is != row.level:
			m.add(row.what+" is logged at "+row.level, "at "+is+": "+by)
		case slices.Index(auditLevels(), is) < slices.Index(auditLevels(), row.atLeast):
			m.add(row.what+" is logged at "+row.atLeast+" at least", "at "+is+": "+by)
		case row.omit != nil && is == string(auditv1.LevelNone):
			m.add(row.what+" is logged", "it is not: "+by)
		case row.omit != nil:
			var omits []string
			for _, stage := range d.OmitStages {
				omits = append(omits, string(stage))
			}
			if !slices.Equal(slices.Sorted(slices.Values(omits)), slices.Sorted(slices.Values(row.omit))) {
				m.add("no event of "+row.what+" in stage "+list(row.omit), "stages left out: "+list(omits)+" ("+by+")")
			}
		}
	}
	return m.finding(fmt.Sprintf("all %d requests asked about are logged as wanted", len(c.rows)))
}
