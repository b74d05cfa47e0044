package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// issueBatch issues a certificate for each line of a file.
func (a *app) issueBatch(cmd *cobra.Command, f issueFlags) error {
	if err := f.checkBatch(cmd); err != nil {
		return err
	}
	if err := a.checkExport(cmd, &f); err != nil {
		return err
	}
	in, total, err := a.openBatch(cmd.Context(), f.file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	lines, err := ca.NewBatchReader(in, f.file)
	if err != nil {
		return err
	}
	o := ca.BatchOptions{IssueOptions: f.IssueOptions, Lines: lines}
	o.OutDir, o.Out = f.Out, ""
	if f.kubeconfig != "" || f.export.form != "" {
		o.Each = func(one *ca.IssueOptions) error { return a.each(f, one) }
	}
	if f.explain {
		return a.explainBatch(f, o)
	}
	bar := a.newProgress(cmp.Or(lines.Total, total))
	result := batchResult{typeMeta: kind("IssueResult"), DryRun: f.DryRun, Errors: []batchError{}}
	o.Failed = func(e ca.LineError) {
		result.Errors = append(result.Errors, batchError{e.Line, e.CommonName, e.Err.Error(), failure.HintOf(e.Err)})
		bar.clear()
		a.printLineError(f.file, e)
	}
	o.Progress = func(r ca.BatchResult) { bar.show(r.Issued + r.Skipped + r.Failed) }
	// Much is made and forgotten: collecting it less often saves a tenth of the
	// time, for some 30 MB.
	defer debug.SetGCPercent(debug.SetGCPercent(200))
	begun := time.Now() // a clock for the rate, not for certificates
	result.BatchResult, err = ca.IssueBatch(cmd.Context(), o)
	bar.clear()
	result.Seconds = time.Since(begun).Seconds()
	// They come as the workers are done with them.
	slices.SortStableFunc(result.Errors, func(a, b batchError) int { return cmp.Compare(a.Line, b.Line) })
	for _, w := range result.Warnings {
		a.warn(fmt.Sprintf("line %d%s: %s", w.First, more(w.Lines-1), w.Text))
	}
	if cmd.Context().Err() != nil {
		return failure.New(failure.Failed, "run it again: it goes on where it stopped", "interrupted after %d certificates", result.Issued)
	}
	if err != nil {
		return stopped(err, result.Issued)
	}
	if err := a.printBatch(result); err != nil {
		return err
	}
	if result.Failed > 0 {
		return failure.New(failure.Failed, "mend these lines and run it again: the others are skipped",
			"%d of %d lines failed", result.Failed, result.Issued+result.Skipped+result.Failed)
	}
	return nil
}

// explainBatch prints a recipe for each line.
func (a *app) explainBatch(f issueFlags, o ca.BatchOptions) error {
	o.OpenSSLPass = a.opensslPass(a.passphraseFile, envVariable)
	for {
		line, err := o.Lines.Next(o.IssueOptions)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = line.Err
		}
		one := f
		if err == nil {
			one.IssueOptions = line.Options
			err = a.plan(&one)
		}
		recipe := ""
		if err == nil {
			recipe, err = one.recipe()
		}
		if err != nil {
			return failure.Wrap(err, failure.KindOf(err), "", "line %d of %q", line.Number, f.file)
		}
		if err := a.explain(recipe, nil); err != nil {
			return err
		}
	}
}

// stopped says how far a batch came.
func stopped(err error, issued int) error {
	if issued == 0 {
		return err
	}
	hint := "run it again: it goes on where it stopped"
	if first := failure.HintOf(err); first != "" && first != hint {
		hint = first + "; then " + hint
	}
	return failure.Wrap(err, failure.KindOf(err), hint, "stopped after %d certificates", issued)
}

func more(lines int) string {
	if lines == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", lines)
}

// checkBatch refuses flags that are for one certificate.
func (f *issueFlags) checkBatch(cmd *cobra.Command) error {
	for _, name := range []string{"cn", "dns", "ip", "uri", "email", "export", "secret-name"} {
		if cmd.Flags().Changed(name) {
			return failure.New(failure.Usage, "leave it out; what differs between certificates is in the file", "--%s is for one certificate, not for a file of many", name)
		}
	}
	for _, dir := range []struct{ flag, path string }{{"out", f.Out}, {"kubeconfig", f.kubeconfig}} {
		if dir.path == "" {
			continue
		}
		if info, err := os.Stat(dir.path); err != nil || !info.IsDir() {
			return failure.New(failure.Usage, "make it first with: mkdir -m 700 "+dir.path, "--%s %q is not a directory; with -f, each line has files in it", dir.flag, dir.path)
		}
	}
	return nil
}

// each gives a line what else is written with its certificate.
func (a *app) each(f issueFlags, o *ca.IssueOptions) error {
	f.IssueOptions = *o
	if err := a.plan(&f); err != nil {
		return err
	}
	*o = f.IssueOptions
	return nil
}

// plan has a kubeconfig written in the directory of --kubeconfig, and the form
// of -o.
func (a *app) plan(f *issueFlags) error {
	f.entry.User = f.CommonName
	if f.kubeconfig != "" {
		f.kubeconfig = filepath.Join(f.kubeconfig, filepath.Base(f.Prefix())+".conf")
		if err := f.planKubeconfig(); err != nil {
			return err
		}
	}
	if f.export.form == "" {
		return nil
	}
	return a.planExport(f)
}

// openBatch opens the file and says how many lines it has below the first, 0
// where that cannot be known.
func (a *app) openBatch(ctx context.Context, path string) (io.ReadCloser, int, error) {
	if path == "-" {
		return interruptible(ctx, a.in), 0, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, store.ReadError(err, path)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, store.ReadError(err, path)
	case !info.Mode().IsRegular():
		return interruptible(ctx, f), 0, nil
	}
	if info.Size() > maxCounted {
		return f, 0, nil
	}
	lines := countLines(f)
	if lines > ca.MaxBatchLines {
		_ = f.Close() // read only
		return nil, 0, failure.New(failure.Usage, "split the file", "%q has more than %d lines", path, ca.MaxBatchLines)
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, lines - 1, err
}

// maxCounted is the size of the largest file whose lines are counted before
// they are read, in bytes; to read that takes a moment.
const maxCounted = 256 << 20

// interruptible reads r aside, so that Ctrl-C ends the wait for what a pipe or
// a terminal does not send.
func interruptible(ctx context.Context, r io.Reader) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err) // it returns nil
	}()
	context.AfterFunc(ctx, func() {
		_ = in.CloseWithError(failure.New(failure.Failed, "run it again: it goes on where it stopped", "interrupted"))
	})
	return out
}

// countLines counts line ends, as far as it can read.
func countLines(r io.Reader) int {
	lines := 0
	for buffer := make([]byte, 64<<10); ; {
		n, err := r.Read(buffer)
		lines += bytes.Count(buffer[:n], []byte{'\n'})
		if err != nil {
			return lines
		}
	}
}

type batchResult struct {
	typeMeta
	ca.BatchResult
	Errors  []batchError `json:"errors"`
	Seconds float64      `json:"seconds"`
	DryRun  bool         `json:"dryRun,omitempty"`
}

type batchError struct {
	Line       int    `json:"line"`
	CommonName string `json:"commonName,omitempty"`
	Error      string `json:"error"`
	Hint       string `json:"hint,omitempty"`
}

func (a *app) printLineError(file string, e ca.LineError) {
	fmt.Fprintf(a.err, "%s:%d: %s\n", printable(file), e.Line, oneLine(strings.Join([]string{e.Err.Error(), failure.HintOf(e.Err)}, "; ")))
}

func (a *app) printBatch(r batchResult) error {
	return a.print(r, func(w io.Writer) {
		tally{"Issued", "issue", "certificate", r.Issued, r.Skipped, r.Failed, r.Seconds, r.DryRun}.write(w)
	})
}

// tally says how many of a file were done.
type tally struct {
	done, verb, noun      string // Issued, issue, certificate
	made, skipped, failed int
	seconds               float64
	dryRun                bool
}

func (t tally) write(w io.Writer) {
	done, noun := t.done, t.noun
	if t.dryRun {
		done = "Would " + t.verb
	}
	if t.made != 1 {
		noun += "s"
	}
	fmt.Fprintf(w, "%s %d %s in %.1f s", done, t.made, noun, t.seconds)
	if t.seconds >= 1 && !t.dryRun {
		fmt.Fprintf(w, " (%.0f a second)", float64(t.made)/t.seconds)
	}
	fmt.Fprintln(w)
	if t.skipped > 0 {
		fmt.Fprintf(w, "  %d skipped: there already\n", t.skipped)
	}
	if t.failed > 0 {
		fmt.Fprintf(w, "  %d failed\n", t.failed)
	}
}
