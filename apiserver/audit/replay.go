package audit

import (
	"context"
	"io"
	"runtime"
	"sync"

	"github.com/pkictl/pkictl/internal/failure"
)

// ReplayOptions say which logs are read, and by which policies they are judged.
type ReplayOptions struct {
	Policy  *Policy
	Against *Policy // to compare with; nil: none
	// Logs are files, directories with a log and its rotated files, or "-" for
	// Stdin. Those that begin as gzip does are decompressed.
	Logs    []string
	Rotated bool // also read the rotated files beside each file
	Stdin   io.Reader
	// Top is how many users and resources are listed, those with the most bytes;
	// the others are summed up. 0: all.
	Top int
	// Progress is told, by one goroutine at a time, how many bytes of the files have
	// been read, and of how many; 0: nobody knows.
	Progress func(done, total int64)
}

// Replay reads audit logs, one event of audit.k8s.io/v1 (or a list of them) a
// line, and reports what the policies would have kept of them. What is no event
// is counted and is no error; that there is none at all is one. Memory does not
// grow with the logs.
//
// A log has only what its own policy let through: what a policy would keep
// beyond that is not in the report, and where a policy asks for bodies that an
// event came without, its bytes are a lower bound (Tally.Incomplete).
func Replay(ctx context.Context, o ReplayOptions) (*ReplayReport, error) {
	if o.Policy == nil || len(o.Logs) == 0 {
		return nil, failure.New(failure.Usage, "name a policy and a log", "there is nothing to replay")
	}
	inputs, err := findLogs(o)
	if err != nil {
		return nil, err
	}
	policies := []*Policy{o.Policy}
	if o.Against != nil {
		policies = append(policies, o.Against)
	}
	total, err := replay(ctx, inputs, policies, o.Progress)
	if err != nil {
		return nil, err
	}
	report := total.report(inputs, policies, o.Top)
	if report.Log.Events == 0 {
		return nil, noEvents(report)
	}
	return report, nil
}

// noEvents says why, as far as the first line that is no event tells it.
func noEvents(r *ReplayReport) error {
	if len(r.Problems) == 0 {
		return failure.New(failure.Failed, "check that it is the log you mean", "there is no audit event in %s, which is empty", r.logNames())
	}
	first := r.Problems[0]
	hint := "a log has one event of audit.k8s.io/v1 a line, as kube-apiserver writes it with --audit-log-path"
	if first.Reason == ReasonLegacy {
		hint = "have kube-apiserver write JSON: --audit-log-format=json"
	}
	return failure.New(failure.Failed, hint, "there is no audit event in %s: %s:%d: %s", r.logNames(), first.Log, first.Line, first.Reason)
}

// replay counts the events of all logs on all processors.
func replay(ctx context.Context, inputs []*input, policies []*Policy, progress func(done, total int64)) (*counts, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	r := newReader(ctx, inputs, workers, progress)
	// Apart, for a read from a terminal or a pipe is not ended by ctx.
	read := make(chan error, 1)
	go func() {
		defer close(r.batches)
		read <- r.readAll()
	}()
	counted := make([]*counts, workers)
	var wait sync.WaitGroup
	for i := range counted {
		c := newCounts(policies)
		counted[i] = c
		wait.Go(func() {
			for {
				select {
				case b, more := <-r.batches:
					if !more {
						return
					}
					c.countBatch(b)
					r.free(b)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := <-read; err != nil {
		return nil, err
	}
	total := newCounts(policies)
	total.problems.merge(&r.problems)
	for _, c := range counted {
		total.merge(c)
	}
	return total, nil
}
