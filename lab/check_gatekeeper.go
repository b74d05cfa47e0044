package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/opa"
)

// readGatekeeperCheck reads the parameters of a check of a ConstraintTemplate and a
// constraint of Gatekeeper's. The template has to be one that Gatekeeper takes, the
// constraint to fit it; the real opa evaluates the template's Rego.
//
//	template    the file with the template
//	constraint  the file with the constraint, which may be the same; without it the
//	            template alone is looked at
//	name        what the constraint is to be called; without it anything
//	schema      a hidden table of what a constraint may have as parameters:
//	  what        them in words
//	  parameters  them
//	  accepted    true or false
//	objects     a hidden table of objects that somebody creates:
//	  what        the object in words
//	  object      the object
//	  denied      true or false, or texts of which each is in one of the messages
//	  unnamed     texts that are in none of the messages
//	  parameters  those of another constraint, which is about all objects: whether the
//	              template may be used again
func readGatekeeperCheck(p *params) (grader, error) {
	c := &gatekeeperCheck{params: p}
	if err := p.fields(p.file("template", &c.template), p.file("constraint", &c.constraint), p.text("name", &c.name),
		p.table("schema", c.schemaRow), p.table("objects", c.row)); err != nil {
		return nil, err
	}
	switch {
	case c.template == "":
		return nil, p.ErrorAt(p.node, "name it, as in template: template.yaml", "%s has no field %q", p.what, "template")
	case c.constraint == "" && slices.ContainsFunc(c.rows, func(row objectRow) bool { return row.parameters == nil }):
		return nil, p.ErrorAt(p.node, "name it, as in constraint: constraint.yaml", "%s has no field %q", p.what, "constraint")
	}
	p.lab.gatekeeperChecks = append(p.lab.gatekeeperChecks, c)
	return c.grade, nil
}

type gatekeeperCheck struct {
	*params
	template, constraint string
	name                 string // of the constraint
	schema               []schemaRow
	rows                 []objectRow
}

// schemaRow is what a constraint may have as parameters.
type schemaRow struct {
	what       string
	parameters map[string]any
	accepted   bool
}

func (c *gatekeeperCheck) schemaRow(f yamlfile.File, n *yaml.Node) error {
	var row schemaRow
	err := f.Mapping(n, "parameters", rowText(f, "what", &row.what), rowObject(f, "parameters", &row.parameters),
		yamlfile.Key{Name: "accepted", Read: func(n *yaml.Node) (err error) { row.accepted, err = f.Boolean(n, "accepted"); return err }})
	if err == nil && (row.what == "" || row.parameters == nil || yamlfile.Field(n, "accepted") == nil) {
		err = f.ErrorAt(n, "give it what, parameters and accepted", "parameters are not complete")
	}
	c.schema = append(c.schema, row)
	return err
}

// judgeSchema says what the template's schema makes of parameters.
func (c *gatekeeperCheck) judgeSchema(t *constraintTemplate, wanted string) finding {
	var m missed
	for _, row := range c.schema {
		refused := t.schema.refuses(row.parameters, "spec.parameters", 0)
		switch {
		case row.accepted && refused != "":
			m.add("a constraint with "+row.what+" is accepted", "it is refused: "+refused)
		case !row.accepted && refused == "":
			m.add("a constraint with "+row.what+" is refused by the template's schema", "it is accepted")
		}
	}
	return m.finding(wanted)
}

// objectRow is an object, and whether it is denied.
type objectRow struct {
	reviewRow
	parameters map[string]any
	subject    subject
}

func (c *gatekeeperCheck) row(f yamlfile.File, n *yaml.Node) error {
	var row objectRow
	var object map[string]any
	err := f.Mapping(n, "an object", rowText(f, "what", &row.what), rowObject(f, "object", &object),
		row.verdict(f, "denied"), rowTexts(f, "unnamed", &row.unnamed), rowObject(f, "parameters", &row.parameters))
	if err != nil {
		return err
	}
	var head struct {
		APIVersion, Kind string
		Metadata         struct {
			Name, Namespace string
			Labels          map[string]string
		}
	}
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, &head)
	}
	if err != nil || row.what == "" || head.Kind == "" || head.Metadata.Name == "" || yamlfile.Field(n, "denied") == nil {
		return f.ErrorAt(n, "give it what, denied and object, with apiVersion, kind and metadata.name", "an object is not complete")
	}
	group, version, hasGroup := strings.Cut(head.APIVersion, "/")
	if !hasGroup {
		group, version = "", head.APIVersion
	}
	row.subject = subject{group, head.Kind, head.Metadata.Name, head.Metadata.Namespace, head.Metadata.Labels}
	namespace := head.Metadata.Namespace
	if row.subject.isNamespace() { // an API server calls it so in its review
		namespace = head.Metadata.Name
	}
	row.input = map[string]any{
		"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "name": head.Metadata.Name, "namespace": namespace,
		"kind":     map[string]any{"group": group, "version": version, "kind": head.Kind},
		"userInfo": map[string]any{"username": "jane", "groups": []string{"system:authenticated"}},
		"object":   object, "oldObject": nil, "dryRun": false,
	}
	c.rows = append(c.rows, row)
	return nil
}

func (c *gatekeeperCheck) grade(ctx context.Context, w *work) finding {
	wanted := "a ConstraintTemplate in " + c.template + " that Gatekeeper takes (" + templateGroup + "/v1)"
	template, found := oneOf[constraintTemplate](w, c.template, func(d document) bool { return d.Kind == "ConstraintTemplate" }, "ConstraintTemplate")
	if found == "" {
		found = template.fault()
	}
	if found != "" {
		return finding{wanted: wanted, found: found}
	}
	rego, found := template.rego()
	if found != "" {
		return finding{wanted: wanted, found: found}
	}
	t := &templateWork{gatekeeperCheck: c, template: template, rego: rego}
	if t.constraint, found = c.readConstraint(w, template); found != "" {
		return finding{wanted: "a constraint of the template's kind in " + c.constraint, found: found}
	}
	said, found := t.violations(ctx, w)
	switch {
	case found != "":
		return finding{wanted: "a policy in " + c.template + " that says what is violated", found: found}
	case c.schema != nil:
		if f := c.judgeSchema(template, wanted); !f.passed || c.rows == nil {
			return f
		}
	case c.rows == nil:
		return finding{true, wanted, "as wanted"}
	}
	return t.judge(said)
}

// oneOf decodes the one document in a file that is meant; others may be beside it.
func oneOf[T any](w *work, file string, meant func(document) bool, what string) (object *T, found string) {
	docs, found := w.documents(file)
	if found != "" {
		return nil, found
	}
	for _, d := range docs {
		switch {
		case !meant(d):
		case object != nil:
			return nil, file + " has more than one " + what
		default:
			if object, found = decodeAs[T](d); found != "" {
				return nil, found
			}
		}
	}
	if object == nil {
		return nil, fmt.Sprintf("%s has no %s, but %s", file, what, docs[0])
	}
	return object, ""
}

// readConstraint returns the constraint, or says why it is none of the template's
// kind. A check without one has one that is about everything.
func (c *gatekeeperCheck) readConstraint(w *work, t *constraintTemplate) (*constraint, string) {
	if c.constraint == "" {
		return new(constraint), ""
	}
	kind := t.Spec.CRD.Spec.Names.Kind
	made, found := oneOf[constraint](w, c.constraint, func(d document) bool {
		return d.Kind != "ConstraintTemplate" && (d.Kind == kind || strings.HasPrefix(d.APIVersion, constraintGroup+"/"))
	}, kind)
	if found != "" {
		return nil, found
	}
	switch {
	case made.Kind != kind:
		return nil, fmt.Sprintf("its kind is %s, and the template's %s", made.Kind, kind)
	case made.APIVersion != constraintGroup+"/v1beta1":
		return nil, "its apiVersion is " + made.APIVersion + ", and not " + constraintGroup + "/v1beta1"
	case made.Name == "":
		return nil, "it has no metadata.name"
	case c.name != "" && made.Name != c.name:
		return nil, "its metadata.name is " + made.Name + ", and not " + c.name
	case made.Spec.Parameters != nil && t.schema == nil:
		return nil, "it has parameters, and the template no schema for them"
	}
	if made.Spec.Parameters != nil {
		found = t.schema.refuses(made.Spec.Parameters, "spec.parameters", 0)
	}
	return made, found
}

// gatekeeperFile names what the check's questions are asked.
func (c *gatekeeperCheck) gatekeeperFile() string { return "template " + c.template }

// templateWork is a template and its constraint, which fit.
type templateWork struct {
	*gatekeeperCheck
	template   *constraintTemplate
	rego       templateRego
	constraint *constraint
}

// inputs are what a check asks the template's rule: that it compiles, and has a value,
// if nothing else.
func (c *gatekeeperCheck) inputs(made *constraint) []any {
	if c.rows == nil {
		return []any{map[string]any{"review": map[string]any{}, "parameters": map[string]any{}}}
	}
	var asked []any
	for _, row := range c.rows {
		parameters := made.Spec.Parameters
		if row.parameters != nil {
			parameters = row.parameters
		}
		if parameters == nil {
			parameters = map[string]any{}
		}
		asked = append(asked, map[string]any{"review": row.input, "parameters": parameters})
	}
	return asked
}

// judge says what happens to each of the objects.
func (t *templateWork) judge(said [][]string) finding {
	var m missed
	for i, row := range t.rows {
		switch excluded := t.constraint.Spec.Match.excludes(row.subject); {
		case row.parameters != nil:
			row.compare(said[i], &m)
		case excluded != "" && row.denied:
			m.add(row.what+" is denied", "it is admitted: "+excluded)
		case excluded != "":
		case len(said[i]) > 0 && !t.constraint.denies():
			row.compareAction(t.constraint.Spec.EnforcementAction, &m)
		default:
			row.compare(said[i], &m)
		}
	}
	return m.finding(fmt.Sprintf("all %d objects asked about are denied or admitted as wanted", len(t.rows)))
}

// compareAction is for a constraint that denies nothing.
func (r *objectRow) compareAction(action string, m *missed) {
	if r.denied {
		m.add(r.what+" is denied", "it is admitted, for spec.enforcementAction is "+action)
	}
}

// violations returns the messages of the template's rule for each of the inputs.
func (t *templateWork) violations(ctx context.Context, w *work) (messages [][]string, found string) {
	pkg := opa.Package([]byte(t.rego.policy))
	switch {
	case pkg == "":
		return nil, t.rego.where + " does not begin with a package that has a plain name"
	case w.opa() == "":
		return nil, "the program opa is not on PATH"
	}
	r := opa.Request{Program: w.opa(), Policy: []byte(t.rego.policy), Rule: "data." + pkg + ".violation"}
	for _, lib := range t.rego.libs {
		r.Libs = append(r.Libs, []byte(lib))
	}
	var parts []regoPart
	for _, other := range w.lab.gatekeeperChecks {
		if other.gatekeeperFile() != t.gatekeeperFile() {
			continue
		}
		if made, bad := other.readConstraint(w, t.template); bad == "" {
			parts = append(parts, regoPart{other, other.inputs(made)})
		}
	}
	values, err := w.askTogether(ctx, t.gatekeeperFile(), r, []opa.Version{t.rego.version}, parts, t.gatekeeperCheck)
	if err != nil {
		return nil, t.regoFault(err)
	}
	for _, value := range values {
		var violations []struct {
			Msg *string `json:"msg"`
		}
		if value == nil {
			return nil, fmt.Sprintf("%s has no rule violation", t.rego.where)
		}
		if err := json.Unmarshal(value, &violations); err != nil {
			return nil, "the rule violation is no set of objects with a msg: " + string(value)
		}
		said := []string{}
		for _, v := range violations {
			if v.Msg == nil {
				return nil, "the rule violation has an object without a msg"
			}
			said = append(said, *v.Msg)
		}
		messages = append(messages, said)
	}
	return messages, ""
}

// regoFault says what opa has against the policy, and which Rego it is.
func (t *templateWork) regoFault(err error) string {
	found := regoFault(t.rego.where, []byte(t.rego.policy), err)
	var bad *opa.Error
	if errors.As(err, &bad) && bad.Code == "rego_parse_error" {
		found += fmt.Sprintf(" (Gatekeeper reads it as %s", t.rego.version)
		if t.rego.version == opa.V0 {
			found += "; v1 is for code[].source with version: v1"
		}
		found += ")"
	}
	return found
}
