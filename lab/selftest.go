package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// Trial is a state that a lab's workspace may be in, and what the checks have to say
// of it: nothing was done, a solution, a mistake. The trials of a lab are its honesty
// contract.
type Trial struct {
	Name string // untouched, tools, pkictl, second, or mutant ID

	lab     *Lab
	scripts []script
	loses   []string // the checks that fail, and no others
}

// script is a file of a lab, and what is in it.
type script struct{ file, text string }

// Trials returns those of a lab: untouched every check fails, with each of the
// solutions none does, and with each mutant those that it names.
func (l *Lab) Trials() []Trial {
	tools := script{"solution/tools.sh", l.Solution.Tools}
	all := make([]string, len(l.Checks))
	for i, c := range l.Checks {
		all[i] = c.ID
	}
	trials := []Trial{{Name: "untouched", lab: l, loses: all}}
	for name, text := range map[string]string{"tools": l.Solution.Tools, "pkictl": l.Solution.Pkictl, "second": l.Solution.Second} {
		if text != "" { // Lint has a word for it
			trials = append(trials, Trial{Name: name, lab: l, scripts: []script{{"solution/" + name + ".sh", text}}})
		}
	}
	order := []string{"untouched", "tools", "pkictl", "second"}
	slices.SortFunc(trials, func(a, b Trial) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	for _, m := range l.Mutants {
		trials = append(trials, Trial{"mutant " + m.ID, l, []script{tools, {"mutants/" + m.ID + ".sh", m.Script}}, m.Loses})
	}
	return trials
}

// TrialOptions say how trials are run.
type TrialOptions struct {
	// Machine has what the lab needs, and the program that scripts call pkictl.
	Machine *Machine
	// Path is where scripts find programs, as in the variable PATH.
	Path string
	Now  func() time.Time
	// Progress is told what begins, and with done what has ended. It may be nil.
	Progress func(step string, done bool)
}

// trialTime is how long a script may take: longer than any exam's task waits.
const trialTime = 3 * time.Minute

// SelfTest runs all trials of a lab, a few at once, each in a workspace that is thrown
// away. It runs the lab's scripts: with the rights of whoever runs it they may do
// anything.
func (l *Lab) SelfTest(ctx context.Context, o TrialOptions) ([]LintFinding, error) {
	if err := o.Machine.lacks(l); err != nil {
		return []LintFinding{{l.ID, LintError, "needs", oneLine(err.Error()) + ": nothing was run", failure.HintOf(err)}}, nil
	}
	trials := l.Trials()
	findings := make([][]LintFinding, len(trials))
	ctx, end := context.WithCancelCause(ctx) // the first error ends all, and is the one to tell
	defer end(nil)
	free := make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	var running sync.WaitGroup
	tell := func(done bool, format string, args ...any) {
		if o.Progress != nil {
			o.Progress(l.ID+": "+fmt.Sprintf(format, args...), done)
		}
	}
	for i, t := range trials {
		free <- struct{}{}
		tell(false, "%s, trial %d of %d", t.Name, i+1, len(trials))
		running.Go(func() {
			defer func() { <-free }()
			found, err := t.Run(ctx, o)
			if findings[i] = found; err != nil {
				end(err)
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	tell(true, "%d trials", len(trials))
	return slices.Concat(findings...), nil
}

// Run makes a workspace, runs the scripts in it and grades it, and returns in what it
// differs from what it should be. An error is what kept it from running.
func (t Trial) Run(ctx context.Context, o TrialOptions) (findings []LintFinding, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "pkictl-lab-")
	if err != nil {
		return nil, failure.Wrap(err, failure.Failed, "", "cannot make a directory for lab %q", t.lab.ID)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	w, err := Start(ctx, StartOptions{Lab: t.lab, Root: filepath.Join(scratch, "labs"), Now: o.Now(), Machine: o.Machine})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Stop(context.WithoutCancel(ctx))) }()
	return t.judge(ctx, w, o, scratch)
}

// judge runs the scripts in a workspace, and grades it.
func (t Trial) judge(ctx context.Context, w *Workspace, o TrialOptions, scratch string) ([]LintFinding, error) {
	for _, s := range t.scripts {
		if err := s.run(ctx, w.Dir, scratch, o); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return []LintFinding{t.finding(failure.HintOf(err), "%s: %v", s.file, err)}, nil
		}
	}
	before := w.Stamp()
	result, err := w.Check(ctx, o.Now())
	if err != nil {
		return nil, err
	}
	findings := t.compare(result)
	if w.Stamp() != before {
		findings = append(findings, t.finding("", "grading has changed the workspace"))
	}
	return findings, nil
}

func (t Trial) finding(hint, format string, args ...any) LintFinding {
	return LintFinding{t.lab.ID, LintError, t.Name, oneLine(fmt.Sprintf(format, args...)), hint}
}

// compare holds a result against what it should be.
func (t Trial) compare(result *Result) []LintFinding {
	var findings []LintFinding
	points, lost := 0, 0
	for _, c := range result.Checks {
		loses := slices.Contains(t.loses, c.ID)
		switch {
		case c.Wanted == "" || c.Found == "":
			findings = append(findings, t.finding("", "check %s does not say what was wanted or found", c.ID))
		case c.Passed && loses && t.Name == "untouched":
			findings = append(findings, t.finding("ask for something that is not there yet, too",
				"check %s passes, for nothing: wanted %s", c.ID, c.Wanted))
		case c.Passed && loses:
			findings = append(findings, t.finding("", "check %s passes, and should not: wanted %s", c.ID, c.Wanted))
		case !c.Passed && !loses:
			findings = append(findings, t.finding("", "check %s fails, and should not: wanted %s; found %s", c.ID, c.Wanted, c.Found))
		}
		if c.Passed {
			points += c.Points
		} else {
			lost++
		}
	}
	if len(result.Checks) != len(t.lab.Checks) || points != result.Points || result.Total != t.lab.Points() || result.Passed() != (lost == 0) {
		findings = append(findings, t.finding("", "the points do not add up: %d of %d", result.Points, result.Total))
	}
	return findings
}

// run runs a script in a workspace, as a learner does, in a shell with nothing of the
// environment but PATH and a home of its own. No process of it is left behind.
func (s script) run(ctx context.Context, dir, scratch string, o TrialOptions) error {
	env, err := scriptEnv(scratch, o)
	if err != nil {
		return err
	}
	path := env["PATH"]
	shell := cluster.FindProgram("sh", func(name string) string { return env[name] })
	if shell == "" {
		return failure.New(failure.Failed, "run it where there is a POSIX shell", "there is no sh on PATH")
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "-eu", "-c", s.text)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + path, "HOME=" + env["HOME"], "TMPDIR=" + env["TMPDIR"]}
	output := &tail{}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = time.Second // for what keeps its output open in the background
	ownGroup(cmd)
	cmd.Cancel = func() error { return endGroup(cmd) }
	err = cmd.Run()
	if cmd.Process != nil {
		_ = endGroup(cmd) // what it has left in the background
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("it does not end: %w", context.Cause(ctx))
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// scriptEnv makes the directories of a script, and returns its environment. The
// pkictl that it finds is this one, whatever its file is called.
func scriptEnv(scratch string, o TrialOptions) (map[string]string, error) {
	env := map[string]string{"HOME": filepath.Join(scratch, "home"), "TMPDIR": filepath.Join(scratch, "tmp")}
	bin := filepath.Join(scratch, "bin")
	for _, dir := range []string{bin, env["HOME"], env["TMPDIR"]} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if o.Machine != nil && o.Machine.Program != "" {
		if err := os.Symlink(o.Machine.Program, filepath.Join(bin, "pkictl")); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	env["PATH"] = bin + string(os.PathListSeparator) + o.Path
	return env, nil
}

// tail keeps the end of what a script says.
type tail struct{ data []byte }

const tailLength = 600

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if extra := len(t.data) - tailLength; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(p), nil
}

// String returns its last lines, those that say why.
func (t *tail) String() string {
	lines := bytes.Split(bytes.TrimSpace(t.data), []byte("\n"))
	return strings.TrimSpace(string(bytes.Join(lines[max(0, len(lines)-3):], []byte("; "))))
}
