package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// RunPlain is Run in plain lines, for those who have the screen read to them, and
// for terminals that can do no more: no colours, no boxes, and the cursor is never
// moved. The end of input ends it.
func RunPlain(ctx context.Context, o Options) error {
	return newPlainWorld(ctx, o).menu(ways())
}

// newPlainWorld returns a world without a screen.
func newPlainWorld(ctx context.Context, o Options) *world {
	return &world{Options: o, ctx: ctx, theme: themeFor(true, profileOf(nil))}
}

// menu says what is there, lists the ways, and goes the one that is chosen, again
// and again.
func (w *world) menu(list []way) error {
	var offered []way
	for _, y := range list {
		if y.isPlain() {
			offered = append(offered, y)
		}
	}
	p := w.talk(w.In, w.Out)
	listed := func(found []int) {
		for _, i := range found {
			p.say("%d. %s: %s.", i+1, text(offered[i].title), text(offered[i].help))
		}
	}
	p.say("%s wizard", text(w.Program))
	w.sayStatus()
	listed(everyWay(offered))
	for {
		answer, err := p.ask(w.ctx, "Number, words to search for, Enter for the list, s for the status, or q to leave")
		if err != nil {
			return plainEnd(w.ctx)
		}
		chosen, notNumber := strconv.Atoi(answer)
		switch {
		case answer == "q", answer == "quit", answer == "exit":
			return nil
		case answer == "":
			listed(everyWay(offered))
		case answer == "s", answer == "status":
			w.sayStatus()
		case notNumber == nil && (chosen < 1 || chosen > len(offered)):
			p.say("There is no number %d.", chosen)
		case notNumber == nil:
			if err := w.goPlain(offered[chosen-1]); err != nil {
				return err
			}
		default:
			found := findWays(offered, answer)
			if listed(found); len(found) == 0 {
				p.say("Nothing is called %s.", text(answer))
			}
		}
	}
}

func everyWay(list []way) []int { return findWays(list, "") }

// goPlain goes a way. What went wrong there has been said; the end of input, and
// of ctx, is the end of all.
func (w *world) goPlain(y way) error {
	err := y.inLines(w.ctx, w, w.In, w.Out)
	switch {
	case w.ctx.Err() != nil || err == io.EOF: //nolint:errorlint // one that says more is told
		return plainEnd(w.ctx)
	case errors.Is(err, io.EOF):
		return err
	}
	fmt.Fprintln(w.Out)
	w.sayStatus()
	return nil
}

// plainEnd is an error where a signal has ended it, and none at the end of input.
func plainEnd(ctx context.Context) error {
	if ctx.Err() != nil {
		return failure.New(failure.Failed, "", "interrupted")
	}
	return nil
}

// sayStatus says what is there, a sentence on each line.
func (w *world) sayStatus() {
	status := newHomeStatus(w)
	for i := range status.blocks {
		block := status.look(w.ctx, i)
		for _, line := range block.lines {
			fmt.Fprintf(w.Out, "%s: %s%s\n", block.label, line.level.word(), text(strings.ReplaceAll(line.text, " · ", ", ")))
		}
	}
}

// IsDumb says whether an environment is that of a terminal which only takes lines.
func IsDumb(environ []string) bool {
	name := variable(environ, "TERM")
	return name == "dumb" || name == "" && runtime.GOOS != "windows"
}
