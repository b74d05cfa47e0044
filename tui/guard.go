package tui

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/internal/failure"
)

// guard stands between Bubble Tea and the model. What panics in the model or in a
// command ends the program in order, with an error that names the place. Bubble
// Tea itself would print the value, which may be anything.
type guard struct {
	root *root
	send func(tea.Msg)
	last tea.View // what was drawn before View panicked

	mu   sync.Mutex
	find error
}

// err is what was caught first.
func (g *guard) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.find
}

func (g *guard) caught(value any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.find == nil {
		g.find = panicError(value)
	}
}

func (g *guard) Init() (cmd tea.Cmd) {
	defer func() {
		if value := recover(); value != nil {
			g.caught(value)
			cmd = tea.Quit
		}
	}()
	return g.guarded(g.root.Init())
}

func (g *guard) Update(msg tea.Msg) (model tea.Model, cmd tea.Cmd) {
	defer func() {
		if value := recover(); value != nil {
			g.caught(value)
			model, cmd = g, tea.Quit
		}
	}()
	if g.err() != nil {
		return g, tea.Quit
	}
	_, cmd = g.root.Update(msg) // which returns itself
	return g, g.guarded(cmd)
}

func (g *guard) View() (view tea.View) {
	defer func() {
		if value := recover(); value != nil {
			g.caught(value)
			view = g.last
			go g.send(tea.QuitMsg{})
		}
	}()
	if g.err() != nil { // it draws once more before it ends
		return g.last
	}
	g.last = g.root.View()
	return g.last
}

// guarded returns a command that catches what panics in cmd, and in the commands
// that it returns, as those of tea.Batch and tea.Sequence do.
func (g *guard) guarded(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() (msg tea.Msg) {
		defer func() {
			if value := recover(); value != nil {
				g.caught(value)
				msg = tea.QuitMsg{}
			}
		}()
		msg = cmd()
		list := reflect.ValueOf(msg)
		if list.Kind() != reflect.Slice || list.Type().Elem() != reflect.TypeFor[tea.Cmd]() {
			return msg
		}
		for i := range list.Len() {
			list.Index(i).Set(reflect.ValueOf(g.guarded(list.Index(i).Interface().(tea.Cmd))))
		}
		return msg
	}
}

// caughtIn is deferred in a goroutine that is no command, which nothing guards: a
// panic there would end the process, and leave the terminal as it is.
func caughtIn(to *error) {
	if value := recover(); value != nil {
		*to = panicError(value)
	}
}

// panicError names the place of what has panicked. Of the value only what the
// runtime itself says is shown: others may hold anything, a key included.
func panicError(value any) error {
	cause := errors.New("panic")
	var known runtime.Error
	if err, isError := value.(error); isError && errors.As(err, &known) {
		cause = known
	}
	return failure.Wrap(cause, failure.Failed, "what was written before is complete; please report this line as a bug", "the wizard broke at %s", panicPlace())
}

// panicPlace is the line of this module that panicked: the first of it that is
// not in this file.
func panicPlace() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		_, place, isOurs := strings.Cut(frame.Function, "pkictl/pkictl/")
		if file := path.Base(frame.File); isOurs && file != "guard.go" {
			folder, _, _ := strings.Cut(place, ".")
			return fmt.Sprintf("%s/%s:%d", folder, file, frame.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// jobs counts what runs in the background and must come to its end before the
// program does.
type jobs struct {
	mu    sync.Mutex
	ended bool
	under sync.WaitGroup
	count int
}

// begin says whether something may still begin.
func (j *jobs) begin() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return false
	}
	j.count++
	j.under.Add(1)
	return true
}

func (j *jobs) done() {
	j.mu.Lock()
	j.count--
	j.mu.Unlock()
	j.under.Done()
}

// end lets nothing begin any more, and says how much is still under way.
func (j *jobs) end() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	return j.count
}
