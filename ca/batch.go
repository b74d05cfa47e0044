package ca

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// batchStep is how many certificates go to the disk at once. With more the disk
// has to be waited for less often, and more is to be done again after a crash.
const batchStep = 512

// BatchOptions is what the command issue takes with a file of many users.
type BatchOptions struct {
	// IssueOptions are what a line has that does not say otherwise.
	IssueOptions
	Lines *BatchReader
	// Each may add to the options of a line, such as a kubeconfig. It may be nil.
	Each func(*IssueOptions) error
	// Failed is called for each line that fails, Progress after each step. They
	// are called from one goroutine at a time, and may be nil.
	Failed   func(LineError)
	Progress func(BatchResult)
}

// BatchResult counts lines.
type BatchResult struct {
	Issued  int `json:"issued"`
	Skipped int `json:"skipped"` // their certificates are there already
	Failed  int `json:"failed"`
	// Warnings are what the user should know, each once.
	Warnings []BatchWarning `json:"warnings,omitempty"`
}

// BatchWarning is a warning that holds for a number of lines.
type BatchWarning struct {
	Text  string `json:"text"`
	Lines int    `json:"lines"`
	First int    `json:"first"` // number of the first line
}

// LineError is why a line failed.
type LineError struct {
	Line       int
	CommonName string
	Err        error
}

// batchItem is a line on its way.
type batchItem struct {
	line    int
	options IssueOptions
	done    bool // the certificate is there already
	err     error
	pending *pending
	// warnings of Prepare.
	warnings []string
}

func (i *batchItem) paths() []string {
	return append([]string{i.options.Prefix() + ".crt", i.options.Prefix() + ".key"}, i.options.AlsoPaths...)
}

type batch struct {
	o         BatchOptions
	authority *CA
	result    BatchResult
	revoked   map[string]bool // serial numbers, when it began
	first     map[string]int  // line by prefix and other paths of its files
}

// IssueBatch issues a certificate for each line. A line that fails does not
// stop the others; one whose certificate is there already, for the same request
// and in force, is skipped, so that a batch which was interrupted goes on where
// it stopped. The error is for what stops all of them.
//
// Certificates are prepared on all processors while those before them are
// written, each step of them as Issue does a single one: serials, signatures,
// and then files and rows at once.
func IssueBatch(ctx context.Context, o BatchOptions) (BatchResult, error) {
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	if !o.DryRun {
		if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
			return BatchResult{}, err
		}
	}
	authority, err := Open(o.Dir)
	if err != nil {
		return BatchResult{}, err
	}
	if err := authority.LoadKey(o.Passphrase); err != nil {
		return BatchResult{}, err
	}
	defer authority.Close()
	b := &batch{o: o, authority: authority, first: map[string]int{}}
	if b.revoked, err = authority.revokedSerials(ctx, o.Now); err != nil {
		return BatchResult{}, err
	}
	err = b.run(ctx)
	return b.result, err
}

func (b *batch) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan *batchItem, batchStep)
	prepared := make(chan *batchItem, batchStep)
	var readErr error
	go func() {
		defer close(lines)
		readErr = b.read(ctx, lines)
	}()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for item := range lines {
				b.prepare(item)
				prepared <- item
			}
		})
	}
	go func() {
		workers.Wait()
		close(prepared)
	}()
	err := b.collect(ctx, prepared)
	cancel()
	for range prepared { // let the workers end
	}
	if err != nil {
		return err
	}
	return readErr // it was set before the channels were closed
}

// nextLine is what BatchReader.Next returns.
type nextLine struct {
	line Line
	err  error
}

// next calls BatchReader.Next until ctx ends. A call
// that waits for input goes on waiting, as there is no way to end it from here:
// its goroutine ends with the input, and uses nothing but the reader.
func (b *batch) next(ctx context.Context) <-chan nextLine {
	lines := make(chan nextLine, batchStep)
	reader, defaults := b.o.Lines, b.o.IssueOptions
	go func() {
		for {
			line, err := reader.Next(defaults)
			select {
			case lines <- nextLine{line, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// read hands out the lines.
func (b *batch) read(ctx context.Context, lines chan<- *batchItem) error {
	interrupted := func() error {
		return failure.Wrap(ctx.Err(), failure.Failed, "run it again: it goes on where it stopped", "interrupted")
	}
	in := b.next(ctx)
	for {
		var next nextLine
		select {
		case next = <-in:
		case <-ctx.Done():
			return interrupted()
		}
		line, err := next.line, next.err
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		item := &batchItem{line: line.Number, options: line.Options, err: line.Err}
		if item.err == nil && b.o.Each != nil {
			item.err = b.o.Each(&item.options)
		}
		if item.err == nil {
			item.err = b.claim(item)
		}
		select {
		case lines <- item:
		case <-ctx.Done():
			return interrupted()
		}
	}
}

// claim refuses a line that would write the files of another.
func (b *batch) claim(item *batchItem) error {
	names := append([]string{filepath.Clean(item.options.Prefix())}, item.options.AlsoPaths...)
	for _, name := range names {
		if first, taken := b.first[foldName(runtime.GOOS, name)]; taken {
			return failure.New(failure.Usage, "give one of them other file names in the column out",
				"it would write %q, as line %d does", name, first)
		}
	}
	for _, name := range names {
		b.first[foldName(runtime.GOOS, name)] = item.line
	}
	return nil
}

// foldName makes names equal that are one file where, as a rule, case does not
// count.
func foldName(system, name string) string {
	if system == "darwin" || system == "windows" {
		return strings.ToLower(name)
	}
	return name
}

// prepare does all that needs neither the CA's key nor the disk.
func (b *batch) prepare(item *batchItem) {
	if item.err != nil {
		return
	}
	item.err = func() error {
		req, err := item.options.Request()
		if err != nil {
			return err
		}
		result := item.options.result(req)
		if item.done, err = item.options.isDone(b.authority, b.revoked, req, result); err != nil || item.done {
			return err
		}
		if err := item.options.checkTargets(result); err != nil {
			return err
		}
		p, err := b.authority.Prepare(req, item.options.Now)
		if err != nil {
			return err
		}
		item.warnings = p.Warnings
		item.pending, err = item.options.pending(b.authority, p, result)
		return err
	}()
}

// collect writes what was prepared, step by step.
func (b *batch) collect(ctx context.Context, prepared <-chan *batchItem) error {
	var step []*batchItem
	for item := range prepared {
		switch {
		case item.err != nil:
			b.fail(item, item.err)
			b.progress()
		case item.done:
			b.result.Skipped++
			b.progress()
		default:
			step = append(step, item)
		}
		if len(step) == batchStep {
			if err := b.write(ctx, step); err != nil {
				return err
			}
			step = step[:0]
		}
	}
	return b.write(ctx, step)
}

// write signs and writes a step. What keeps one line's files from being written
// is the failure of that line alone.
func (b *batch) write(ctx context.Context, step []*batchItem) error {
	for len(step) > 0 && !b.o.DryRun {
		err := b.commit(ctx, step)
		if err == nil {
			break
		}
		var target *store.TargetError
		if !errors.As(err, &target) || b.concernsAll(target) {
			return err
		}
		left := b.drop(slices.Clone(step), target)
		if len(left) == len(step) {
			return err
		}
		step = left
	}
	for _, item := range step {
		b.result.Issued++
		b.warn(item)
	}
	b.progress()
	return nil
}

// concernsAll says whether an error is about the disk of the PKI directory, so
// that no other line would fare better.
func (b *batch) concernsAll(target *store.TargetError) bool {
	isDisk := slices.ContainsFunc([]error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS}, func(errno error) bool {
		return errors.Is(target, errno)
	})
	return isDisk && isSameFile(filepath.Dir(target.Path), b.o.Dir)
}

// drop lets the line fail that has the file, and those with others in the same
// directory that cannot be written either: to try each would sign and write all
// of the step as many times.
func (b *batch) drop(step []*batchItem, target *store.TargetError) []*batchItem {
	return slices.DeleteFunc(step, func(item *batchItem) bool {
		err := error(nil)
		for _, path := range item.paths() {
			if path == target.Path {
				err = existsError(target)
				break
			}
			if err == nil && filepath.Dir(path) == filepath.Dir(target.Path) {
				err = target.InDirectory(path)
			}
		}
		if err != nil {
			b.fail(item, err)
		}
		return err != nil
	})
}

func (b *batch) commit(ctx context.Context, step []*batchItem) error {
	certs := make([]*pending, len(step))
	for i, item := range step {
		certs[i] = item.pending
	}
	dir, err := store.Lock(ctx, b.o.Dir, b.o.Waiting)
	if err != nil {
		return err
	}
	return withInventory(dir, func(inv *store.Inventory) error {
		return issuance{inv: inv, dir: dir, now: b.o.Now, replace: b.o.Force}.run(certs...)
	})
}

func (b *batch) fail(item *batchItem, err error) {
	b.result.Failed++
	if b.o.Failed != nil {
		b.o.Failed(LineError{Line: item.line, CommonName: item.options.CommonName, Err: err})
	}
}

func (b *batch) progress() {
	if b.o.Progress != nil {
		b.o.Progress(b.result)
	}
}

func (b *batch) warn(item *batchItem) {
	for _, text := range item.warnings {
		at := slices.IndexFunc(b.result.Warnings, func(w BatchWarning) bool { return w.Text == text })
		if at < 0 {
			b.result.Warnings = append(b.result.Warnings, BatchWarning{Text: text, First: item.line})
			at = len(b.result.Warnings) - 1
		}
		w := &b.result.Warnings[at]
		w.Lines++
		w.First = min(w.First, item.line)
	}
}
