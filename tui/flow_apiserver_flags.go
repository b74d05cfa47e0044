package tui

import (
	"cmp"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// apiFormText is the form for people.
const apiFormText = "text"

func (f *flowAPIServer) formStep() step {
	return step{
		title:  "Form",
		intro:  "The flags with what they need, to be taken elsewhere. Nothing here is changed.",
		hidden: func() bool { return !f.does(apiFlags) },
		fields: []field{
			{key: "output", title: "Form", choice: &f.form, options: func() []option {
				return []option{
					{apiFormText, "To read", "each flag with what it is for, and the files and volumes that it needs"},
					{string(apiserver.FormFlags), "Flags", "the flags alone, one on a line"},
					{string(apiserver.FormKubeadm), "kubeadm", "apiServer.extraArgs and extraVolumes of kubeadm (v1beta4)"},
					{string(apiserver.FormKubeadmPatch), "kubeadm patch", "kube-apiserver+json.yaml for kubeadm's --patches"},
					{string(apiserver.FormStaticPod), "Static pod", "what to add to a manifest"},
					{string(apiserver.FormSystemd), "systemd", "a drop-in for kube-apiserver.service"},
				}
			}},
			{key: "unit", title: "Unit", text: &f.unit, check: typedCheck(nil), hidden: func() bool { return f.form != string(apiserver.FormSystemd) },
				help: "The unit that starts kube-apiserver, as a file: the drop-in then has its whole command."},
			{key: "kubernetes-version", title: "Version", text: &f.version, fallback: func() string { return apiserver.NewestKnown().String() },
				check: func(v string) error {
					_, err := apiserver.ParseVersion(v)
					return err
				}, help: "Of kube-apiserver, as in: 1.36. Flags that it does not know are refused."},
			f.configDirField(nil),
			{key: "out", title: "Files to", text: &f.out, check: typedCheck(nil), help: "A directory, which stands for / of the host. Empty: the files that the flags need are not written."},
			{key: "force", title: "Replace files", yes: &f.replace, hidden: func() bool { return f.out == "" },
				help: "Those there that say something else; never one with a key."},
		},
	}
}

// newPlan returns the flags, and what was asked for.
func (f *flowAPIServer) newPlan() (*apiserver.Plan, apiserver.Options, error) {
	o, err := f.read(f.topics)
	if err != nil {
		return nil, o, err
	}
	o.Version, o.Dir = f.version, f.configDir
	plan, err := apiserver.NewPlan(o)
	if err == nil && len(plan.Set)+len(plan.Remove) == 0 {
		err = failure.New(failure.Usage, "choose something for it to do", "nothing is asked of kube-apiserver")
	}
	return plan, o, err
}

// rendered returns a plan in the form that was chosen.
func (f *flowAPIServer) rendered(plan *apiserver.Plan) (string, error) {
	if f.form == apiFormText {
		return plan.Text(), nil
	}
	var unit []byte
	if f.form == string(apiserver.FormSystemd) && f.unit != "" {
		var err error
		if unit, err = store.Read(f.unit, store.MaxPEM); err != nil {
			return "", err
		}
	}
	data, err := plan.Render(apiserver.Form(f.form), unit)
	return string(data), err
}

func (f *flowAPIServer) flagsCommand() []string {
	args := append([]string{"apiserver", "flags"}, f.args(f.topics)...)
	args = appendFlag(args, "--kubernetes-version", f.version, "")
	args = appendFlag(args, "--config-dir", cmp.Or(f.configDir, apiserver.DefaultDir), apiserver.DefaultDir)
	args = appendFlag(args, "-o", f.form, apiFormText)
	if f.form == string(apiserver.FormSystemd) {
		args = appendFlag(args, "--unit", f.unit, "")
	}
	args = appendFlag(args, "--out", f.out, "")
	if f.out != "" && f.replace {
		args = append(args, "--force")
	}
	return args
}

func (f *flowAPIServer) writeOptions(dryRun bool) apiserver.WriteOptions {
	return apiserver.WriteOptions{Root: f.out, Replace: f.replace, DryRun: dryRun, Encryption: f.seen.Encryption}
}

func (f *flowAPIServer) reviewFlags() (*review, error) {
	plan, o, err := f.newPlan()
	if err != nil {
		return nil, err
	}
	preview, err := f.rendered(plan)
	if err != nil {
		return nil, err
	}
	f.seen = o
	r := &review{rows: []row{{"version", plan.Version.String()}}, warnings: plan.Notes, preview: preview, question: "Show them to be copied?"}
	if f.out == "" {
		if plan.HasContents() {
			r.warnings = append(r.warnings, "the files that these flags need are not written: no directory is given for them")
		}
		f.plan = plan
		return r, nil
	}
	files, err := plan.WriteFiles(f.writeOptions(true))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		switch file.State {
		case apiserver.FileWritten:
			r.writes = append(r.writes, fileWritten(file.At, uint32(file.Mode.Perm()), file.Why))
		case apiserver.FileKept:
			r.rows = append(r.rows, row{"kept", file.At})
		default:
			r.warnings = append(r.warnings, file.StateText(true)+": "+file.At+" ("+file.Why+")")
		}
	}
	r.question = "Write the files?"
	if len(r.writes) == 0 {
		r.question = "Show the flags to be copied?"
	}
	f.plan = plan
	return r, nil
}

// runFlags writes the files of the plan that was shown: an encryption
// configuration has a key of its own in each plan.
func (f *flowAPIServer) runFlags(j *job) (*outcome, error) {
	plan := f.plan
	if f.plan = nil; plan == nil {
		if _, err := f.reviewFlags(); err != nil {
			return nil, err
		}
		plan, f.plan = f.plan, nil
	}
	shown, err := f.rendered(plan)
	if err != nil {
		return nil, err
	}
	out := &outcome{headline: "Flags of kube-apiserver " + plan.Version.String(), warnings: plan.Notes, text: shown}
	if f.out != "" {
		j.begin("Writing files below " + f.out)
		files, err := plan.WriteFiles(f.writeOptions(false))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			out.rows = append(out.rows, row{file.StateText(false), file.At})
		}
	} else if plan.HasContents() {
		out.warnings = append(out.warnings, "the files that these flags need are not written: no directory was given for them")
	}
	out.next = []nextStep{{why: "The same on standard output, for a file or a pipe", args: append([]string{f.Program}, f.flagsCommand()...)}}
	return out, nil
}
