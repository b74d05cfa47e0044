package apiserver

import (
	"fmt"
	"slices"
	"strconv"
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
	if by := p.refusesProbes(); by != "" && form != FormFlags && form != FormSystemd {
		hint := "take --anonymous probes, which refuses requests without credentials elsewhere"
		if !p.Version.AtLeast(anonymousPathsSince) {
			hint = "leave it out: kube-apiserver " + p.Version.String() + " cannot serve these paths alone"
		}
		return nil, failure.New(failure.Refused, hint, "with %s the kubelet's probe of /livez is refused, and it restarts kube-apiserver without end", by)
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

// refusesProbes says what refuses requests without credentials to /livez, which are
// the kubelet's, so that it ends a static pod; "" if nothing does.
func (p *Plan) refusesProbes() string {
	for _, flag := range p.Set {
		switch flag.Name {
		case "anonymous-auth":
			if allowed, err := strconv.ParseBool(flag.Value); err == nil && !allowed {
				return flag.String()
			}
		case "authentication-config":
			at := slices.IndexFunc(p.Files, func(f File) bool { return f.Path == flag.Value })
			if at < 0 {
				continue
			}
			if anonymous := readAnonymous(p.Files[at].Data); anonymous != nil && !anonymous.allows("/livez") {
				return "the file of --authentication-config"
			}
		}
	}
	return ""
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
