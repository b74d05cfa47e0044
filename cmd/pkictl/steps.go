package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// spinAfter is when a step begins to show that it is under way: nobody needs
// that for what is done at once.
const spinAfter = 200 * time.Millisecond

var spinner = []string{"|", "/", "-", `\`}

// steps shows what a command is doing, a line for each step, on standard
// error: what is under way on a terminal, and what is done everywhere.
type steps struct {
	w        io.Writer // nil: it shows nothing
	terminal bool
	end      func() // of the step under way
}

func (a *app) newSteps() *steps {
	s := &steps{terminal: isTerminal(a.err), end: func() {}}
	if !a.quiet {
		s.w = a.err
	}
	return s
}

// begin says what is under way until the next call. The text is printable.
func (s *steps) begin(format string, args ...any) {
	s.clear()
	if s.w == nil || !s.terminal {
		return
	}
	text := fmt.Sprintf(format, args...)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		s.spin(text, stop)
	}()
	s.end = sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
}

func (s *steps) spin(text string, stop <-chan struct{}) {
	begun := time.Now()
	tick := time.NewTimer(spinAfter)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			if i > 0 {
				fmt.Fprint(s.w, "\r\x1b[K")
			}
			return
		case <-tick.C:
			fmt.Fprintf(s.w, "\r\x1b[K  %s %s %ds", spinner[i%len(spinner)], text, int(time.Since(begun).Seconds()))
			tick.Reset(spinAfter)
		}
	}
}

// done ends the step with its result, which is printable.
func (s *steps) done(format string, args ...any) {
	s.clear()
	if s.w != nil {
		fmt.Fprintf(s.w, "  done: "+format+"\n", args...)
	}
}

// show is begin or done for a step that a library tells of.
func (s *steps) show(step string, done bool) {
	if done {
		s.done("%s", printable(step))
		return
	}
	s.begin("%s", printable(step))
}

// clear ends the step without a word: its error is printed elsewhere.
func (s *steps) clear() {
	s.end()
	s.end = func() {}
}
