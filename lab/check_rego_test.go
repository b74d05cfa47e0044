package lab

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// withOPA is a machine that has opa.
func withOPA(t *testing.T) *Machine {
	t.Helper()
	path, err := filepath.Abs("../tools/bin/opa")
	if err != nil {
		t.Fatal(err)
	}
	return &Machine{OPA: path}
}

// gradeNamed grades files by the checks of a lab of the catalogue, and returns what
// was found, by check, where it has not passed.
func gradeNamed(t *testing.T, id string, files map[string]string) map[string]string {
	t.Helper()
	l, err := Named(id)
	if err != nil {
		t.Fatal(err)
	}
	w := workIn(t, files)
	w.lab, w.machine = l, withOPA(t)
	result, err := l.grade(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	lost := map[string]string{}
	for _, check := range result.Checks {
		if !check.Passed {
			lost[check.ID] = check.Found
		}
	}
	return lost
}

// wantLostChecks compares the checks that have not passed; of the first of them it
// compares a part of what was found.
func wantLostChecks(t *testing.T, lost map[string]string, want, found string) {
	t.Helper()
	var ids []string
	for id := range lost {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if strings.Join(ids, " ") != want {
		t.Errorf("lost %v, want %q: %v", ids, want, lost)
	}
	if len(ids) > 0 && !strings.Contains(lost[ids[0]], found) {
		t.Errorf("found %q, want %q", lost[ids[0]], found)
	}
}

const (
	goodRegistry = `package kubernetes.admission

deny contains msg if {
	input.request.kind.kind == "Pod"
	some field in ["containers", "initContainers", "ephemeralContainers"]
	some c in input.request.object.spec[field]
	startswith(c.image, "hooli.example/")
	msg := sprintf("image %q is not trusted", [c.image])
}
`
	goodNames = `package kubernetes.admission

deny contains msg if {
	input.request.kind.kind == "Pod"
	input.request.operation == "CREATE"
	some ns, pods in data.kubernetes.pods
	ns != input.request.namespace
	some pod in pods
	pod.metadata.name == input.request.object.metadata.name
	msg := sprintf("pod name '%v' is taken in %v", [pod.metadata.name, ns])
}
`
	ofRegistry = "admitted messages other-containers registry"
	ofNames    = "names names-admitted"
)

// Answers that a learner may give, right and wrong.
func TestRegoLab(t *testing.T) {
	t.Parallel()
	edit := func(text string, changes ...string) string {
		edited := strings.NewReplacer(changes...).Replace(text)
		if edited == text {
			t.Fatal("nothing was changed")
		}
		return edited
	}
	v0 := `package kubernetes.admission
deny[msg] {
  input.request.object.kind == "Pod"
  image := all_images[_]
  regex.match("^hooli\\.example/", image)
  msg = sprintf("no: %v", [image])
}
all_images = a { a := [c.image | walk(input.request.object.spec, [p, c]); c.image] }
`
	for _, test := range []struct {
		name, registry, names string
		lost, found           string
	}{
		{"right", goodRegistry, goodNames, "", ""},
		{"v0", v0, goodNames, "", ""},
		{"v0 with a comment that has if", "# if it is from there\n" + v0, goodNames, "", ""},
		{"v0 with keywords", edit(goodRegistry, "package kubernetes.admission\n", "package kubernetes.admission\nimport future.keywords\n"), goodNames, "", ""},
		{"import rego.v1", edit(goodRegistry, "package kubernetes.admission\n", "package kubernetes.admission\nimport rego.v1\n"), goodNames, "", ""},
		{"import input", edit(goodRegistry, "package kubernetes.admission\n", "package kubernetes.admission\nimport input.request as r\n", "input.request.", "r."), goodNames, "", ""},
		{"Windows line ends", edit(goodRegistry, "\n", "\r\n"), edit(goodNames, "\n", "\r\n"), "", ""},
		{"a rule for each", `package kubernetes.admission
is_pod if input.request.resource == {"group": "", "version": "v1", "resource": "pods"}
bad(image) if { [host, _] := split_at(image); host == "hooli.example" }
split_at(image) := [substring(image, 0, i), substring(image, i, -1)] if { i := indexof(image, "/"); i > 0 }
deny contains msg if { is_pod; c := input.request.object.spec.containers[_]; bad(c.image); msg := c.image }
deny contains msg if { is_pod; c := input.request.object.spec.initContainers[_]; bad(c.image); msg := c.image }
deny contains msg if { is_pod; c := input.request.object.spec.ephemeralContainers[_]; bad(c.image); msg := c.image }
`, goodNames, "", ""},
		{"one message for all", edit(goodRegistry, "deny contains msg if {", "bad contains c.image if {", "\tmsg := sprintf(\"image %q is not trusted\", [c.image])\n", "") +
			"deny contains msg if { count(bad) > 0; msg := concat(\", \", bad) }\n", goodNames, "", ""},
		{"a list of messages", edit(goodRegistry, "deny contains msg if {", "bad contains c.image if {", "\tmsg := sprintf(\"image %q is not trusted\", [c.image])\n", "") + "deny := [m | some m in bad]\n", goodNames, "", ""},
		{"namespace of the object", goodRegistry, edit(goodNames, "input.request.namespace", "input.request.object.metadata.namespace"), "", ""},
		{"the key for the name", goodRegistry, edit(goodNames, "some pod in pods", "some _, pod in pods"), "", ""},
		{"both in one file", goodRegistry, goodRegistry + strings.TrimPrefix(goodNames, "package kubernetes.admission\n"), "", ""},
		{"time", edit(goodRegistry, "[c.image])\n", "[c.image])\n\ttime.now_ns() > 0\n"), goodNames, "", ""},

		{"missing", "", goodNames, ofRegistry, "no file registry.rego"},
		{"not compiled", edit(goodRegistry, "startswith", "startwith"), goodNames, ofRegistry, "registry.rego:7: rego_type_error: undefined function startwith"},
		{"half written", goodRegistry[:80], goodNames, ofRegistry, "registry.rego:"},
		{"comment of C", "// no\n" + goodRegistry, goodNames, ofRegistry, "comments in Rego begin with #"},
		{"asks the network", edit(goodRegistry, "startswith(c.image, \"hooli.example/\")", `http.send({"method": "get", "url": "http://127.0.0.1/"}).status_code == 200`), goodNames, ofRegistry, "undefined function http.send"},
		{"other package", edit(goodRegistry, "kubernetes.admission", "kubernetes.validating.images"), goodNames, ofRegistry, "of package kubernetes.validating.images, not kubernetes.admission"},
		{"other rule", edit(goodRegistry, "deny contains", "violation contains"), goodNames, ofRegistry, "has no rule kubernetes.admission.deny"},
		{"objects as messages", edit(goodRegistry, "deny contains msg", `deny contains {"msg": msg}`), goodNames, "messages other-containers registry", "it is ["},
		{"conflict in one review", edit(goodRegistry, "deny contains msg if", "deny := [msg] if"), goodNames, "admitted messages", "has no rule kubernetes.admission.deny that has a value"},
		{"denies everything", "package kubernetes.admission\ndeny contains \"no hooli.example/web:1.4 hooli.example/cache:3 hooli.example/setup:1\"\n", goodNames, "admitted messages", "it is denied"},
		{"denies nothing", "package kubernetes.admission\ndeny contains msg if { msg := \"no\"; false }\n", goodNames, "messages other-containers registry", "it is admitted"},
		{"names by the key of the namespace", goodRegistry, edit(goodNames, "ns != ", "ns == "), ofNames, "it is admitted"},
		{"no argument", goodRegistry, edit(goodNames, ", [pod.metadata.name, ns])", ")"), ofNames, "podnames.rego:10: rego_type_error: sprintf: arity mismatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"registry.rego": test.registry, "podnames.rego": test.names}
			if test.registry == "" {
				delete(files, "registry.rego")
			}
			wantLostChecks(t, gradeNamed(t, "opa-registry", files), test.lost, test.found)
		})
	}
}

// A hidden table says at which line of itself it is wrong.
func TestRegoRefuses(t *testing.T) {
	t.Parallel()
	const good = "- {what: a pod, denied: true, input: {request: {operation: CREATE}}}\n"
	for _, test := range []struct{ name, with, table, want string }{
		{"good", "{file: a, reviews: r.yaml}", good, ""},
		{"good, with texts", "{file: a, reviews: r.yaml, data: d.json}", "- {what: a pod, denied: [x, y], unnamed: [z], input: {}}\n", ""},
		{"no file", "{reviews: r.yaml}", good, `no field "file"`},
		{"asks nothing", "{file: a}", good, "asks for nothing"},
		{"no such table", "{file: a, reviews: s.yaml}", good, "s.yaml"},
		{"outside", "{file: a, reviews: ../lab.yaml}", good, "no such file"},
		{"no rule", "{file: a, reviews: r.yaml, rule: deny}", good, `"deny" is no path of a rule`},
		{"a rule with more", `{file: a, reviews: r.yaml, rule: "data.a with input as 1"}`, good, "is no path of a rule"},
		{"empty", "{file: a, reviews: r.yaml}", "[]\n", "list of 1 to 500"},
		{"no list", "{file: a, reviews: r.yaml}", "what: a pod\n", "list of 1 to 500"},
		{"unknown field", "{file: a, reviews: r.yaml}", good + "- {what: b, input: {}, deny: true}\n", `"test/hidden/r.yaml", line 2`},
		{"not complete", "{file: a, reviews: r.yaml}", "- {what: b, input: {}}\n", "not complete"},
		{"no input", "{file: a, reviews: r.yaml}", "- {what: b, denied: true, input: [a]}\n", "input is no object"},
		{"a key that is no text", "{file: a, reviews: r.yaml}", "- {what: b, denied: true, input: {a: {1: b}}}\n", "input is no object"},
		{"an alias", "{file: a, reviews: r.yaml}", "- &a {what: b, denied: true, input: {}}\n- *a\n", "alias"},
		{"data is a list", "{file: a, reviews: r.yaml, data: l.json}", good, "data is no object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(fstest.MapFS{
				labFile: {Data: []byte(labWith("rego", test.with))}, "hidden/r.yaml": {Data: []byte(test.table)},
				"hidden/d.json": {Data: []byte(`{"a": {"b": 1}}`)}, "hidden/l.json": {Data: []byte(`[1]`)},
			}, "test", "test")
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestRegoWithoutOPA(t *testing.T) {
	t.Parallel()
	l, err := Named("opa-registry")
	if err != nil {
		t.Fatal(err)
	}
	w := workIn(t, map[string]string{"registry.rego": goodRegistry})
	w.lab = l
	result, err := l.grade(t.Context(), w)
	if err != nil || result.Points != 0 || !strings.Contains(result.Checks[0].Found, "opa is not on PATH") {
		t.Errorf("%+v, %v", result, err)
	}
}
