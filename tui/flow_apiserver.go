package tui

import (
	"cmp"
	"context"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
)

// What the flow of the API server does.
const (
	apiPatch = "patch"
	apiFlags = "flags"
	apiUndo  = "undo"
	apiCheck = "check"
)

// apiManifests is where kubeadm has the kubelet look for static pods.
const apiManifests = "/etc/kubernetes/manifests"

// flowAPIServer changes the static pod of kube-apiserver, as apiserver patch does,
// makes flags for it, as apiserver flags does, or holds it against the CIS
// benchmark, as apiserver check does.
type flowAPIServer struct {
	*world
	what string

	manifest, backups, configDir string
	waitHere, waitThere          bool // this node's manifest, and any other
	timeout                      string
	// manifestVersion is that of the image in the manifest, once it was read.
	manifestVersion atomic.Pointer[string]

	form, unit, out, version string
	replace                  bool

	checkPath string

	topics []string
	apiAnswers

	patch *apiserver.Patch  // as it was shown
	plan  *apiserver.Plan   // as it was shown
	fixes *apiserver.Fixes  // as they were shown
	seen  apiserver.Options // those of plan
}

func newFlowAPIServer(w *world) *flowAPIServer {
	f := &flowAPIServer{world: w, what: apiPatch, form: apiFormText, waitHere: true}
	f.apiAnswers = newAPIAnswers()
	return f
}

// newFlowAPIServerAudit is a flow that begins with an audit policy in a file.
func newFlowAPIServerAudit(w *world, policy string) *flowAPIServer {
	f := newFlowAPIServer(w)
	f.topics = []string{topicAudit}
	f.auditFrom, f.policyFrom = auditFromFile, policy
	return f
}

func (f *flowAPIServer) title() string { return "API server" }

func (f *flowAPIServer) steps() []step {
	steps := []step{f.whatStep(), f.manifestStep(), f.formStep(), f.checkStep(), f.topicsStep()}
	steps = append(steps, f.topicSteps()...)
	return append(steps, f.waitStep())
}

// does says whether the flow does one of these; see the constants.
func (f *flowAPIServer) does(what ...string) bool {
	for _, w := range what {
		if f.what == w {
			return true
		}
	}
	return false
}

func (f *flowAPIServer) whatStep() step {
	return step{
		title: "API server",
		intro: "Flags tell kube-apiserver what to do. With one that is wrong, or without its files, it does not start.",
		fields: []field{{
			title: "What to do", choice: &f.what,
			options: func() []option {
				return []option{
					{apiPatch, "Change the static pod of this node", "its manifest, with files, mounts and a backup"},
					{apiFlags, "Only show the flags", "for kubeadm, a unit of systemd, or a manifest that is elsewhere"},
					{apiCheck, "Check it against the CIS benchmark", "and mend what is certain"},
					{apiUndo, "Take the last change back", "put the newest backup of the manifest back"},
				}
			},
		}},
	}
}

func (f *flowAPIServer) manifestStep() step {
	return step{
		title:  "Manifest",
		intro:  "The file from which the kubelet runs kube-apiserver. Nothing is written before you say yes.",
		hidden: func() bool { return !f.does(apiPatch, apiUndo) },
		load: func(context.Context) error {
			if _, err := os.Stat(apiserver.DefaultManifest); err != nil {
				return failure.New(failure.Failed, "", "there is no %s: name the file of the manifest", apiserver.DefaultManifest)
			}
			return nil
		},
		fields: []field{
			{key: "manifest", title: "Manifest", text: &f.manifest, fallback: func() string { return apiserver.DefaultManifest },
				check: typedCheck(nil),
				help:  "The static pod of kube-apiserver. A link is followed, and stays."},
			{key: "backup-dir", title: "Backups", text: &f.backups, check: typedCheck(nil),
				help: "A directory. Empty: pkictl-backups beside manifests, never in it: the kubelet runs every file there."},
			f.configDirField(func() bool { return f.does(apiUndo) }),
		},
	}
}

func (f *flowAPIServer) configDirField(hidden func() bool) field {
	return field{
		key: "config-dir", title: "Its files", text: &f.configDir, hidden: hidden,
		fallback: func() string { return apiserver.DefaultDir },
		check:    apiCheckOf("", func(o *apiserver.Options, v string) { o.Dir = v }),
		help:     "Directory on the host for the files that kube-apiserver needs.",
	}
}

func (f *flowAPIServer) manifestPath() string { return cmp.Or(f.manifest, apiserver.DefaultManifest) }

// isHere says whether the change is of the manifest that this node's kubelet runs.
func (f *flowAPIServer) isHere() bool {
	if f.does(apiCheck) {
		return cmp.Or(f.checkPath, apiManifests) == apiManifests || f.checkPath == apiserver.DefaultManifest
	}
	return f.manifestPath() == apiserver.DefaultManifest
}

func (f *flowAPIServer) waits() bool {
	if f.isHere() {
		return f.waitHere
	}
	return f.waitThere
}

func (f *flowAPIServer) waitStep() step {
	const help = "If it does not come back, the old manifest is put back, with the files that were replaced."
	return step{
		title:  "Afterwards",
		intro:  "The kubelet restarts kube-apiserver at once. Until it is back kubectl has no answer; pods go on.",
		hidden: func() bool { return f.does(apiFlags) },
		fields: []field{
			{key: "wait", title: "Wait for it", yes: &f.waitHere, help: help, hidden: func() bool { return !f.isHere() }},
			{key: "wait", title: "Wait for it", yes: &f.waitThere, hidden: f.isHere,
				help: "Only where a kubelet of this host runs the manifest. " + help},
			{key: "timeout", title: "For how long", text: &f.timeout, hidden: func() bool { return !f.waits() }, check: checkAPITimeout,
				fallback: func() string { return strconv.Itoa(int(apiserver.WaitTimeout.Seconds())) + "s" }, help: "As in 60s or 2m; once more for the old one after that."},
		},
	}
}

func (f *flowAPIServer) command() []string {
	switch f.what {
	case apiFlags:
		return f.flagsCommand()
	case apiCheck:
		return f.checkCommand()
	}
	args := []string{"apiserver", "patch"}
	args = appendFlag(args, "--manifest", f.manifestPath(), apiserver.DefaultManifest)
	args = appendFlag(args, "--backup-dir", f.backups, "")
	if f.does(apiUndo) {
		args = append(args, "--undo")
	} else {
		args = appendFlag(args, "--config-dir", cmp.Or(f.configDir, apiserver.DefaultDir), apiserver.DefaultDir)
		args = append(args, f.args(f.topics)...)
	}
	return append(args, f.waitArgs()...)
}

func (f *flowAPIServer) waitArgs() []string {
	if !f.waits() {
		return nil
	}
	if f.waitTimeout() == apiserver.WaitTimeout {
		return []string{"--wait"}
	}
	return []string{"--wait", "--timeout", f.timeout}
}

// appendFlag adds a flag unless its value is the one that it has anyway.
func appendFlag(args []string, name, value, usual string) []string {
	if value == usual {
		return args
	}
	return append(args, name, value)
}

func (f *flowAPIServer) explain(context.Context) (string, error) {
	switch f.what {
	case apiFlags:
		plan, _, err := f.newPlan()
		if err != nil {
			return "", err
		}
		return plan.Explain(f.out), nil
	case apiCheck:
		return apiserver.ExplainCheck(apiserver.CheckOptions{Path: f.checked()})
	}
	patch, err := f.newPatch()
	if err != nil {
		return "", err
	}
	return patch.Explain(), nil
}

func (f *flowAPIServer) review(_ context.Context, _ *job) (*review, error) {
	f.patch, f.plan, f.fixes = nil, nil, nil
	if err := answersError(f.steps()); err != nil {
		return nil, err
	}
	switch f.what {
	case apiFlags:
		return f.reviewFlags()
	case apiCheck:
		return f.reviewCheck()
	}
	return f.reviewPatch()
}

func (f *flowAPIServer) run(ctx context.Context, j *job) (*outcome, error) {
	switch f.what {
	case apiFlags:
		return f.runFlags(j)
	case apiCheck:
		return f.runCheck(ctx, j)
	}
	return f.runPatch(ctx, j)
}
