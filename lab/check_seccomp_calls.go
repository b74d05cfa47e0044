package lab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab/seccomp"
)

// wantedCalls are calls that must all end in one way.
type wantedCalls struct {
	arch  seccomp.Arch
	names []string
	args  *[6]uint64 // nil where they do not matter
	end   string     // in words, as the table has it
}

// ends are what a table may want of a call.
var ends = [...]string{"runs", "allow", "log", "errno", "refused", "any"}

// readCalls reads a table of calls with what must happen to them, one group to a line:
//
//	x86_64  openat,read,write   runs
//	x86_64  clone(0x10000000)   errno
//	x86_64  clone3              errno=38
//	x86_64  *                   refused
//
// A call without arguments is meant with any; arguments that are left out are 0. The *
// are all calls of the architecture that no line of it names. What may happen: allow
// (SCMP_ACT_ALLOW), log, runs (either), errno (with the number, where one is given),
// refused (none of these runs it), any (this table does not ask).
func readCalls(table []byte, lab string) ([]wantedCalls, error) {
	var calls []wantedCalls
	for i, line := range strings.Split(string(table), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		c, err := readCall(words)
		if err != nil {
			return nil, failure.Wrap(err, failure.Usage, "write ARCHITECTURE CALL,CALL END, as in x86_64 openat,read runs", "line %d of the table of lab %q", i+1, lab)
		}
		calls = append(calls, c)
	}
	if len(calls) == 0 {
		return nil, failure.New(failure.Usage, "", "the table of lab %q has no calls", lab)
	}
	return restOf(calls), nil
}

func readCall(words []string) (c wantedCalls, err error) {
	if len(words) != 3 {
		return c, fmt.Errorf("%d words instead of 3", len(words))
	}
	c.arch, c.end = seccomp.Arch(words[0]), words[2]
	if !slices.Contains(seccomp.Archs(), c.arch) {
		return c, fmt.Errorf("there is no architecture %q", c.arch)
	}
	number, isErrno := strings.CutPrefix(c.end, "errno=")
	if _, err := strconv.ParseUint(number, 10, 12); !slices.Contains(ends[:], c.end) && (!isErrno || err != nil) {
		return c, fmt.Errorf("no call ends in %q", c.end)
	}
	names, args, withArgs := strings.Cut(words[1], "(")
	if withArgs {
		if c.args, err = readCallArgs(args); err != nil {
			return c, err
		}
	}
	if names == "*" {
		return c, nil
	}
	c.names = strings.Split(names, ",")
	for _, name := range c.names {
		if !c.arch.Has(name) {
			return c, fmt.Errorf("%s has no system call %q", c.arch, name)
		}
	}
	return c, nil
}

func readCallArgs(text string) (*[6]uint64, error) {
	var args [6]uint64
	text, closed := strings.CutSuffix(text, ")")
	words := strings.Split(text, ",")
	if !closed || len(words) > len(args) {
		return nil, fmt.Errorf("(%s are not up to %d arguments in parentheses", text, len(args))
	}
	for i, word := range words {
		number, err := strconv.ParseUint(word, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no argument of a system call", word)
		}
		args[i] = number
	}
	return &args, nil
}

// restOf puts the names in the place of *.
func restOf(calls []wantedCalls) []wantedCalls {
	named := map[seccomp.Arch][]string{}
	for _, c := range calls {
		named[c.arch] = append(named[c.arch], c.names...)
	}
	for i, c := range calls {
		if c.names == nil {
			calls[i].names = slices.DeleteFunc(c.arch.SystemCalls(), func(name string) bool { return slices.Contains(named[c.arch], name) })
		}
	}
	return calls
}

// readings are how runtimes read a profile. Where they differ it has to be right for
// both: nobody asks a node which it has.
func readings(node seccomp.Node) []reading {
	oci, engine := node, node
	engine.Reader = seccomp.Engine
	engine.Caps = []string{"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"}
	return []reading{{"containerd", oci}, {"CRI-O or Docker", engine}}
}

type reading struct {
	by   string
	node seccomp.Node
}

// wrongCall is a call that does not end as wanted.
type wrongCall struct {
	want wantedCalls // of the one name
	is   seccomp.Decision
}

// judgeCalls asks for all of a table. It tells of the first calls that end wrongly in the
// same way, and counts the others.
func judgeCalls(calls []wantedCalls, node seccomp.Node) condition[*seccomp.Profile] {
	return func(p *seccomp.Profile, _ *work) (wanted, found string, ok bool) {
		wanted = "each call ends as the task says"
		var wrong [2][]wrongCall
		for i, r := range readings(node) {
			filter, err := p.Filter(r.node)
			if err != nil {
				return wanted, err.Error(), false
			}
			for _, c := range calls {
				wrong[i] = append(wrong[i], c.judge(filter)...)
			}
		}
		for i, r := range readings(node) {
			if len(wrong[i]) > 0 {
				wanted, found = tell(wrong[i])
				if len(wrong[1-i]) == 0 {
					found += ", as " + r.by + " reads the profile"
				}
				return wanted, found, false
			}
		}
		return wanted, "", true
	}
}

// tell says what is wrong.
func tell(wrong []wrongCall) (wanted, found string) {
	first, others := wrong[0], 0
	var names []string
	for _, w := range wrong {
		if w.is == first.is && w.want.arch == first.want.arch && w.want.end == first.want.end && (w.want.args == nil) == (first.want.args == nil) {
			names = append(names, w.want.call())
		} else {
			others++
		}
	}
	found = inWords(first.is)
	if others > 0 {
		found += fmt.Sprintf("; and %d calls more do not end as they must", others)
	}
	return fmt.Sprintf("%s must %s (%s)", theFirst(names), first.want.must(), first.want.arch), found
}

// call writes the first call with its arguments.
func (c wantedCalls) call() string {
	if c.args == nil {
		return c.names[0]
	}
	last := len(c.args)
	for last > 1 && c.args[last-1] == 0 {
		last--
	}
	var words []string
	for _, arg := range c.args[:last] {
		words = append(words, fmt.Sprintf("%#x", arg))
	}
	return c.names[0] + "(" + strings.Join(words, ", ") + ")"
}

// must says what is wanted of the calls.
func (c wantedCalls) must() string {
	if number, ok := strings.CutPrefix(c.end, "errno="); ok {
		return "fail with errno " + number
	}
	return map[string]string{"runs": "run", "allow": "run", "log": "run and be logged", "errno": "fail with an error", "refused": "be refused"}[c.end]
}

// judge returns the calls that end otherwise.
func (c wantedCalls) judge(filter *seccomp.Filter) []wrongCall {
	if c.end == "any" {
		return nil
	}
	var wrong []wrongCall
	for _, name := range c.names {
		outcomes := filter.Outcomes(c.arch, name)
		if c.args != nil {
			outcomes = []seccomp.Decision{filter.Decide(seccomp.Call{Arch: c.arch, Name: name, Args: *c.args})}
		}
		bad := slices.IndexFunc(outcomes, func(d seccomp.Decision) bool { return d.Conflict || !c.accepts(d) })
		if bad >= 0 {
			wrong = append(wrong, wrongCall{wantedCalls{c.arch, []string{name}, c.args, c.end}, outcomes[bad]})
		}
	}
	return wrong
}

func (c wantedCalls) accepts(d seccomp.Decision) bool {
	switch c.end {
	case "runs":
		return d.Action.Runs()
	case "allow":
		return d.Action == seccomp.Allow
	case "log":
		return d.Action == seccomp.Log
	case "errno":
		return d.Action == seccomp.Errno && d.Errno != 0
	case "refused":
		return slices.Contains([]seccomp.Action{seccomp.Trap, seccomp.KillThread, seccomp.KillProcess}, d.Action) || d.Action == seccomp.Errno && d.Errno != 0
	}
	return d.Action == seccomp.Errno && c.end == fmt.Sprintf("errno=%d", d.Errno)
}

// inWords says what happens to a call: "SCMP_ACT_ERRNO (errno 1, defaultAction)".
func inWords(d seccomp.Decision) string {
	if d.Conflict {
		return "several rules for it ask for different actions"
	}
	var more []string
	if d.Action == seccomp.Errno {
		more = append(more, fmt.Sprintf("errno %d", d.Errno))
	}
	if d.Why != "" {
		more = append(more, d.Why)
	}
	if len(more) == 0 {
		return string(d.Action)
	}
	return fmt.Sprintf("%s (%s)", d.Action, strings.Join(more, ", "))
}
