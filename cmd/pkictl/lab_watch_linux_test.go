package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// watched starts a lab, and watches it on a terminal of 80 columns.
func watched(t *testing.T, rows uint16) (w userDir, p *pseudoTerminal, space string) {
	t.Helper()
	w = newUserDir(t)
	if out, err := labCommand(w, "start", "cluster-ca").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p = newTerminal(t)
	ok(t, unix.IoctlSetWinsize(int(p.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: 80}))
	return w, p, filepath.Join(w.dir, "pkictl-labs", "cluster-ca")
}

// leaves is what gives a terminal back as it was: the cursor, then the screen.
const leaves = "\x1b[?25h\x1b[?1049l"

// TestLabWatch grades again whenever something changes, until it has passed, and
// leaves the last result on the terminal.
func TestLabWatch(t *testing.T) {
	t.Parallel()
	w, p, space := watched(t, 50)
	cmd := p.start(labCommand(w, "check", "cluster-ca", "--watch"))
	p.waitFor("the first result", func() bool { return strings.Contains(p.text(), "0 of 10 points: not passed yet") })
	p.waitFor("the note", func() bool { return strings.Contains(p.text(), "Ctrl-C ends it.") })
	ok(t, os.Mkdir(filepath.Join(space, "pki"), 0o700))
	ok(t, os.WriteFile(filepath.Join(space, "pki", "ca.crt"), []byte("half"), 0o600))
	p.waitFor("what is there now", func() bool {
		return strings.Contains(p.text(), "pki/ca.crt has no certificate") || strings.Contains(p.text(), "pki/ca.crt is")
	})
	ok(t, os.RemoveAll(filepath.Join(space, "pki")))
	makeCA := program(space, "init-ca", "--quiet")
	ok(t, makeCA.Run())
	shown := p.ends(cmd, 0)
	_, after, found := strings.Cut(shown, leaves)
	if !found || !strings.HasPrefix(shown, "\x1b[?1049h") {
		t.Errorf("it did not give the screen back:\n%q", shown)
	}
	if !strings.Contains(after, "passed") || !strings.Contains(after, "10 of 10 points") || strings.Contains(after, "\x1b[H") {
		t.Errorf("left on the terminal:\n%q", after)
	}
	if data, err := os.ReadFile(filepath.Join(w.dir, "pkictl-labs", "progress.json")); err != nil || !strings.Contains(string(data), `"passedAt"`) {
		t.Errorf("%s %v", data, err)
	}
}

// TestLabWatchSmall: no line is lost to a terminal that scrolls.
func TestLabWatchSmall(t *testing.T) {
	t.Parallel()
	w, p, _ := watched(t, 10)
	cmd := p.start(labCommand(w, "check", "cluster-ca", "--watch"))
	p.waitFor("the result", func() bool { return strings.Contains(p.text(), "Ctrl-C ends it.") })
	picture := p.text()
	if n := strings.Count(picture, "\n"); n > 9 {
		t.Errorf("%d lines on a terminal of 10:\n%q", n+1, picture)
	}
	if !strings.Contains(picture, "0 of 10 points") || !strings.Contains(picture, "not high enough") {
		t.Errorf("%q", picture)
	}
	// Ctrl-C ends it in order, and it has not passed.
	_, err := p.control.WriteString("\x03")
	ok(t, err)
	if shown := p.ends(cmd, 3); !strings.Contains(shown, leaves) {
		t.Errorf("%q", shown)
	}
}

// TestLabWatchPlain: where nothing can be drawn in place, each result that differs is
// written, as text or in JSON.
func TestLabWatchPlain(t *testing.T) {
	t.Parallel()
	w, _, space := watched(t, 24)
	out, err := os.OpenFile(filepath.Join(w.dir, "out"), os.O_RDWR|os.O_CREATE, 0o600)
	ok(t, err)
	defer out.Close()
	cmd := labCommand(w, "check", "cluster-ca", "--watch", "-o", "json")
	cmd.Stdout, cmd.Stderr = out, out
	ok(t, cmd.Start())
	shows := func(text string) func() bool {
		return func() bool { return strings.Contains(contents(t, out), text) }
	}
	wait := &pseudoTerminal{t: t}
	wait.waitFor("the first result", shows(`"points": 0`))
	makeCA := program(space, "init-ca", "--quiet", "--validity", "30d")
	ok(t, makeCA.Run())
	wait.waitFor("the next", shows(`"points": 9`))
	ok(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait() // the exit code tells
	if code := cmd.ProcessState.ExitCode(); code != 3 || strings.Contains(contents(t, out), "\x1b") {
		t.Errorf("exit code %d\n%s", code, contents(t, out))
	}
}
