package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
	"github.com/pkictl/pkictl/tui"
)

type labListFlags struct {
	labFlags
	domain string
}

func (a *app) labListCmd() *cobra.Command {
	var f labListFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the practice labs, and how far you are with each",
		Long: `List the practice labs by the domains of the exams, with the weight that a domain
has in its exam. For each lab: how far you are, its number, its ID, the best
result so far of the points that there are, the minutes that an exam would give,
and what it needs of the machine.`,
		Example: `  pkictl lab list
  pkictl lab list --domain cluster-setup
  pkictl lab list -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.labList(f) },
	}
	cmd.Flags().StringVar(&f.domain, "domain", "", "only labs of this `DOMAIN`, such as cluster-hardening")
	complete(cmd, "domain", labDomains()...)
	addLabFrom(cmd, &f.labFlags)
	addLabAssets(cmd, &f.labFlags)
	return cmd
}

func labDomains() []string {
	var ids []string
	for _, d := range lab.Domains() {
		ids = append(ids, d.ID)
	}
	return ids
}

// labListed is a lab in the list.
type labListed struct {
	Number  int       `json:"number,omitempty"`
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Domain  string    `json:"domain"`
	State   lab.State `json:"state"`
	Best    int       `json:"best"`
	Points  int       `json:"points"`
	Minutes int       `json:"minutes"`
	Needs   []string  `json:"needs,omitempty"`
	Lacks   []string  `json:"lacks,omitempty"` // of its needs
}

// labLack is a need that this machine does not meet.
type labLack struct {
	Need string `json:"need"`
	Why  string `json:"why"`
	Hint string `json:"hint,omitempty"`
}

type labListResult struct {
	typeMeta
	Dir   string      `json:"dir"`
	Items []labListed `json:"items"`
	Lacks []labLack   `json:"lacks,omitempty"`
}

func (a *app) labList(f labListFlags) error {
	if f.domain != "" && !slices.Contains(labDomains(), f.domain) {
		return failure.New(failure.Usage, failure.Suggest(f.domain, labDomains()), "there is no domain %q", f.domain)
	}
	source, err := labSource(f.from)
	if err != nil {
		return err
	}
	labs, err := source.Labs()
	if err != nil {
		return err
	}
	all, err := lab.OpenProgress(a.labsDir).All()
	if err != nil {
		return err
	}
	progress := map[string]lab.Progress{}
	for _, p := range all {
		progress[p.Lab] = p
	}
	result := labListResult{typeMeta: kind("LabList"), Dir: a.labsDir, Items: []labListed{}}
	lacks := map[string]bool{}
	machine := a.labMachine(f.assets)
	for _, need := range lab.Needs() {
		if err := machine.Lacks(need); err != nil {
			lacks[need] = true
			result.Lacks = append(result.Lacks, labLack{need, err.Error(), failure.HintOf(err)})
		}
	}
	for _, l := range labs {
		if f.domain != "" && l.Domain != f.domain {
			continue
		}
		p := progress[l.ID]
		item := labListed{l.Number, l.ID, l.Title, l.Domain, p.State(), p.Points, l.Points(), l.Minutes, l.Needs, nil}
		for _, need := range l.Needs {
			if lacks[need] {
				item.Lacks = append(item.Lacks, need)
			}
		}
		result.Items = append(result.Items, item)
	}
	return a.print(result, func(w io.Writer) { result.text(a.labPage(w)) })
}

// text writes the table, a part for each domain.
func (r *labListResult) text(p labPage) {
	widest, passed := 0, 0
	missed := map[string]bool{}
	for _, item := range r.Items {
		widest = max(widest, len(item.ID))
		if item.State == lab.StatePassed {
			passed++
		}
		for _, need := range item.Lacks {
			missed[need] = true
		}
	}
	first := true
	for _, d := range lab.Domains() {
		items := slices.DeleteFunc(slices.Clone(r.Items), func(item labListed) bool { return item.Domain != d.ID })
		if len(items) == 0 {
			continue
		}
		if !first {
			p.line("")
		}
		first = false
		p.line("%s %s", p.paint(sgrStrong, d.Title), p.paint(sgrFaint, fmt.Sprintf("(%d %% of the %s)", d.Weight, d.Exam)))
		for _, item := range items {
			p.labRow(item, widest)
		}
	}
	if len(r.Items) == 0 {
		p.line("There is no lab of that domain.")
		return
	}
	p.line("")
	p.text("", fmt.Sprintf("%d of %s passed. ○ new, ~ started, ✓ passed, – given up; best result of the points that there are.",
		passed, count(len(r.Items), "lab")))
	for _, lack := range r.Lacks {
		if missed[lack.Need] {
			p.labLack(lack)
		}
	}
	p.line("Next: pkictl lab start ID")
}

// labLack says what this machine lacks, and what to do about it.
func (p labPage) labLack(lack labLack) {
	p.text("", fmt.Sprintf("No %s here: %s", lack.Need, lack.Why))
	if lack.Hint != "" {
		p.fact("  ", "hint:", lack.Hint, "")
	}
}

// labRow writes a lab. Its title is cut where a terminal ends.
func (p labPage) labRow(item labListed, widest int) {
	number := "  "
	if item.Number > 0 {
		number = fmt.Sprintf("%2d", item.Number)
	}
	needs := strings.Join(item.Needs, ", ")
	if len(item.Lacks) > 0 {
		needs = "no " + strings.Join(item.Lacks, ", ")
	}
	points := fmt.Sprintf("%d/%d", item.Best, item.Points)
	right := fmt.Sprintf(" %5s %3d min", points, item.Minutes)
	title := printable(item.Title)
	room := p.width - 7 - widest - len(right)
	if needs != "" {
		right = "  " + needs + right
		room -= len(needs) + 2
	}
	if p.height > 0 {
		title = shortTitle(title, room)
	}
	gap := strings.Repeat(" ", max(0, room-utf8.RuneCountInString(title)))
	sgr := [...]string{sgrFaint, sgrWarn, sgrGood, sgrBad}[item.State]
	p.line("%s %s %-*s  %s%s%s", p.paint(sgr, item.State.Sign()), number, widest, printable(item.ID), title, gap, p.paint(sgrFaint, right))
}

func shortTitle(title string, width int) string {
	if utf8.RuneCountInString(title) <= width {
		return title
	}
	lines := tui.Wrap(title, max(2, width-1))
	return lines[0] + "…"
}
