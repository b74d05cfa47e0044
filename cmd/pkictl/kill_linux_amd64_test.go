package main_test

import "syscall"

// skipCall lets a thread, which is about to make a system call, not make it.
func skipCall(thread int) error {
	return changeRegisters(thread, func(r *syscall.PtraceRegs) { r.Orig_rax = ^uint64(0) })
}

// setResult sets what a system call that was skipped returns.
func setResult(thread int, errno syscall.Errno) error {
	return changeRegisters(thread, func(r *syscall.PtraceRegs) { r.Rax = -uint64(errno) })
}

func changeRegisters(thread int, change func(*syscall.PtraceRegs)) error {
	var registers syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &registers); err != nil {
		return err
	}
	change(&registers)
	return syscall.PtraceSetRegs(thread, &registers)
}
