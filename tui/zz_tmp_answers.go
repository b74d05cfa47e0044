package tui

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

type answerReader struct{ in *bufio.Reader }

func (w *world) answersFrom(in io.Reader) *answerReader { return &answerReader{bufio.NewReader(in)} }

func (r *answerReader) line(ctx context.Context) (string, error) {
	line, err := r.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func noAnswer(err error, question string) error {
	return failure.Wrap(err, failure.Refused, "run it again and answer", "there was no answer, so nothing was changed: %s", question)
}
