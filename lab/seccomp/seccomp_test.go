package seccomp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/lab/seccomp"
)

// oracle builds the program that asks libseccomp.
func oracle(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "oracle")
	if out, err := exec.Command("cc", "-o", program, "testdata/oracle.c", "-lseccomp").CombinedOutput(); err != nil {
		t.Fatalf("it needs a C compiler and libseccomp-dev: %v\n%s", err, out)
	}
	return program
}

// asked is what the filters of profiles are asked, and what they answered.
type asked struct {
	profile string
	node    seccomp.Arch
	call    seccomp.Call
	want    seccomp.Decision
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomProfile has few names, arguments and values, so that its rules meet. Each
// architecture has all calls that it names: libseccomp 2.5.4 forgets to load the number
// of the call where its first rule is for one that the architecture lacks.
func randomProfile(r *rand.Rand, node seccomp.Arch) *seccomp.Profile {
	actions := []seccomp.Action{seccomp.Allow, seccomp.Errno, seccomp.Log, seccomp.Kill, seccomp.KillProcess}
	p := &seccomp.Profile{DefaultAction: pick(r, actions...)}
	for _, arch := range []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"} {
		if r.IntN(2) == 0 {
			p.Architectures = append(p.Architectures, arch)
		}
	}
	known := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		lacks := func(arch string) bool {
			return !seccomp.Arch(strings.ToLower(strings.TrimPrefix(arch, "SCMP_ARCH_"))).Has(name)
		}
		return name != "openatt" && (!node.Has(name) || slices.ContainsFunc(p.Architectures, lacks))
	})
	for range r.IntN(6) {
		rule := seccomp.Rule{Action: pick(r, actions...)}
		for range 1 + r.IntN(2) {
			rule.Names = append(rule.Names, pick(r, known...))
		}
		for range pick(r, 0, 0, 1, 2, 3) {
			rule.Args = append(rule.Args, seccomp.Arg{
				Index: uint(r.IntN(3)), Value: pick(r, values...), ValueTwo: pick(r, values...),
				Op: pick(r, "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"),
			})
		}
		p.Syscalls = append(p.Syscalls, rule)
	}
	return p
}

var (
	names  = []string{"open", "openat", "socket", "socketcall", "connect", "accept", "ipc", "shmget", "semop", "clone", "read", "openatt"}
	values = []uint64{0, 1, 2, 3, 23, 0xffffffff, 1 << 32, 1<<32 + 1, 1<<64 - 1}
)

// TestFiltersDecideAsLibseccomp holds the evaluator against filters that libseccomp
// makes of random profiles.
func TestFiltersDecideAsLibseccomp(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 18))
	var questions bytes.Buffer
	var list []asked
	for range 4000 {
		node := pick(r, seccomp.X86_64, seccomp.AARCH64, seccomp.X86)
		p := randomProfile(r, node)
		filter, err := p.Filter(seccomp.Node{Arch: node})
		if err != nil {
			t.Fatal(err)
		}
		begins := questions.Len()
		tell(&questions, p, node)
		text := questions.String()[begins:]
		for range 12 {
			call := seccomp.Call{Arch: pick(r, seccomp.Archs()...), Name: pick(r, names...)}
			for i := range call.Args {
				call.Args[i] = pick(r, values...)
			}
			if !call.Arch.Has(call.Name) || tangled(p, call.Name) {
				continue
			}
			fmt.Fprintf(&questions, "call %s %s %s\n", call.Arch, call.Name, strings.Trim(fmt.Sprint(call.Args), "[]"))
			list = append(list, asked{profile: text, node: node, call: call, want: filter.Decide(call)})
		}
		questions.WriteString("end\n")
	}
	judge := exec.Command(oracle(t), "judge")
	judge.Stdin = &questions
	out, err := judge.Output()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, list, strings.Fields(string(out)))
}

// tangled says whether a call has several rules with conditions: libseccomp 2.5.4
// loses some of these when it merges them into one tree.
func tangled(p *seccomp.Profile, name string) bool {
	count := 0
	for _, rule := range p.Syscalls {
		for _, other := range rule.Names {
			if len(rule.Args) > 0 && other == name {
				count += len(separated(rule.Args))
			}
		}
	}
	return count > 1
}

func compare(t *testing.T, list []asked, answers []string) {
	t.Helper()
	if len(answers) != len(list) {
		t.Fatalf("%d answers to %d questions", len(answers), len(list))
	}
	conflicts, refused, wrong := 0, 0, 0
	for i, a := range list {
		switch {
		case a.want.Conflict:
			conflicts++
		case answers[i] == "-":
			refused++
		case answers[i] != string(a.want.Action):
			if wrong++; wrong < 10 {
				t.Errorf("%s\non %s: %+v: %s (%s), and libseccomp says %s", a.profile, a.node, a.call, a.want.Action, a.want.Why, answers[i])
			}
		}
	}
	t.Logf("%d answers, %d in conflict, %d of profiles that libseccomp refuses, %d wrong", len(list), conflicts, refused, wrong)
	if len(list)-conflicts-refused < len(list)*3/4 {
		t.Error("too few were compared")
	}
}

// tell writes a profile as the oracle reads it, with its rules as runc hands them over.
func tell(to *bytes.Buffer, p *seccomp.Profile, node seccomp.Arch) {
	fmt.Fprintf(to, "profile %s %s\n", node, p.DefaultAction)
	for _, arch := range p.Architectures {
		fmt.Fprintf(to, "arch %s\n", strings.ToLower(strings.TrimPrefix(arch, "SCMP_ARCH_")))
	}
	for _, rule := range p.Syscalls {
		for _, name := range rule.Names {
			for _, args := range separated(rule.Args) {
				fmt.Fprintf(to, "rule %s %s", name, rule.Action)
				for _, arg := range args {
					fmt.Fprintf(to, " %d %s %d %d", arg.Index, arg.Op, arg.Value, arg.ValueTwo)
				}
				to.WriteString("\n")
			}
		}
	}
}

// separated is what runc does with two conditions on one argument.
func separated(args []seccomp.Arg) [][]seccomp.Arg {
	seen := map[uint]bool{}
	for _, arg := range args {
		seen[arg.Index] = true
	}
	if len(seen) == len(args) {
		return [][]seccomp.Arg{args}
	}
	return slices.Collect(slices.Chunk(args, 1))
}
