package apiserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// Form is what a Plan is written as.
type Form string

// Forms of a Plan.
const (
	FormFlags        Form = "flags"         // one on a line, quoted for a shell
	FormKubeadm      Form = "kubeadm"       // ClusterConfiguration of kubeadm, v1beta4
	FormKubeadmPatch Form = "kubeadm-patch" // kube-apiserver+json.yaml for kubeadm's --patches
	FormStaticPod    Form = "static-pod"    // what to add to a static pod manifest
	FormSystemd      Form = "systemd"       // a drop-in for kube-apiserver.service
)

// Forms returns all forms.
func Forms() []Form {
	return []Form{FormFlags, FormKubeadm, FormKubeadmPatch, FormStaticPod, FormSystemd}
}

// Render writes the plan in a form. unit is the unit that a drop-in is for, nil
// where it is not known; other forms do not look at it. A plan that the form
// cannot say is an error of kind Usage, one that would not come up Refused.
func (p *Plan) Render(form Form, unit []byte) ([]byte, error) {
	if form != FormFlags && form != FormSystemd && p.RefusesProbes() {
		hint := "take --anonymous probes, which refuses requests without credentials elsewhere"
		if !p.Version.AtLeast(anonymousPathsSince) {
			hint = "leave it out: kube-apiserver " + p.Version.String() + " cannot serve these paths alone"
		}
		return nil, failure.New(failure.Refused, hint, "with --anonymous-auth=false the kubelet's probes of /livez and /readyz are refused, and kube-apiserver is restarted without end")
	}
	switch form {
	case FormKubeadm:
		return p.kubeadm()
	case FormKubeadmPatch:
		return p.kubeadmPatch()
	case FormStaticPod:
		return p.staticPod(), nil
	case FormSystemd:
		return p.systemd(unit)
	}
	var b strings.Builder
	for _, flag := range p.Set {
		b.WriteString(shell.Quote(flag.String()) + "\n")
	}
	return []byte(b.String()), nil
}

// RefusesProbes says whether requests without credentials are refused
// everywhere, also those of the kubelet, which then ends a static pod.
func (p *Plan) RefusesProbes() bool {
	return slices.ContainsFunc(p.Set, func(f Flag) bool { return f.Name == "anonymous-auth" && f.Value == "false" })
}

// Text writes the flags for people: each with what it is for, and the volumes
// and files that they need as comments.
func (p *Plan) Text() string {
	var b strings.Builder
	for _, flag := range p.Set {
		if flag.Why != "" {
			fmt.Fprintf(&b, "# %s\n", flag.Why)
		}
		if flag.Add {
			b.WriteString("# in addition to those that are there:\n")
		}
		b.WriteString(shell.Quote(flag.String()) + "\n")
	}
	if len(p.Remove) > 0 {
		b.WriteString("\n# Flags that must not be there: --" + strings.Join(p.Remove, ", --") + "\n")
	}
	section := func(title string, lines []string) {
		if len(lines) > 0 {
			b.WriteString("\n# " + title + "\n#   " + strings.Join(lines, "\n#   ") + "\n")
		}
	}
	section("Files that have to be there before kube-apiserver starts:", p.fileLines())
	section("Volumes, where it runs in a pod, each mounted at its own path:", p.volumeLines())
	return b.String()
}

func (p *Plan) fileLines() []string {
	var lines []string
	for _, f := range p.Files {
		path := f.Path
		if f.Dir {
			path += "/"
		}
		line := fmt.Sprintf("%04o %s  %s", f.Mode.Perm(), path, f.Why)
		lines = append(lines, line)
	}
	return lines
}

func (p *Plan) volumeLines() []string {
	var lines []string
	for _, v := range p.Volumes {
		access := "read-write"
		if v.ReadOnly {
			access = "read-only"
		}
		lines = append(lines, fmt.Sprintf("%s: hostPath %s, %s, %s", v.Name, v.Path, v.Type, access))
	}
	return lines
}
