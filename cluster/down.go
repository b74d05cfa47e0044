package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// downGrace is how long the process that runs a control plane may take to end
// it: that has a grace time for each component.
const downGrace = 4 * stopGrace

// DownOptions say what to end.
type DownOptions struct {
	Dir string // cluster directory
	// DeleteData removes etcd's data when all has ended.
	DeleteData bool
	DryRun     bool // end and remove nothing
	// Progress is told what begins, and with done what has ended. It may be nil.
	Progress func(step string, done bool)
}

// DownResult says what Down has ended, or would.
type DownResult struct {
	Dir string `json:"dir"`
	// Ended are the names of what ran, empty if nothing did.
	Ended []string `json:"ended"`
	// DataDeleted is the directory of etcd's data that was removed.
	DataDeleted string `json:"dataDeleted,omitempty"`
}

// Down ends what Up has started in a cluster directory, and nothing else: a
// process is asked to end only if it is the very one that holds the lock of the
// run, or that this one has started. It returns when all is gone. Where nothing
// runs it does nothing.
func Down(ctx context.Context, o DownOptions) (*DownResult, error) {
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, diskError(err, "use directory %q", o.Dir)
	}
	if err := checkIsOne(o.Dir); err != nil {
		return nil, err
	}
	o.Dir = abs
	d := runDirOf(abs)
	result := &DownResult{Dir: abs, Ended: []string{}}
	if _, err := os.Stat(string(d)); errors.Is(err, os.ErrNotExist) {
		return result, nil
	}
	held, err := d.isHeld()
	if err != nil {
		return nil, err
	}
	s, err := d.read()
	if held {
		if s, err = d.awaitOwner(ctx); err != nil {
			return nil, err
		}
	}
	if err != nil && !held {
		s = &state{} // damaged, and nothing runs that would care
	}
	if s != nil {
		result.Ended = s.running()
	}
	if !o.DryRun {
		if err := o.end(ctx, d, s, held, result.Ended); err != nil {
			return nil, err
		}
	}
	if o.DeleteData && d.hasData() {
		result.DataDeleted = d.path(etcdData)
		if !o.DryRun {
			return result, d.deleteData()
		}
	}
	return result, nil
}

// running lists what of a run is still there, the last started first.
func (s *state) running() []string {
	names := []string{}
	for _, p := range slices.Backward(s.Processes) {
		if p.ID.alive() {
			names = append(names, p.Name)
		}
	}
	return names
}

// awaitOwner reads who holds the lock. Who has just taken it says so soon.
func (d runDir) awaitOwner(ctx context.Context) (*state, error) {
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockInterval) {
		s, err := d.read()
		if err == nil && s != nil && s.Owner.alive() {
			return s, nil
		}
		if held, heldErr := d.isHeld(); heldErr == nil && !held {
			return s, nil // it has ended meanwhile
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, d.unknownOwner()
		}
	}
}

func (d runDir) unknownOwner() error {
	return failure.New(failure.Failed, "find it with: fuser -v "+shell.Quote(d.path(runLock)),
		"a process holds %q, but %q does not say which; nothing was changed", d.path(runLock), d.path(runState))
}

// end ends the owner, which ends its components; then components whose owner
// was killed. The names are of those that run.
func (o DownOptions) end(ctx context.Context, d runDir, s *state, held bool, names []string) error {
	if s == nil {
		return nil
	}
	step := func(text string, done bool) {
		if o.Progress != nil {
			o.Progress(text, done)
		}
	}
	if p, found := s.Owner.find(); held && found {
		step("stopping the control plane", false)
		if err := end(ctx, p, s.Owner, downGrace); err != nil {
			return err
		}
	}
	// Started, perhaps, after s was read.
	if now, err := d.read(); err == nil && now != nil {
		s = now
	}
	if err := endAll(ctx, s.Processes); err != nil {
		return err
	}
	for _, name := range names {
		step(name+" is stopped", true)
	}
	lock, err := d.take(ctx)
	if err != nil {
		return failure.New(failure.Failed, "run the same command again", "another control plane was started in %q meanwhile", o.Dir)
	}
	defer func() { _ = lock.Unlock() }() // the end of the process does that, too
	return d.forget()
}

// deleteData removes etcd's data. Nothing may run.
func (d runDir) deleteData() error {
	lock, err := d.take(context.Background())
	if err != nil {
		return failure.New(failure.Failed, "run the same command again", "another control plane was started in %q meanwhile", d)
	}
	defer func() { _ = lock.Unlock() }() // the end of the process does that, too
	if err := os.RemoveAll(d.path(etcdData)); err != nil {
		return diskError(err, "remove %q", d.path(etcdData))
	}
	if err := os.Remove(d.path(etcdOf)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return diskError(err, "remove %q", d.path(etcdOf))
	}
	return nil
}
