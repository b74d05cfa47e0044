package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/seccomp"
)

// maxProfile is more than any profile has, in bytes.
const maxProfile = 256 << 10

// readSeccompCheck reads the parameters of a check of a seccomp profile: JSON, as
// container runtimes read it.
//
//	file   the profile's
//	node   the architecture of the node, such as aarch64; x86_64 without it
//	calls  a file below hidden with what must happen to system calls, see readCalls
//	known  true: each name in it is that of a system call, of whatever architecture
//	rules  true: it has rules, so that no default action does all
//
// What a call leads to is judged as containerd reads the profile, and as CRI-O, Docker
// and Podman do, which know more fields: it must hold for both.
func readSeccompCheck(p *params) (grader, error) {
	var file string
	var table []byte
	node := seccomp.Node{Arch: seccomp.X86_64, Kernel: "6.1"}
	var conditions []condition[*seccomp.Profile]
	err := p.fields(
		p.file("file", &file),
		yamlfile.Key{Name: "node", Read: func(n *yaml.Node) (err error) { node.Arch, err = p.arch(n); return err }},
		p.hidden("calls", &table),
		add(&conditions, "known", p.knownCalls),
		add(&conditions, "rules", p.hasRules),
	)
	if err != nil {
		return nil, err
	}
	if table != nil {
		calls, err := readCalls(table, p.lab.ID)
		if err != nil {
			return nil, p.At(p.node, err)
		}
		conditions = append(conditions, judgeCalls(calls, node))
	}
	return func(_ context.Context, w *work) finding {
		wanted := "a seccomp profile in " + file
		data, found := w.learner.file(file, maxProfile)
		if found != "" {
			return finding{wanted: wanted, found: found}
		}
		profile, err := seccomp.Parse(data)
		if err != nil {
			return finding{wanted: wanted, found: file + ": " + err.Error()}
		}
		f := judge(profile, w, conditions)
		if !f.passed {
			f.found += remarks(profile)
		}
		return f
	}, p.someOf(len(conditions), file)
}

// remarks says what a runtime ignores in a profile without a word.
func remarks(p *seccomp.Profile) string {
	var text string
	if len(p.Ignored) > 0 {
		text += "; no runtime reads the field " + list(p.Ignored)
	}
	if partly := p.Partly(); len(partly) > 0 {
		text += "; containerd does not read the field " + list(partly)
	}
	if unknown := p.Unknown(); len(unknown) > 0 {
		text += "; no system call is called " + theFirst(unknown)
	}
	return text
}

// theFirst lists the first of many words.
func theFirst(words []string) string {
	const most = 5
	if len(words) <= most+1 {
		return list(words)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}

func (p *params) arch(n *yaml.Node) (seccomp.Arch, error) {
	text, err := p.Text(n, "node")
	arch := seccomp.Arch(text)
	if err == nil && !slices.Contains(seccomp.Archs(), arch) {
		err = p.ErrorAt(n, "write one of "+fmt.Sprint(seccomp.Archs()), "there is no architecture %q", text)
	}
	return arch, err
}

func (p *params) knownCalls(n *yaml.Node) (condition[*seccomp.Profile], error) {
	return func(profile *seccomp.Profile, _ *work) (wanted, found string, ok bool) {
		unknown := profile.Unknown()
		return "names of system calls only", fmt.Sprintf("%d that are none", len(unknown)), len(unknown) == 0
	}, p.isTrue(n, "known")
}

func (p *params) hasRules(n *yaml.Node) (condition[*seccomp.Profile], error) {
	return func(profile *seccomp.Profile, _ *work) (wanted, found string, ok bool) {
		return "rules in syscalls", "defaultAction alone", len(profile.Syscalls) > 0
	}, p.isTrue(n, "rules")
}
