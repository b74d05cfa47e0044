package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"

	"github.com/pkictl/pkictl/internal/failure"
)

// terminal is a pseudo-terminal: the wizard has one end, the test the other.
type terminal struct {
	t       *testing.T
	control *os.File
	tty     *os.File
	before  unix.Termios

	mu    sync.Mutex
	shown bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	open := func(path string) *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() }) // one may be closed before
		return f
	}
	p := &terminal{t: t, control: open("/dev/ptmx")}
	number := 0
	conn, err := p.control.SyscallConn() // Fd would keep Close from ending a Read
	if err != nil {
		t.Fatal(err)
	}
	controlErr := conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err := errors.Join(controlErr, err); err != nil {
		t.Fatal(err)
	}
	p.tty = open(fmt.Sprintf("/dev/pts/%d", number))
	if err := unix.IoctlSetWinsize(int(p.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	p.before = p.modes()
	go func() {
		data := make([]byte, 4096)
		for {
			n, err := p.control.Read(data)
			p.mu.Lock()
			p.shown.Write(data[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *terminal) modes() unix.Termios {
	p.t.Helper()
	state, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *state
}

func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// waitFor waits until the terminal has been shown something.
func (p *terminal) waitFor(part string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(p.text(), part); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("no %q within a minute in %q", part, p.text())
		}
	}
}

// checkRestored checks that the terminal is as it was before.
func (p *terminal) checkRestored() {
	p.t.Helper()
	if after := p.modes(); after != p.before {
		p.t.Errorf("the modes of the terminal are %+v, and were %+v", after, p.before)
	}
	const marker = "that is all"
	if _, err := p.tty.WriteString(marker); err != nil {
		p.t.Fatal(err)
	}
	p.waitFor(marker)
	shown := p.text()
	for on, off := range map[string]string{
		"\x1b[?1049h": "\x1b[?1049l", // alternate screen
		"\x1b[?25l":   "\x1b[?25h",   // cursor
		"\x1b[?2004h": "\x1b[?2004l", // bracketed paste
	} {
		if strings.LastIndex(shown, off) < strings.LastIndex(shown, on) {
			p.t.Errorf("%q is not followed by %q in %q", on, off, shown)
		}
	}
}

// breaking is a screen that does what a test wants.
type breaking struct {
	sheet
	init   func() tea.Cmd
	update func(tea.Msg) tea.Cmd
	view   func() string
}

func (b *breaking) Init() tea.Cmd {
	if b.init != nil {
		return b.init()
	}
	return nil
}

func (b *breaking) Update(msg tea.Msg) (screen, tea.Cmd) {
	if b.update != nil {
		return b, b.update(msg)
	}
	return b, nil
}

func (b *breaking) View(int, int) string {
	if b.view != nil {
		return b.view()
	}
	return "the body"
}

// start runs the wizard with a screen on a terminal.
func (p *terminal) start(ctx context.Context, s screen) (*world, chan error) {
	// A program that is stuck uses its terminal for longer than the test does.
	fd, err := unix.Dup(int(p.tty.Fd()))
	if err != nil {
		p.t.Fatal(err)
	}
	own := os.NewFile(uintptr(fd), p.tty.Name())
	w := &world{Options: Options{In: own, Out: own, Environ: []string{"TERM=xterm-256color"}, Program: "pkictl"}}
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx, s) }()
	return w, ended
}

const secret = "BEGIN PRIVATE KEY"

// TestPanics: wherever something panics, the terminal is as before, and the error
// names the place and no value.
func TestPanics(t *testing.T) {
	t.Parallel()
	boom := func() tea.Msg { panic(secret) }
	onEnter := func(cmd func() tea.Cmd) func(tea.Msg) tea.Cmd {
		return func(msg tea.Msg) tea.Cmd {
			if k, isKey := msg.(tea.KeyPressMsg); isKey && k.String() == "enter" {
				return cmd()
			}
			return nil
		}
	}
	broken := false
	for name, s := range map[string]*breaking{
		"init":     {init: func() tea.Cmd { panic(secret) }},
		"update":   {update: onEnter(func() tea.Cmd { panic(secret) })},
		"view":     {update: onEnter(func() tea.Cmd { broken = true; return nil }), view: func() string { return map[bool]string{false: "the body"}[broken] + [1]string{}[index(broken)] }},
		"command":  {update: onEnter(func() tea.Cmd { return boom })},
		"batch":    {update: onEnter(func() tea.Cmd { return tea.Batch(func() tea.Msg { return nil }, tea.Batch(boom, boom)) })},
		"sequence": {update: onEnter(func() tea.Cmd { return tea.Sequence(func() tea.Msg { return nil }, boom) })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTerminal(t)
			_, ended := p.start(t.Context(), s)
			if name != "init" {
				p.waitFor("the body")
				if _, err := p.control.WriteString("\r"); err != nil {
					t.Fatal(err)
				}
			}
			err := <-ended
			if err == nil || !strings.Contains(err.Error(), "the wizard broke at tui/run_linux_test.go:") || failure.KindOf(err) != failure.Failed {
				t.Errorf("%v", err)
			}
			p.checkRestored()
			if strings.Contains(p.text()+fmt.Sprint(err)+failure.HintOf(err), secret) {
				t.Errorf("the value is shown: %v", err)
			}
		})
	}
}

// TestPanicBeside: what panics in a goroutine of its own is an error, too.
func TestPanicBeside(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	go func() {
		var err error
		defer func() { ended <- err }()
		defer caughtIn(&err)
		panic(secret)
	}()
	err := <-ended
	if err == nil || !strings.Contains(err.Error(), "the wizard broke at tui/run_linux_test.go:") || strings.Contains(err.Error()+failure.HintOf(err), secret) {
		t.Errorf("%v", err)
	}
}

// index is none of an array of one, where it is to break.
func index(broken bool) int {
	if broken {
		return 1
	}
	return 0
}

// TestEndsWaitForWork: what is under way is told to end, and has when Run returns.
func TestEndsWaitForWork(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"context", "ctrl+c twice", "panic"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := newTerminal(t)
			var w *world
			begun, written := make(chan struct{}), false
			s := &breaking{}
			s.busy = true // its screen does not hear of the end
			s.update = func(msg tea.Msg) tea.Cmd {
				switch k, _ := msg.(tea.KeyPressMsg); k.String() {
				case "w":
					return w.work(func(ctx context.Context) tea.Msg {
						close(begun)
						<-ctx.Done()
						written = true // a file is complete
						return nil
					})
				case "p":
					panic(secret)
				}
				return nil
			}
			w, ended := p.start(ctx, s)
			p.waitFor("the body")
			p.write("w")
			<-begun
			switch how {
			case "context":
				cancel()
			case "ctrl+c twice":
				p.write("\x03\x03")
			case "panic":
				p.write("p")
			}
			err := <-ended
			if !written {
				t.Error("the work had not come to its end")
			}
			if isError := how != "ctrl+c twice"; isError != (err != nil) {
				t.Errorf("%v", err)
			}
			p.checkRestored()
		})
	}
}

func (p *terminal) write(s string) {
	p.t.Helper()
	if _, err := p.control.WriteString(s); err != nil {
		p.t.Fatal(err)
	}
}

// TestStuck: the terminal is as before also where the program does not answer.
func TestStuck(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := newTerminal(t)
	stuck := make(chan struct{})
	_, ended := p.start(ctx, &breaking{update: func(msg tea.Msg) tea.Cmd {
		if _, isKey := msg.(tea.KeyPressMsg); isKey {
			close(stuck)
			select {} // for ever
		}
		return nil
	}})
	p.waitFor("the body")
	p.write("x")
	<-stuck
	cancel()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
	p.checkRestored()
}

// TestHungUp: a terminal that is gone ends the wizard, though no signal says so.
func TestHungUp(t *testing.T) {
	t.Parallel()
	p := newTerminal(t)
	_, ended := p.start(t.Context(), &breaking{})
	p.waitFor("the body")
	if err := p.control.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
