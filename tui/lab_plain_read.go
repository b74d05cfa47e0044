package tui

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// labAnswers reads answers a line at a time.
type labAnswers struct{ in *bufio.Reader }

func labAnswersFrom(in io.Reader) *labAnswers { return &labAnswers{bufio.NewReader(in)} }

// line returns the next line, without its end. Half a line at the end of input is
// no answer.
func (r *labAnswers) line(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	line, err := r.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// labNoAnswer is the error where input has come to its end: that is never consent.
func labNoAnswer(err error, question string) error {
	return failure.Wrap(err, failure.Refused, "run it again and answer", "there was no answer: %s", question)
}
