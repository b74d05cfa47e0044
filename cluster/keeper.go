package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// A keeper is the process that runs a control plane in the background. Launch
// starts it and tells it the options on its standard input; it tells what it
// does on its standard output, in lines of JSON. Until it is ready it ends with
// the process that launched it, however that ends: its standard input ends then.

// event is one line from the keeper.
type event struct {
	Step    string   `json:"step,omitempty"`
	Done    bool     `json:"done,omitempty"`    // the step has ended
	Ready   bool     `json:"ready,omitempty"`   // all is, and the keeper is on its own
	Running bool     `json:"running,omitempty"` // another one runs
	Failure *Failure `json:"failure,omitempty"`
}

// Failure is an error that is read by another process than had it.
type Failure struct {
	Kind    failure.Kind `json:"kind"`
	Message string       `json:"message"`
	Hint    string       `json:"hint,omitempty"`
	// Component is what ended, if that was the reason; Log is the path of its
	// log, Tail are the last lines.
	Component string   `json:"component,omitempty"`
	Log       string   `json:"log,omitempty"`
	Tail      []string `json:"tail,omitempty"`
}

func failureOf(err error) *Failure {
	f := &Failure{Kind: failure.KindOf(err), Message: err.Error(), Hint: failure.HintOf(err)}
	var component *ComponentError
	if errors.As(err, &component) {
		f.Message = component.Err.Error()
		f.Component, f.Log, f.Tail = component.Component, component.Log, component.Tail
	}
	return f
}

// Err returns the error again, a ComponentError in its chain if there was one.
func (f *Failure) Err() error {
	if f.Component == "" {
		return failure.New(f.Kind, f.Hint, "%s", f.Message)
	}
	component := &ComponentError{Component: f.Component, Err: errors.New(f.Message), Log: f.Log, Tail: f.Tail}
	return failure.Wrap(component, f.Kind, f.Hint, "cannot run the control plane")
}

// Keep is the keeper: it reads what Launch tells it from in, runs the control
// plane until ctx is done or a component ends, and stops it. To out it writes
// how far it is, for Launch to read. It returns why it ended, nil if ctx did.
func Keep(ctx context.Context, in io.Reader, out io.Writer, now time.Time) error {
	reader := bufio.NewReader(in)
	line, err := reader.ReadBytes('\n')
	if err != nil {
		return failure.New(failure.Usage, "see: pkictl cluster up --help", "this command is started by pkictl cluster up alone")
	}
	var o UpOptions
	if err := json.Unmarshal(line, &o); err != nil {
		return failure.New(failure.Usage, "see: pkictl cluster up --help", "this command is started by pkictl cluster up alone")
	}
	lines := json.NewEncoder(out)
	tell := func(e event) error { return lines.Encode(e) }
	o.Now = now
	// Nobody may listen any more: then in has ended, too.
	o.Progress = func(step string, done bool) { _ = tell(event{Step: step, Done: done}) }

	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = reader.ReadByte() // Launch sends nothing more: it has ended
		cancel()
	}()
	r, err := Up(starting, o)
	if err != nil {
		if ctx.Err() != nil { // by cluster down, or the end of the machine
			err = failure.New(failure.Failed, "run it again", "the control plane was told to end before it was ready")
		}
		var running *RunningError
		_ = tell(event{Failure: failureOf(err), Running: errors.As(err, &running)})
		return err
	}
	if err := tell(event{Ready: true}); err != nil {
		return errors.Join(err, r.Stop())
	}
	r.cp.cfg.Progress = nil // from now on nobody listens
	ctx, cancelGone := context.WithCancel(ctx)
	defer cancelGone()
	go func() {
		r.run.awaitGone(ctx)
		cancelGone()
	}()
	err = r.Wait(ctx)
	return errors.Join(err, r.Stop())
}

// goneInterval is how often a keeper looks whether its directory is still there.
const goneInterval = time.Second

// awaitGone returns when another directory has taken the place of this one, or none:
// nobody could find what runs any more, to end it. It returns when ctx is done, too.
func (d runDir) awaitGone(ctx context.Context) {
	begun, err := os.Stat(string(d))
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(goneInterval):
		}
		now, nowErr := os.Stat(string(d))
		if errors.Is(nowErr, os.ErrNotExist) || nowErr == nil && !os.SameFile(begun, now) {
			return
		}
	}
	<-ctx.Done()
}

// Launch starts a keeper by cmd, which ends in Keep, and returns when the control
// plane is ready. The keeper then stays when this process ends. What the keeper
// writes to standard error goes to DIR/run/keeper.log. When Launch fails, or ctx is
// done before, nothing is left running. Where another runs already the error is
// a RunningError.
func Launch(ctx context.Context, cmd *exec.Cmd, o UpOptions) error {
	o, err := o.absolute()
	if err != nil {
		return err
	}
	run := runDirOf(o.Dir)
	if err := run.make(); err != nil {
		return err
	}
	options, err := json.Marshal(o)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(run.path(keeperName+".log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return diskError(err, "write %q", run.path(keeperName+".log"))
	}
	defer func() { _ = log.Close() }() // the keeper has its own descriptor
	cmd.Stderr = log
	detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return failure.Wrap(err, failure.Failed, "run it here with --foreground", "cannot start the process that is to run the control plane")
	}
	// A keeper that is gone already says why elsewhere.
	_, _ = in.Write(append(options, '\n'))
	stop := context.AfterFunc(ctx, func() { _ = in.Close() })
	defer stop()
	err = follow(out, o.progress)
	_ = in.Close() // it is on its own, or is to end
	if err == nil {
		go func() { _ = cmd.Wait() }() // lest it stay a zombie of a process that lives on
		return nil
	}
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return failure.New(failure.Failed, "see "+run.path(keeperName+".log"), "the process that was to run the control plane ended: %s", endOf(waitErr, cmd))
	}
	var running *RunningError
	if errors.As(err, &running) {
		running.Dir = o.Dir
	}
	return err
}

func endOf(err error, cmd *exec.Cmd) string {
	if err != nil {
		return err.Error()
	}
	return cmd.ProcessState.String()
}

// follow reads what a keeper tells until it is ready or has failed.
func follow(out io.Reader, progress func(string, bool)) error {
	lines := json.NewDecoder(out)
	for {
		var e event
		if err := lines.Decode(&e); err != nil {
			return io.ErrUnexpectedEOF
		}
		switch {
		case e.Ready:
			return nil
		case e.Running:
			return &RunningError{}
		case e.Failure != nil:
			return e.Failure.Err()
		default:
			progress(e.Step, e.Done)
		}
	}
}

// endAll ends processes that were started, in the opposite order. What has got
// the number of one since is left alone.
func endAll(ctx context.Context, list []started) error {
	var errs []error
	for _, one := range slices.Backward(list) {
		if p, found := one.ID.find(); found {
			errs = append(errs, end(ctx, p, one.ID, stopGrace))
		}
	}
	return errors.Join(errs...)
}

// end asks a process to end, kills it when it has not done so after the grace
// time, and returns when it is gone. When ctx is done it returns, and does not
// kill.
func end(ctx context.Context, p *os.Process, id identity, grace time.Duration) error {
	defer func() { _ = p.Release() }() // nothing more is asked of it
	if err := endProcess(p); err == nil && id.waitGone(ctx, grace) {
		return nil
	}
	if ctx.Err() != nil { // nobody waits any more, which is no reason to kill it
		return failure.New(failure.Failed, "see how far it is with: pkictl cluster status", "process %d was told to end, and does so by itself", id.PID)
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing process %d: %w", id.PID, err)
	}
	if !id.waitGone(ctx, grace) {
		return failure.New(failure.Failed, "look at it with: ps -fp "+fmt.Sprint(id.PID), "process %d was killed and is still there", id.PID)
	}
	return nil
}

// waitGone waits until the process is gone, and says whether it is.
func (i identity) waitGone(ctx context.Context, patience time.Duration) bool {
	deadline := time.Now().Add(patience)
	for i.alive() {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
		time.Sleep(lockInterval)
	}
	return true
}

// firstLine is for what is to stand in one line.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
