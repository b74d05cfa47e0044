package main_test

import (
	"bufio"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestAskInterrupted: Ctrl-C, as every signal that ends a program, ends a
// question, and is no consent.
func TestAskInterrupted(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := newSite(t)
			before := snapshot(t, dir)
			tty := newTerminal(t).tty
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
