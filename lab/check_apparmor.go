package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab/apparmor"
)

// readAppArmorCheck reads the parameters of a check of an AppArmor profile:
//
//	file     the file of the profile
//	profile  the name by which it is loaded
//	enforce  true: the kernel enforces it, and does not merely write down what it would
//	flags    flags that it must have among others
//	access   a file below hidden with what programs may do with files, see readAccess
//
// All profiles in the file must be such that apparmor_parser loads them.
func readAppArmorCheck(p *params) (grader, error) {
	var file, name string
	var table []byte
	var conditions []condition[*apparmor.Profile]
	err := p.fields(
		p.file("file", &file),
		p.text("profile", &name),
		add(&conditions, "enforce", p.enforces),
		add(&conditions, "flags", p.profileFlags),
		p.hidden("access", &table),
	)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, p.ErrorAt(p.node, "name it, as in profile: k8s-deny-write", "%s has no field %q", p.what, "profile")
	}
	if table != nil {
		access, err := readAccess(table, p.lab.ID)
		if err != nil {
			return nil, p.At(p.node, err)
		}
		conditions = append(conditions, access...)
	}
	return func(_ context.Context, w *work) finding {
		wanted := "a profile " + name + " in " + file
		data, found := w.learner.file(file, maxProfile)
		if found != "" {
			return finding{wanted: wanted, found: found}
		}
		parsed, err := apparmor.Parse(data)
		if err != nil {
			return finding{wanted: wanted + ", which can be loaded", found: file + ", " + err.Error()}
		}
		profile := parsed.Profile(name)
		if profile == nil {
			return finding{wanted: wanted, found: "profiles " + theFirst(namesOf(parsed))}
		}
		f := judge(profile, w, conditions)
		if unjudged := profile.Unjudged(); !f.passed && len(unjudged) > 0 {
			f.found += "; what is in " + list(unjudged) + " is not known here and does not count"
		}
		return f
	}, p.someOf(1, file)
}

func namesOf(file *apparmor.File) []string {
	var names []string
	for _, p := range file.Profiles {
		names = append(names, p.Name)
	}
	return names
}

func (p *params) enforces(n *yaml.Node) (condition[*apparmor.Profile], error) {
	return func(profile *apparmor.Profile, _ *work) (wanted, found string, ok bool) {
		for _, flag := range []string{"complain", "unconfined", "prompt", "default_allow"} {
			if slices.Contains(profile.Flags, flag) {
				return "enforced", "the flag " + flag, false
			}
		}
		return "enforced", "", true
	}, p.isTrue(n, "enforce")
}

func (p *params) profileFlags(n *yaml.Node) (condition[*apparmor.Profile], error) {
	want, err := p.textOrTexts(n, "flags")
	return func(profile *apparmor.Profile, _ *work) (wanted, found string, ok bool) {
		lacks := func(flag string) bool { return !slices.Contains(profile.Flags, flag) }
		return "flags " + list(want), "flags " + list(profile.Flags), !slices.ContainsFunc(want, lacks)
	}, err
}

// wantedAccess is what a program may do, or may not.
type wantedAccess struct {
	access  apparmor.Access
	allowed bool
}

// readAccess reads a table of what programs do with files, whose owner they may be or
// not. The letters are those of apparmor.d(5); x is to run under the same profile.
//
//	rw /tmp/a         allowed
//	w  /etc/passwd    denied
func readAccess(table []byte, lab string) ([]condition[*apparmor.Profile], error) {
	var list []wantedAccess
	for i, line := range strings.Split(string(table), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		wrong := func(format string, args ...any) error {
			return failure.New(failure.Usage, "write PERMISSIONS PATH allowed or denied, as in rw /tmp/a allowed",
				"line %d of the table of lab %q: %s", i+1, lab, fmt.Sprintf(format, args...))
		}
		if len(words) != 3 || !strings.HasPrefix(words[1], "/") || words[2] != "allowed" && words[2] != "denied" {
			return nil, wrong("%q", line)
		}
		for _, letter := range words[0] {
			at := strings.IndexRune("rwaxm", letter)
			if at < 0 {
				return nil, wrong("there is no access %q", letter)
			}
			list = append(list, wantedAccess{apparmor.Access{Path: words[1], Perms: 1 << at}, words[2] == "allowed"})
		}
	}
	if len(list) == 0 {
		return nil, failure.New(failure.Usage, "", "the table of lab %q is empty", lab)
	}
	return []condition[*apparmor.Profile]{judgeAccess(list, true), judgeAccess(list, false)}, nil
}

// verb says what a permission is for.
func verb(perm apparmor.Perms) string {
	switch perm {
	case apparmor.Read:
		return "read"
	case apparmor.Write:
		return "write"
	case apparmor.Append:
		return "append to"
	case apparmor.Exec:
		return "run"
	}
	return "map"
}

// judgeAccess asks for what must be allowed, or for what must be denied. It names the
// first that is wrong: there may be many.
func judgeAccess(all []wantedAccess, allowed bool) condition[*apparmor.Profile] {
	word := map[bool]string{true: "may", false: "may not"}
	return func(profile *apparmor.Profile, _ *work) (wanted, found string, ok bool) {
		count := 0
		for _, a := range all {
			if a.allowed != allowed {
				continue
			}
			count++
			for _, owner := range []bool{true, false} {
				a.access.Owner = owner
				is := profile.May(a.access)
				if is.Allowed && allowed && a.access.Perms == apparmor.Exec {
					if modes := profile.ExecModes(a.access.Path, owner); !inherits(modes) {
						return "programs may run " + a.access.Path + " under the same profile (ix)", "they may run it as " + strings.Join(modes, " and "), false
					}
				}
				if is.Allowed == allowed {
					continue
				}
				what := verb(a.access.Perms) + " " + a.access.Path
				return "programs " + word[allowed] + " " + what, fmt.Sprintf("they %s: %s", word[is.Allowed], because(is, owner)), false
			}
		}
		return fmt.Sprintf("%d accesses that programs %s make", count, word[allowed]), "", true
	}
}

// inherits says whether a program runs under the profile of who runs it. In complain
// mode there may be no rule for it.
func inherits(modes []string) bool {
	return !slices.ContainsFunc(modes, func(mode string) bool { return mode != "ix" })
}

func because(is apparmor.Decision, owner bool) string {
	if is.Rule == "" && !owner {
		return "no rule allows it whoever the file belongs to"
	}
	if is.Rule == "" {
		return "no rule allows it"
	}
	if is.Allowed {
		return "rule " + is.Rule
	}
	return "rule " + is.Rule + " denies it, and counts more than one that allows"
}
