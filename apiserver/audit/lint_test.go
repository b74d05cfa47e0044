package audit

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/audit/policy"

	"github.com/pkictl/pkictl/internal/failure"
)

const lintHead = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"

// rest ends a policy so that nothing is missing in it.
const rest = "\n- level: Metadata\n"

// lintPlace is what a finding says but for its words.
func lintPlace(f Finding) string {
	fixable := ""
	if f.Fixable {
		fixable = " fixable"
	}
	return fmt.Sprintf("%d:%d %s %s%s", f.Line, f.Column, f.Severity, f.ID, fixable)
}

func places(findings []Finding) string {
	var all []string
	for _, f := range findings {
		all = append(all, lintPlace(f))
	}
	return strings.Join(all, "; ")
}

// TestLint has a small policy for each finding. The first rule begins on line 5.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, data, want, says string
	}{
		{"clean", lintHead + rest, "", ""},
		{"Windows", strings.ReplaceAll(lintHead+rest, "\n", "\r\n"), "", ""},
		{"byte order mark", "\ufeff" + lintHead + rest, "", ""},
		{"JSON", `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}`, "", ""},
		{"aliases", lintHead + "- level: None\n  users: &u [a]\n  verbs: [get]\n  resources: [&g {group: apps}]\n- level: None\n  users: *u\n  verbs: [list]\n  resources: [{<<: *g, resources: [deployments]}]" + rest, "", ""},
		{"empty", "", "1:1 error empty", ""},
		{"comments", "# nothing\n", "1:1 error empty", ""},
		{"empty first document", "---\n---\n" + lintHead + rest, "2:1 error empty", "reads no other"},
		{"two documents", lintHead + rest + "---\n" + lintHead + rest, "8:1 finding several-documents", "first one alone"},
		{"list", "- a\n", "1:1 error no-policy", "a list"},
		{"ConfigMap", "apiVersion: v1\nkind: ConfigMap\ndata:\n  audit.yaml: a\n", "2:7 error no-policy", "ConfigMap"},
		{"list of policies", "apiVersion: audit.k8s.io/v1\nkind: PolicyList\n", "2:7 error no-policy", "one Policy"},
		{"kind in lower case", strings.Replace(lintHead, "Policy", "policy", 1) + rest, "2:7 error no-policy fixable", ""},
		{"no kind", strings.Replace(lintHead, "kind: Policy", "", 1) + rest, "1:1 note no-kind", ""},
		{"v1beta1", strings.Replace(lintHead, "/v1", "/v1beta1", 1) + rest, "1:13 error api-version fixable", ""},
		{"v2", strings.Replace(lintHead, "/v1", "/v2", 1) + rest, "1:13 error api-version", ""},
		{"no version", strings.Replace(lintHead, "apiVersion: audit.k8s.io/v1", "", 1) + rest, "2:1 error api-version", ""},
		{"no rules", lintHead, "4:1 error no-rules", ""},
		{"unknown field", lintHead + "- lvel: None\n  users: [a]" + rest, "5:3 finding unknown-field fixable; 5:3 error level-missing", `"lvel"`},
		{"case of a field", lintHead + "- level: None\n  Users: [a]" + rest, "6:3 finding unknown-field fixable; 7:3 finding unreachable-rule", ""},
		{"namespace", lintHead + "- level: None\n  verbs: [get]\n  namespace: [prod]" + rest, "7:3 finding unknown-field fixable", "every namespace"},
		{"namespace beside namespaces", lintHead + "- level: None\n  namespaces: [a]\n  namespace: [b]" + rest, "7:3 finding unknown-field", ""},
		{"names in the rule", lintHead + "- level: None\n  verbs: [get]\n  resourceNames: [b]" + rest, "7:3 finding unknown-field", ""},
		{"metadata", lintHead[:len(lintHead)-7] + "metadata: {nam: x}\nrules:\n" + rest, "4:12 finding unknown-field", ""},
		{"twice", lintHead + "- level: None\n  level: Metadata\n", "6:3 finding duplicate-field", "line 5"},
		{"one text", lintHead + "- level: None\n  users: a" + rest, "6:10 error wrong-type fixable", `users: ["a"]`},
		{"several in a text", lintHead + "- level: None\n  verbs: get, list" + rest, "6:10 error wrong-type; 6:10 finding unknown-verb", `verbs: ["get", "list"]`},
		{"group list", lintHead + "- level: None\n  resources: [{group: [apps]}]" + rest, "6:23 error wrong-type fixable", ""},
		{"number", lintHead + "- level: None\n  users: [1]" + rest, "6:11 error wrong-type fixable", ""},
		{"yes", lintHead + "- level: None\n  users: [yes]" + rest, "6:11 error wrong-type fixable", ""},
		{"resources by name", lintHead + "- level: None\n  resources: [pods]" + rest, "6:15 error wrong-type", `{group: "", resources: ["pods"]}`},
		{"rules as a mapping", lintHead + "  level: None\n", "5:3 error wrong-type", "a list of rules"},
		{"empty list", lintHead + "- level: None\n  users: [a]\n  verbs: []" + rest, "7:3 finding empty-list", ""},
		{"no level", lintHead + "- users: [a]" + rest, "5:3 error level-missing", ""},
		{"level in lower case", lintHead + "- level: none\n  users: [a]" + rest, "5:10 error unknown-level fixable", "None"},
		{"unknown level", lintHead + "- level: All\n  users: [a]" + rest, "5:10 error unknown-level", ""},
		{"unknown stage", lintHead + "- level: Metadata\n  omitStages: [Response]\n", "6:16 error unknown-stage", ""},
		{"stage in lower case", lintHead + "- level: Metadata\n  omitStages: [panic]\n", "6:16 error unknown-stage fixable", ""},
		{"blank group", lintHead + "- level: None\n  resources: [{group: ' '}]" + rest, "6:23 error group-blank fixable", ""},
		{"core", lintHead + "- level: None\n  resources: [{group: core}]" + rest, "6:23 finding group-core fixable", ""},
		{"v1 for a group", lintHead + "- level: None\n  resources: [{group: v1}]" + rest, "6:23 finding group-core fixable", ""},
		{"group with version", lintHead + "- level: None\n  resources: [{group: apps/v1}]" + rest, "6:23 error group-version fixable", ""},
		{"group in upper case", lintHead + "- level: None\n  resources: [{group: Apps}]" + rest, "6:23 error unknown-group fixable", ""},
		{"half a group", lintHead + "- level: None\n  resources: [{group: networking}]" + rest, "6:23 finding unknown-group fixable", "networking.k8s.io"},
		{"unknown group", lintHead + "- level: None\n  resources: [{group: rbac.authorisation.k8s.io}]" + rest, "6:23 finding unknown-group", "rbac.authorization.k8s.io"},
		{"group that is a resource", lintHead + "- level: None\n  resources: [{group: ingresses}]" + rest, "6:23 finding unknown-group", "networking.k8s.io"},
		{"removed group", lintHead + "- level: None\n  resources: [{group: extensions}]" + rest, "6:23 note removed-group", "v1.22"},
		{"group of custom resources", lintHead + "- level: None\n  resources: [{group: cert-manager.io, resources: [certificates]}, {group: policy.example.com}, {group: metrics.k8s.io}]" + rest, "", ""},
		{"groups like those of Kubernetes", lintHead + "- level: None\n  resources: [{group: autoscaling.k8s.io}, {group: policy.networking.k8s.io}, {group: scheduling.x-k8s.io}, {group: snapshot.storage.k8s.io}, {group: networking.istio.io}]" + rest, "", ""},
		{"group with a domain too many", lintHead + "- level: None\n  resources: [{group: apps.k8s.io}]" + rest, "6:23 finding unknown-group", "group: apps"},
		{"singular", lintHead + "- level: None\n  resources: [{group: '', resources: [pod, po, Pods, deploy, Nodes]}]" + rest,
			"6:39 finding unknown-resource fixable; 6:44 finding unknown-resource fixable; 6:48 finding unknown-resource fixable; 6:54 finding resource-in-wrong-group; 6:62 finding unknown-resource fixable", "write pods"},
		{"wrong group", lintHead + "- level: None\n  resources: [{group: apps, resources: [pods]}]" + rest, "6:41 finding resource-in-wrong-group", `{group: "", resources: [pods]}`},
		{"unknown resource", lintHead + "- level: None\n  resources: [{group: '', resources: [secrts]}]" + rest, "6:39 finding unknown-resource", "secrets"},
		{"unknown subresource", lintHead + "- level: None\n  resources: [{group: '', resources: [pods/logs, secrets/status, '*/exek']}]" + rest,
			"6:39 finding unknown-subresource; 6:50 finding unknown-subresource; 6:66 finding unknown-subresource", "pods/log"},
		{"wildcards", lintHead + "- level: None\n  resources: [{group: '', resources: ['*/*', 'po*', 'pods/*']}]" + rest,
			"6:39 finding resource-wildcard; 6:46 finding resource-wildcard; 6:53 note wildcard-includes-resource", ""},
		{"wildcard beside its resource", lintHead + "- level: None\n  resources: [{group: '', resources: [pods, 'pods/*']}]" + rest, "", ""},
		{"names without resources", lintHead + "- level: None\n  resources: [{group: '', resourceNames: [a]}]" + rest, "6:27 error names-without-resources", ""},
		{"name of what is created", lintHead + "- level: None\n  verbs: [create, get]\n  resources: [{group: '', resources: [secrets], resourceNames: [a]}]" + rest, "7:39 finding name-of-create", ""},
		{"no name", lintHead + "- level: None\n  resources: [{group: '', resources: [nodes], resourceNames: ['']}]" + rest, "6:63 note empty-name", "without a name"},
		{"name of a list", lintHead + "- level: None\n  verbs: [list]\n  resources: [{group: '', resources: [secrets], resourceNames: [a]}]" + rest, "7:39 note name-of-list", ""},
		{"cluster-scoped", lintHead + "- level: None\n  namespaces: [a]\n  resources: [{group: '', resources: [nodes, namespaces]}]" + rest, "7:39 finding cluster-scoped", ""},
		{"cluster-scoped and lists", lintHead + "- level: None\n  namespaces: ['']\n  resources: [{group: '', resources: [nodes]}]" + rest, "", ""},
		{"verbs", lintHead + "- level: None\n  namespaces: [a]\n  verbs: [Get, POST, '*', exec, impersonate, deletecolection, apply]" + rest,
			"7:11 finding verb-case fixable; 7:16 finding http-method fixable; 7:22 finding no-wildcard; 7:27 finding unknown-verb; 7:33 finding unknown-verb; 7:46 finding unknown-verb fixable; 7:63 finding unknown-verb", ""},
		{"verbs of paths", lintHead + "- level: None\n  nonResourceURLs: [/metrics]\n  verbs: [get, list, create]" + rest, "7:16 finding unknown-verb; 7:22 finding unknown-verb", ""},
		{"verbs of both", lintHead + "- level: None\n  verbs: [post, create]" + rest, "", ""},
		{"users", lintHead + "- level: None\n  users: ['system:*', 'system:nodes', 'system:serviceaccount:a', '']\n  userGroups: ['system:node:a', 'system:serviceaccounts:a']" + rest,
			"6:11 finding no-wildcard; 6:23 finding group-as-user; 6:39 finding service-account-name; 6:66 finding empty-value; 7:16 finding user-as-group", ""},
		{"namespaces", lintHead + "- level: None\n  namespaces: ['kube-*', 'A', '']" + rest, "6:16 finding no-wildcard; 6:26 finding namespace-name", ""},
		{"mixed", lintHead + "- level: None\n  nonResourceURLs: [/a]\n  namespaces: [a]" + rest, "6:3 error mixed-rule", ""},
		{"paths", lintHead + "- level: None\n  nonResourceURLs: [healthz, '/a*b', '/a?b', /api/v1/pods, /api*, '*']" + rest,
			"6:21 error url-slash fixable; 6:30 error url-wildcard; 6:38 finding url-query; 6:46 finding url-of-resource", ""},
		{"stages", lintHead + "- level: Metadata\n  omitStages: [ResponseComplete, Panic, ResponseStarted]\n", "6:3 finding stages-lost", "all stages"},
		{"lost stages", lintHead + "- level: Metadata\n  omitStages: [ResponseComplete, ResponseStarted]\n", "6:16 finding stages-lost; 6:34 note late-events", ""},
		{"lost panic", lintHead + "- level: Metadata\n  omitStages: [Panic]\n", "6:16 finding stages-lost", ""},
		{"two events", strings.Replace(lintHead, "omitStages: [RequestReceived]", "", 1) + rest, "4:1 note two-events", ""},
		{"unreachable", lintHead + "- level: Metadata\n- level: None\n  users: [a]\n", "6:3 finding unreachable-rule", "rule 1 (line 5)"},
		{"unreachable by two", lintHead + "- level: None\n  verbs: [get]\n- level: None\n  verbs: [list]\n- level: Request\n  verbs: [get, list]\n  users: [a]" + rest,
			"9:3 finding unreachable-rule; 9:10 note managed-fields", "rule 1 (line 5) and rule 2 (line 7)"},
		{"unreachable behind everybody", lintHead + "- level: Metadata\n  userGroups: ['system:authenticated']\n- level: None\n  users: [a]\n- level: None\n  userGroups: [g]\n- level: None\n  users: ['system:anonymous']" + rest,
			"7:3 finding unreachable-rule; 9:3 finding unreachable-rule", ""},
		{"duplicate rule", lintHead + "- level: None\n  users: [a]\n- level: None\n  users: [a]" + rest, "7:3 finding duplicate-rule", ""},
		{"duplicate value", lintHead + "- level: None\n  users: [a, b, a]" + rest, "6:17 note duplicate-value fixable", ""},
		{"logs secrets", lintHead + "- level: Request\n  omitManagedFields: true\n  resources: [{group: '', resources: [secrets]}]" + rest, "5:10 finding logs-secrets", `"create secrets in namespace default" by anybody`},
		{"logs secrets by a wildcard", lintHead + "- level: RequestResponse\n  omitManagedFields: true\n  verbs: [get]\n  resources: [{group: '*', resources: ['*']}]" + rest,
			"5:10 finding logs-secrets", `"get secrets in namespace default"`},
		{"logs token reviews", lintHead + "- level: Request\n  omitManagedFields: true\n  resources: [{group: authentication.k8s.io}]" + rest, "5:10 finding logs-secrets", "tokenreviews"},
		{"logs secrets of some", lintHead + "- level: Metadata\n  users: [a]\n  resources: [{group: '', resources: [secrets]}]\n- level: Request\n  omitManagedFields: true\n  resources: [{group: '', resources: [secrets]}]" + rest,
			"8:10 finding logs-secrets", "anybody else"},
		{"reads secrets at Request", lintHead + "- level: Request\n  verbs: [get, list, delete]\n  omitManagedFields: true\n  resources: [{group: '', resources: [secrets]}]" + rest, "6:22 finding verb-forgotten", "deletecollection"},
		{"deletes secrets", lintHead + "- level: RequestResponse\n  omitManagedFields: true\n  verbs: [delete, deletecollection]\n  namespaces: [a]\n  resources: [{group: '', resources: [secrets]}]" + rest,
			"5:10 finding logs-secrets", `"delete secrets in namespace a"`},
		{"lists one secret", lintHead + "- level: RequestResponse\n  omitManagedFields: true\n  verbs: [list]\n  resources: [{group: '', resources: [secrets], resourceNames: [a]}]" + rest,
			"5:10 finding logs-secrets; 8:39 note name-of-list", `"list secrets in namespace default"`},
		{"guarded", lintHead + "- level: Metadata\n  resources:\n  - {group: '', resources: [secrets, configmaps, serviceaccounts/token]}\n  - {group: authentication.k8s.io, resources: [tokenreviews]}\n- level: RequestResponse\n  omitManagedFields: true\n  verbs: [create]\n  userGroups: [devs]" + rest,
			"", ""},
		{"answers to lists", lintHead + "- level: RequestResponse\n  omitManagedFields: true\n  verbs: [list]\n  resources: [{group: '', resources: [pods]}]" + rest, "5:10 note logs-lists", ""},
		{"merged twice", lintHead + "- &r\n  level: None\n  verbs: [list]\n- <<: *r\n  verbs: [watch]" + rest, "9:3 finding duplicate-field", "merged"},
		{"no catch-all", lintHead + "- level: Metadata\n  userGroups: ['system:authenticated']\n", "5:3 finding no-catch-all", "system:anonymous"},
		{"no catch-all of paths", lintHead + "- level: Metadata\n  resources: [{group: '*'}]\n", "5:3 finding no-catch-all", "/example"},
		{"everybody", lintHead + "- level: Metadata\n  userGroups: ['system:authenticated', 'system:unauthenticated']\n", "", ""},
		{"logs nothing", lintHead + "- level: None\n", "4:1 finding logs-nothing", ""},
		{"forgotten patch", lintHead + "- level: Request\n  omitManagedFields: true\n  verbs: [create, update]\n  resources: [{group: apps}]" + rest, "7:19 finding verb-forgotten", "kubectl apply"},
		{"forgotten get of exec", lintHead + "- level: Metadata\n  verbs: [create]\n  resources: [{group: '', resources: [pods/exec]}]\n- level: None\n", "6:11 finding verb-forgotten", "since v1.31"},
		{"forgotten exec", lintHead + "- level: Metadata\n  resources: [{group: '', resources: [pods]}]\n- level: None\n", "6:39 finding subresource-forgotten", "pods/exec"},
		{"exec left out", lintHead + "- level: Metadata\n  resources: [{group: '', resources: [pods]}]\n- level: None\n  resources: [{group: '', resources: ['*/exec', pods/attach, pods/portforward, pods/proxy, pods/ephemeralcontainers, pods/eviction, pods/binding]}]\n- level: None\n", "", ""},
		{"noise", lintHead + "- level: Request\n  omitManagedFields: true\n  resources: [{group: coordination.k8s.io}]" + rest, "5:10 note logs-noise", "leases"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			findings, err := Lint("audit.yaml", []byte(test.data))
			if err != nil {
				t.Fatal(err)
			}
			if got := places(findings); got != test.want {
				t.Errorf("got  %s\nwant %s\n%+v", got, test.want, findings)
			}
			var words strings.Builder
			for _, f := range findings {
				words.WriteString(f.Message + "\n" + f.Mend + "\n")
			}
			if !strings.Contains(words.String(), test.says) {
				t.Errorf("no %q in:\n%s", test.says, words.String())
			}
			checkAgreement(t, []byte(test.data), findings)
		})
	}
}

// checkAgreement holds findings against kube-apiserver's own code.
func checkAgreement(t *testing.T, data []byte, findings []Finding) {
	t.Helper()
	loaded, refused := policy.LoadPolicyFromBytes(data)
	isError := slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == SeverityError })
	if isError != (refused != nil) {
		t.Errorf("kube-apiserver says %v, but: %s", refused, places(findings))
	}
	p, strict, err := load(data)
	if (err == nil) != (refused == nil) || err == nil && !reflect.DeepEqual(p, loaded) {
		t.Errorf("read as\n%+v, %v, and by kube-apiserver as\n%+v, %v", p, err, loaded, refused)
	}
	if strict != nil && !Fails(findings) {
		t.Errorf("not strictly right, and nothing is found: %v", strict)
	}
	if !slices.IsSortedFunc(findings, func(a, b Finding) int { return a.Line - b.Line }) {
		t.Errorf("out of order: %s", places(findings))
	}
}

// TestLintNoYAML: what is not YAML is no policy with findings.
func TestLintNoYAML(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"a: [\n", lintHead + "\t- level: None\n", "\x00"} {
		findings, err := Lint("audit.yaml", []byte(data))
		if err == nil || findings != nil || failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
			t.Errorf("%q: %v, %v", data, findings, err)
		}
	}
	users := strings.Repeat("x, ", 3000)
	bomb := lintHead + "- &a\n  level: None\n  users: [" + users + "]\n" + strings.Repeat("- *a\n", 3000)
	if _, err := Lint("audit.yaml", []byte(bomb)); err == nil || !strings.Contains(err.Error(), "aliases") {
		t.Errorf("aliases that multiply: %v", err)
	}
}
