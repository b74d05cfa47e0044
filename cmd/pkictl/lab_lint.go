package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

type labLintFlags struct {
	assets string
	noRun  bool
}

func (a *app) labLintCmd() *cobra.Command {
	var f labLintFlags
	cmd := &cobra.Command{
		Use:   "lint DIR...",
		Short: "Look for mistakes in labs of your own, and prove their grading",
		Long: `Look for mistakes in labs of your own: DIR is the directory of one lab, or one that
has directories of labs. It reads all that is in a lab, and then proves what
grading promises, each in a workspace that is thrown away:

  untouched   no check passes: there are no free points
  solutions   solution/tools.sh, pkictl.sh and second.sh each pass every check
  mutants     each typical mistake loses the checks that it names, and no others

This runs the lab's scripts, with sh and your rights, in an environment that has
PATH, a home directory of its own and nothing else. Do it with scripts that you
have read; --no-run reads only, and runs nothing.

Exit codes: 0 nothing but warnings, 3 errors were found.`,
		Example: `  mkdir -p mine/one-key/solution
  printf '%s\n' 'apiVersion: pkictl.dev/v1' 'kind: Lab' > mine/one-key/lab.yaml
  pkictl lab lint mine/one-key --no-run || test $? = 3`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return failure.New(failure.Usage, "name the directory of a lab, or of several", "there is nothing to lint")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.labLint(cmd, args, f) },
	}
	cmd.Flags().BoolVar(&f.noRun, "no-run", false, "run nothing: read the labs only")
	cmd.Flags().StringVar(&f.assets, "assets", "", "`DIRECTORY` with etcd, kube-apiserver and kubectl, for labs with a cluster")
	// The only error is a flag that does not exist, which a test would show.
	_ = cmd.MarkFlagDirname("assets")
	return cmd
}

// labLinted is a lab that was looked at.
type labLinted struct {
	ID     string `json:"id"`
	Dir    string `json:"dir"`
	Trials int    `json:"trials"` // that were run
}

type labLintResult struct {
	typeMeta
	Labs     []labLinted       `json:"labs"`
	Findings []lab.LintFinding `json:"findings"`
}

func (a *app) labLint(cmd *cobra.Command, dirs []string, f labLintFlags) error {
	a.stopsOthers() // scripts that run
	result := &labLintResult{typeMeta: kind("LabLint"), Labs: []labLinted{}, Findings: []lab.LintFinding{}}
	var labs []*lab.Lab
	for _, dir := range dirs {
		source, err := lab.OpenSource(dir)
		if err != nil {
			return err
		}
		ids, err := source.IDs()
		if err != nil {
			return err
		}
		for _, id := range ids {
			l, findings, err := source.Lint(id)
			if err != nil {
				return err
			}
			result.Labs = append(result.Labs, labLinted{ID: id, Dir: labLintDir(source, id)})
			result.Findings = append(result.Findings, findings...)
			labs = append(labs, l)
		}
	}
	result.Findings = append(result.Findings, lab.LintTogether(labs)...)
	if !f.noRun {
		if err := a.labSelfTest(cmd.Context(), labs, result, f.assets); err != nil {
			return err
		}
	}
	if err := a.print(result, func(w io.Writer) { result.text(a.labPage(w), f.noRun) }); err != nil {
		return err
	}
	if lab.LintFails(result.Findings) {
		return errFound
	}
	return nil
}

func labLintDir(source *lab.Source, id string) string {
	if filepath.Base(source.Dir) == id {
		return source.Dir
	}
	return filepath.Join(source.Dir, id)
}

// labSelfTest runs the trials of all labs that could be read.
func (a *app) labSelfTest(ctx context.Context, labs []*lab.Lab, result *labLintResult, assets string) error {
	steps := a.newSteps()
	defer steps.clear()
	path := a.env("PATH")
	if assets != "" {
		abs, err := filepath.Abs(assets)
		if err != nil {
			return err
		}
		path += string(os.PathListSeparator) + abs
	}
	o := lab.TrialOptions{Machine: a.labMachine(assets), Path: path, Now: func() time.Time { return time.Now().Truncate(time.Second) }, Progress: steps.show}
	for i, l := range labs {
		if l == nil { // it cannot be read, which is a finding
			continue
		}
		findings, err := l.SelfTest(ctx, o)
		if errors.Is(err, context.Canceled) {
			return failure.New(failure.Failed, "", "interrupted; all that was started is stopped")
		}
		if err != nil {
			return a.labFailed(err)
		}
		result.Findings = append(result.Findings, findings...)
		result.Labs[i].Trials = len(l.Trials())
	}
	return nil
}

// text writes the findings as compilers do.
func (r *labLintResult) text(p labPage, noRun bool) {
	failed, trials := 0, 0
	for _, f := range r.Findings {
		if f.Level == lab.LintError {
			failed++
		}
		sgr := sgrBad
		if f.Level == lab.LintWarning {
			sgr = sgrWarn
		}
		p.line("%s: %s: %s: %s", printable(f.Lab), printable(f.Where), p.paint(sgr, string(f.Level)), printable(f.Text))
		if f.Hint != "" {
			p.line("  hint: %s", printable(f.Hint))
		}
	}
	for _, l := range r.Labs {
		trials += l.Trials
	}
	parts := []string{count(len(r.Labs), "lab"), count(trials, "trial"), count(failed, "error"), count(len(r.Findings)-failed, "warning")}
	summary := strings.Join(parts, ", ")
	if noRun {
		summary += "; nothing was run, so grading is not proven"
	}
	p.line("%s", fmt.Sprint(summary))
}
