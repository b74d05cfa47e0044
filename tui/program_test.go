package tui

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/teatest/v2"
)

// testProgram is a flow above the first screen in a Bubble Tea program.
type testProgram struct {
	t *testing.T
	*teatest.TestModel
	frames *testFrames
}

// testFrames is the model of the program, which keeps what it shows: of what a
// program writes to a terminal only the differences are seen.
type testFrames struct {
	*root
	mu      sync.Mutex
	last    string
	changed chan struct{} // there is another frame
}

// testMark comes after keys, and says that they were taken.
type testMark struct{ taken chan struct{} }

func (f *testFrames) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if mark, is := msg.(testMark); is {
		close(mark.taken)
		return f, nil
	}
	_, cmd := f.root.Update(msg)
	f.mu.Lock()
	f.last = ansi.Strip(f.frame())
	if form, is := f.top().(*formScreen); is && form.gone {
		f.last = "" // it takes no keys before it knows that it is on top again
	}
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
	return f, cmd
}

func (f *testFrames) shown() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// runFlow runs a program of 100x30.
func runFlow(t *testing.T, w *world, f flow) *testProgram {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w.ctx = ctx
	r := newRoot(w, newHome(w))
	r.stack = append(r.stack, newForm(w, f))
	frames := &testFrames{root: r, changed: make(chan struct{}, 1)}
	p := &testProgram{t: t, frames: frames}
	made := make(chan struct{}) // commands may send as soon as it runs
	w.send = func(msg tea.Msg) {
		<-made
		p.Send(msg)
	}
	p.TestModel = teatest.NewTestModel(t, frames, teatest.WithInitialTermSize(100, 30))
	close(made)
	return p
}

// shows waits until the screen has some words.
func (p *testProgram) shows(words string) {
	p.t.Helper()
	for deadline := time.After(time.Minute); !strings.Contains(p.frames.shown(), words); {
		select {
		case <-p.frames.changed:
		case <-deadline:
			p.t.Fatalf("%q is not on\n%s", words, p.frames.shown())
		}
	}
}

// press presses keys by their names, and types text. They were taken when it returns.
func (p *testProgram) press(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		for _, msg := range keyMessages(k) {
			p.Send(msg)
		}
	}
	mark := testMark{make(chan struct{})}
	p.Send(mark)
	select {
	case <-mark.taken:
	case <-time.After(time.Minute):
		p.t.Fatalf("the keys %q were not taken", keys)
	}
}

// quit ends the program from wherever it is.
func (p *testProgram) quit() {
	p.t.Helper()
	for _, msg := range keyMessages("ctrl+c") {
		p.Send(msg)
	}
	p.WaitFinished(p.t, teatest.WithFinalTimeout(time.Minute))
}
