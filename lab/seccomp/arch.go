package seccomp

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/internal/failure"
)

// Arch is an architecture whose system calls can be judged.
type Arch string

// The architectures. X86 and X32 are what a kernel of X86_64 runs, too, and ARM what
// one of AARCH64 does.
const (
	X86_64  Arch = "x86_64"
	X86     Arch = "x86"
	X32     Arch = "x32"
	AARCH64 Arch = "aarch64"
	ARM     Arch = "arm"
	RISCV64 Arch = "riscv64"
)

// Archs lists them.
func Archs() []Arch { return []Arch{X86_64, X86, X32, AARCH64, ARM, RISCV64} }

// token is its name in a profile.
func (a Arch) token() string { return archPrefix + strings.ToUpper(string(a)) }

const archPrefix = "SCMP_ARCH_"

// goarch is its name in includes and excludes.
func (a Arch) goarch() string {
	switch a {
	case X86_64:
		return "amd64"
	case AARCH64:
		return "arm64"
	}
	return string(a)
}

// is32 says whether its arguments have 32 bits.
func (a Arch) is32() bool { return a == X86 || a == X32 || a == ARM }

// tokens are the architectures of the runtime specification but Archs.
var tokens = [...]string{"MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC", "PPC64", "PPC64LE",
	"S390", "S390X", "PARISC", "PARISC64", "LOONGARCH64", "M68K", "SH", "SHEB"}

// bigEndian are those of them that libseccomp puts into no filter with Archs.
var bigEndian = [...]string{"MIPS", "MIPS64", "MIPS64N32", "PPC", "PPC64", "S390", "S390X", "PARISC", "PARISC64", "M68K", "SHEB"}

func checkArch(name string) error {
	short, ok := strings.CutPrefix(name, archPrefix)
	if ok && (slices.Contains(tokens[:], short) || slices.ContainsFunc(Archs(), func(a Arch) bool { return a.token() == name })) {
		return nil
	}
	return failure.New(failure.Finding, "", "there is no architecture %q", name)
}

//go:embed syscalls.txt
var syscallsText string

// syscalls maps the name of each system call to the architectures that have it.
var syscalls = sync.OnceValue(func() map[string][]Arch {
	calls := map[string][]Arch{}
	for line := range strings.Lines(syscallsText) {
		words := strings.Fields(line)
		if words[0] == "#" {
			continue
		}
		var archs []Arch
		for _, word := range words[1:] {
			archs = append(archs, Arch(word))
		}
		calls[words[0]] = archs
	}
	return calls
})

// IsSystemCall says whether any architecture has a system call of that name.
func IsSystemCall(name string) bool {
	_, ok := syscalls()[name]
	return ok
}

// Has says whether the architecture has a system call of that name.
func (a Arch) Has(name string) bool { return slices.Contains(syscalls()[name], a) }

// SystemCalls lists those of an architecture, sorted.
func (a Arch) SystemCalls() []string {
	var names []string
	for name, archs := range syscalls() {
		if slices.Contains(archs, a) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// multiplexed is the number of a call that x86 also makes by another, in its first
// argument: libseccomp makes rules for both ways (ipc(2), socketcall(2)).
func multiplexed(name string) (by string, number uint64, ok bool) {
	socket := [...]string{"socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv",
		"sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg"}
	if i := slices.Index(socket[:], name); i >= 0 {
		return "socketcall", uint64(i + 1), true
	}
	ipc := map[string]uint64{"semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12, "msgget": 13, "msgctl": 14,
		"shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24}
	number, ok = ipc[name]
	return "ipc", number, ok
}
