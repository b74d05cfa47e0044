package main_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// startWizard starts the wizard on a pseudo-terminal of 80x24, whose modes it returns.
func startWizard(t *testing.T, dir string, environ []string, args ...string) (*pseudoTerminal, *exec.Cmd, unix.Termios) {
	t.Helper()
	p := newTerminal(t)
	ok(t, unix.IoctlSetWinsize(int(p.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	before, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	ok(t, err)
	cmd := program(dir, append([]string{"wizard"}, args...)...)
	cmd.Env = append(append(cmd.Environ(), "TERM=xterm-256color", "NO_COLOR=", "COLORTERM="), environ...)
	return p, p.start(cmd), *before
}

// checkLeft checks that a program has left a terminal as it was.
func (p *pseudoTerminal) checkLeft(before unix.Termios) {
	p.t.Helper()
	after, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	ok(p.t, err)
	if *after != before {
		p.t.Errorf("the modes are %+v, and were %+v", *after, before)
	}
	shown := p.text()
	for on, off := range map[string]string{"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h", "\x1b[?2004h": "\x1b[?2004l"} {
		if !strings.Contains(shown, on) || strings.LastIndex(shown, off) < strings.LastIndex(shown, on) {
			p.t.Errorf("%q is not followed by %q in %q", on, off, shown)
		}
	}
}

// TestWizardEnds: whatever ends the wizard, the terminal is as it was, and nothing
// was written.
func TestWizardEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(*pseudoTerminal, *exec.Cmd) error
		code int
	}{
		"Ctrl-C":       {func(p *pseudoTerminal, _ *exec.Cmd) error { _, err := p.control.WriteString("\x03"); return err }, 0},
		"Ctrl-C twice": {func(p *pseudoTerminal, _ *exec.Cmd) error { _, err := p.control.WriteString("\x03\x03"); return err }, 0},
		"Escape":       {func(p *pseudoTerminal, _ *exec.Cmd) error { _, err := p.control.WriteString("\x1b"); return err }, 0},
		"SIGINT":       {func(_ *pseudoTerminal, cmd *exec.Cmd) error { return cmd.Process.Signal(os.Interrupt) }, 1},
		"SIGTERM":      {func(_ *pseudoTerminal, cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGTERM) }, 1},
		"SIGHUP":       {func(_ *pseudoTerminal, cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGHUP) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before := snapshot(t, dir)
			p, cmd, modes := startWizard(t, dir, []string{"TEA_TRACE=trace"}) // keys are written nowhere
			p.waitFor("the first screen", func() bool { return strings.Contains(p.text(), "Practice labs") })
			ok(t, test.end(p, cmd))
			p.ends(cmd, test.code)
			p.checkLeft(modes)
			checkUnchanged(t, name, dir, before)
		})
	}
}

// TestWizardColours: without colours none is set, and of sixteen no others.
func TestWizardColours(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		allowed func(code string) bool
	}{
		"NO_COLOR": {[]string{"NO_COLOR=yes"}, func(code string) bool { return len(code) == 1 || code == "22" || code == "24" || code == "27" }},
		"16":       {[]string{"TERM=linux"}, func(code string) bool { return len(code) <= 2 && code != "38" && code != "48" || code[0] == '1' }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, cmd, _ := startWizard(t, t.TempDir(), test.environ)
			p.waitFor("the first screen", func() bool { return strings.Contains(p.text(), "Practice labs") })
			_, err := p.control.WriteString("\x03")
			ok(t, err)
			shown := p.ends(cmd, 0)
			sequences := 0
			for _, part := range strings.Split(shown, "\x1b[")[1:] {
				codes, _, isSGR := strings.Cut(part, "m")
				if !isSGR || strings.Trim(codes, "0123456789;") != "" || codes == "" {
					continue
				}
				sequences++
				for code := range strings.SplitSeq(codes, ";") {
					if !test.allowed(code) {
						t.Errorf("%q in %q", code, codes)
					}
				}
			}
			if sequences == 0 {
				t.Error("there is neither bold nor colour")
			}
		})
	}
}

// TestWizardWithoutScreen: what cannot show it says what to do instead, and
// --accessible asks in lines without any control character.
func TestWizardWithoutScreen(t *testing.T) {
	t.Parallel()
	p, cmd, modes := startWizard(t, t.TempDir(), []string{"TERM=dumb"})
	if shown := p.ends(cmd, 2); !strings.Contains(shown, "wizard --accessible") || strings.Contains(shown, "\x1b") {
		t.Errorf("%q", shown)
	}
	after, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	ok(t, err)
	if *after != modes {
		t.Error("the modes of the terminal have changed")
	}
	w := newUserDir(t)
	if _, stderr, err := w.try(pkictl(), "wizard"); err == nil || !strings.Contains(stderr, "error: the wizard needs a terminal\nhint: ") {
		t.Errorf("%v %s", err, stderr)
	}
	lines := program(w.dir, "wizard", "--accessible", "--kubeconfig", "none")
	lines.Stdin = strings.NewReader("s\nq\n")
	out, err := lines.CombinedOutput()
	if err != nil || strings.ContainsFunc(strings.ReplaceAll(string(out), "\n", ""), func(r rune) bool { return r < ' ' }) || !strings.Contains(string(out), "1. Certificate authority: ") {
		t.Errorf("%v %q", err, out)
	}
}
