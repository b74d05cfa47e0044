package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/ca"
)

// replayDays is how many days are shown one by one, the last.
const replayDays = 31

func (a *app) printReplay(report *audit.ReplayReport) error {
	result := struct {
		typeMeta
		*audit.ReplayReport
	}{kind("AuditReplay"), report}
	return a.print(result, func(w io.Writer) {
		printReplaySummary(w, report)
		printReplayRules(w, &report.Policy)
		if report.Against != nil {
			printReplayRules(w, report.Against)
		}
		printReplayRows(w, "LEVEL", report, report.Levels)
		if len(report.Days) > 1 {
			days := report.Days[max(0, len(report.Days)-replayDays):]
			printReplayRows(w, "DAY", report, days)
		}
		printReplayRows(w, "USER", report, report.Users)
		printReplayRows(w, "RESOURCE", report, report.Resources)
		if report.Difference != nil {
			printReplayDifference(w, report)
		}
		printReplayProblems(w, report)
	})
}

func printReplaySummary(w io.Writer, r *audit.ReplayReport) {
	logs := printable(r.Logs[0])
	if n := len(r.Logs) - 1; n > 0 {
		logs += fmt.Sprintf(" and %d more", n)
	}
	span := ""
	if r.First != nil {
		span = fmt.Sprintf("%s to %s (%s)", utc(*r.First), utc(*r.Last), spanOf(r.Span()))
	}
	rows := []row{
		{"log", logs},
		{"events", fmt.Sprintf("%d, %s", r.Log.Events, byteSize(r.Log.Bytes))},
		{"from", span},
		{"policy", replayed(r, &r.Policy)},
	}
	if r.Against != nil {
		rows = append(rows, row{"against", replayed(r, r.Against)})
	}
	printRows(w, "", rows...)
}

// replayed is a policy and what it keeps, in a line.
func replayed(r *audit.ReplayReport, p *audit.PolicyReplay) string {
	text := fmt.Sprintf("%s keeps %s (%s), %s", p.Policy, count(int(p.Kept.Events), "event"), percent(p.Kept.Events, r.Log.Events), tallySize(p.Kept))
	if p.BytesADay > 0 {
		text += fmt.Sprintf("; %s a day", byteSize(p.BytesADay))
		if span := r.Span(); span < time.Hour {
			text += ", extrapolated from " + spanOf(span)
		}
	}
	return text
}

func percent(n, of int64) string {
	if of == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(n)/float64(of), 'f', 1, 64) + " %"
}

// spanOf is shorter than a validity can be.
func spanOf(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	return ca.FormatValidity(d)
}

// byteSize shows a number of bytes in a unit that leaves it short.
func byteSize(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1000 && size > -1000 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// tallySize marks what is a lower bound.
func tallySize(t audit.Tally) string {
	if t.Incomplete > 0 {
		return byteSize(t.Bytes) + "+"
	}
	return byteSize(t.Bytes)
}

func printReplayRules(w io.Writer, p *audit.PolicyReplay) {
	fmt.Fprintf(w, "\n%5s %5s %10s %10s %11s  %-15s  %s\n", "RULE", "LINE", "EVENTS", "KEPT", "BYTES", "LEVEL", "OF "+printable(p.Policy))
	for _, r := range p.Rules {
		number, line := strconv.Itoa(r.Rule), strconv.Itoa(r.Line)
		if r.Rule == 0 {
			if r.Events == 0 {
				continue
			}
			number, line = "-", "-"
		}
		fmt.Fprintf(w, "%5s %5s %10d %10d %11s  %-15s  %s\n", number, line, r.Events, r.Kept.Events, tallySize(r.Kept), r.Level, clipText(printable(r.Text), 38))
	}
}

// clipText shortens a text to so many characters.
func clipText(s string, width int) string {
	if runes := []rune(s); len(runes) > width {
		return string(runes[:width-3]) + "..."
	}
	return s
}

func printReplayRows(w io.Writer, title string, r *audit.ReplayReport, rows []audit.Row) {
	fmt.Fprintf(w, "\n%10s %10s %10s %11s", "IN LOG", "BYTES", "KEPT", "BYTES")
	if r.Against != nil {
		fmt.Fprintf(w, " %10s %11s", "AGAINST", "BYTES")
	}
	fmt.Fprintf(w, "  %s\n", title)
	for _, row := range rows {
		fmt.Fprintf(w, "%10d %10s %10d %11s", row.Log.Events, byteSize(row.Log.Bytes), row.Kept.Events, tallySize(row.Kept))
		if row.Against != nil {
			fmt.Fprintf(w, " %10d %11s", row.Against.Events, tallySize(*row.Against))
		}
		fmt.Fprintf(w, "  %s\n", dash(printable(row.Name)))
	}
}

func printReplayDifference(w io.Writer, r *audit.ReplayReport) {
	d := r.Difference
	fmt.Fprintf(w, "\n%s against %s: gained %s, lost %d; level raised of %d, lowered of %d; %s\n",
		printable(r.Policy.Policy), printable(r.Against.Policy), count(int(d.Gained), "event"), d.Lost, d.Raised, d.Lowered, moreBytes(d.Bytes))
	if len(d.Rules) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-8s %10s %11s  %-22s  %s\n", "CHANGE", "EVENTS", "BYTES", "AGAINST", "POLICY")
	for _, c := range d.Rules {
		fmt.Fprintf(w, "%-8s %10d %11s  %-22s  %s\n", c.Change, c.Events, byteSize(c.Bytes), ruleAt(c.Against, c.AgainstLevel), ruleAt(c.Rule, c.Level))
		e := c.Example
		fmt.Fprintf(w, "         such as %s %s %s by %s (%s)\n", printable(fmt.Sprintf("%s:%d", e.Log, e.Line)), dash(printable(e.Verb)), printable(e.Path), dash(printable(e.User)), e.Stage)
	}
	fmt.Fprintf(w, "\n%10s %10s %10s %10s %11s  %s\n", "GAINED", "LOST", "RAISED", "LOWERED", "BYTES", "RESOURCE")
	for _, c := range d.Resources {
		fmt.Fprintf(w, "%10d %10d %10d %10d %11s  %s\n", c.Gained, c.Lost, c.Raised, c.Lowered, byteSize(c.Bytes), printable(c.Name))
	}
}

// ruleAt names a rule by number and level.
func ruleAt[L ~string](rule int, level L) string {
	if rule == 0 {
		return "no rule: " + string(level)
	}
	return fmt.Sprintf("%d: %s", rule, level)
}

func moreBytes(n int64) string {
	switch {
	case n < 0:
		return byteSize(-n) + " less"
	case n > 0:
		return byteSize(n) + " more"
	}
	return "as many bytes"
}

func printReplayProblems(w io.Writer, r *audit.ReplayReport) {
	total := int64(0)
	for _, n := range r.NotEvents {
		total += n
	}
	if total > 0 {
		fmt.Fprintf(w, "\n%d of %d lines are no events or are damaged:\n", total, r.Lines)
		for _, reason := range slices.Sorted(maps.Keys(r.NotEvents)) {
			fmt.Fprintf(w, "%10d  %s\n", r.NotEvents[reason], printable(reason))
		}
		var first []string
		for _, p := range r.Problems {
			first = append(first, printable(fmt.Sprintf("%s:%d", p.Log, p.Line)))
		}
		fmt.Fprintf(w, "first: %s\n", strings.Join(first, ", "))
	}
	fmt.Fprintln(w)
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(note))
	}
	fmt.Fprintln(w, "note: what the log's own policy left out is not in it")
}
