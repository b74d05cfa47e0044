package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// changing are the system calls that change files, or bring changes to the
// disk, and those beside which it matters that they were done.
var changing = []uint64{
	syscall.SYS_OPENAT, syscall.SYS_MKDIRAT, syscall.SYS_WRITE, syscall.SYS_PWRITE64, syscall.SYS_FTRUNCATE, syscall.SYS_FCHMOD,
	syscall.SYS_FSYNC, syscall.SYS_FDATASYNC, syscall.SYS_LINKAT, syscall.SYS_SYMLINKAT, syscall.SYS_RENAMEAT, syscall.SYS_UNLINKAT,
	syscall.SYS_FLOCK, unix.SYS_RENAMEAT2,
}

// From linux/ptrace.h and linux/wait.h; package syscall lacks them.
const (
	ptraceGetSyscallInfo = 0x420e
	ptraceOptExitKill    = 0x100000
	syscallEntry         = 1
)

// syscallInfo is the beginning of struct ptrace_syscall_info.
type syscallInfo struct {
	op          uint8
	_           [3]uint8
	arch        uint32
	instruction uint64
	stack       uint64
	number      uint64
	args        [6]uint64
	_           [2]uint64
}

// killed is the fault of a command that dies; others are errors of the system.
const killed = syscall.Errno(0)

// happened, added to an error of the system, is the fault of a call that is
// executed and reports the error all the same, as over a network.
const happened = syscall.Errno(1 << 16)

// outputFiles has a command write standard output and error to files, and returns
// them, to be closed: while a tracer waits for the command, nobody would read from
// pipes.
func outputFiles(t testing.TB, cmd *exec.Cmd) (out [2]*os.File) {
	t.Helper()
	for i := range out {
		f, err := os.CreateTemp(t.TempDir(), "")
		ok(t, err)
		out[i] = f
	}
	cmd.Stdout, cmd.Stderr = out[0], out[1]
	return out
}

// breakAt runs a command, and kills it before its nth system call that changes
// anything, or makes that call fail with an error in place of being executed.
// It says how the command ended, and whether it made so many such calls.
func breakAt(t testing.TB, cmd *exec.Cmd, n int, fault syscall.Errno) (got outcome, reached bool) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := outputFiles(t, cmd)
	defer out[0].Close()
	defer out[1].Close()
	// Its own process group, to wait for its threads and not for other tests'.
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	ok(t, cmd.Start())
	pid := cmd.Process.Pid
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, 0, nil)
	ok(t, err)
	ok(t, syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|ptraceOptExitKill))
	ok(t, syscall.PtraceSyscall(pid, 0))
	stuck := time.AfterFunc(time.Minute, func() {
		t.Errorf("stuck with fault %v at %d", fault, n)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	})
	defer stuck.Stop()
	failing := 0 // the thread whose call is being made to fail
	for seen := 0; ; {
		thread, err := syscall.Wait4(-pid, &status, syscall.WALL, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		ok(t, err)
		if status.Exited() || status.Signaled() {
			if thread != pid {
				continue
			}
			_ = cmd.Process.Release()
			got = outcome{status.ExitStatus(), contents(t, out[0]), contents(t, out[1])}
			return got, seen >= n
		}
		signal := 0
		switch stopped := status.StopSignal(); stopped {
		case syscall.SIGTRAP | 0x80:
			switch {
			case thread == failing:
				ok(t, setResult(thread, fault&^happened))
				failing = 0
			case isChange(thread, cmd.Dir, fault):
				if seen++; seen != n {
					break
				}
				if fault == killed {
					ok(t, syscall.Kill(pid, syscall.SIGKILL))
					continue
				}
				if fault&happened == 0 {
					ok(t, skipCall(thread))
				}
				failing = thread
			}
		case syscall.SIGTRAP, syscall.SIGSTOP: // a thread was made, or begins
		default:
			signal = int(stopped)
		}
		// It may be gone by now.
		_ = syscall.PtraceSyscall(thread, signal)
	}
}

func contents(t testing.TB, f *os.File) string {
	t.Helper()
	data, err := os.ReadFile(f.Name())
	ok(t, err)
	return string(data)
}

// isChange says whether a thread is about to make such a system call. Errors
// are for calls about files below dir alone: pipes, and what the Go runtime
// wakes itself with, have no disk to be full. What happened in spite of an error
// is a change of names.
func isChange(thread int, dir string, fault syscall.Errno) bool {
	var info syscallInfo
	size, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(thread), unsafe.Sizeof(info),
		uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 || size == 0 || info.op != syscallEntry || !slices.Contains(changing, info.number) {
		return false
	}
	if fault == killed {
		return true
	}
	switch info.number {
	case syscall.SYS_OPENAT:
		return fault&happened == 0 && info.args[2]&(syscall.O_CREAT|syscall.O_WRONLY|syscall.O_RDWR) != 0
	case syscall.SYS_MKDIRAT, syscall.SYS_LINKAT, syscall.SYS_SYMLINKAT, syscall.SYS_RENAMEAT, syscall.SYS_UNLINKAT, unix.SYS_RENAMEAT2:
		return true
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", thread, int32(info.args[0])))
	return err == nil && fault&happened == 0 && strings.HasPrefix(path, dir)
}

// TestKillAtEverySystemCall kills each command before every one of its system
// calls that change anything, one after the other.
func TestKillAtEverySystemCall(t *testing.T) {
	t.Parallel()
	force := append(in("issue", "--cn", "jane", "--force", "-q"), kubeconfigOf("jane")...)
	fresh := append(in("issue", "--cn", "new", "-q"), kubeconfigOf("new")...)
	for _, command := range []struct {
		name       string
		args, next []string
		replaced   []string // what there was before
		refusals   string   // of the next run, because what it would make exists
	}{
		{"init-ca", in("init-ca", "-q"), in("init-ca", "-q"), nil, "some"},
		{"issue", fresh, fresh, in("jane"), "some"},
		{"issue, then something else", fresh, in("issue", "--cn", "other", "-q"), in("jane"), "none"},
		{"issue --force", force, force, in("jane"), "none"},
		{"issue --force, then without", force, in("issue", "--cn", "jane", "-q"), in("jane"), "all"},
	} {
		t.Run(command.name, func(t *testing.T) {
			t.Parallel()
			did, didNot := 0, 0
			for n := 1; ; n++ {
				dir := t.TempDir()
				if command.replaced != nil {
					do(t, dir, "init-ca")
					do(t, dir, force...)
				}
				if _, reached := breakAt(t, program(dir, command.args...), n, killed); !reached {
					break
				}
				what := fmt.Sprintf("killed at %d", n)
				checkKilled(t, what, dir, command.replaced...)
				got := runProgram(t, program(dir, command.next...))
				if got.code != 0 {
					checkRefusal(t, what, got, 1, "exists", "")
				}
				checkRecovered(t, what, dir)
				do(t, dir, "list")
				do(t, dir, "issue", "--cn", "last", "-q")
				checkKilled(t, what+", at the end", dir, command.replaced...)
				checkRecovered(t, what+", at the end", dir)
				if got.code == 0 {
					did++
				} else {
					didNot++
				}
				ok(t, os.RemoveAll(dir))
			}
			isRight := map[string]bool{"none": didNot == 0, "some": did > 10 && didNot > 3, "all": did == 0}[command.refusals]
			if did+didNot < 40 || !isRight {
				t.Errorf("killed at %d system calls; %d times the next run was refused, want %s", did+didNot, didNot, command.refusals)
			}
		})
	}
}

// TestKillBelowAtEverySystemCall does the same to what makes a CA beside
// another one: both directories recover, and each certificate is in its
// issuer's inventory.
func TestKillBelowAtEverySystemCall(t *testing.T) {
	t.Parallel()
	for _, command := range []struct {
		name string
		args []string
	}{
		{"init-ca --parent", in("init-ca", "--dir", "low/pki", "--parent", "pki", "-q")},
		{"init-ca --import", in("init-ca", "--dir", "low/pki", "--import", "pki", "-q")},
	} {
		t.Run(command.name, func(t *testing.T) {
			t.Parallel()
			did, didNot := 0, 0
			for n := 1; ; n++ {
				dir := t.TempDir()
				low := filepath.Join(dir, "low")
				do(t, dir, "init-ca")
				do(t, dir, "issue", "--cn", "jane", "-q")
				if _, reached := breakAt(t, program(dir, command.args...), n, killed); !reached {
					break
				}
				what := fmt.Sprintf("killed at %d", n)
				checkKilled(t, what, dir)
				checkKilled(t, what, low)
				checkRecorded(t, what, dir, low)
				got := runProgram(t, program(dir, command.args...))
				if got.code != 0 {
					checkRefusal(t, what, got, 1, "exists", "")
					didNot++
				} else {
					did++
				}
				for _, site := range []string{dir, low} {
					do(t, site, "list")
					do(t, site, "issue", "--cn", "last", "-q")
					checkKilled(t, what+", at the end", site)
					checkRecovered(t, what+", at the end", site)
				}
				checkRecorded(t, what+", at the end", dir, low)
				do(t, low, "verify", "last")
				ok(t, os.RemoveAll(dir))
			}
			if isParent := slices.Contains(command.args, "--parent"); did < 40 || isParent && didNot < 3 {
				t.Errorf("killed at %d system calls; %d times the next run was refused", did+didNot, didNot)
			}
		})
	}
}

// checkRecorded checks that a CA, if there is one, is in its issuer's inventory.
func checkRecorded(t testing.TB, what, issuer, low string) {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(low, "pki", "ca.crt"))
	if err != nil {
		return
	}
	if rows := strings.Join(rowsOf(t, filepath.Join(issuer, "pki", "inventory.db")), "\n"); !strings.Contains(rows, string(pem)) {
		t.Errorf("%s: the CA is not in its issuer's inventory", what)
	}
}
