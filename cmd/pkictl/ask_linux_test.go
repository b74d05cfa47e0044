package main_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// newTerminal opens a terminal: what is written to the first file is typed on
// the second.
func newTerminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	ok(t, err)
	t.Cleanup(func() { _ = keyboard.Close() })
	var locked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	ok(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	return keyboard, tty
}

// TestAskInterrupted: Ctrl-C, as every signal that ends a program, ends a
// question, and is no consent.
func TestAskInterrupted(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := newSite(t)
			before := snapshot(t, dir)
			_, tty := newTerminal(t)
			cmd := program(dir, "revoke", "old")
			cmd.Stdin = tty
			pipe, err := cmd.StderrPipe()
			ok(t, err)
			ok(t, cmd.Start())
			stderr := bufio.NewReader(pipe)
			_, err = stderr.ReadString(']') // [y/N]
			ok(t, err)
			ok(t, cmd.Process.Signal(signal))
			var rest strings.Builder
			_, err = stderr.WriteTo(&rest)
			ok(t, err)
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 4 || !strings.Contains(rest.String(), "there was no answer, so nothing was changed") {
				t.Errorf("%v\n%s", err, rest.String())
			}
			checkUnchanged(t, "interrupted", dir, before)
		})
	}
}
