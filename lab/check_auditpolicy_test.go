package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

const (
	goodAudit = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  namespaces: [prod-namespace]
  verbs: [delete, deletecollection]
  resources:
  - group: ""
    resources: [pods]
- level: Request
  namespaces: [prod-namespace]
  verbs: [update, patch]
  resources:
  - group: ""
    resources: [configmaps]
    resourceNames: [feature-flags]
- level: Metadata
`
	ofAudit = "deletions feature-flags fields rest secrets stages"
)

// Answers that a learner may give, right and wrong.
func TestAuditPolicyLab(t *testing.T) {
	t.Parallel()
	edit := func(changes ...string) string { return edited(t, goodAudit, changes...) }
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, name := range "bcdefghi" {
		before := string(name - 1)
		bomb += string(name) + ": &" + string(name) + " [" + strings.Repeat("*"+before+", ", 9) + "*" + before + "]\n"
	}
	for _, test := range []struct{ name, policy, lost, found string }{
		{"right", goodAudit, "", ""},
		{"Windows line ends", edit("\n", "\r\n"), "", ""},
		{"an empty document behind it", goodAudit + "---\n", "", ""},
		{"metadata and comments", "# mine\n---\n" + edit("kind: Policy\n", "kind: Policy\nmetadata:\n  name: p\n  creationTimestamp: null\n"), "", ""},
		{"fields that say nothing", edit("- level: Metadata\n", "- level: Metadata\n  users: []\n  verbs: []\n  resources: []\n  namespaces: []\n  omitManagedFields: false\n"), "", ""},
		{"pods of every group", edit("group: \"\"\n    resources: [pods]", "resources: [pods]"), "", ""},
		{"subresources of pods too", edit("resources: [pods]", "resources: [pods, pods/status]"), "", ""},
		{"anchors", edit("namespaces: [prod-namespace]\n  verbs: [delete", "namespaces: &n [prod-namespace]\n  verbs: [delete", "namespaces: [prod-namespace]\n  verbs: [update", "namespaces: *n\n  verbs: [update"), "", ""},
		{"the stage twice", edit("- level: Metadata\n", "- level: Metadata\n  omitStages: [RequestReceived]\n"), "", ""},
		{"the rest in three", edit("- level: Metadata\n", "- level: Metadata\n  resources: [{group: \"\"}]\n- level: Metadata\n  resources: [{group: \"*\", resources: [\"*\"]}]\n- level: Metadata\n  nonResourceURLs: [\"*\"]\n"), "", ""},

		{"an asterisk, which no verb is", edit("[delete, deletecollection]", "[\"*\"]"), "deletions", "at Metadata: by rule 3 in line 18"},
		{"no verbs", edit("  verbs: [delete, deletecollection]\n", ""), "rest", "at RequestResponse: by rule 1 in line 5"},
		{"all that is in pods", edit("resources: [pods]", "resources: [\"*\"]"), "rest secrets", ""},
		{"all below pods", edit("verbs: [delete, deletecollection]", "verbs: [delete, deletecollection, get]", "resources: [pods]", "resources: [pods, pods/*]"), "rest", ""},
		{"secrets at None", edit("- level: Metadata\n", "- level: None\n  resources: [{group: \"\", resources: [secrets]}]\n- level: Metadata\n"), "secrets stages", "at None: by rule 3"},
		{"kubelets at None", edit("rules:\n", "rules:\n- level: None\n  userGroups: [\"system:nodes\"]\n"), "deletions rest secrets", "at None: by rule 1"},
		{"health at None", edit("- level: Metadata\n", "- level: None\n  nonResourceURLs: [/healthz*, /version]\n- level: Metadata\n"), "rest stages", "at None"},
		{"more of the rest", edit("- level: Metadata\n", "- level: Metadata\n  resources: [{resources: [secrets, configmaps, pods]}]\n- level: Request\n"), "rest", "at Request: by rule 4"},
		{"level in small letters", edit("level: Metadata", "level: metadata"), ofAudit, "line 18"},
		{"a field that is none", edit("- level: Metadata\n", "- level: Metadata\n  namespace: []\n"), "fields", "line 19: there is no field rules[2].namespace"},
		{"a field twice", edit("- level: Metadata\n", "- level: Metadata\n  level: Metadata\n"), "fields", "already set"},
		{"two policies", goodAudit + "---\n" + goodAudit, "fields", "first document alone"},
		{"a blank group", edit(`group: ""`, `group: " "`), ofAudit, "would not start"},
		{"the version as a group", edit(`group: ""`, `group: v1`), "deletions feature-flags", ""},
		{"resources of a rule as a list of texts", edit("  - group: \"\"\n    resources: [pods]", "  - pods"), ofAudit, "line 9"},
		{"no rules", goodAudit[:strings.Index(goodAudit, "rules:")], ofAudit, "no rules"},
		{"a Helm template", edit("[pods]", "{{ .Values.resources }}"), ofAudit, ""},
		{"half written", goodAudit[:len(goodAudit)-30], ofAudit, "not valid YAML"},
		{"a pod", podYAML, ofAudit, ""},
		{"empty", "", ofAudit, "policy.yaml is empty"},
		{"binary", "\x00\x01\xff\xfe", ofAudit, ""},
		{"a bomb", bomb, ofAudit, ""},
		{"deep", strings.Repeat("[", 100_000), ofAudit, ""},
		{"large", "#" + strings.Repeat("x", maxManifest), ofAudit, "larger than 256 KiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lost := gradeNamed(t, "audit-policy", map[string]string{"policy.yaml": test.policy})
			wantLostChecks(t, lost, test.lost, test.found)
		})
	}
}

func TestAuditPolicyRefuses(t *testing.T) {
	t.Parallel()
	const good = "- {what: a, user: jane, verb: get, resource: pods, level: None}\n"
	for _, test := range []struct{ name, with, table, want string }{
		{"good", "{file: a, requests: r.yaml}", good, ""},
		{"a path", "{file: a, requests: r.yaml}", "- {what: a, user: jane, verb: get, path: /healthz, atLeast: Metadata, omitStages: []}\n", ""},
		{"strict alone", "{file: a, strict: true}", good, ""},
		{"strict is false", "{file: a, strict: false}", good, "strict is false"},
		{"asks for nothing", "{file: a}", good, "asks for nothing"},
		{"no such level", "{file: a, requests: r.yaml}", good + "- {what: a, user: jane, verb: get, resource: pods, level: All}\n", `line 2, column 59: there is no level "All"`},
		{"no such stage", "{file: a, requests: r.yaml}", "- {what: a, user: jane, verb: get, resource: pods, omitStages: [End]}\n", `no stage "End"`},
		{"both levels", "{file: a, requests: r.yaml}", "- {what: a, user: jane, verb: get, resource: pods, level: None, atLeast: Request}\n", "what is to be logged"},
		{"no level", "{file: a, requests: r.yaml}", "- {what: a, user: jane, verb: get, resource: pods}\n", "what is to be logged"},
		{"resource and path", "{file: a, requests: r.yaml}", "- {what: a, user: jane, verb: get, resource: pods, path: /a, level: None}\n", "not complete"},
		{"no verb", "{file: a, requests: r.yaml}", "- {what: a, user: jane, verb: exec, resource: pods, level: None}\n", `"exec" is no verb`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(fstest.MapFS{
				labFile: {Data: []byte(labWith("auditPolicy", test.with))}, "hidden/r.yaml": {Data: []byte(test.table)},
			}, "test", "test")
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
