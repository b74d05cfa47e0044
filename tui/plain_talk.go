package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/internal/failure"
)

// plainTalk asks and says in lines, for screen readers: no colour, and the cursor
// is never moved. Its methods may be called from several goroutines.
type plainTalk struct {
	in  *answerReader
	mu  sync.Mutex
	out io.Writer
}

func (w *world) talk(in io.Reader, out io.Writer) *plainTalk {
	return &plainTalk{in: w.answersFrom(in), out: out}
}

// say writes a line; what it is made of is text already.
func (p *plainTalk) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// sayError says an error and its hint, as a command does.
func (p *plainTalk) sayError(err error) {
	p.say("error: %s", text(err.Error()))
	if hint := failure.HintOf(err); hint != "" {
		p.say("hint: %s", text(hint))
	}
}

// sayLines says text of several lines.
func (p *plainTalk) sayLines(s string) {
	for _, line := range lines(strings.TrimRight(s, "\n")) {
		p.say("%s", line)
	}
}

func (p *plainTalk) sayRows(rows []row) {
	for _, r := range rows {
		p.say("%s: %s", text(r.label), text(r.value))
	}
}

// ask asks a question on a line of its own.
func (p *plainTalk) ask(ctx context.Context, question string) (string, error) {
	for {
		p.mu.Lock()
		fmt.Fprint(p.out, question+": ")
		p.mu.Unlock()
		line, err := p.in.line(ctx)
		switch {
		case errors.Is(err, errLongAnswer):
			p.say("That is too long.")
		case err != nil:
			p.say("")
			return "", err
		default:
			return strings.TrimSpace(line), nil
		}
	}
}
