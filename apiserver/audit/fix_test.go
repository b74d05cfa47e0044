package audit

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/audit/policy"
)

// TestFix: what is certain is mended, and all else in the file stays.
func TestFix(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, data, want string
		mended           int
	}{
		{"the notes of a course", `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: ["RequestReceived"] # Optional
rules:
- namespace: ["prod-namespace"] # Optional
  verbs: ["delete"] # Optional
  resources:
  - groups: " "
    resources: ["pods"]
    resourceName: ["webapp-pod"] # Optional
  level: RequestResponse # None, Metadata, Request, RequestResponse
- level: Metadata
  resources:
  - groups: " "
    resources: ["secrets"]
`, `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: ["RequestReceived"] # Optional
rules:
- namespaces: ["prod-namespace"] # Optional
  verbs: ["delete"] # Optional
  resources:
  - group: ""
    resources: ["pods"]
    resourceNames: ["webapp-pod"] # Optional
  level: RequestResponse # None, Metadata, Request, RequestResponse
- level: Metadata
  resources:
  - group: ""
    resources: ["secrets"]
`, 6},
		{"versions and kinds", "apiVersion: audit.k8s.io/v1beta1 # old\nkind: 'policy'\nrules: [{level: metadata}]", "apiVersion: audit.k8s.io/v1 # old\nkind: 'Policy'\nrules: [{level: Metadata}]", 3},
		{"lists", lintHead + "- level: None\n  users: a # one\n  verbs: Get\n  resources:\n  - group: [core]\n    resources: po\n", lintHead + "- level: None\n  users: [a] # one\n  verbs: [get]\n  resources:\n  - group: \"\"\n    resources: [pods]\n", 7},
		{"groups", lintHead + "- level: None\n  resources:\n  - {group: apps/v1}\n  - {groups: networking}\n  - {apiGroups: ['core/v1']}\n", lintHead + "- level: None\n  resources:\n  - {group: apps}\n  - {group: networking.k8s.io}\n  - {group: ''}\n", 6},
		{"twice", lintHead + "- level: None\n  verbs: [get, list, get]\n  users:\n  - a\n  - a\n  - b # why\n  - b\n", lintHead + "- level: None\n  verbs: [get, list]\n  users:\n  - a\n  - b # why\n  - b\n", 2},
		{"numbers", lintHead + "- level: None\n  users: [1, yes, 'c']\n", lintHead + "- level: None\n  users: [\"1\", \"yes\", 'c']\n", 2},
		{"methods", lintHead + "- level: None\n  namespaces: [a]\n  verbs: [POST, 'put']\n", lintHead + "- level: None\n  namespaces: [a]\n  verbs: [create, 'update']\n", 2},
		{"what is not certain", lintHead + "- level: None\n  namespace: [a]\n  namespaces: [b]\n  users: a, b\n  verbs: ['*']\n", "", 0},
		{"a list that is no group", lintHead + "- level: None\n  resources:\n  - groups: [apps, batch]\n", "", 0},
		{"more than one line", lintHead + "- level: None\n  users: >\n    a\n    b\n", "", 0},
	} {
		for _, end := range []string{"\n", "\r\n"} {
			data, want := strings.ReplaceAll(test.data, "\n", end), strings.ReplaceAll(test.want, "\n", end)
			if test.want == "" {
				want = data
			}
			fixed, mended, err := Fix("audit.yaml", []byte(data))
			if err != nil || string(fixed) != want || len(mended) != test.mended {
				t.Errorf("%s: %d mended, %v\n%s", test.name, len(mended), err, fixed)
			}
			checkFix(t, []byte(data), fixed)
		}
	}
}

// checkFix checks what holds for every file: mending again changes nothing, and
// what kube-apiserver took it takes still.
func checkFix(t *testing.T, data, fixed []byte) {
	t.Helper()
	again, mended, err := Fix("audit.yaml", fixed)
	if err != nil || len(mended) > 0 || !bytes.Equal(again, fixed) {
		t.Errorf("mended again: %+v, %v\n%s", mended, err, again)
	}
	if isAccepted(data) && !isAccepted(fixed) {
		t.Errorf("not accepted any more:\n%s", fixed)
	}
}

// changesNothing are findings after whose mending a policy decides as before: all
// others say that it does something else than it says.
var changesNothing = []string{"duplicate-value", "wrong-type", "no-policy", "api-version"}

// FuzzLint holds what is found against kube-apiserver's own code, for any file.
func FuzzLint(f *testing.F) {
	f.Add([]byte(lintHead + rest))
	f.Add([]byte(lintHead + "- namespace: [a]\n  level: none\n  resources: [{groups: ' ', resources: pod, resourceName: [x]}]\n"))
	f.Add([]byte(lintHead + "- &a {level: Request, users: &u [a, a], verbs: [GET, post]}\n- {<<: *a, users: *u}\n- level: yes\n"))
	f.Add([]byte(lintHead + "- level: Metadata\n  omitStages: [panic, ResponseComplete]\n  nonResourceURLs: [a, /*, '/a*b']\n---\nx"))
	f.Add([]byte(`{"apiVersion": "audit.k8s.io/v1beta1", "rules": [{"level": "None", "level": 1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		findings, err := Lint("audit.yaml", data)
		if err != nil {
			return
		}
		checkAgreement(t, data, findings)
		fixed, mended, err := Fix("audit.yaml", data)
		if err != nil {
			t.Fatal(err)
		}
		checkFix(t, data, fixed)
		if slices.ContainsFunc(mended, func(f Finding) bool { return !slices.Contains(changesNothing, f.ID) }) {
			return
		}
		before, err := policy.LoadPolicyFromBytes(data)
		if err != nil {
			return
		}
		after, err := Parse("audit.yaml", fixed)
		if err != nil {
			t.Fatal(err)
		}
		old, now := (&Policy{Policy: *before}).Evaluator(), after.Evaluator()
		for _, n := range noises() {
			if a, b := old.Decide(&n.Request), now.Decide(&n.Request); a.Rule != b.Rule || a.Level != b.Level {
				t.Errorf("decides otherwise about %+v", n)
			}
		}
	})
}
