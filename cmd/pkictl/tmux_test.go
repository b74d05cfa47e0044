//go:build unix

package main_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tmux is a terminal with a shell in it, which a test types into and looks at.
type tmux struct {
	t      *testing.T
	socket string
	dir    string
}

// startTmux starts a terminal of so many columns and lines, in an empty directory
// that is also HOME. The environment is that of the test and more.
func startTmux(t *testing.T, columns, rows int, env ...string) *tmux {
	t.Helper()
	// The path of a socket is short.
	sockets, err := os.MkdirTemp("", "tmux")
	if err != nil {
		t.Fatal(err)
	}
	m := &tmux{t: t, socket: filepath.Join(sockets, "s"), dir: t.TempDir()}
	t.Cleanup(func() {
		_ = m.command("kill-server").Run() // it has ended where the shell has
		_ = os.RemoveAll(sockets)
	})
	args := []string{"new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows), "-c", m.dir,
		"env", "-u", "NO_COLOR", "-u", "COLORTERM", "-u", "PKICTL_PASSPHRASE", "PATH=" + binDir + ":" + os.Getenv("PATH"), "HOME=" + m.dir, "LC_ALL=C.UTF-8", "PKICTL_DIR=", "KUBECONFIG="}
	m.run(append(append(args, env...), "sh")...)
	m.run("set-option", "-g", "status", "off")
	m.text("before=$(stty -g)")
	m.keys("Enter")
	return m
}

func (m *tmux) command(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-u", "-f", os.DevNull, "-S", m.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM="+cmp.Or(os.Getenv("TERM"), "xterm-256color"))
	return cmd
}

func (m *tmux) run(args ...string) string {
	m.t.Helper()
	out, err := m.command(args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// wizard starts the wizard, and says afterwards with which code it ended.
func (m *tmux) wizard() {
	m.t.Helper()
	m.text("pkictl wizard; echo ended: $?")
	m.keys("Enter")
}

// text types letters, keys presses keys that tmux has a name for.
func (m *tmux) text(s string)        { m.t.Helper(); m.run("send-keys", "-l", "--", s) }
func (m *tmux) keys(names ...string) { m.t.Helper(); m.run(append([]string{"send-keys"}, names...)...) }

// resize gives the terminal another size.
func (m *tmux) resize(columns, rows int) {
	m.t.Helper()
	m.run("resize-window", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows))
}

// screen is what one sees now; styled has the escape sequences of its colours.
func (m *tmux) screen() string { m.t.Helper(); return m.run("capture-pane", "-p") }
func (m *tmux) styled() string { m.t.Helper(); return m.run("capture-pane", "-p", "-e") }

// waitFor waits until the screen has all these texts, and returns it.
func (m *tmux) waitFor(texts ...string) string {
	m.t.Helper()
	return m.wait(fmt.Sprintf("%q", texts), func(screen string) bool { return containsAll(screen, texts) })
}

// waitForOther waits until the screen is not as before, and returns it.
func (m *tmux) waitForOther(before string) string {
	m.t.Helper()
	return m.wait("change", func(screen string) bool { return screen != before })
}

func (m *tmux) wait(what string, isThere func(screen string) bool) string {
	m.t.Helper()
	screen := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if screen = m.screen(); isThere(screen) {
			return screen
		}
	}
	m.t.Fatalf("no %s on the screen:\n%s", what, screen)
	return ""
}

func containsAll(s string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

// checkUsable fails where the shell after the wizard is not as one before it: what
// is typed is echoed, lines end where they should, the cursor shows.
func (m *tmux) checkUsable() {
	m.t.Helper()
	m.text(`[ "$(stty -g)" = "$before" ] && echo modes are as before`)
	m.keys("Enter")
	m.waitFor("\nmodes are as before")
	if flags := m.run("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{bracket_paste_flag}"); !strings.HasPrefix(flags, "0 1 0") {
		m.t.Errorf("alternate screen, cursor, mouse, bracketed paste: %s", flags)
	}
}
