// Package failure is the error that every part of pkictl returns when there
// is something to tell the user beyond what went wrong: what to do next, and
// whether it was the wish, the world or a rule that stood in the way.
package failure

import (
	"errors"
	"fmt"
)

// Kind says who has to act; cmd/pkictl turns it into the exit code.
type Kind int

const (
	// Failed is for what did not work. Exit code 1.
	Failed Kind = 1
	// Usage is for what was asked for and makes no sense. Exit code 2.
	Usage Kind = 2
	// Finding is for a check that found something. Exit code 3.
	Finding Kind = 3
	// Refused is for what a policy forbids. Exit code 4.
	Refused Kind = 4
)

// Error is one line that names the object and what is wrong with it, and a
// hint that says the next step. Neither ever holds key material.
type Error struct {
	Kind Kind
	Msg  string
	Hint string
	Err  error // the cause, may be nil
}

// Error returns the message alone, with the cause behind a colon.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Msg
	}
	return e.Msg + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error without a cause. The hint may be empty.
func New(kind Kind, hint, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// Wrap makes an error around a cause. The hint may be empty.
func Wrap(err error, kind Kind, hint, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), Hint: hint, Err: err}
}

// KindOf returns the kind of the outermost Error in err's chain, Failed where
// there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

// HintOf returns the first hint in err's chain.
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
