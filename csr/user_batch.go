package csr

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
)

// Workers is how many users are added at once. More do not help: one API
// server answers them all.
const Workers = 16

// UsersOptions is what the command user add takes with a file.
type UsersOptions struct {
	AddOptions // of each, but for what its line says; Out is a directory
	Lines      []UserLine
	// Failed is called for each line that fails, Progress after each line. They
	// are called from one goroutine at a time.
	Failed   func(line int, name string, err error)
	Progress func(UsersResult)
}

// UsersResult counts lines.
type UsersResult struct {
	Added   int `json:"added"`
	Skipped int `json:"skipped"` // they have a kubeconfig with what the line says
	Failed  int `json:"failed"`
}

// AddUsers adds a user for each line, some at a time. One watch follows all
// requests. A line that fails does not stop the others, and is completed by the
// next call, as AddUser does it; who has been added is skipped then. The API
// server is not called as each of them. The error is for what stops all of them.
func AddUsers(ctx context.Context, c *kubeclient.Client, o UsersOptions) (UsersResult, error) {
	b := &userBatch{c: c, o: o, found: map[place]*lookup{}}
	if o.Via == ViaCSR && !o.DryRun && len(o.Lines) > 0 {
		watched, err := newIssueWatch(ctx, c)
		if err != nil {
			return b.result, err
		}
		defer watched.stop()
		b.watch = watched
	}
	b.run(ctx)
	return b.result, ctx.Err()
}

// preparers make keys and write down what is needed, ahead of the workers that
// talk to the API server: for some users at once, as a file system writes its
// journal once for all that wait.
const (
	preparers = 2
	atATime   = 16
)

func (b *userBatch) run(ctx context.Context) {
	lines, ready := make(chan []UserLine), make(chan opened, Workers)
	var preparing, working, storing sync.WaitGroup
	for range preparers {
		preparing.Go(func() {
			for chunk := range lines {
				b.open(ctx, chunk, ready)
			}
		})
	}
	for range Workers {
		working.Go(func() {
			for one := range ready {
				_, err := one.finish(ctx)
				storing.Go(func() {
					if err == nil && !one.o.DryRun {
						err = one.store()
					}
					one.close()
					b.ended(ctx, one.line, false, err)
				})
			}
		})
	}
	for chunk := range slices.Chunk(b.o.Lines, atATime) {
		if ctx.Err() != nil {
			break
		}
		lines <- chunk
	}
	close(lines)
	preparing.Wait()
	close(ready)
	working.Wait()
	storing.Wait()
}

// opened is a user whose request may be sent.
type opened struct {
	*adder
	line UserLine
}

type userBatch struct {
	c     *kubeclient.Client
	o     UsersOptions
	watch *issueWatch

	mu     sync.Mutex // of what follows, and of the callbacks
	result UsersResult
	found  map[place]*lookup
}

// place is what a grant names in the cluster.
type place struct{ namespace, role, clusterRole string }

// lookup is what was found of it, once for all lines.
type lookup struct {
	once    sync.Once
	binding *UserBinding
	err     error
}

// open prepares some users, and has what they need on the disk before any of
// their requests may be sent.
func (b *userBatch) open(ctx context.Context, lines []UserLine, ready chan<- opened) {
	var all []opened
	var files []store.File
	for _, line := range lines {
		a, skipped, err := b.openOne(ctx, line)
		if a == nil {
			b.ended(ctx, line, skipped, err)
			continue
		}
		all = append(all, opened{a, line})
		if a.unwritten {
			file, err := a.pending.file(a.o.Out)
			if err != nil { // plain strings: it cannot be
				panic(err)
			}
			files = append(files, file)
		}
	}
	err := store.WriteFiles(b.o.Out, files)
	for _, one := range all {
		if err != nil {
			one.close()
			b.ended(ctx, one.line, false, err)
			continue
		}
		ready <- one
	}
}

// openOne prepares one user; nil where there is nothing to do, or it failed.
func (b *userBatch) openOne(ctx context.Context, line UserLine) (a *adder, skipped bool, err error) {
	if line.Err != nil {
		return nil, false, line.Err
	}
	o := b.o.AddOptions
	o.UserGrant, o.Out, o.Login = line.Grant, UserFile(b.o.Out, line.Grant.Name), nil
	if !o.Force && isComplete(o) {
		return nil, true, nil
	}
	a = &adder{c: b.c, o: o, many: true}
	a.find = func(ctx context.Context, _ *kubeclient.Client) (*UserBinding, error) { return b.find(ctx, line.Grant) }
	if b.watch != nil {
		a.expect, a.wait = b.watch.expect, b.watch.wait
	}
	if err := a.open(ctx); err != nil {
		a.close()
		return nil, false, err
	}
	return a, false, nil
}

// ended counts a line. One that was interrupted is completed by the next run.
func (b *userBatch) ended(ctx context.Context, line UserLine, skipped bool, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		b.result.Failed++
		b.o.Failed(line.Number, line.Grant.Name, err)
	case skipped:
		b.result.Skipped++
	default:
		b.result.Added++
	}
	b.o.Progress(b.result)
}

// isComplete says whether a user has a kubeconfig that is in force and has what
// the line says, and no run is to be completed.
func isComplete(o AddOptions) bool {
	if _, err := os.Lstat(pendingPath(o.Out)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	cert := certificateIn(o.Out, o.Name)
	return cert != nil && cert.Subject.CommonName == o.Name && cert.NotAfter.After(o.Now) &&
		slices.Equal(slices.Sorted(slices.Values(cert.Subject.Organization)), slices.Sorted(slices.Values(o.Groups)))
}

// find looks up what a grant names, once for all that name the same.
func (b *userBatch) find(ctx context.Context, g UserGrant) (*UserBinding, error) {
	key := place{g.Namespace, g.Role, g.ClusterRole}
	b.mu.Lock()
	l := b.found[key]
	if l == nil {
		l = &lookup{}
		b.found[key] = l
	}
	b.mu.Unlock()
	l.once.Do(func() { l.binding, l.err = g.find(ctx, b.c) })
	if l.err != nil || l.binding == nil {
		return nil, l.err
	}
	own := *l.binding
	own.Name = bindingName(g)
	return &own, nil
}
