package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

func (a *app) labExamFinishCmd() *cobra.Command {
	var yes bool
	var f labFlags
	cmd := &cobra.Command{
		Use:   "finish",
		Short: "End the exam, grade all tasks, and report by domain",
		Long: `End the exam, grade all tasks, and report how it went: by domain, and by task with
what was missed. It asks while there is time left. A task in which something was
changed after the end keeps the points that it had when it was last graded; so
does one with a cluster, where a change leaves no trace, if that is more than a
minute after the end. The clusters are ended.

Exit codes: 0 passed, 3 not passed.`,
		Example: `  pkictl lab exam start --minutes 15
  pkictl lab exam finish --yes || test $? = 3`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.labExamFinish(cmd.Context(), yes, f.assets) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	addLabAssets(cmd, &f)
	return cmd
}

func (a *app) labExamReportCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "report",
		Short: "Show the report of the last exam again",
		Long: `Show the report of the last exam again: by domain, and by task with what was
missed.

Exit codes: 0 it was passed, 3 it was not.`,
		Example: `  pkictl lab exam start --minutes 15
  pkictl lab exam finish --yes --quiet || test $? = 3
  pkictl lab exam report || test $? = 3`,
		Args: noArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			session, err := a.examSession("")
			if err != nil {
				return err
			}
			if exam := session.Exam(); exam.EndedAt.IsZero() {
				return failure.New(failure.Refused, "end it with: "+a.examLine("finish"), "the exam goes on: there is no report yet")
			}
			return a.labExamReport(session)
		},
	}
}

func (a *app) labExamFinish(ctx context.Context, yes bool, assets string) error {
	session, err := a.examSession(assets)
	if err != nil {
		return err
	}
	if exam := session.Exam(); exam.EndedAt.IsZero() && session.Remaining(a.now()) > 0 && !yes {
		if err := a.askToFinish(ctx, session); err != nil {
			return err
		}
	}
	a.stopsOthers()
	if _, err := session.Finish(ctx, a.now()); err != nil {
		return err
	}
	return a.labExamReport(session)
}

func (a *app) askToFinish(ctx context.Context, session *lab.Session) error {
	const question = "End the exam now?"
	if !isTerminal(a.in) {
		return failure.New(failure.Refused, "add --yes", "there is no terminal to ask on: %s", question)
	}
	return a.ask(ctx, func(w io.Writer) {
		p := a.labPage(w)
		p.line("%s", a.examLeft(session))
		var untouched, flagged []string
		for _, t := range a.examStatus(session).Tasks {
			if !t.Touched {
				untouched = append(untouched, fmt.Sprint(t.Number))
			}
			if t.Flagged {
				flagged = append(flagged, fmt.Sprint(t.Number))
			}
		}
		if len(untouched) > 0 {
			p.text("", "Nothing was written for: "+strings.Join(untouched, ", "))
		}
		if len(flagged) > 0 {
			p.text("", "Flagged: "+strings.Join(flagged, ", "))
		}
	}, question)
}

// examReported is the result in JSON and YAML.
type examReported struct {
	typeMeta
	*lab.Report
	Took string `json:"took"` // in place of nanoseconds
}

func (a *app) labExamReport(session *lab.Session) error {
	exam := session.Exam()
	report := exam.Report()
	results := report.Results()
	err := a.print(examReported{kind("LabExamReport"), report, report.Took.String()}, func(w io.Writer) {
		p := a.labPage(w)
		p.examVerdict(report)
		p.line("Took %s of %s, until %s.", minutesOf(report.Took), minutesOf(exam.EndsAt.Sub(exam.StartedAt)), clock(exam.EndedAt))
		p.line("")
		for _, d := range report.Domains {
			p.line("%3d %%  %s %s", d.Score, printable(d.Title), p.paint(sgrFaint, fmt.Sprintf("(%d %% of the exam)", d.Weight)))
		}
		for i, t := range report.Tasks {
			p.examTask(i+1, t, results[t.Lab])
		}
	})
	if err == nil && !report.Passed {
		return errFound
	}
	return err
}

func (p labPage) examVerdict(r *lab.Report) {
	sgr, sign, word := sgrGood, "✓", "Passed"
	if !r.Passed {
		sgr, sign, word = sgrBad, "✗", "Not passed"
	}
	p.line("%s", p.paint(sgr, fmt.Sprintf("%s %s: %d %%, where %d %% pass", sign, word, r.Score, r.PassMark)))
}

// examTask writes how a task went, and what was missed.
func (p labPage) examTask(number int, t lab.ExamTask, result *lab.Result) {
	sign, sgr := "✗", sgrBad
	switch {
	case t.Points == t.Total:
		sign, sgr = "✓", sgrGood
	case t.Points > 0:
		sign, sgr = "~", sgrWarn
	}
	p.line("")
	p.line("%s %2d %s %s", p.paint(sgr, sign), number, printable(examTitle(t.Lab)),
		p.paint(sgrFaint, fmt.Sprintf("(%s, %d of %s, %d %% of the exam)", t.Lab, t.Points, count(t.Total, "point"), t.Weight)))
	switch {
	case t.Ungraded != "" && result == nil:
		p.text("     ", "It was not graded: "+printable(t.Ungraded)+".")
	case t.Ungraded != "":
		p.text("     ", "The last grade before the end counts: "+printable(t.Ungraded)+".")
	}
	if result == nil || result.Passed() {
		return
	}
	var missed []lab.CheckResult
	for _, c := range result.Checks {
		if !c.Passed {
			missed = append(missed, c)
		}
	}
	p.checks(missed, "     ")
}
