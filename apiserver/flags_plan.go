package apiserver

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// planner collects what Options come to.
type planner struct {
	Options
	plan  *Plan
	paths []usedPath // that no flag has for its value
}

// NewPlan returns the flags that Options come to, the files that they need and a
// volume for each path. A Plan that has an encryption configuration has a new
// key in it. What makes no sense is an error of kind Usage.
func NewPlan(o Options) (*Plan, error) {
	version, err := ParseVersion(o.Version)
	if err != nil {
		return nil, err
	}
	o.Dir = cmp.Or(o.Dir, DefaultDir)
	if err := checkPath("config-dir", o.Dir); err != nil {
		return nil, err
	}
	p := &planner{Options: o, plan: &Plan{Version: version}}
	for _, topic := range []func() error{
		p.auditing,
		p.encryption,
		p.admission,
		p.serving,
		p.clients,
		p.kubelet,
		p.authentication,
		p.authorization,
		p.hardened,
		p.further,
		p.check,
		p.volumes,
	} {
		if err := topic(); err != nil {
			return nil, err
		}
	}
	return p.plan, nil
}

// below returns the path of a file in the directory of those that are made.
func (p *planner) below(name string) string { return path.Join(p.Dir, name) }

// set sets a flag.
func (p *planner) set(name, value, why string) {
	p.plan.Set = append(p.plan.Set, Flag{Name: name, Value: value, Why: why})
}

// add adds to the list that is the value of a flag.
func (p *planner) add(name string, values []string, why string) {
	if len(values) > 0 {
		p.plan.Set = append(p.plan.Set, Flag{Name: name, Value: strings.Join(values, ","), Why: why, Add: true})
	}
}

// setPath sets a flag whose value is a path, if there is one.
func (p *planner) setPath(name, value, why string) error {
	if value == "" {
		return nil
	}
	if err := checkPath(name, value); err != nil {
		return err
	}
	p.set(name, value, why)
	return nil
}

// remove has flags go that what is set does not stand beside.
func (p *planner) remove(names ...string) {
	for _, name := range names {
		if !slices.Contains(p.plan.Remove, name) {
			p.plan.Remove = append(p.plan.Remove, name)
		}
	}
}

func (p *planner) file(f File) { p.plan.Files = append(p.plan.Files, f) }

func (p *planner) note(text string) { p.plan.Notes = append(p.plan.Notes, text) }

// checkPath refuses what is no path that means the same in a container.
func checkPath(flag, value string) error {
	hint := "it is the path on the host of kube-apiserver, like " + DefaultDir + "/audit-policy.yaml"
	switch {
	case !strings.HasPrefix(value, "/"):
		return failure.New(failure.Usage, hint, "--%s %q is not an absolute path", flag, value)
	case path.Clean(value) != value || value == "/":
		return failure.New(failure.Usage, hint, "--%s %q is not a path in its shortest form", flag, value)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return failure.New(failure.Usage, hint, "--%s %q has a control character", flag, value)
	}
	return nil
}

// further takes the flags that are named one by one.
func (p *planner) further() error {
	for _, text := range p.Set {
		name, value, found := strings.Cut(strings.TrimPrefix(text, "--"), "=")
		if !found || name == "" {
			return failure.New(failure.Usage, "write it like --set event-ttl=2h", "--set %q is not NAME=VALUE", text)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return failure.New(failure.Usage, "give it on one line", "the value of --set %s has a control character", name)
		}
		p.set(name, value, "")
	}
	for _, name := range p.Remove {
		p.remove(strings.TrimPrefix(name, "--"))
	}
	return nil
}

// check holds all flags against each other.
func (p *planner) check() error {
	if err := checkFlags(p.knownFlags(), p.plan.Version); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, flag := range p.plan.Set {
		names[flag.Name] = true
	}
	p.plan.Remove = slices.DeleteFunc(p.plan.Remove, func(name string) bool { return names[name] })
	return p.checkFiles()
}

// knownFlags are the flags that are set, but for those that are taken as they are.
func (p *planner) knownFlags() []Flag {
	if !p.AnyFlag {
		return p.plan.Set
	}
	var flags []Flag
	for _, flag := range p.plan.Set {
		if _, err := Known(flag.Name, p.plan.Version); err == nil {
			flags = append(flags, flag)
		} else {
			p.note("--" + flag.Name + " is taken as it is, without a mount: " + err.Error())
		}
	}
	return flags
}

// checkFiles refuses one path for two files, unless both are there already.
func (p *planner) checkFiles() error {
	seen := map[string]File{}
	for _, file := range p.plan.Files {
		other, twice := seen[file.Path]
		if twice && (other.Data != nil || file.Data != nil || other.Dir != file.Dir) {
			return failure.New(failure.Usage, "choose different paths", "%q would be two files at once", file.Path)
		}
		seen[file.Path] = file
	}
	return nil
}
