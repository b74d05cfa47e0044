package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

type apiserverFlagsFlags struct {
	apiserverOptions
	out     string
	unit    string
	force   bool
	dryRun  bool
	explain bool
}

func (a *app) apiserverFlagsCmd() *cobra.Command {
	var f apiserverFlagsFlags
	var forms []string
	for _, form := range apiserver.Forms() {
		forms = append(forms, string(form))
	}
	cmd := &cobra.Command{
		Use:   "flags",
		Short: "Make flags of kube-apiserver, with the files and mounts that they need",
		Long: `Make flags of kube-apiserver for what it is to do: log what happens, encrypt
what is in etcd, admit or refuse pods, speak TLS, know and authorize clients.
Flags that this version does not know, or that do not go together, are refused.
Those that have the name of one of kube-apiserver's set just that; a path is one
on the host that it runs on.

  -o text           each flag with what it is for, and the files and volumes it needs
  -o flags          the flags alone, one on a line
  -o kubeadm        apiServer.extraArgs and extraVolumes of kubeadm (v1beta4)
  -o kubeadm-patch  kube-apiserver+json.yaml for kubeadm's --patches
  -o static-pod     what to add to the manifest; apiserver patch does that itself
  -o systemd        a drop-in for kube-apiserver.service; with --unit FILE it has
                    the whole command of that unit, as a drop-in cannot add to one

Files that kube-apiserver needs are written below --out, with the paths that they
have on the host; --out / on the host puts them there. One that holds a key is
shown nowhere, and is never replaced: a key is changed by hand, in steps, since
every kube-apiserver has to know both keys before the first one goes.

--anonymous names where requests without credentials are served: probes stands
for /livez, /readyz and /healthz, join for what kubeadm join reads. With none the
kubelet's probes are refused, too, and it ends a static pod.`,
		Example: `  pkictl apiserver flags --audit-preset cis
  pkictl apiserver flags --audit-preset cis --encrypt secrets --out host -o static-pod
  pkictl apiserver flags --audit-policy-file /etc/kubernetes/policy.yaml --audit-log-path /var/log/audit/audit.log -o kubeadm
  pkictl apiserver flags --enable-admission-plugins NodeRestriction --pod-security baseline --out pss -o kubeadm-patch
  pkictl apiserver flags --anonymous probes,join --tls-min-version 1.2 --tls-cipher-suites strong -o flags
  pkictl apiserver flags --authorization-mode Node,RBAC,Webhook --authorization-webhook-config-file /etc/kubernetes/webhook.conf -o systemd
  pkictl apiserver flags --cis --kubelet-certificate-authority /etc/kubernetes/pki/ca.crt --out cis -o kubeadm
  pkictl apiserver flags --encrypt secrets --explain`,
		Args:        noArgs,
		Annotations: map[string]string{moreForms: strings.Join(forms, ",")},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.apiserverFlags(cmd, &f) },
	}
	addAPIServerOptions(cmd, &f.apiserverOptions)
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "`DIRECTORY` for the files, with their paths on the host below it")
	flags.StringVar(&f.unit, "unit", "", "`FILE` with the unit that starts kube-apiserver, for -o systemd")
	flags.BoolVar(&f.force, "force", false, "replace files that say something else, but none with a key")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything, write nothing")
	flags.BoolVar(&f.explain, "explain", false, "print the shell commands that give the same files, and do nothing else")
	return cmd
}

func (a *app) apiserverFlags(cmd *cobra.Command, f *apiserverFlagsFlags) error {
	if f.out == "" && (f.force || f.dryRun) {
		return failure.New(failure.Usage, "add --out DIRECTORY, or leave them out", "--force and --dry-run are for files, and none is written")
	}
	if f.unit != "" && a.output != string(apiserver.FormSystemd) {
		return failure.New(failure.Usage, "add -o systemd, or leave it out", "--unit is for a drop-in")
	}
	options, err := f.read()
	if err != nil {
		return err
	}
	plan, err := apiserver.NewPlan(options)
	if err != nil {
		return err
	}
	if len(plan.Set) == 0 && len(plan.Remove) == 0 {
		return failure.New(failure.Usage, "see: "+cmd.CommandPath()+" --help", "nothing is asked of kube-apiserver")
	}
	result, err := a.apiserverForm(f, plan)
	if err != nil {
		return err
	}
	if f.explain {
		return a.explain(plan.Explain(f.out), nil)
	}
	files, err := a.writeAPIServerFiles(f, plan, options)
	if err != nil {
		return err
	}
	a.tellPlan(f, plan, files)
	return a.print(apiserverPlan{kind("APIServerFlags"), f.dryRun, plan, files}, func(w io.Writer) { _, _ = w.Write(result) })
}

// apiserverForm returns the plan in the form of -o that is not JSON or YAML.
func (a *app) apiserverForm(f *apiserverFlagsFlags, plan *apiserver.Plan) ([]byte, error) {
	if a.output == "text" || a.output == "json" || a.output == "yaml" {
		return []byte(plan.Text()), nil
	}
	var unit []byte
	if f.unit != "" {
		var err error
		if unit, err = store.Read(f.unit, store.MaxPEM); err != nil {
			return nil, err
		}
	}
	return plan.Render(apiserver.Form(a.output), unit)
}

// apiserverPlan is the result in JSON and YAML. It has no contents of files.
type apiserverPlan struct {
	typeMeta
	DryRun bool `json:"dryRun,omitempty"`
	*apiserver.Plan
	Written []apiserver.WrittenFile `json:"written,omitempty"`
}

func (a *app) writeAPIServerFiles(f *apiserverFlagsFlags, plan *apiserver.Plan, options apiserver.Options) ([]apiserver.WrittenFile, error) {
	if f.out == "" {
		return nil, nil
	}
	return plan.WriteFiles(apiserver.WriteOptions{Root: f.out, Replace: f.force, DryRun: f.dryRun, Encryption: options.Encryption})
}

// tellPlan says on standard error what was written and what there is to know.
func (a *app) tellPlan(f *apiserverFlagsFlags, plan *apiserver.Plan, files []apiserver.WrittenFile) {
	if a.quiet {
		return
	}
	for _, file := range files {
		fmt.Fprintf(a.err, "%s: %s (%s)\n", file.StateText(f.dryRun), printable(file.At), printable(file.Why))
	}
	if f.out == "" && plan.HasContents() {
		fmt.Fprintln(a.err, "note: the files that these flags need are not written; add --out DIRECTORY")
	}
	for _, note := range plan.Notes {
		fmt.Fprintf(a.err, "note: %s\n", printable(note))
	}
}
