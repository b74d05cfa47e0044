package main_test

import (
	"syscall"
	"unsafe"
)

// From linux/ptrace.h and linux/elf.h.
const (
	ptraceSetRegSet = 0x4205
	armSystemCall   = 0x404
)

// skipCall lets a thread, which is about to make a system call, not make it.
func skipCall(thread int) error {
	number := int32(-1)
	vector := syscall.Iovec{Base: (*byte)(unsafe.Pointer(&number)), Len: uint64(unsafe.Sizeof(number))}
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceSetRegSet, uintptr(thread), armSystemCall,
		uintptr(unsafe.Pointer(&vector)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// setResult sets what a system call that was skipped returns.
func setResult(thread int, errno syscall.Errno) error {
	var registers syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &registers); err != nil {
		return err
	}
	registers.Regs[0] = -uint64(errno)
	return syscall.PtraceSetRegs(thread, &registers)
}
