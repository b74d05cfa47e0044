package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/audit/policy"

	"github.com/pkictl/pkictl/internal/failure"
)

const (
	head     = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
	oneRule  = "rules:\n- level: None\n"
	jsonForm = `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"None"}]}`
)

// accepted are policies that kube-apiserver starts with, some of them to the
// surprise of their authors.
var accepted = []struct {
	name, data string
	rules      string // their levels
	line       int    // of the first rule
}{
	{"plain", head + oneRule, "None", 4},
	{"Windows line ends", strings.ReplaceAll(head+oneRule, "\n", "\r\n"), "None", 4},
	{"byte order mark", "\xef\xbb\xbf" + head + oneRule, "None", 4},
	{"JSON", jsonForm, "None", 1},
	{"a key twice: the last counts", head + oneRule + "rules:\n- level: Metadata\n", "Metadata", 6},
	{"a level twice", head + "rules:\n- level: None\n  level: Metadata\n", "Metadata", 4},
	{"anchors", head + "rules:\n- &a\n  level: None\n- *a\n", "None None", 4},
	{"rules by an alias", "x: &x\n- level: None\n" + head + "rules: *x\n", "None", 2},
	{"merged", "x: &x\n  level: Request\n" + head + "rules:\n- <<: *x\n  verbs: [get]\n", "Request", 6},
	{"two documents", head + oneRule + "---\n" + head + "rules:\n- level: Request\n", "None", 4},
	{"the second no YAML: lines are not known", head + oneRule + "---\n\t{[\n", "None", 0},
	{"text after its end", head + oneRule + "...\nfoo: bar\n", "None", 4},
	{"comments before", "# c\n---\n" + head + oneRule, "None", 6},
	{"no kind", "apiVersion: audit.k8s.io/v1\n" + oneRule, "None", 3},
	{"unknown fields", head + "rules:\n- level: None\n  namespace: a\n", "None", 4},
	{"truth by another word", head + "rules:\n- level: None\n  omitManagedFields: yes\n", "None", 4},
	{"the indentation of a rule is a space without break", head + "rules:\n- level: None\n\u00a0 users: [a]\n", "None", 4},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range accepted {
		p, err := Parse("p.yaml", []byte(test.data))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var levels []string
		for _, rule := range p.Rules {
			levels = append(levels, string(rule.Level))
		}
		if got := strings.Join(levels, " "); got != test.rules || p.Line(0) != test.line {
			t.Errorf("%s: levels %q, rule 1 in line %d; want %q and %d", test.name, got, p.Line(0), test.rules, test.line)
		}
	}
}

func TestHasMore(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]bool{
		head + oneRule: false, jsonForm: false, head + oneRule + "---\n": false, "# c\n---\n" + head + oneRule: false,
		head + oneRule + "---\n" + head + oneRule: true, head + oneRule + "...\nfoo: bar\n": true,
	} {
		if p, err := Parse("p.yaml", []byte(data)); err != nil || p.HasMore() != want {
			t.Errorf("%q: %v, want %t", data, err, want)
		}
	}
}

func TestRuleText(t *testing.T) {
	t.Parallel()
	p, err := Parse("p.yaml", []byte(head+"rules:\n# first\n- level: None\n  users:\n  - a\r\n# second\n- level: Metadata\n  verbs: [get,\n    list]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"- level: None|  users:|  - a", "- level: Metadata|  verbs: [get,|    list]", ""} {
		if got := strings.Join(p.Text(i), "|"); got != want {
			t.Errorf("text of rule %d: %q, want %q", i, got, want)
		}
	}
	if p.Line(-1) != 0 || p.Line(2) != 0 || (&Policy{}).Line(0) != 0 {
		t.Error("a rule that is not there has a line")
	}
}

// refused are policies that kube-apiserver does not start with.
var refused = []struct{ name, data, err, hint string }{
	{"empty", "", `"p.yaml" is empty`, "a policy has apiVersion"},
	{"comments", "# a\n", `"p.yaml" is empty`, "a policy has apiVersion"},
	{"null", "---\n", `"p.yaml" is empty`, "a policy has apiVersion"},
	{"the first of two is empty", "---\n---\n" + head + oneRule, `line 2, column 1: the first document is empty, and kube-apiserver reads no other`, "remove the line ---"},
	{"tab", head + "rules:\n\t- level: None\n", "is not valid YAML: line 4", "no tabs"},
	{"not UTF-8", head + "rules:\n- level: None\n  users: ['\xff']\n", "is not valid YAML: invalid leading UTF-8 octet", "check"},
	{"unclosed", head + "rules: [\n", "is not valid YAML", "check"},
	{"no rules", head, `"p.yaml" has no rules, and with none kube-apiserver does not start`, "level: Metadata"},
	{"rules without any", head + "rules: []\n", `"p.yaml" has no rules`, "level: Metadata"},
	{"null rules", head + "rules:\n", `"p.yaml" has no rules`, "level: Metadata"},
	{"rules in capitals", head + "Rules:\n- level: None\n", `"p.yaml" has no rules`, "level: Metadata"},
	{"v1beta1", "apiVersion: audit.k8s.io/v1beta1\nkind: Policy\n" + oneRule, `line 1, column 13: kube-apiserver takes audit.k8s.io/v1 alone, and not "audit.k8s.io/v1beta1"`, "the fields are the same"},
	{"v1", "apiVersion: v1\nkind: Policy\n" + oneRule, `line 1, column 13: kube-apiserver takes audit.k8s.io/v1 alone, and not "v1"`, "write: apiVersion: audit.k8s.io/v1"},
	{"no apiVersion", "kind: Policy\n" + oneRule, `line 1, column 1: the policy has no apiVersion`, "write: apiVersion: audit.k8s.io/v1"},
	{"no version either", oneRule, `the policy has no apiVersion`, "write: apiVersion: audit.k8s.io/v1"},
	{"internal", "apiVersion: audit.k8s.io/__internal\nkind: Policy\n" + oneRule, `and not "audit.k8s.io/__internal"`, "write: apiVersion: audit.k8s.io/v1"},
	{"PolicyList", "apiVersion: audit.k8s.io/v1\nkind: PolicyList\nitems:\n- rules: []\n", `line 2, column 7: kube-apiserver reads one policy, and no PolicyList`, "into one policy"},
	{"ConfigMap", "apiVersion: v1\nkind: ConfigMap\ndata: {}\n", `line 2, column 7: the kind is "ConfigMap", and not Policy`, "a policy has"},
	{"Event", "apiVersion: audit.k8s.io/v1\nkind: Event\nlevel: None\n", `the kind is "Event"`, "a policy has"},
	{"text", "foo\n", `line 1, column 1: it is no policy, but the text "foo"`, "a policy has"},
	{"list", "- a\n", `it is no policy, but a list`, "a policy has"},
	{"rules as a mapping", head + "rules: {}\n", `line 3, column 8: rules is to be a list of rules, and is a mapping`, "a policy has"},
	{"a rule as a text", head + "rules:\n- None\n", `line 4, column 3: rules[0] is to be a rule with its fields, and is the text "None"`, ""},
	{"an empty rule", head + "rules:\n-\n", `line 4, column 2: kube-apiserver would not start: rules[0].level: Required value`, "the levels are None"},
	{"no level", head + "rules:\n- level: None\n- verbs: [get]\n", `line 5, column 3: kube-apiserver would not start: rules[1].level: Required value`, "the levels are None"},
	{"wrong levels", head + "rules:\n- level: metadata\n- level: All\n", `line 4, column 3: kube-apiserver would not start: rules[0].level: Unsupported value: "metadata"`, "the levels are None"},
	{"several", head + "rules:\n- level: metadata\n- level: All\n", `; and 1 more`, "the levels are None"},
	{"a number as level", head + "rules:\n- level: 3\n", `line 4, column 10: rules[0].level is to be a text, and is "3"`, `write it in quotes: "3"`},
	{"verbs as a text", head + "rules:\n- level: None\n  verbs: get\n", `line 5, column 10: rules[0].verbs is to be a list of texts, and is the text "get"`, `write: verbs: ["get"]`},
	{"a user that is a truth", head + "rules:\n- level: None\n  users: [yes]\n", `line 5, column 11: rules[0].users[0] is to be a text, and is "yes"`, `write it in quotes: "yes"`},
	{"a user that is a number", head + "rules:\n- level: None\n  users: [1]\n", `line 5, column 11: rules[0].users[0] is to be a text, and is "1"`, `write it in quotes: "1"`},
	{"a text as truth", head + "rules:\n- level: None\n  omitManagedFields: \"true\"\n", `line 5, column 22: rules[0].omitManagedFields is to be true or false, and is the text "true"`, "write: omitManagedFields: true"},
	{"a group as a number", head + "rules:\n- level: None\n  resources: [{group: 1}]\n", `line 5, column 23: rules[0].resources[0].group is to be a text`, `write it in quotes: "1"`},
	{"resources as texts", head + "rules:\n- level: None\n  resources: [pods]\n", `rules[0].resources[0] is to be a group with its resources, and is the text "pods"`, ""},
	{"metadata", head + "metadata: 3\n" + oneRule, `metadata is to be metadata, and is "3"`, ""},
	{"braces without quotes", "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None}]}", `"p.yaml" is not valid JSON: `, "read as JSON"},
	{"JSON with more behind", jsonForm + "\n---\n{}\n", `"p.yaml" is not valid JSON: `, "read as JSON"},
	{"mixed", head + "rules:\n- level: None\n  nonResourceURLs: [/a]\n  namespaces: [b]\n", `line 4, column 3: kube-apiserver would not start: rules[0].nonResourceURLs`, "pkictl audit lint"},
	{"a wrong stage", head + oneRule + "omitStages: [Received]\n", `kube-apiserver would not start with the policy "p.yaml": omitStages[0]: Invalid value: "Received"`, "pkictl audit lint"},
	{"it contains itself", head + "rules: &a\n- *a\n", "", ""},
	{"it merges itself", head + "rules:\n- &a\n  level: None\n  <<: *a\n", "", ""},
}

func TestParseRefused(t *testing.T) {
	t.Parallel()
	for _, test := range refused {
		_, err := Parse("p.yaml", []byte(test.data))
		switch {
		case err == nil:
			t.Errorf("%s: it is taken", test.name)
		case failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), test.err) || !strings.Contains(failure.HintOf(err), test.hint) || failure.HintOf(err) == "":
			t.Errorf("%s: %v\nhint: %s", test.name, err, failure.HintOf(err))
		case strings.Contains(err.Error(), "Go struct") || strings.Contains(err.Error(), "pkg/"):
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestUnread(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		head + oneRule: "",
		head + "rules:\n- level: None\n  namespace: a\n  resources:\n  - groups: [x]\n    resourceName: b\nrule: 3\nmetadata: {name: x, labels: {a: b}}\n": "5 rules[0].namespace, 7 rules[0].resources[0].groups, 8 rules[0].resources[0].resourceName, 9 rule",
		head + "rules:\n- level: None\n  Verbs: [get]\n":                                            "5 rules[0].Verbs",
		head + oneRule + "rules:\n- level: None\n  verb: a\n":                                       "7 rules[0].verb",
		"x: &x\n  level: None\n  user: a\n" + head + "rules:\n- <<: *x\n- level: None\n---\ny: z\n": "1 x, 3 rules[0].user",
	} {
		p, err := Parse("p.yaml", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range p.Unread() {
			got = append(got, fmt.Sprintf("%d %s", u.Line, u.Field))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q is not read, want %q", got, want)
		}
	}
}

// FuzzParse holds Parse against the loader of kube-apiserver: they take the same
// policies and make the same of them.
func FuzzParse(f *testing.F) {
	for _, test := range accepted {
		f.Add([]byte(test.data))
	}
	for _, test := range refused {
		f.Add([]byte(test.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, wantErr := policy.LoadPolicyFromBytes(data)
		got, err := Parse("p.yaml", data)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, but kube-apiserver says: %v", err, wantErr)
		}
		if err != nil {
			if err.Error() == "" || failure.HintOf(err) == "" || failure.KindOf(err) != failure.Usage {
				t.Errorf("%v\nhint: %s", err, failure.HintOf(err))
			}
			return
		}
		if len(got.Rules) != len(want.Rules) {
			t.Errorf("%d rules, want %d", len(got.Rules), len(want.Rules))
		}
		for i := range got.Rules {
			if text := got.Text(i); got.Line(i) > 0 && len(text) == 0 {
				t.Errorf("rule %d in line %d has no text", i, got.Line(i))
			}
		}
		if unread := got.Unread(); !slices.IsSortedFunc(unread, func(a, b Unread) int { return a.Line - b.Line }) {
			t.Errorf("%v", unread)
		}
	})
}
