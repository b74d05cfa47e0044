package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// configMapForm is the value of -o for a ConfigMap that holds the policy.
const configMapForm = string(audit.FormConfigMap)

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
	flags.StringVar(&f.name, "name", audit.DefaultConfigMap, "`NAME` of the ConfigMap")
	flags.StringVar(&f.namespace, "namespace", audit.DefaultConfigMapNamespace, "`NAMESPACE` of the ConfigMap")
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
	file, err := audit.NewPolicyFile(f.file(a.output))
	switch {
	case err != nil:
		return err
	case f.explain:
		return a.explain(file.Explain(), nil)
	case f.out == "":
		_, err = a.out.Write(file.Data)
		return err
	case f.dryRun:
		err = file.Check()
	default:
		err = file.Write()
	}
	if err != nil {
		return err
	}
	return a.printPolicyWritten(f, file)
}

// file returns which policy is made, in the form of -o.
func (f *auditGenerateFlags) file(output string) audit.FileOptions {
	o := audit.FileOptions{Options: f.Options, Name: f.name, Namespace: f.namespace, Out: f.out, Replace: f.force}
	switch output {
	case "json":
		o.Form = audit.FormJSON
	case configMapForm:
		o.Form = audit.FormConfigMap
	}
	return o
}

type auditGenerateResult struct {
	typeMeta
	File   string `json:"file"`
	Preset string `json:"preset"`
	Rules  int    `json:"rules"`
	DryRun bool   `json:"dryRun,omitempty"`
}

// printPolicyWritten says what was written. -o has said the form of that.
func (a *app) printPolicyWritten(f *auditGenerateFlags, file *audit.PolicyFile) error {
	result := auditGenerateResult{typeMeta: kind("AuditPolicy"), File: f.out, Preset: f.Preset, Rules: file.Rules, DryRun: f.dryRun}
	first := "Wrote "
	if f.dryRun {
		first = "Would write "
	}
	next := file.Next()
	for i, word := range next {
		next[i] = shell.Quote(word)
	}
	return a.print(result, func(w io.Writer) {
		fmt.Fprintln(w, first+printable(f.out))
		printRows(w, "  ",
			row{"preset", result.Preset},
			row{"rules", fmt.Sprint(result.Rules)},
			row{"next", strings.Join(next, " ")},
		)
	})
}
