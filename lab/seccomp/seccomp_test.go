package seccomp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
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
	for range 2500 {
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

// TestSystemCalls holds the list against libseccomp's.
func TestSystemCalls(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(oracle(t), "names").Output()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(out)) {
		name, arch, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !seccomp.IsSystemCall(name) {
			t.Errorf("libseccomp knows %s", name)
		}
		if arch == "-" {
			continue
		}
		if count++; !seccomp.Arch(arch).Has(name) {
			t.Errorf("libseccomp has %s on %s", name, arch)
		}
	}
	for _, arch := range seccomp.Archs() {
		calls := arch.SystemCalls()
		count -= len(calls)
		if !slices.Contains(calls, "openat") || slices.Contains(calls, "openatt") || !slices.IsSorted(calls) {
			t.Errorf("%s has %d calls", arch, len(calls))
		}
	}
	// What is newer than libseccomp: 18 calls or so on each of six architectures.
	if count > 0 || count < -150 {
		t.Errorf("%d calls more than libseccomp has", -count)
	}
}

// TestFilterInTheKernel has the kernel itself run a filter that libseccomp makes, and
// compares what it did.
func TestFilterInTheKernel(t *testing.T) {
	t.Parallel()
	profile := parse(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["getppid"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 2, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]}]}`)
	here := map[string]seccomp.Arch{"amd64": seccomp.X86_64, "arm64": seccomp.AARCH64, "riscv64": seccomp.RISCV64}[runtime.GOARCH]
	filter, err := profile.Filter(seccomp.Node{Arch: here})
	if err != nil {
		t.Fatal(err)
	}
	var questions bytes.Buffer
	tell(&questions, profile, here)
	var want []string
	for _, call := range []seccomp.Call{
		{Name: "getppid"}, {Name: "getpid"}, {Name: "getpriority"}, {Name: "getpriority", Args: [6]uint64{2}},
		{Name: "getpriority", Args: [6]uint64{3}}, {Name: "getpriority", Args: [6]uint64{1}},
	} {
		call.Arch = here
		fmt.Fprintf(&questions, "try %s %d\n", call.Name, call.Args[0])
		want = append(want, string(filter.Decide(call).Action))
	}
	questions.WriteString("end\n")
	judge := exec.Command(oracle(t), "judge")
	judge.Stdin = &questions
	out, err := judge.Output()
	if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: the kernel says %v, want %v", err, got, want)
	}
}

func parse(t *testing.T, text string) *seccomp.Profile {
	t.Helper()
	p, err := seccomp.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, err string }{
		{``, "unexpected end"},
		{"{\n\"defaultAction\": ,\n}", "line 2"},
		{`[]`, "line 1: it cannot be a JSON array"},
		{`{}`, "loads no filter at all"},
		{`{"defaultaction": ""}`, "loads no filter at all"},
		{`{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, "it has no defaultAction"},
		{`{"defaultAction": "ALLOW"}`, `"ALLOW", and there is no such action`},
		{`{"defaultAction": "SCMP_ACT_NOTIFY"}`, "which no runtime takes"},
		{`{"defaultAction": "SCMP_ACT_LOG", "architectures": ["x86_64"]}`, `no architecture "x86_64"`},
		{`{"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}`, "both architectures and archMap"},
		{`{"defaultAction": "SCMP_ACT_LOG", "flags": ["LOG"]}`, `no flag "LOG"`},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["read"]}]}`, "syscalls[0]: it has no action"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [null]}`, "syscalls[0]: it has no action"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": [""], "action": "SCMP_ACT_ALLOW"}]}`, "an empty name"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"}]}`, "both name and names"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": "read", "action": "SCMP_ACT_ALLOW"}]}`, "line 1: syscalls.names cannot be a JSON string"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]}`, "for write"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]}`, "needs a listenerPath"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]}`, "no argument 6"},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "=="}]}]}`, `no operator "=="`},
		{`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "new"}}]}`, "no version of a kernel"},
		{`{"defaultAction": "SCMP_ACT_LOG"} {}`, "invalid character '{'"},
		{"# comment\n{}", "line 1: invalid character '#'"},
	} {
		if _, err := seccomp.Parse([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.text, err, test.err)
		}
	}
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	p := parse(t, `{"DefaultAction": "SCMP_ACT_LOG", "sycalls": [], "syscalls": [
		{"names": ["openatt", "read"], "action": "SCMP_ACT_ALLOW", "comment": "", "arguments": [], "args": [{"index": 0, "op": "SCMP_CMP_EQ", "val": 1}],
		 "includes": {"cap": []}}]}`)
	if want := []string{"sycalls", "syscalls[0].arguments", "syscalls[0].args[0].val", "syscalls[0].includes.cap"}; !slices.Equal(p.Ignored, want) {
		t.Errorf("ignored: %q", p.Ignored)
	}
	if unknown := p.Unknown(); !slices.Equal(unknown, []string{"openatt"}) {
		t.Errorf("unknown: %q", unknown)
	}
}

func TestReaders(t *testing.T) {
	t.Parallel()
	p := parse(t, `{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}], "syscalls": [
		{"name": "read", "action": "SCMP_ACT_ALLOW"},
		{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
		{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390x"]}},
		{"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
		{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}}]}`)
	oci := seccomp.Node{Arch: seccomp.X86_64}
	engine := seccomp.Node{Arch: seccomp.X86_64, Reader: seccomp.Engine, Kernel: "5.10"}
	admin, old := engine, engine
	admin.Caps, old.Kernel = []string{"CAP_SYS_ADMIN"}, "4.4"
	for _, test := range []struct {
		node seccomp.Node
		arch seccomp.Arch
		name string
		want seccomp.Action
	}{
		{oci, seccomp.X86_64, "read", seccomp.Errno}, {engine, seccomp.X86_64, "read", seccomp.Allow},
		{oci, seccomp.X86, "read", seccomp.KillThread}, {engine, seccomp.X86, "read", seccomp.Allow},
		{oci, seccomp.X86_64, "mount", seccomp.Allow}, {engine, seccomp.X86_64, "mount", seccomp.Errno}, {admin, seccomp.X86_64, "mount", seccomp.Allow},
		{engine, seccomp.X86_64, "clone", seccomp.Allow}, {admin, seccomp.X86_64, "clone", seccomp.Errno},
		{engine, seccomp.X86_64, "ptrace", seccomp.Allow}, {old, seccomp.X86_64, "ptrace", seccomp.Errno},
		{oci, seccomp.X86_64, "bpf", seccomp.Allow}, {engine, seccomp.X86_64, "bpf", seccomp.Errno},
	} {
		filter, err := p.Filter(test.node)
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Decide(seccomp.Call{Arch: test.arch, Name: test.name}); got.Action != test.want {
			t.Errorf("%+v: %+v", test, got)
		}
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	filter, err := parse(t, `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
		{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 16}]},
		{"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]}, {"names": ["read"], "action": "SCMP_ACT_LOG"},
		{"names": ["write"], "action": "SCMP_ACT_ERRNO"}]}`).Filter(seccomp.Node{Arch: seccomp.X86_64})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"clone": "SCMP_ACT_ERRNO 38 SCMP_ACT_ALLOW 0", "read": "SCMP_ACT_LOG 0", "write": "SCMP_ACT_ERRNO 1", "close": "SCMP_ACT_ERRNO 38",
	} {
		var got []string
		for _, d := range filter.Outcomes(seccomp.X86_64, name) {
			got = append(got, fmt.Sprint(d.Action, " ", d.Errno))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_X86_64"}], "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`)
	f.Add(`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_KILL", "args": [{"index": 5, "op": "SCMP_CMP_NE"}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := seccomp.Parse([]byte(text))
		if err != nil {
			return
		}
		for _, reader := range []seccomp.Reader{seccomp.OCI, seccomp.Engine} {
			filter, err := p.Filter(seccomp.Node{Arch: seccomp.X86_64, Reader: reader, Kernel: "6.1"})
			if err != nil {
				continue
			}
			for _, arch := range seccomp.Archs() {
				if len(filter.Outcomes(arch, "clone")) == 0 || filter.Decide(seccomp.Call{Arch: arch, Name: "read"}).Action == "" {
					t.Fatal("a call without an outcome")
				}
			}
		}
	})
}
