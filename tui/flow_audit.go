package tui

import (
	"cmp"
	"context"
	"strconv"

	"github.com/pkictl/pkictl/apiserver/audit"
)

// What the flow of audit policies does.
const (
	auditMake = "generate"
	auditLint = "lint"
)

// maxAuditRules is how many rules of one's own there is room for: who has more
// writes them into the file.
const maxAuditRules = 5

// flowAudit makes an audit policy, as audit generate does, or looks for mistakes
// in one, as audit lint does.
type flowAudit struct {
	*world
	what string

	preset          string
	hasRules        bool
	rules           [maxAuditRules]auditRule
	form            string
	out             string
	name, namespace string // of a ConfigMap
	replace         bool

	file   string        // to look at
	mended *audit.Mended // as it was shown
}

func newFlowAudit(w *world) *flowAudit {
	f := &flowAudit{world: w, what: auditMake, preset: audit.DefaultPreset, form: string(audit.FormPolicy)}
	for i := range f.rules {
		f.rules[i].level = "Metadata"
	}
	return f
}

func (f *flowAudit) title() string { return "Audit policy" }

func (f *flowAudit) steps() []step {
	steps := []step{f.whatStep(), f.presetStep()}
	for i := range f.rules {
		steps = append(steps, f.ruleStep(i))
	}
	return append(steps, f.outStep(), f.fileStep())
}

func (f *flowAudit) isLint() bool { return f.what == auditLint }

func (f *flowAudit) whatStep() step {
	return step{
		title: "Policy",
		intro: "It says which requests kube-apiserver writes down, and how much of them. Without one it writes nothing.",
		fields: []field{{
			title: "What to do", choice: &f.what,
			options: func() []option {
				return []option{
					{auditMake, "Make a policy", "begin with a preset, and add rules of your own"},
					{auditLint, "Check a policy that is there", "find mistakes in it, and mend those that are certain"},
				}
			},
		}},
	}
}

func (f *flowAudit) presetStep() step {
	return step{
		title:  "Preset",
		intro:  "Of several rules for a request the first one counts. Bodies of Secrets and tokens are never logged.",
		hidden: f.isLint,
		fields: []field{
			{key: "preset", title: "Preset", choice: &f.preset, options: auditPresetOptions,
				help: "All but none end with a rule for what no other rule is about."},
			{title: "Rules of your own", yes: &f.hasRules,
				help: "They come before those of the preset, as in: delete pods in prod, with what was sent."},
		},
	}
}

// auditPresetOptions are the presets of policies.
func auditPresetOptions() []option {
	var list []option
	for _, p := range audit.Presets() {
		list = append(list, option{p.Name, p.Name, p.What})
	}
	return list
}

func (f *flowAudit) isConfigMap() bool { return f.form == string(audit.FormConfigMap) }

func (f *flowAudit) outStep() step {
	isFile := func() bool { return !f.isConfigMap() }
	return step{
		title:  "File",
		intro:  "Where the policy is written, readable by you alone. kube-apiserver reads it when it starts.",
		hidden: f.isLint,
		fields: []field{
			{key: "output", title: "Form", choice: &f.form, options: func() []option {
				return []option{
					{string(audit.FormPolicy), "Policy", "YAML, with comments that say why each rule is there"},
					{string(audit.FormJSON), "Policy in JSON", "without comments; kube-apiserver reads that as well"},
					{string(audit.FormConfigMap), "ConfigMap", "for an API server that runs as a pod of another cluster; a static pod cannot mount one"},
				}
			}},
			{key: "out", title: "File", text: &f.out, check: typedCheck(nil), fallback: f.defaultOut, help: "The file to write, of mode 0600, as in: audit-policy.yaml"},
			{key: "name", title: "Name", text: &f.name, hidden: isFile, fallback: func() string { return audit.DefaultConfigMap },
				help: "Name of the ConfigMap.", check: checkConfigMapName},
			{key: "namespace", title: "Namespace", text: &f.namespace, hidden: isFile, fallback: func() string { return audit.DefaultConfigMapNamespace },
				help: "Namespace of the ConfigMap.", check: checkConfigMapName},
			{key: "force", title: "Replace the file", yes: &f.replace, help: "If it is there already. Without this it stays as it is."},
		},
	}
}

func checkConfigMapName(name string) error {
	_, err := audit.ConfigMap(nil, name, "")
	return err
}

func (f *flowAudit) defaultOut() string {
	switch audit.Form(f.form) {
	case audit.FormConfigMap:
		return "audit-policy-configmap.yaml"
	case audit.FormJSON:
		return "audit-policy.json"
	}
	return "audit-policy.yaml"
}

// options are those of audit generate.
func (f *flowAudit) options() (audit.FileOptions, error) {
	o := audit.FileOptions{
		Options: audit.Options{Preset: f.preset}, Form: audit.Form(f.form), Out: cmp.Or(f.out, f.defaultOut()), Replace: f.replace,
		Name: cmp.Or(f.name, audit.DefaultConfigMap), Namespace: cmp.Or(f.namespace, audit.DefaultConfigMapNamespace),
	}
	err := f.addRules(&o.Options, maxAuditRules)
	return o, err
}

func (f *flowAudit) command() []string {
	if f.isLint() {
		return []string{"audit", "lint", asOperand(cmp.Or(f.file, "FILE")), "--fix"}
	}
	o, _ := f.options() // what cannot be said is not in it
	args := []string{"audit", "generate"}
	if o.Preset != audit.DefaultPreset {
		args = append(args, "--preset", o.Preset)
	}
	for _, rules := range []struct {
		flag  string
		texts []string
	}{{"--log", o.Log}, {"--rule", o.Rules}, {"--ignore", o.Ignore}} {
		for _, text := range rules.texts {
			args = append(args, rules.flag, text)
		}
	}
	switch o.Form {
	case audit.FormJSON:
		args = append(args, "-o", "json")
	case audit.FormConfigMap:
		args = append(args, "-o", "configmap")
		if o.Name != audit.DefaultConfigMap {
			args = append(args, "--name", o.Name)
		}
		if o.Namespace != audit.DefaultConfigMapNamespace {
			args = append(args, "--namespace", o.Namespace)
		}
	}
	args = append(args, "--out", o.Out)
	if o.Replace {
		args = append(args, "--force")
	}
	return args
}

func (f *flowAudit) policy() (*audit.PolicyFile, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	return audit.NewPolicyFile(o)
}

func (f *flowAudit) explain(context.Context) (string, error) {
	if f.isLint() {
		return "# kube-apiserver says what it does not accept at all, one mistake at a time, when it\n# starts. What a policy does beside what it says, no other program tells.\n", nil
	}
	policy, err := f.policy()
	if err != nil {
		return "", err
	}
	return policy.Explain(), nil
}

func (f *flowAudit) review(_ context.Context, _ *job) (*review, error) {
	if err := answersError(f.steps()); err != nil {
		return nil, err
	}
	if f.isLint() {
		return f.reviewLint()
	}
	policy, err := f.policy()
	if err != nil {
		return nil, err
	}
	if err := policy.Check(); err != nil {
		return nil, err
	}
	findings, err := audit.Lint(policy.Out, policy.Policy)
	if err != nil {
		return nil, err
	}
	file := fileWritten(policy.Out, 0o600, "the audit policy")
	if f.isConfigMap() {
		file.what = "a ConfigMap with the audit policy"
	}
	rows := []row{{"preset", policy.Preset}}
	for _, asked := range [][]string{policy.Log, policy.Options.Rules} {
		for _, rule := range asked {
			rows = append(rows, row{"logged", rule})
		}
	}
	for _, rule := range policy.Ignore {
		rows = append(rows, row{"ignored", rule})
	}
	return &review{
		rows:     append(rows, row{"rules", strconv.Itoa(policy.Rules) + " in all"}),
		writes:   []fileToBe{file},
		warnings: audit.FindingLines(policy.Out, findings),
		preview:  string(policy.Data),
		question: "Write it?",
	}, nil
}

func (f *flowAudit) run(_ context.Context, j *job) (*outcome, error) {
	if f.isLint() {
		return f.runLint(j)
	}
	policy, err := f.policy()
	if err != nil {
		return nil, err
	}
	j.begin("Writing " + policy.Out)
	if err := policy.Write(); err != nil {
		return nil, err
	}
	j.done("Wrote " + policy.Out)
	return &outcome{
		headline: "Wrote " + policy.Out,
		rows:     []row{{"preset", policy.Preset}, {"rules", strconv.Itoa(policy.Rules)}},
		next:     f.nextSteps(policy),
	}, nil
}

func (f *flowAudit) nextSteps(policy *audit.PolicyFile) []nextStep {
	if f.isConfigMap() {
		return []nextStep{{why: "Send it to the cluster in which the API server runs", args: policy.Next()}}
	}
	return []nextStep{
		f.toAPIServer(policy.Out),
		{why: "See what it does with a request", args: []string{f.Program, "audit", "explain", asOperand(policy.Out), "--verb", "delete", "--resource", "pods"}},
		{why: "See what it does with many", args: []string{f.Program, "audit", "explain", asOperand(policy.Out), "--table"}},
	}
}

// toAPIServer has the policy take effect.
func (f *flowAudit) toAPIServer(policy string) nextStep {
	return nextStep{
		why: "Have kube-apiserver log by it, on a node of the control plane", args: []string{f.Program, "apiserver", "patch", "--audit-policy-from", policy},
		open: func(w *world) screen { return newForm(w, newFlowAPIServerAudit(w, policy)) },
	}
}

// asOperand returns a file as an argument that is no flag, and not standard input.
func asOperand(file string) string {
	if len(file) > 0 && file[0] == '-' {
		return "./" + file
	}
	return file
}
