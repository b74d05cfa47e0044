package seccomp

import (
	"fmt"
	"slices"
)

// Call is a system call.
type Call struct {
	Arch Arch // of the program that makes it
	Name string
	Args [6]uint64
}

// Decision is what the kernel does with a call.
type Decision struct {
	Action Action
	Errno  uint   // what the call returns instead, where the action is SCMP_ACT_ERRNO
	Why    string // in words, where it is not a rule for the call
	// Conflict says that rules for the call ask for different actions: which of them
	// holds is up to how libseccomp sorts them.
	Conflict bool
}

// Runs says whether the call is made. A call that is logged is.
func (a Action) Runs() bool { return a == Allow || a == Log }

// Decide says what happens to a call, as the filter does that libseccomp makes. Where
// the default action is SCMP_ACT_ERRNO, runc has calls that are newer than all of the
// profile's fail with ENOSYS instead of EPERM, which makes no difference here.
func (f *Filter) Decide(call Call) Decision {
	// libseccomp: SCMP_FLTATR_ACT_BADARCH, which runc leaves as it is.
	if !slices.Contains(f.archs, call.Arch) {
		return Decision{Action: KillThread, Why: fmt.Sprintf("%s is none of its architectures", call.Arch)}
	}
	var decided *Decision
	for _, r := range f.rulesFor(call) {
		if !r.matches(call) {
			continue
		}
		is := r.decision()
		if len(r.args) == 0 { // the first of these takes the place of all others
			return is
		}
		switch {
		case decided == nil:
			decided = &is
		case *decided != is:
			decided.Conflict = true
		}
	}
	if decided == nil {
		return f.byDefault()
	}
	return *decided
}

func (r rule) decision() Decision { return decision(r.action, r.errno, "") }

func (f *Filter) byDefault() Decision { return decision(f.fallback, f.errno, "defaultAction") }

func decision(action Action, errno uint, why string) Decision {
	if action != Errno {
		errno = 0
	}
	return Decision{Action: action, Errno: errno, Why: why}
}

// Outcomes lists what can happen to a call, whatever its arguments.
func (f *Filter) Outcomes(arch Arch, name string) []Decision {
	call := Call{Arch: arch, Name: name}
	rules := f.rulesFor(call)
	if !slices.Contains(f.archs, arch) || len(rules) == 0 || len(rules[0].args) == 0 {
		return []Decision{f.Decide(call)}
	}
	outcomes := []Decision{f.byDefault()}
	for _, r := range rules {
		if is := r.decision(); !slices.Contains(outcomes, is) {
			is.Why = "with some arguments"
			outcomes = append(outcomes, is)
		}
	}
	return outcomes
}

// rulesFor are those for a call, the ones without conditions first.
func (f *Filter) rulesFor(call Call) []rule {
	rules := slices.Clone(f.rules[call.Name])
	if call.Arch == X86 && (call.Name == "socketcall" || call.Name == "ipc") {
		for name, list := range f.rules {
			by, number, ok := multiplexed(name)
			if !ok || by != call.Name {
				continue
			}
			for _, r := range list {
				rest := slices.DeleteFunc(slices.Clone(r.args), func(a Arg) bool { return a.Index == 0 })
				rules = append(rules, rule{r.action, r.errno, append(rest, Arg{Index: 0, Op: "SCMP_CMP_EQ", Value: number})})
			}
		}
	}
	slices.SortStableFunc(rules, func(a, b rule) int { return min(len(a.args), 1) - min(len(b.args), 1) })
	return rules
}

func (r rule) matches(call Call) bool {
	return !slices.ContainsFunc(r.args, func(arg Arg) bool { return !arg.holds(call) })
}

// holds compares without a sign. Where arguments have 32 bits, the others of what they
// are compared with do not count.
func (a Arg) holds(call Call) bool {
	is, value, second := call.Args[a.Index], a.Value, a.ValueTwo
	if call.Arch.is32() {
		is, value, second = is&0xffffffff, value&0xffffffff, second&0xffffffff
	}
	switch a.Op {
	case "SCMP_CMP_NE":
		return is != value
	case "SCMP_CMP_LT":
		return is < value
	case "SCMP_CMP_LE":
		return is <= value
	case "SCMP_CMP_EQ":
		return is == value
	case "SCMP_CMP_GE":
		return is >= value
	case "SCMP_CMP_GT":
		return is > value
	}
	return is&value == second&value // SCMP_CMP_MASKED_EQ
}
