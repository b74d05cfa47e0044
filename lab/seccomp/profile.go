// Package seccomp reads seccomp profiles as container runtimes do, and says what the
// kernel does with a system call under one.
//
// A profile is the JSON of the OCI runtime specification (linux.seccomp), which
// containerd reads. Docker, Podman and CRI-O read some fields more: name, archMap,
// includes and excludes. Filter says which of the two is meant.
package seccomp

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Action is what the kernel does with a system call.
type Action string

// The actions. Kill is the old name of KillThread.
const (
	Allow       Action = "SCMP_ACT_ALLOW"
	Log         Action = "SCMP_ACT_LOG" // allows it, and writes a line to the audit log
	Trace       Action = "SCMP_ACT_TRACE"
	Notify      Action = "SCMP_ACT_NOTIFY"
	Errno       Action = "SCMP_ACT_ERRNO"
	Trap        Action = "SCMP_ACT_TRAP"
	Kill        Action = "SCMP_ACT_KILL"
	KillThread  Action = "SCMP_ACT_KILL_THREAD"
	KillProcess Action = "SCMP_ACT_KILL_PROCESS"
)

// Actions lists them.
func Actions() []Action {
	return []Action{Allow, Log, Trace, Notify, Errno, Trap, Kill, KillThread, KillProcess}
}

// operators compare an argument of a call.
var operators = [...]string{"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"}

// flags are those of seccomp(2) that runc knows.
var flags = [...]string{"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}

// Profile is a profile as its file has it.
type Profile struct {
	DefaultAction    Action          `json:"defaultAction"`
	DefaultErrnoRet  *uint           `json:"defaultErrnoRet"`
	Architectures    []string        `json:"architectures"`
	ArchMap          []Architectures `json:"archMap"`
	Flags            []string        `json:"flags"`
	ListenerPath     string          `json:"listenerPath"`
	ListenerMetadata string          `json:"listenerMetadata"`
	Syscalls         []Rule          `json:"syscalls"`

	// Ignored are fields of the file that no runtime reads: most often misspelt ones.
	Ignored []string `json:"-"`
}

// Architectures are those that a filter gets on a node of one of them.
type Architectures struct {
	Architecture     string   `json:"architecture"`
	SubArchitectures []string `json:"subArchitectures"`
}

// Rule is one of syscalls: an action for calls.
type Rule struct {
	Names    []string  `json:"names"`
	Name     string    `json:"name"` // not with containerd
	Action   Action    `json:"action"`
	ErrnoRet *uint     `json:"errnoRet"`
	Args     []Arg     `json:"args"`
	Comment  string    `json:"comment"`
	Includes Condition `json:"includes"` // not with containerd
	Excludes Condition `json:"excludes"` // not with containerd
}

// Arg is a condition on an argument, all of which have to hold.
type Arg struct {
	Index    uint   `json:"index"`
	Value    uint64 `json:"value"` // with SCMP_CMP_MASKED_EQ the mask
	ValueTwo uint64 `json:"valueTwo"`
	Op       string `json:"op"`
}

// Condition says on which nodes, and for which containers, a rule is there.
type Condition struct {
	Caps      []string `json:"caps"`
	Arches    []string `json:"arches"` // as Go calls them: amd64
	MinKernel string   `json:"minKernel"`
}

// Parse reads a profile: as Go's encoding/json, which all runtimes read it with, and
// strictly where they are strict, when the container starts.
func Parse(data []byte) (*Profile, error) {
	p := &Profile{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, failure.New(failure.Finding, "", "it is no profile in JSON: %s", jsonCause(err, data))
	}
	// runc: SetupSeccomp takes it for no profile at all.
	if p.DefaultAction == "" && len(p.Syscalls) == 0 {
		return nil, failure.New(failure.Finding, "", "it has neither defaultAction nor syscalls, and a runtime loads no filter at all for it")
	}
	p.Ignored = ignored(data)
	return p, p.check()
}

func jsonCause(err error, data []byte) string {
	text := strings.TrimPrefix(err.Error(), "json: ")
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		is, _, _ := strings.Cut(wrong.Value, " ")
		field := cmp.Or(wrong.Field, "it")
		text = fmt.Sprintf("line %d: %s cannot be a JSON %s", 1+strings.Count(string(data[:min(int(wrong.Offset), len(data))]), "\n"), field, is)
		if kind := wrong.Type.Kind(); kind == reflect.Uint || kind == reflect.Uint64 {
			text += ": write a whole number, decimal and without quotes"
		}
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := min(int(syntax.Offset), len(data))
		text = fmt.Sprintf("line %d: %s", 1+strings.Count(string(data[:at]), "\n"), text)
	}
	return text
}

// check refuses what a runtime refuses.
func (p *Profile) check() error {
	if err := checkAction(p.DefaultAction, "defaultAction"); err != nil {
		return err
	}
	if p.DefaultAction == Notify {
		return failure.New(failure.Finding, "", "defaultAction is %s, which no runtime takes", Notify)
	}
	for _, name := range p.Architectures {
		if err := checkArch(name); err != nil {
			return err
		}
	}
	for _, entry := range p.ArchMap {
		for _, name := range append([]string{entry.Architecture}, entry.SubArchitectures...) {
			if err := checkArch(name); err != nil {
				return err
			}
		}
	}
	if len(p.Architectures) > 0 && len(p.ArchMap) > 0 {
		return failure.New(failure.Finding, "", "it has both architectures and archMap")
	}
	for _, flag := range p.Flags {
		if !slices.Contains(flags[:], flag) {
			return failure.New(failure.Finding, "", "there is no flag %q", flag)
		}
	}
	for i, rule := range p.Syscalls {
		if err := p.checkRule(rule); err != nil {
			return failure.Wrap(err, failure.Finding, "", "syscalls[%d]", i)
		}
	}
	return nil
}

func checkAction(action Action, field string) error {
	if slices.Contains(Actions(), action) {
		return nil
	}
	if action == "" {
		return failure.New(failure.Finding, "", "it has no %s", field)
	}
	return failure.New(failure.Finding, "", "%s is %q, and there is no such action", field, action)
}

func (p *Profile) checkRule(rule Rule) error {
	if err := checkAction(rule.Action, "action"); err != nil {
		return err
	}
	if rule.Name != "" && len(rule.Names) > 0 {
		return failure.New(failure.Finding, "", "it has both name and names")
	}
	if slices.Contains(rule.Names, "") {
		return failure.New(failure.Finding, "", "an empty name")
	}
	if rule.Action == Notify {
		// runc: the agent is told of it by that call, or not at all.
		if slices.Contains(append(rule.Names, rule.Name), "write") {
			return failure.New(failure.Finding, "", "%s for write, which no runtime takes", Notify)
		}
		if p.ListenerPath == "" {
			return failure.New(failure.Finding, "", "%s needs a listenerPath", Notify)
		}
	}
	for _, arg := range rule.Args {
		if arg.Index > 5 {
			return failure.New(failure.Finding, "", "there is no argument %d: they are 0 to 5", arg.Index)
		}
		if !slices.Contains(operators[:], arg.Op) {
			return failure.New(failure.Finding, "", "there is no operator %q", arg.Op)
		}
	}
	for _, c := range []Condition{rule.Includes, rule.Excludes} {
		if _, err := parseKernel(c.MinKernel); err != nil {
			return err
		}
	}
	return nil
}

// Unknown lists the names that no architecture has a system call of: a runtime
// ignores them.
func (p *Profile) Unknown() []string {
	var unknown []string
	for _, rule := range p.Syscalls {
		for _, name := range append(rule.Names, rule.Name) {
			if name != "" && !IsSystemCall(name) && !slices.Contains(unknown, name) {
				unknown = append(unknown, name)
			}
		}
	}
	return unknown
}
