package apparmor

import "slices"

// Access is what a program does with a file.
type Access struct {
	Path  string // absolute, without symbolic links
	Perms Perms
	Owner bool // whether the file belongs to the program's user
}

// Decision is whether the kernel lets it.
type Decision struct {
	Allowed bool
	// Rule is the one that decides, as the profile has it. Empty means that no rule
	// allows it.
	Rule string
}

// May says whether the profile lets a program do all of an access. What one rule denies
// no other allows.
func (p *Profile) May(a Access) Decision {
	var allowed Perms
	var by string
	for _, r := range p.files {
		if a.Perms&r.perms == 0 || r.owner && !a.Owner || !slices.ContainsFunc(r.paths, func(g glob) bool { return g.matches(a.Path) }) {
			continue
		}
		if r.deny {
			return Decision{Rule: r.text}
		}
		if allowed&a.Perms != a.Perms {
			by = r.text
		}
		allowed |= r.perms
	}
	if allowed&a.Perms == a.Perms {
		return Decision{Allowed: true, Rule: by}
	}
	if p.Complain() || slices.Contains(p.Flags, "unconfined") {
		return Decision{Allowed: true, Rule: "flags"}
	}
	return Decision{}
}

// ExecModes lists how the rules that allow it have a program run: ix under the same
// profile, px under its own, ux under none. Several contradict each other, and
// apparmor_parser refuses the profile, if not one of them names the path itself.
func (p *Profile) ExecModes(path string, owner bool) []string {
	var modes []string
	for _, r := range p.files {
		if !r.deny && r.exec != "" && (owner || !r.owner) && !slices.Contains(modes, r.exec) &&
			slices.ContainsFunc(r.paths, func(g glob) bool { return g.matches(path) }) {
			modes = append(modes, r.exec)
		}
	}
	return modes
}
