package opa

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"
)

// maxOutput is more than a policy has to say.
const maxOutput = 4 << 20

// The memory that the program tries to do with; and, where the system can tell it
// so, what it gets at most, and the processor's time that it may use in all.
const (
	softMemory = "GOMEMLIMIT=256MiB"
	maxMemory  = 512 << 20
	maxSeconds = 10
)

// run runs opa in a directory, and returns what it prints. None of what it starts
// outlives it.
func run(ctx context.Context, program, dir string, args []string, input []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, []string{softMemory}
	cmd.Stdin = bytes.NewReader(input)
	out, stderr := &limited{max: maxOutput, full: cancel}, &limited{max: maxOutput, full: cancel}
	cmd.Stdout, cmd.Stderr = out, stderr
	cmd.WaitDelay = time.Second
	alone(cmd)
	if err := cmd.Start(); err != nil {
		return nil, &Error{Message: "opa does not start: " + err.Error()}
	}
	limit(cmd.Process.Pid)
	err := cmd.Wait()
	switch {
	case out.tooMuch || stderr.tooMuch:
		return nil, &Error{Message: "it says more than 4 MiB"}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, &Error{Message: "it takes more than " + runTime.String()}
	case ctx.Err() != nil:
		return nil, &Error{Message: ctx.Err().Error()}
	case err != nil && !bytes.HasPrefix(out.Bytes(), []byte("{")): // else it says why
		return nil, &Error{Message: "opa ended without an answer: " + firstLine(stderr.String()+"\n"+err.Error())}
	}
	return out.Bytes(), nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// limited keeps what is written to it, up to a limit.
type limited struct {
	bytes.Buffer
	max     int
	full    func()
	tooMuch bool
}

func (l *limited) Write(data []byte) (int, error) {
	if l.Len()+len(data) > l.max {
		l.tooMuch = true
		l.full()
		return 0, errors.New("too much")
	}
	return l.Buffer.Write(data)
}
