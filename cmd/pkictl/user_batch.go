package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// userAddBatch adds a user for each line of a file.
func (a *app) userAddBatch(cmd *cobra.Command, f userAddFlags) error {
	ctx := cmd.Context()
	if f.Out != "" {
		if info, err := os.Stat(f.Out); err != nil || !info.IsDir() {
			return failure.New(failure.Usage, "make it first with: mkdir -m 700 "+f.Out, "--out %q is not a directory; with -f, each line has a file in it", f.Out)
		}
	}
	lines, err := a.readUsers(cmd, f)
	if err != nil {
		return err
	}
	client, err := a.connect(f.connection)
	if err != nil {
		return err
	}
	if f.explain {
		return a.explainUsers(f, lines, func(o csr.AddOptions) (string, error) { return csr.ExplainAdd(client, o, f.connection.kubectl()) })
	}
	bar := a.newProgress(len(lines))
	result := usersResult{typeMeta: kind("UserAddResult"), DryRun: f.DryRun, Errors: []batchError{}}
	o := csr.UsersOptions{AddOptions: f.AddOptions, Lines: lines}
	o.Failed = func(line int, name string, err error) {
		result.Errors = append(result.Errors, batchError{line, name, err.Error(), failure.HintOf(err)})
		bar.clear()
		fmt.Fprintf(a.err, "%s:%d: %s\n", printable(f.file), line, oneLine(strings.Trim(err.Error()+"; "+failure.HintOf(err), "; ")))
	}
	o.Notify = func(text string) { bar.clear(); a.warn(text) }
	o.Progress = func(r csr.UsersResult) { bar.show(r.Added + r.Skipped + r.Failed) }
	// Much is made and forgotten: collecting it less often leaves more of the
	// processors to the API server, for some 20 MB.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	result.UsersResult, err = csr.AddUsers(ctx, client, o)
	bar.clear()
	slices.SortStableFunc(result.Errors, func(a, b batchError) int { return cmp.Compare(a.Line, b.Line) })
	switch {
	case ctx.Err() != nil:
		return failure.New(failure.Failed, "run it again: it goes on where it stopped", "interrupted after %d users", result.Added)
	case err != nil:
		return err
	}
	if err := a.printUsers(result); err != nil {
		return err
	}
	if result.Failed > 0 {
		return failure.New(failure.Failed, "mend these lines and run it again: the others are skipped", "%d of %d lines failed", result.Failed, len(lines))
	}
	return nil
}

// readUsers reads the file; its lines have the flags for defaults.
func (a *app) readUsers(cmd *cobra.Command, f userAddFlags) ([]csr.UserLine, error) {
	var in io.Reader
	if f.file == "-" {
		piped := interruptible(cmd.Context(), a.in)
		defer func() { _ = piped.Close() }() // read only
		in = piped
	} else {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, store.ReadError(err, f.file)
		}
		defer func() { _ = file.Close() }() // read only
		in = file
	}
	return csr.ReadUsers(in, f.file, f.UserGrant)
}

// explainUsers prints a recipe for each line.
func (a *app) explainUsers(f userAddFlags, lines []csr.UserLine, recipe func(csr.AddOptions) (string, error)) error {
	for _, line := range lines {
		o, err := f.AddOptions, line.Err
		o.UserGrant, o.Out = line.Grant, csr.UserFile(f.Out, line.Grant.Name)
		text := ""
		if err == nil {
			text, err = recipe(o)
		}
		if err != nil {
			return failure.Wrap(err, failure.KindOf(err), failure.HintOf(err), "line %d of %q", line.Number, f.file)
		}
		if err := a.explain(text, nil); err != nil {
			return err
		}
	}
	return nil
}

type usersResult struct {
	typeMeta
	csr.UsersResult
	Errors []batchError `json:"errors"`
	DryRun bool         `json:"dryRun,omitempty"`
}

func (a *app) printUsers(r usersResult) error {
	return a.print(r, func(w io.Writer) {
		tally{"Added", "add", "user", r.Added, r.Skipped, r.Failed, r.Seconds, r.DryRun}.write(w)
	})
}
