package lab

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	goodTemplate = `apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata:
  name: k8srequiredlabels
spec:
  crd:
    spec:
      names:
        kind: K8sRequiredLabels
      validation:
        openAPIV3Schema:
          type: object
          properties:
            labels:
              type: array
              items:
                type: string
  targets:
  - target: admission.k8s.gatekeeper.sh
    rego: |
      package k8srequiredlabels
      violation[{"msg": msg}] {
        label := input.parameters.labels[_]
        not has(label)
        msg := sprintf("%v is missing", [label])
      }
      has(label) { input.review.object.metadata.labels[label] != "" }
`
	goodConstraint = `apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sRequiredLabels
metadata:
  name: namespace-owner
spec:
  match:
    kinds:
    - apiGroups: [""]
      kinds: [Namespace]
    excludedNamespaces: [kube-*]
  parameters:
    labels: [owner]
`
	ofTemplate = "admitted denied rule template"
)

// Answers that a learner may give, right and wrong.
func TestGatekeeperLab(t *testing.T) {
	t.Parallel()
	template := func(changes ...string) string { return edited(t, goodTemplate, changes...) }
	constraint := func(changes ...string) string { return edited(t, goodConstraint, changes...) }
	for _, test := range []struct{ name, template, constraint, lost, found string }{
		{"right", goodTemplate, goodConstraint, "", ""},
		{"Windows line ends", template("\n", "\r\n"), constraint("\n", "\r\n"), "", ""},
		{"all in both files", goodTemplate + "---\n" + goodConstraint, goodConstraint + "---\n" + goodTemplate, "", ""},
		{"v1 in code", goodTemplate[:strings.Index(goodTemplate, "    rego:")] + `    code:
    - engine: Rego
      source:
        version: v1
        rego: |
          package labels.of_namespaces

          violation contains {"msg": msg} if {
            some label in input.parameters.labels
            object.get(input.review.object.metadata, ["labels", label], "") == ""
            msg := $"{label} is missing"
          }
`, goodConstraint, "", ""},
		{"import rego.v1", template("package k8srequiredlabels\n", "package k8srequiredlabels\n      import rego.v1\n",
			"violation[{\"msg\": msg}] {", "violation contains {\"msg\": msg} if {", "has(label) {", "has(label) if {"), goodConstraint, "", ""},
		{"code with CEL beside it", template("    rego: |\n", "    code:\n    - engine: K8sNativeValidation\n      source: {validations: []}\n    rego: |\n"), goodConstraint, "", ""},
		{"more in the schema", template("type: array\n", "type: array\n              description: which\n              minItems: 0\n              default: []\n"), goodConstraint, "", ""},
		{"two kinds in one", goodTemplate, constraint("kinds: [Namespace]", "kinds: [Namespace, Widget]"), "", ""},
		{"scope and an action", goodTemplate, constraint("  match:\n", "  enforcementAction: deny\n  match:\n    scope: Cluster\n"), "", ""},
		{"scoped action", goodTemplate, constraint("  match:\n", "  enforcementAction: scoped\n  scopedEnforcementActions:\n  - action: deny\n    enforcementPoints: [{name: validation.gatekeeper.sh}]\n  match:\n"), "", ""},
		{"two exceptions", goodTemplate, constraint("[kube-*]", "[kube-system, kube-n*, kube-public, kube-*]"), "", ""},
		{"every message for one", template(`sprintf("%v is missing", [label])`, `concat(" ", ["missing:", label])`), goodConstraint, "", ""},

		{"no template", "", goodConstraint, ofTemplate, "no file template.yaml"},
		{"no constraint", goodTemplate, "", "admitted denied", "no file constraint.yaml"},
		{"beta", template("sh/v1\n", "sh/v1beta1\n"), goodConstraint, ofTemplate, "apiVersion is templates.gatekeeper.sh/v1beta1"},
		{"name", template("name: k8srequiredlabels", "name: K8sRequiredLabels"), goodConstraint, ofTemplate, "small letters"},
		{"no type of the array", template("              type: array\n", ""), goodConstraint, ofTemplate, "openAPIV3Schema.properties.labels has no type"},
		{"items is a text", template("items:\n                type: string", "items: string"), goodConstraint, ofTemplate, "labels.items is of type string, and has to be a schema"},
		{"unknown in the schema", template("type: array\n", "type: array\n              elements: string\n"), goodConstraint, ofTemplate, `unknown field "elements"`},
		{"reference", template("items:\n                type: string", "items: {$ref: 'file:///etc/passwd'}"), goodConstraint, ofTemplate, `unknown field "$ref"`},
		{"list of numbers", template("type: string", "type: integer"), goodConstraint, "admitted denied template", "spec.parameters.labels[0] is of type string"},
		{"labels at the top", template("          type: object\n          properties:\n            labels:\n              type: array\n              items:\n                type: string\n",
			"          type: array\n          items: {type: string}\n"), goodConstraint, ofTemplate, "parameters are an object"},
		{"misspelt field", template("    rego: |", "    regos: |"), goodConstraint, ofTemplate, `unknown field "spec.targets[0].regos"`},
		{"other target", template("admission.k8s", "validation.k8s"), goodConstraint, ofTemplate, "spec.targets"},
		{"CEL alone", template("    rego: |", "    code:\n    - engine: K8sNativeValidation\n      source: {rego: ''}\n    libs:\n    - |"), goodConstraint, ofTemplate, "rego is empty"},
		{"v1 without saying so", template("violation[{\"msg\": msg}] {", "violation contains {\"msg\": msg} if {"), goodConstraint, ofTemplate, "Gatekeeper reads it as Rego v0"},
		{"deny for violation", template("violation[", "deny["), goodConstraint, ofTemplate, "has no rule violation"},
		{"message alone", template(`violation[{"msg": msg}]`, "violation[msg]"), goodConstraint, "admitted denied rule", "no set of objects with a msg"},
		{"no msg", template(`{"msg": msg}`, `{"message": msg}`), goodConstraint, "admitted denied rule", "without a msg"},
		{"no package", template("package k8srequiredlabels\n      ", ""), goodConstraint, ofTemplate, "does not begin with a package"},
		{"Helm", template("name: k8srequiredlabels", "name: {{ .Values.name }}"), goodConstraint, ofTemplate, "template, not a manifest"},
		{"two templates", goodTemplate + "---\n" + goodTemplate, goodConstraint, ofTemplate, "more than one ConstraintTemplate"},

		{"warns", goodTemplate, constraint("  match:\n", "  enforcementAction: warn\n  match:\n"), "denied", "enforcementAction is warn"},
		{"kind", goodTemplate, constraint("K8sRequiredLabels", "K8sRequiredLabel"), "admitted denied", "its kind is K8sRequiredLabel, and the template's K8sRequiredLabels"},
		{"version", goodTemplate, constraint("sh/v1beta1", "sh/v1"), "admitted denied", "constraints.gatekeeper.sh/v1beta1"},
		{"group of templates", goodTemplate, constraint("constraints.gate", "templates.gate"), "admitted denied", "its apiVersion is templates.gatekeeper.sh/v1beta1"},
		{"a text for the list", goodTemplate, constraint("[owner]", "owner"), "admitted denied", "spec.parameters.labels is of type string, and the template wants array"},
		{"small letters", goodTemplate, constraint("[Namespace]", "[namespace]"), "denied", "spec.match.kinds does not select it"},
		{"plural", goodTemplate, constraint("[Namespace]", "[Namespaces]"), "denied", "spec.match.kinds does not select it"},
		{"misspelt exception", goodTemplate, constraint("excludedNamespaces", "excludedNamespace"), "admitted denied", `unknown field "spec.match.excludedNamespace"`},
		{"kinds outside match", goodTemplate, constraint("  match:\n    kinds:", "  kinds:"), "admitted denied", "YAML"},
		{"exception by a label alone", goodTemplate, constraint("    excludedNamespaces: [kube-*]\n", "    labelSelector: {matchLabels: {team: a}}\n"), "denied", "labelSelector does not select it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"template.yaml": test.template, "constraint.yaml": test.constraint}
			for name, text := range files {
				if text == "" {
					delete(files, name)
				}
			}
			wantLostChecks(t, gradeNamed(t, "gatekeeper-labels", files), test.lost, test.found)
		})
	}
}

// edited makes changes of a text, each of which has to change something.
func edited(t *testing.T, text string, changes ...string) string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("there is no %q", changes[i])
		}
	}
	return strings.NewReplacer(changes...).Replace(text)
}

func TestConstraintMatch(t *testing.T) {
	t.Parallel()
	namespace := subject{"", "Namespace", "kube-dns", "", map[string]string{"a": "b"}}
	pod := subject{"", "Pod", "web", "shop-eu", map[string]string{"a": "b"}}
	role := subject{"rbac.authorization.k8s.io", "ClusterRole", "view", "", nil}
	selector := func(value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"a": value}}
	}
	for _, test := range []struct {
		name  string
		match constraintMatch
		want  string // which of the three are selected
	}{
		{"nothing", constraintMatch{}, "npr"},
		{"scope", constraintMatch{Scope: "Namespaced"}, "p"},
		{"no scope", constraintMatch{Scope: "*"}, "npr"},
		{"cluster", constraintMatch{Scope: "Cluster"}, "nr"},
		{"namespaces", constraintMatch{Namespaces: []string{"shop-*", "x"}}, "pr"},
		{"namespaces by their ends", constraintMatch{Namespaces: []string{"*-dns"}}, "nr"},
		{"namespaces by their middle", constraintMatch{Namespaces: []string{"*p-*"}}, "pr"},
		{"excluded", constraintMatch{ExcludedNamespaces: []string{"kube-dns"}}, "pr"},
		{"excluded, not whole", constraintMatch{ExcludedNamespaces: []string{"kube"}}, "npr"},
		{"labels", constraintMatch{LabelSelector: selector("b")}, "np"},
		{"labels of namespaces", constraintMatch{NamespaceSelector: selector("c")}, "pr"},
		{"name", constraintMatch{Name: "we*"}, "p"},
		{"generated", constraintMatch{Source: "Generated"}, ""},
		{"original", constraintMatch{Source: "Original"}, "npr"},
		{"an operator that is none", constraintMatch{LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is"}}}}, ""},
	} {
		is := ""
		for i, s := range []subject{namespace, pod, role} {
			if test.match.excludes(s) == "" {
				is += "npr"[i : i+1]
			}
		}
		if is != test.want {
			t.Errorf("%s selects %q, want %q", test.name, is, test.want)
		}
	}
}

func TestGatekeeperRefuses(t *testing.T) {
	t.Parallel()
	const good = "- {what: one, denied: true, object: {apiVersion: v1, kind: Namespace, metadata: {name: a}}}\n"
	for _, test := range []struct{ name, with, table, want string }{
		{"good", "{template: a, constraint: b, objects: r.yaml}", good, ""},
		{"the template alone", "{template: a}", good, ""},
		{"no template", "{constraint: b, objects: r.yaml}", good, `no field "template"`},
		{"objects without a constraint", "{template: a, objects: r.yaml}", good, `no field "constraint"`},
		{"no kind", "{template: a, constraint: b, objects: r.yaml}", "- {what: one, denied: true, object: {metadata: {name: a}}}\n", "not complete"},
		{"labels of another type", "{template: a, constraint: b, objects: r.yaml}", "- {what: one, denied: true, object: {kind: A, metadata: {name: a, labels: [x]}}}\n", "not complete"},
		{"schema without an answer", "{template: a, schema: r.yaml}", "- {what: one, parameters: {}}\n", "not complete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(fstest.MapFS{
				labFile: {Data: []byte(labWith("gatekeeper", test.with))}, "hidden/r.yaml": {Data: []byte(test.table)},
			}, "test", "test")
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func FuzzConstraintTemplate(f *testing.F) {
	f.Add(goodTemplate, `{"labels": ["owner"]}`)
	f.Add(goodTemplate, `{"labels": "owner"}`)
	f.Add("apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nspec: {crd: {spec: {validation: {openAPIV3Schema: {type: array, items: {type: object, properties: {a: {enum: [1]}}}}}}}}", "[{}]")
	f.Fuzz(func(t *testing.T, text, parameters string) {
		w := workIn(t, map[string]string{"a": text})
		template, found := oneOf[constraintTemplate](w, "a", func(d document) bool { return d.Kind == "ConstraintTemplate" }, "ConstraintTemplate")
		if found != "" || template.fault() != "" {
			return
		}
		_, _ = template.rego()
		var value any
		if json.Unmarshal([]byte(parameters), &value) == nil {
			template.schema.refuses(value, "", 0)
		}
	})
}
