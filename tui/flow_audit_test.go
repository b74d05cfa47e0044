package tui

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

// TestAuditParity: the same answers and the same flags write the same file.
func TestAuditParity(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*flowAudit){
		"as it is": func(*flowAudit) {},
		"preset":   func(f *flowAudit) { f.preset = "detailed" },
		"rules": func(f *flowAudit) {
			f.preset, f.hasRules = "none", true
			f.rules[0] = auditRule{level: "RequestResponse", verbs: []string{"delete"}, resources: []string{"pods"}, namespaces: []string{"prod"}, more: true}
			f.rules[1] = auditRule{level: "None", verbs: []string{"reads"}, groups: []string{"monitoring"}, more: true}
			f.rules[2] = auditRule{level: "Request", verbs: []string{"patch", "delete"}, resources: []string{"nodes"}, users: []string{"Jane Doe"}}
			f.rules[3] = auditRule{level: "Request", resources: []string{"secrets"}} // not asked for
		},
		"ConfigMap": func(f *flowAudit) {
			f.form, f.name, f.namespace = string(audit.FormConfigMap), "policy-1", "tenant-1"
		},
		"JSON": func(f *flowAudit) { f.form = string(audit.FormJSON) },
		"replaced": func(f *flowAudit) {
			f.replace = true
			ok(t, os.WriteFile(f.out, []byte("old"), 0o644))
		},
		"there": func(f *flowAudit) { ok(t, os.WriteFile(f.out, []byte("old"), 0o644)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var roots [2]string
			var flows [2]*flowAudit
			for i := range flows {
				roots[i], flows[i] = t.TempDir(), newFlowAudit(apiTestWorld())
				flows[i].out = filepath.Join(roots[i], "policy")
				answer(flows[i])
			}
			checkSteps(t, flows[0])
			r, o, err := doFlow(t, flows[0])
			cli := runCLI(t, roots[1], flows[1].command()...)
			compareAPITrees(t, roots[0], roots[1])
			if err != nil {
				if cli.code != int(failure.KindOf(err)) || !strings.Contains(cli.stderr, strings.ReplaceAll(err.Error(), roots[0], roots[1])) {
					t.Errorf("%v, and: %s", err, cli.stderr)
				}
				return
			}
			if cli.code != 0 || o.headline != "Wrote "+flows[0].out || r.question == "" || r.writes[0].mode != 0o600 {
				t.Errorf("%+v, %+v, %d: %s", r, o, cli.code, cli.stderr)
			}
			if got := cli.rows(); flows[0].form != string(audit.FormJSON) && !slices.Equal(got[:2], o.rows) {
				t.Errorf("%v, want %v", got, o.rows)
			}
			data, err := os.ReadFile(flows[0].out)
			ok(t, err)
			if string(data) != r.preview {
				t.Errorf("shown was\n%s", r.preview)
			}
			recipe, err := flows[1].explain(t.Context())
			ok(t, err)
			if cli := runCLI(t, roots[1], append(flows[1].command(), "--explain")...); cli.stdout != recipe {
				t.Errorf("%s, want %s", recipe, cli.stdout)
			}
		})
	}
}

// TestAuditGenerated holds random answers against audit generate: the same policy,
// or the same refusal.
func TestAuditGenerated(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 36))
	some := func(most int, from ...string) (list []string) {
		for range random.IntN(most + 1) {
			list = append(list, from[random.IntN(len(from))])
		}
		return list
	}
	made := 0
	const runs = 120
	for range runs {
		f := newFlowAudit(apiTestWorld())
		presets := audit.Presets()
		f.preset, f.hasRules = presets[random.IntN(len(presets))].Name, true
		for i := range f.rules {
			f.rules[i] = auditRule{
				level: audit.LevelRows()[random.IntN(4)].Name, verbs: some(2, "reads", "changes", "get", "delete", "create"),
				resources:  some(2, "pods", "deploy", "secrets", "pods/exec", "*/scale", "/healthz", "widgets.example.com", "nodes", "any"),
				namespaces: some(1, "prod", "dev"), users: some(1, "jane", "Jane Doe", "by", "a=b"), groups: some(1, "devs", "system:masters"),
				more: random.IntN(3) > 0,
			}
		}
		_, asked := f.options()
		policy, err := f.policy()
		args := f.command()
		args = slices.Delete(args, slices.Index(args, "--out"), slices.Index(args, "--out")+2)
		if asked != nil {
			continue // the command has not all of it
		}
		cli := runCLI(t, t.TempDir(), args...)
		switch {
		case err == nil && (cli.code != 0 || cli.stdout != string(policy.Data)):
			t.Errorf("%q: %s\n%s", args, cli.stderr, cli.stdout)
		case err != nil && (cli.code != int(failure.KindOf(err)) || !strings.Contains(cli.stderr, text(err.Error()))):
			t.Errorf("%q: %v, and %s", args, err, cli.stderr)
		case err == nil:
			made++
		}
	}
	if made < 10 || made == runs {
		t.Errorf("%d of %d made a policy", made, runs)
	}
}

// TestAuditRefused: what is not logged is said where it is typed.
func TestAuditRefused(t *testing.T) {
	t.Parallel()
	f := newFlowAudit(apiTestWorld())
	f.hasRules = true
	f.rules[0].level = "Request"
	s := f.ruleStep(0)
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.title == "Resources" })
	err := s.fields[i].check("secrets")
	if failure.KindOf(err) != failure.Refused || failure.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	f.rules[0].resources = []string{"secrets"}
	if err := s.check(); failure.KindOf(err) != failure.Refused {
		t.Errorf("%v", err)
	}
	f.rules[0].level = "Metadata"
	if err := s.fields[i].check("secrets"); err != nil || s.check() != nil {
		t.Errorf("%v, %v", err, s.check())
	}
	f.rules[0] = auditRule{level: "None"}
	if s.check() == nil {
		t.Error("a rule that ignores everything")
	}
	// Two levels for the same requests.
	f.rules[0] = auditRule{level: "Metadata", resources: []string{"pods"}, more: true}
	f.rules[1] = auditRule{level: "Request", resources: []string{"pods"}}
	if f.ruleStep(1).check() == nil {
		t.Error("two rules that contradict each other")
	}
}

// TestAuditHostile: no text in any field makes more of it than a refusal, or what
// the same argument makes.
func TestAuditHostile(t *testing.T) {
	t.Parallel()
	f := newFlowAudit(apiTestWorld())
	f.hasRules = true
	f.out = filepath.Join(t.TempDir(), "policy.yaml")
	for n, hostile := range hostileTexts() {
		checkHostile(f, hostile)
		for _, form := range []audit.Form{audit.FormPolicy, audit.FormConfigMap} {
			f.form = string(form)
			fillHostile(f, hostile, func(title string) {
				f.command()
				if n++; n%2 > 0 { // each text in half of the fields
					return
				}
				if policy, err := f.policy(); err == nil {
					if _, err := audit.Parse("it", policy.Policy); err != nil || len(policy.Policy) > 100_000 {
						t.Errorf("%s: %q: %v", title, hostile, err)
					}
				}
			})
		}
	}
}

// TestAuditLint: a file is looked at and mended as audit lint --fix does it.
func TestAuditLint(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
	for name, policy := range map[string]string{
		"mended":    head + "rules:\n- level: Metadata # all\n  omitStages: RequestReceived\n",
		"left":      head + "rules:\n- level: Metadata\n  omitStages: RequestReceived\n  resources:\n  - group: nope.k8s.io\n",
		"not to do": head + "rules:\n- level: Metadta\n",
		"clean":     head + "rules:\n- level: Metadata\n",
		"no YAML":   "{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var roots [2]string
			var flows [2]*flowAudit
			for i := range flows {
				roots[i], flows[i] = t.TempDir(), newFlowAudit(apiTestWorld())
				flows[i].what, flows[i].file = auditLint, filepath.Join(roots[i], "audit.yaml")
				ok(t, os.WriteFile(flows[i].file, []byte(policy), 0o640))
			}
			checkSteps(t, flows[0])
			lint := runCLI(t, roots[0], "audit", "lint", flows[0].file)
			r, o, err := doFlow(t, flows[0])
			cli := runCLI(t, roots[1], flows[1].command()...)
			compareAPITrees(t, roots[0], roots[1])
			if err != nil {
				if cli.code != int(failure.KindOf(err)) {
					t.Errorf("%v, and %s", err, cli.stderr)
				}
				return
			}
			for line := range strings.Lines(lint.stdout) {
				if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, flows[0].file+": ") && !strings.Contains(r.preview, line) {
					t.Errorf("%q is not in %q", line, r.preview)
				}
			}
			if (o == nil) != (r.nothing != "") || (name == "mended" || name == "left") != (o != nil) {
				t.Fatalf("%+v, %+v", r, o)
			}
			if o != nil && (len(o.warnings) > 0) != (cli.code == 3) {
				t.Errorf("%+v, and %d: %s", o, cli.code, cli.stdout)
			}
		})
	}
}

// TestAuditLintChanged: what somebody else has changed since it was shown stays.
func TestAuditLintChanged(t *testing.T) {
	t.Parallel()
	f := newFlowAudit(apiTestWorld())
	f.what, f.file = auditLint, filepath.Join(t.TempDir(), "audit.yaml")
	ok(t, os.WriteFile(f.file, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  omitStages: RequestReceived\n"), 0o600))
	var log jobLog
	_, err := f.review(context.Background(), log.newJob())
	ok(t, err)
	ok(t, os.WriteFile(f.file, []byte("other"), 0o600))
	_, err = f.run(context.Background(), log.newJob())
	if data, _ := os.ReadFile(f.file); failure.KindOf(err) != failure.Refused || string(data) != "other" {
		t.Errorf("%v, %s", err, data)
	}
}

// TestAuditSteps: each rule is asked for where the one before says so.
func TestAuditSteps(t *testing.T) {
	t.Parallel()
	f := newFlowAudit(apiTestWorld())
	shown := func() string {
		var titles []string
		for _, s := range f.steps() {
			if s.hidden == nil || !s.hidden() {
				titles = append(titles, s.title)
			}
		}
		return fmt.Sprint(titles)
	}
	for _, tt := range []struct {
		do   func()
		want string
	}{
		{func() {}, "[Policy Preset File]"},
		{func() { f.rules[0].more = true }, "[Policy Preset File]"},
		{func() { f.hasRules = true }, "[Policy Preset Rule 1 Rule 2 File]"},
		{func() { f.rules[1].more, f.rules[2].more, f.rules[3].more, f.rules[4].more = true, true, true, true }, "[Policy Preset Rule 1 Rule 2 Rule 3 Rule 4 Rule 5 File]"},
		{func() { f.what = auditLint }, "[Policy File]"},
	} {
		if tt.do(); shown() != tt.want {
			t.Errorf("%s, want %s", shown(), tt.want)
		}
	}
}
