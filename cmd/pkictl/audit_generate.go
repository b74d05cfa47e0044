package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// configMapForm is the value of -o for a ConfigMap that holds the policy.
const configMapForm = "configmap"

type auditGenerateFlags struct {
	audit.Options
	out             string
	name, namespace string
	force           bool
	dryRun          bool
	explain         bool
}

func (a *app) auditGenerateCmd() *cobra.Command {
	var f auditGenerateFlags
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write an audit policy, with comments that say why",
		Long: `Write an audit policy, to standard output or to --out. It begins with a preset:

` + presetRows() + `
Rules of your own come before the preset's; of two of them the narrower comes
first, and --log before --rule before --ignore where neither is. In words:

  ` + audit.Words + `

  VERBS       get, list, watch, create, update, patch, delete, deletecollection;
              reads for the first three, changes for the others; all if left out
  RESOURCES   as kubectl takes them: pods, deploy, deployments.apps, pods/exec,
              pods/* (pods and all below), */scale, widgets.example.com; any for
              all; everything for all requests; /healthz, /logs* for paths
  LEVEL       Metadata, Request (with what was sent), RequestResponse (with the
              answer too), or None

Lists have commas between. A user must be in USERS and in one of GROUPS where
both are given. delete brings deletecollection with it. In --ignore there is no
"at LEVEL": nothing is logged. --rule says the same with keys, and takes names
with spaces:

  ` + strings.Replace(audit.Keys, "[;names=", "\n  [;names=", 1) + `

Bodies of Secrets, ConfigMaps, TokenReviews and tokens are never logged. A rule
that names them above Metadata is refused (exit code 4); one that would log them
among others gets one before it that does not. any above Metadata stands for
Kubernetes' own resources, since what custom ones hold is not known.

-o configmap writes the manifest of a ConfigMap with the policy, -o json the
policy without comments.`,
		Example: `  pkictl audit generate
  pkictl audit generate --preset detailed --out audit-policy.yaml
  pkictl audit generate --log 'delete pods in prod-namespace at RequestResponse' --log 'changes deploy,sts at Request'
  pkictl audit generate --ignore 'reads any by group monitoring' --log 'pods/exec by eve at Metadata'
  pkictl audit generate --preset none --rule 'level=Request;verbs=patch,update;resources=nodes;users=Jane Doe'
  pkictl audit generate -o configmap --namespace tenant-1 --out audit-policy-configmap.yaml
  pkictl audit generate --preset exam --out exam.yaml --explain`,
		Args:        noArgs,
		Annotations: map[string]string{moreForms: configMapForm},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.auditGenerate(cmd, &f) },
	}
	var names []string
	for _, preset := range audit.Presets() {
		names = append(names, preset.Name)
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Preset, "preset", audit.DefaultPreset, "`NAME` of the rules to begin with: "+strings.Join(names, ", "))
	flags.StringArrayVar(&f.Log, "log", nil, "`RULE` in words, such as 'delete pods in prod at Request'; may be given several times")
	flags.StringArrayVar(&f.Ignore, "ignore", nil, "`RULE` in words without a level, for what is not logged; may be given several times")
	flags.StringArrayVar(&f.Rules, "rule", nil, "`RULE` as key=value pairs; may be given several times")
	flags.StringVar(&f.out, "out", "", "`FILE` to write, of mode 0600 (default standard output)")
	flags.BoolVar(&f.force, "force", false, "replace the file")
	flags.StringVar(&f.name, "name", "audit-policy", "`NAME` of the ConfigMap")
	flags.StringVar(&f.namespace, "namespace", "kube-system", "`NAMESPACE` of the ConfigMap")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything, write nothing")
	addExplain(cmd, &f.explain)
	complete(cmd, "preset", names...)
	return cmd
}

// presetRows are the presets, for people.
func presetRows() string {
	var b strings.Builder
	for _, preset := range audit.Presets() {
		printRows(&b, "  ", row{fmt.Sprintf("%-10s", preset.Name), preset.What})
	}
	return b.String()
}

func (a *app) auditGenerate(cmd *cobra.Command, f *auditGenerateFlags) error {
	for _, flag := range []string{"name", "namespace"} {
		if cmd.Flags().Changed(flag) && a.output != configMapForm {
			return failure.New(failure.Usage, "add -o configmap, or leave it out", "--%s is for a ConfigMap", flag)
		}
	}
	if f.out == "" && (f.force || f.dryRun) {
		return failure.New(failure.Usage, "add --out FILE, or leave them out", "--force and --dry-run are for files, and nothing is written")
	}
	policy, err := audit.Generate(f.Options)
	if err != nil {
		return err
	}
	data, err := a.policyForm(f, policy)
	switch {
	case err != nil:
		return err
	case f.explain:
		return a.explain(a.explainPolicy(f, policy, data), nil)
	case f.out == "":
		_, err = a.out.Write(data)
		return err
	}
	if err := writePolicy(f, data); err != nil {
		return err
	}
	return a.printPolicyWritten(f, policy)
}

// policyForm returns a policy in the form of -o.
func (a *app) policyForm(f *auditGenerateFlags, policy []byte) ([]byte, error) {
	switch a.output {
	case "json":
		return audit.JSON(policy)
	case configMapForm:
		return audit.ConfigMap(policy, f.name, f.namespace)
	}
	return policy, nil
}

func writePolicy(f *auditGenerateFlags, data []byte) error {
	err := store.CheckTargets(f.force, f.out)
	switch {
	case err != nil || f.dryRun:
	case f.force:
		return store.WriteFile(f.out, data, 0o600)
	default:
		err = store.WriteNew(f.out, data, 0o600)
	}
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		return failure.New(failure.Failed, "replace it with --force, or choose another file with --out", "%q exists", f.out)
	}
	return err
}

type auditGenerateResult struct {
	typeMeta
	File   string `json:"file"`
	Preset string `json:"preset"`
	Rules  int    `json:"rules"`
	DryRun bool   `json:"dryRun,omitempty"`
}

// printPolicyWritten says what was written. -o has said the form of that.
func (a *app) printPolicyWritten(f *auditGenerateFlags, policy []byte) error {
	parsed, err := audit.Parse(f.out, policy)
	if err != nil {
		return err
	}
	result := auditGenerateResult{typeMeta: kind("AuditPolicy"), File: f.out, Preset: f.Preset, Rules: len(parsed.Rules), DryRun: f.dryRun}
	first, next := "Wrote ", "pkictl apiserver flags --audit-policy-from "+shell.Quote(f.out)
	if f.dryRun {
		first = "Would write "
	}
	if a.output == configMapForm {
		next = "kubectl apply -f " + shell.Quote(f.out)
	}
	return a.print(result, func(w io.Writer) {
		fmt.Fprintln(w, first+printable(f.out))
		printRows(w, "  ",
			row{"preset", result.Preset},
			row{"rules", fmt.Sprint(result.Rules)},
			row{"next", next},
		)
	})
}

// explainPolicy is the recipe without pkictl: the policy is the work, and to
// write it is none.
func (a *app) explainPolicy(f *auditGenerateFlags, policy, data []byte) string {
	to := ""
	if f.out != "" {
		to = " > " + shell.Quote(f.out)
	}
	if a.output == configMapForm {
		return heredoc(" > "+audit.ConfigMapKey, policy) +
			fmt.Sprintf("kubectl create configmap %s --namespace %s --from-file=%s --dry-run=client -o yaml%s\n",
				shell.Quote(f.name), shell.Quote(f.namespace), audit.ConfigMapKey, to)
	}
	return heredoc(to, data)
}

func heredoc(to string, data []byte) string {
	return "cat" + to + " <<'EOF'\n" + string(bytes.TrimSuffix(data, []byte("\n"))) + "\nEOF\n"
}
