package seccomp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Reader says which fields of a profile a runtime reads.
type Reader int

const (
	// OCI reads the runtime specification's alone, as containerd does.
	OCI Reader = iota
	// Engine reads name, archMap, includes and excludes as well, as Docker, Podman and
	// CRI-O do.
	Engine
)

// Node is where a container starts.
type Node struct {
	Arch   Arch
	Reader Reader
	Kernel string   // such as 6.1; the Engine alone asks
	Caps   []string // those of the container, such as CAP_CHOWN; the Engine alone asks
}

// Filter is what a runtime makes of a profile: the rules of each system call.
type Filter struct {
	native   Arch
	fallback Action
	errno    uint
	archs    []Arch
	rules    map[string][]rule
}

// rule is one for one call, as it is given to libseccomp.
type rule struct {
	action Action
	errno  uint // what a call returns that SCMP_ACT_ERRNO refuses
	args   []Arg
}

// Filter makes it as runc does (libcontainer/seccomp, InitSeccomp and matchCall).
func (p *Profile) Filter(node Node) (*Filter, error) {
	f := &Filter{native: node.Arch, fallback: p.DefaultAction.canonical(), errno: errnoOf(p.DefaultErrnoRet), archs: []Arch{node.Arch}, rules: map[string][]rule{}}
	for _, name := range p.architectures(node) {
		short := strings.TrimPrefix(name, archPrefix)
		if slices.Contains(bigEndian[:], short) {
			return nil, failure.New(failure.Finding, "", "%s has another byte order than a node of %s, and the container does not start", name, node.Arch)
		}
		f.archs = append(f.archs, Arch(strings.ToLower(short)))
	}
	for _, entry := range p.Syscalls {
		names := entry.Names
		if node.Reader == Engine {
			if entry.Name != "" {
				names = []string{entry.Name}
			}
			is, err := entry.applies(node)
			if err != nil {
				return nil, err
			}
			if !is {
				continue
			}
		}
		for _, name := range names {
			f.add(name, entry)
		}
	}
	return f, nil
}

func (p *Profile) architectures(node Node) []string {
	if node.Reader == OCI {
		return p.Architectures
	}
	for _, entry := range p.ArchMap {
		if entry.Architecture == node.Arch.token() {
			return append([]string{entry.Architecture}, entry.SubArchitectures...)
		}
	}
	return p.Architectures
}

// applies is Docker's (github.com/moby/profiles/seccomp, setupSeccomp).
func (r Rule) applies(node Node) (bool, error) {
	has := func(capability string) bool { return slices.Contains(node.Caps, capability) }
	if slices.Contains(r.Excludes.Arches, node.Arch.goarch()) || slices.ContainsFunc(r.Excludes.Caps, has) {
		return false, nil
	}
	if len(r.Includes.Arches) > 0 && !slices.Contains(r.Includes.Arches, node.Arch.goarch()) {
		return false, nil
	}
	if slices.ContainsFunc(r.Includes.Caps, func(c string) bool { return !has(c) }) {
		return false, nil
	}
	is, err := parseKernel(node.Kernel)
	if err != nil {
		return false, err
	}
	least, err := parseKernel(r.Includes.MinKernel)
	if err != nil || slices.Compare(is[:], least[:]) < 0 {
		return false, err
	}
	without, err := parseKernel(r.Excludes.MinKernel)
	return r.Excludes.MinKernel == "" || slices.Compare(is[:], without[:]) < 0, err
}

// parseKernel reads a version such as 4.8.
func parseKernel(text string) (version [2]uint64, err error) {
	if text == "" {
		return version, nil
	}
	major, minor, ok := strings.Cut(text, ".")
	version[0], err = strconv.ParseUint(major, 10, 8)
	if ok && err == nil {
		version[1], err = strconv.ParseUint(minor, 10, 8)
	}
	if !ok || err != nil {
		return version, failure.New(failure.Finding, "", "%q is no version of a kernel, such as 4.8", text)
	}
	return version, nil
}

// canonical makes one name of two.
func (a Action) canonical() Action {
	if a == Kill {
		return KillThread
	}
	return a
}

// errnoOf is EPERM where none is given.
func errnoOf(given *uint) uint {
	if given == nil {
		return 1
	}
	return *given
}

// add adds the rules for one name.
func (f *Filter) add(name string, entry Rule) {
	action := entry.Action.canonical()
	// A rule that does what happens anyway is left out, before it could be weighed
	// against others.
	returns := action == Errno || action == Trace
	if action == f.fallback && (!returns || errnoOf(entry.ErrnoRet) == f.errno) {
		return
	}
	if !IsSystemCall(name) {
		return
	}
	if !sameArgument(entry.Args) {
		f.rules[name] = append(f.rules[name], rule{action, errnoOf(entry.ErrnoRet), entry.Args})
		return
	}
	// With two conditions on one argument, each becomes a rule of its own: any is
	// enough.
	for _, arg := range entry.Args {
		f.rules[name] = append(f.rules[name], rule{action, errnoOf(entry.ErrnoRet), []Arg{arg}})
	}
}

func sameArgument(args []Arg) bool {
	for i, arg := range args {
		if slices.ContainsFunc(args[:i], func(other Arg) bool { return other.Index == arg.Index }) {
			return true
		}
	}
	return false
}
