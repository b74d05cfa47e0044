package tui

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// maxAnswer is how many bytes a line of an answer has at most.
const maxAnswer = 1 << 16

// answerReader reads answers a line at a time. There is one for all prompts: what
// was typed ahead is in it.
type answerReader struct {
	in      *bufio.Reader
	lines   chan answerLine
	pending bool // a goroutine waits for a line
}

type answerLine struct {
	text string
	err  error
}

// answersFrom returns the one reader of answers.
func (w *world) answersFrom(in io.Reader) *answerReader {
	if w.answers == nil {
		w.answers = &answerReader{in: bufio.NewReaderSize(in, maxAnswer), lines: make(chan answerLine, 1)}
	}
	return w.answers
}

// line returns the next line, without its end. Half a line at the end of input is
// no answer. A read that ctx has ended goes on, and its line is the next one's.
func (r *answerReader) line(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if !r.pending {
		r.pending = true
		go func() {
			text, err := r.read()
			r.lines <- answerLine{text, err}
		}()
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-r.lines:
		r.pending = false
		return got.text, got.err
	}
}

var errLongAnswer = errors.New("the answer is too long")

func (r *answerReader) read() (string, error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.in.ReadSlice('\n')
		}
		if err == nil {
			err = errLongAnswer
		}
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// noAnswer is the error where input has come to its end: that is never consent.
func noAnswer(err error, question string) error {
	return failure.Wrap(err, failure.Refused, "run it again and answer", "there was no answer, so nothing was changed: %s", question)
}
