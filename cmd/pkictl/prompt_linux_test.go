package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pseudoTerminal is a terminal whose other end the test holds.
type pseudoTerminal struct {
	t       testing.TB
	control *os.File // what is typed, and what is shown
	tty     *os.File // the terminal of the program

	mu    sync.Mutex
	shown bytes.Buffer
}

func newTerminal(t testing.TB) *pseudoTerminal {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	ok(t, err)
	ok(t, unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	ok(t, err)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	ok(t, err)
	p := &pseudoTerminal{t: t, control: control, tty: tty}
	done := make(chan struct{})
	go func() {
		defer close(done)
		data := make([]byte, 4096)
		for {
			n, err := control.Read(data)
			p.mu.Lock()
			p.shown.Write(data[:n])
			p.mu.Unlock()
			if err != nil { // EIO: nobody has the terminal open
				return
			}
		}
	}()
	t.Cleanup(func() {
		ok(t, tty.Close())
		<-done
		ok(t, control.Close())
	})
	return p
}

func (p *pseudoTerminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// echoes says whether the terminal shows what is typed.
func (p *pseudoTerminal) echoes() bool {
	state, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	ok(p.t, err)
	return state.Lflag&unix.ECHO != 0
}

// waitFor waits until something is so, or a minute is over.
func (p *pseudoTerminal) waitFor(what string, isSo func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !isSo(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within a minute; the terminal shows\n%s", what, p.text())
		}
	}
}

// start runs the program on the terminal.
func (p *pseudoTerminal) start(cmd *exec.Cmd) *exec.Cmd {
	p.t.Helper()
	if cmd.Stdin == nil {
		cmd.Stdin = p.tty
	}
	cmd.Stdout, cmd.Stderr = p.tty, p.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	ok(p.t, cmd.Start())
	return cmd
}

// answer waits for a prompt and for the echo to be off, and types.
func (p *pseudoTerminal) answer(prompt, text string) {
	p.t.Helper()
	p.waitFor("prompt "+prompt, func() bool { return strings.HasSuffix(p.text(), prompt) && !p.echoes() })
	_, err := p.control.WriteString(text)
	ok(p.t, err)
}

// ends waits for the program and checks its exit code, and that the terminal
// is as it was and has not shown any of the secrets.
func (p *pseudoTerminal) ends(cmd *exec.Cmd, code int, secrets ...string) string {
	p.t.Helper()
	_ = cmd.Wait() // the exit code tells
	const marker = "that is all"
	_, err := p.tty.WriteString(marker)
	ok(p.t, err)
	p.waitFor("the end", func() bool { return strings.HasSuffix(p.text(), marker) })
	shown := strings.ReplaceAll(p.text(), "\r\n", "\n")
	if got := cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d\n%s", got, code, shown)
	}
	if !p.echoes() {
		p.t.Error("the terminal was left without echo")
	}
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			p.t.Errorf("the terminal shows %q:\n%s", secret, shown)
		}
	}
	return shown
}

const (
	askNewKey = `Enter the passphrase of the new key "pki/ca.key": `
	askAgain  = `Enter the same passphrase again, of the new key "pki/ca.key": `
	askKey    = `Enter the passphrase of key "pki/ca.key": `
)

// TestPrompt makes a CA with a passphrase that is typed, and issues with it,
// also when standard input is something else.
func TestPrompt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newTerminal(t)
	cmd := p.start(program(dir, "init-ca", "--encrypt-key"))
	p.answer(askNewKey, keyPassphrase+"\n")
	p.answer(askAgain, keyPassphrase+"\n")
	if shown := p.ends(cmd, 0, "correct", "battery"); !strings.Contains(shown, "\nMade a certificate authority\n") {
		t.Error(shown)
	}
	out, err := exec.Command("openssl", "pkey", "-in", filepath.Join(dir, "pki/ca.key"), "-passin", "pass:"+keyPassphrase, "-noout", "-check").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, stdin := range map[string]*os.File{"jane": nil, "joe": must(os.Open(os.DevNull))} {
		p := newTerminal(t)
		cmd := program(dir, "issue", "--cn", name)
		if stdin != nil {
			cmd.Stdin = stdin
		}
		p.start(cmd)
		p.answer(askKey, keyPassphrase+"\n")
		if shown := p.ends(cmd, 0, "correct", "battery"); !strings.Contains(shown, "\nIssued "+name+"\n") {
			t.Error(shown)
		}
	}
	checkPairsOfLeaves(t, dir, "jane", "joe")
}

// checkPairsOfLeaves checks that OpenSSL takes what was issued.
func checkPairsOfLeaves(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		cmd := exec.Command("openssl", "verify", "-x509_strict", "-CAfile", "pki/ca.crt", "pki/"+name+".crt")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// TestPromptRefusals: whatever is typed in place of a good passphrase, nothing
// changes, and the terminal can be used.
func TestPromptRefusals(t *testing.T) {
	t.Parallel()
	newCA := in("init-ca", "--encrypt-key")
	for _, test := range []struct {
		name    string
		args    []string
		answers []string
		code    int
		says    string
	}{
		{"two that differ", newCA, []string{keyPassphrase + "\n", "correct horse\n"}, 1, `the two passphrases of the new key "pki/ca.key" differ`},
		{"too short", newCA, []string{"correct\n"}, 2, "has 7 characters, and needs 8"},
		{"none", newCA, []string{"\n"}, 1, "no passphrase of the new key \"pki/ca.key\" was entered"},
		{"end of input", newCA, []string{"\x04\n"}, 1, "was entered"},
		{"end of input, again", newCA, []string{keyPassphrase + "\n", "\x04\n"}, 1, "was entered"},
		{"Ctrl-C", newCA, []string{"corr\x03"}, 1, "interrupted while asking for the passphrase of the new key"},
		{"Ctrl-C, again", newCA, []string{keyPassphrase + "\n", "corr\x03"}, 1, "interrupted while asking for the same passphrase again"},
		{`Ctrl-\`, newCA, []string{"corr\x1c"}, 1, "interrupted"},
		{"wrong", issueOf(), []string{"correct horse\n"}, 1, `the passphrase of key "pki/ca.key" is wrong`},
		{"Ctrl-C at issue", issueOf(), []string{"\x03"}, 1, "interrupted"},
		{"end of input at issue", issueOf(), []string{"\x04\n"}, 1, "was entered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, prompts := t.TempDir(), []string{askNewKey, askAgain}
			if test.args[0] == "issue" {
				dir, prompts = newSite(t), []string{askKey}
				encryptedKey()(t, dir)
			}
			before := snapshot(t, dir)
			p := newTerminal(t)
			cmd := p.start(program(dir, test.args...))
			for i, text := range test.answers {
				p.answer(prompts[i], text)
			}
			shown := p.ends(cmd, test.code, "corr")
			if !strings.Contains(shown, "\nerror: ") || !strings.Contains(shown, test.says) || !strings.Contains(shown, "\nhint: ") {
				t.Errorf("want %q in\n%s", test.says, shown)
			}
			checkUnchanged(t, test.name, dir, before)
		})
	}
}

// TestPromptSignal: a signal from outside leaves the terminal usable.
func TestPromptSignal(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		dir := t.TempDir()
		p := newTerminal(t)
		cmd := p.start(program(dir, "init-ca", "--encrypt-key"))
		p.answer(askNewKey, "")
		ok(t, cmd.Process.Signal(signal))
		p.ends(cmd, 1)
		checkUnchanged(t, fmt.Sprint(signal), dir, map[string]string{dir: snapshot(t, dir)[dir]})
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(errors.Join(errors.New("in a test"), err))
	}
	return value
}
