package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/pkictl/pkictl/internal/failure"
)

// isTerminal says whether a person is at the other end.
func isTerminal(stream any) bool {
	file, isFile := stream.(interface{ Fd() uintptr })
	return isFile && term.IsTerminal(int(file.Fd()))
}

// ask asks for consent on the terminal. It returns nil for yes alone: no answer
// is a no, and without a terminal there is nobody to ask. What is about to
// happen is shown before the question.
func (a *app) ask(ctx context.Context, show func(w io.Writer), question string) error {
	if !isTerminal(a.in) {
		return failure.New(failure.Refused, "see what it would do with --dry-run, then add --yes", "there is no terminal to ask on: %s", question)
	}
	show(a.err)
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer, err := a.readAnswer(ctx)
	if err != nil {
		fmt.Fprintln(a.err) // the cursor stands behind the question
		if !errors.Is(err, io.EOF) {
			return failure.New(failure.Refused, "run the command again and answer y", "there was no answer, so nothing was changed: %s", question)
		}
		answer = "" // half a line is no consent
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return failure.New(failure.Refused, "run the command again and answer y", "the answer was not yes, so nothing was changed: %s", question)
}

// readAnswer reads a line until ctx ends: Ctrl-C ends a question.
func (a *app) readAnswer(ctx context.Context) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() { // it waits for the line until the program ends
		line, err := bufio.NewReader(a.in).ReadString('\n')
		done <- read{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
