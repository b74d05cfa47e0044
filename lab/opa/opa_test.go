package opa_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/lab/opa"
)

// program is the one that the Makefile builds.
func program(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../tools/bin/opa")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	v1 = "package p\n\nimport data.known\n\ndeny contains msg if {\n\tinput.n > 1\n\tmsg := sprintf(\"%d in %s\", [input.n, known.town])\n}\n"
	v0 = "package p\n\nimport data.known\n\ndeny[msg] {\n\tinput.n > 1\n\tmsg := sprintf(\"%d in %s\", [input.n, known.town])\n}\n"
)

func ask(t *testing.T, version opa.Version, policy string) opa.Request {
	t.Helper()
	return opa.Request{
		Program: program(t), Version: version, Policy: []byte(policy), Rule: "data.p.deny",
		Data:   map[string]any{"known": map[string]string{"town": "Salem"}},
		Inputs: []any{map[string]int{"n": 1}, map[string]int{"n": 2}, map[string]string{"m": "3"}},
	}
}

func texts(values []json.RawMessage) []string {
	var all []string
	for _, value := range values {
		var compact bytes.Buffer
		if len(value) > 0 && json.Compact(&compact, value) != nil {
			compact.WriteString("no JSON")
		}
		all = append(all, compact.String())
	}
	return all
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, policy string
		version      opa.Version
		want         []string
	}{
		{"v1", v1, opa.V1, []string{"[]", `["2 in Salem"]`, "[]"}},
		{"v0", v0, opa.V0, []string{"[]", `["2 in Salem"]`, "[]"}},
		{"Windows line ends", strings.ReplaceAll(v1, "\n", "\r\n"), opa.V1, []string{"[]", `["2 in Salem"]`, "[]"}},
		{"v1 in v0", "package p\nimport rego.v1\ndeny contains \"x\" if input.n == 1", opa.V0, []string{`["x"]`, "[]", "[]"}},
		{"keywords in v0", "package p\nimport future.keywords.in\nimport future.keywords.contains\nimport future.keywords.if\ndeny contains \"x\" if input.n in [1]", opa.V0, []string{`["x"]`, "[]", "[]"}},
		{"a complete rule", "package p\ndeny := input.n == 1", opa.V1, []string{"true", "false", ""}},
		{"another package", "package q\ndeny := true", opa.V1, []string{"", "", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := opa.Evaluate(t.Context(), ask(t, test.version, test.policy))
			if err != nil || !slices.Equal(texts(got), test.want) {
				t.Errorf("%q, %v, want %q", texts(got), err, test.want)
			}
		})
	}
}

func TestEvaluateWithLibrary(t *testing.T) {
	t.Parallel()
	r := ask(t, opa.V0, "package p\nimport data.lib.towns\ndeny[x] { x := towns.name }")
	r.Libs = [][]byte{[]byte("package lib.towns\nname = \"Bend\"")}
	got, err := opa.Evaluate(t.Context(), r)
	if err != nil || texts(got)[0] != `["Bend"]` {
		t.Errorf("%q, %v", texts(got), err)
	}
}

// What a policy may not do: it does not compile, or ends early.
func TestEvaluateRefuses(t *testing.T) {
	t.Parallel()
	call := func(expression string) string { return "package p\n\ndeny contains x if x := " + expression }
	secret := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(secret, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, policy, want string
		line               int
		inText             bool
	}{
		{"sends", call(`http.send({"method": "get", "url": "http://127.0.0.1:1"})`), "undefined function http.send", 3, true},
		{"looks up", call(`net.lookup_ip_addr("localhost")`), "undefined function net.lookup_ip_addr", 3, true},
		{"reads the environment", call(`opa.runtime()`), "undefined function opa.runtime", 3, true},
		{"reads a file", call(`json.match_schema("{}", {"$ref": "file://` + secret + `"})`), "undefined function json.match_schema", 3, true},
		{"makes keys", call(`crypto.x509.parse_rsa_private_key("")`), "undefined function", 3, true},
		{"old syntax", v0, "rego_parse_error: `if` keyword is required before rule body", 5, true},
		{"unsafe variable", "package p\ndeny contains x if input.n == 1", "var x is unsafe", 2, true},
		{"conflict", "package p\ndeny := 1 if input.n\ndeny := 2 if input.n", "must not produce multiple outputs", 3, false},
		{"empty", "", "", 0, false},
		{"binary", "\x00\x01\x02package p", "rego_parse_error", 1, true},
		{"template", "package p\n{{ .Values.rule }}", "rego_parse_error", 2, true},
		{"without end", call(`count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i > j])`), "it takes more than", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values, err := opa.Evaluate(t.Context(), ask(t, opa.V1, test.policy))
			if test.want == "" {
				if err != nil && !strings.Contains(err.Error(), "empty") {
					t.Errorf("%q, %v", texts(values), err)
				}
				return
			}
			var bad *opa.Error
			if !errors.As(err, &bad) || !strings.Contains(bad.Message, test.want) || bad.Line != test.line || bad.InText() != test.inText {
				t.Errorf("%q, %#v, want %q in line %d", texts(values), err, test.want, test.line)
			}
		})
	}
}

func TestEvaluateWithout(t *testing.T) {
	t.Parallel()
	r := ask(t, opa.V1, v1)
	r.Program = filepath.Join(t.TempDir(), "opa")
	if _, err := opa.Evaluate(t.Context(), r); err == nil || !strings.Contains(err.Error(), "opa does not start") {
		t.Error(err)
	}
	r = ask(t, opa.V1, v1)
	r.Rule = "data.p.deny\nx"
	if _, err := opa.Evaluate(t.Context(), r); err == nil || !strings.Contains(err.Error(), "no path of a rule") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := opa.Evaluate(ctx, ask(t, opa.V1, v1)); err == nil {
		t.Error("it was evaluated")
	}
	r.Rule, r.Program = "data.p.deny", "/bin/false"
	if _, err := opa.Evaluate(t.Context(), r); err == nil || !strings.Contains(err.Error(), "without an answer") {
		t.Error(err)
	}
}

// The capabilities are a part of what opa itself can do.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program(t), "capabilities", "--current").Output()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("capabilities.json")
	if err != nil {
		t.Fatal(err)
	}
	type capabilities struct {
		AllowNet []string `json:"allow_net"`
		Builtins []struct {
			Name             string `json:"name"`
			Nondeterministic bool   `json:"nondeterministic"`
		} `json:"builtins"`
	}
	var all, ours capabilities
	if err := errors.Join(json.Unmarshal(out, &all), json.Unmarshal(own, &ours)); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, b := range all.Builtins {
		known[b.Name] = true
	}
	for _, b := range ours.Builtins {
		if !known[b.Name] {
			t.Errorf("opa has no function %s", b.Name)
		}
		if b.Nondeterministic && b.Name != "time.now_ns" {
			t.Errorf("%s asks the world", b.Name)
		}
	}
	if ours.AllowNet == nil || len(ours.AllowNet) > 0 || len(ours.Builtins) < 100 {
		t.Errorf("%d functions, net %v", len(ours.Builtins), ours.AllowNet)
	}
}

func TestPackage(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{
		"package kubernetes.admission\n":                                         "kubernetes.admission",
		"# METADATA\n# title: x\n\n  package\tk8s_required.labels # of mine\r\n": "k8s_required.labels",
		"package p; deny := 1":                                                   "p",
		"import rego.v1\n":                                                       "", "": "", "package p[\"a-b\"]": "", "package": "", "packages p": "", "package p-q": "",
	} {
		if got := opa.Package([]byte(policy)); got != want {
			t.Errorf("package of %q is %q, want %q", policy, got, want)
		}
	}
}

func FuzzPackage(f *testing.F) {
	f.Add([]byte(v1))
	f.Fuzz(func(t *testing.T, policy []byte) {
		if name := opa.Package(policy); name != "" && !opa.IsRule("data."+name+".deny") {
			t.Errorf("%q", name)
		}
	})
}
