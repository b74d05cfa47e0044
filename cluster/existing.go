package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// RunningError says that a control plane of the cluster directory runs already.
type RunningError struct{ Dir string }

// Error names the directory.
func (e *RunningError) Error() string {
	return fmt.Sprintf("the control plane of %q runs already", e.Dir)
}

// Existing looks for a control plane of the cluster directory that runs, and
// waits for one that is starting. It returns nil where there is none. With exact,
// one that was started with other options is an error.
func Existing(ctx context.Context, o UpOptions, exact bool) (*Status, error) {
	o, err := o.absolute()
	if err != nil {
		return nil, err
	}
	d := runDirOf(o.Dir)
	waiting := sync.OnceFunc(func() { o.progress("waiting for another one that starts this control plane", false) })
	for looked := 0; ; time.Sleep(lockInterval) {
		held, err := d.isHeld()
		if err != nil || !held || ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		s, err := d.read()
		switch known := err == nil && s != nil && s.Owner.alive(); {
		case known && s.Phase == phaseReady:
			if exact && !o.same(s.Options) {
				return nil, failure.New(failure.Failed, "end that one first with: pkictl cluster down", "the control plane of %q runs already, with other options", o.Dir)
			}
			return ReadStatus(ctx, o.Dir)
		case known: // it is starting, or about to end
			waiting()
		case looked > int(lockPatience/lockInterval):
			return nil, d.unknownOwner()
		default:
			looked++
		}
	}
}
