package tui

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/lab"
)

// labsPlain goes through the practice labs in numbered lines, for screen readers: no
// colour, no boxes, and nothing is said that was not asked for. It returns when the
// user goes back, and with an error at the end of input, which is no answer, or of
// ctx.
func labsPlain(ctx context.Context, w *world, in io.Reader, out io.Writer) error {
	p := &labPlain{w, w.talk(in, out)}
	p.say("Practice labs")
	for filter := ""; ; {
		state, err := loadLabs(w)
		if err != nil {
			p.sayError(err)
			return err
		}
		found := p.catalogue(&state, filter)
		answer, err := p.ask(ctx, "Number of a lab, e for an exam, words to list the labs that have them, or Enter to go back")
		switch number, notNumber := strconv.Atoi(answer); {
		case err != nil:
			return err
		case answer == "" && filter == "":
			return nil
		case answer == "":
			filter = ""
		case answer == "e", answer == "exam":
			err = p.exams(ctx)
		case notNumber != nil:
			filter = answer
		case number < 1 || number > len(found):
			p.say("There is no number %d.", number)
		default:
			err = p.lab(ctx, found[number-1])
		}
		if err != nil {
			return err
		}
	}
}

// labPlain is the practice labs in lines.
type labPlain struct {
	*world
	*plainTalk
}

// consent asks a question to which only yes is a yes.
func (p *labPlain) consent(ctx context.Context, question string) (bool, error) {
	answer, err := p.ask(ctx, question+" [y/N]")
	if err != nil {
		return false, noAnswer(err, question)
	}
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", nil
}

// catalogue lists the labs by domain, and returns them in the order of their numbers.
func (p *labPlain) catalogue(state *labsState, filter string) []*lab.Lab {
	var found []*lab.Lab
	for _, domain := range lab.Domains() {
		some := false
		for _, l := range state.labs {
			if l.Domain != domain.ID || !labFinds(labWords(l, domain, state.state(l)), filter) {
				continue
			}
			if !some {
				passed, all := state.count(domain.ID)
				p.say("%s, %d percent of the %s: %d of %s passed", domain.Title, domain.Weight, domain.Exam, passed, plural(all, "lab"))
			}
			some = true
			found = append(found, l)
			p.say("%d. %s: %s, %d of %s, %s%s", len(found), text(l.Title), state.state(l),
				state.progress[l.ID].Points, plural(l.Points(), "point"), plural(l.Minutes, "minute"), labPlainNeeds(state, l))
		}
	}
	if len(found) == 0 {
		p.say("No lab has that in its name, domain or state.")
	}
	return found
}

func labPlainNeeds(state *labsState, l *lab.Lab) string {
	s := ""
	for _, need := range l.Needs {
		s += ", needs " + text(need)
		if why, lacks := state.lacks[need]; lacks {
			s += ", which this machine lacks: " + text(why)
		}
	}
	return s
}

// labPlainOpen is a lab that is worked on.
type labPlainOpen struct {
	lab      *lab.Lab
	space    *lab.Workspace
	progress lab.Progress
	passed   bool // when it was last checked
	since    time.Time
}

// lab goes through one lab.
func (p *labPlain) lab(ctx context.Context, l *lab.Lab) error {
	p.say("")
	p.say("Lab: %s", text(l.Title))
	p.sayTasks(l)
	space, progress, err := labResume(ctx, p.world, l, nil, p.labSay)
	if err == nil && space == nil {
		var yes bool
		question := "Make a directory with the files to start from, and start the clock?"
		if yes, err = p.consent(ctx, question); err != nil || !yes {
			return err
		}
		space, progress, err = labStart(ctx, p.world, l, nil, p.labSay)
	}
	if err != nil {
		p.sayError(err)
		return ctx.Err()
	}
	o := &labPlainOpen{lab: l, space: space, progress: progress, since: p.Now()}
	p.say("Directory: %s", text(space.Dir))
	p.labMenu(l)
	for {
		answer, err := p.ask(ctx, "Number, m for what the numbers are, or Enter to go back")
		if err == nil {
			err = p.count(ctx, o)
		}
		if err != nil || answer == "" || answer == "7" {
			return err
		}
		if answer == "8" && l.HasCluster() {
			p.say("Ending its cluster ...")
			if err := space.Stop(ctx); err != nil {
				p.sayError(err)
			}
			return ctx.Err()
		}
		if err := p.labDo(ctx, o, answer); err != nil {
			return err
		}
	}
}

func (p *labPlain) labMenu(l *lab.Lab) {
	p.say("1. Check now")
	p.say("2. The tasks again")
	p.say("3. The next hint")
	p.say("4. The solution")
	p.say("5. Start anew")
	p.say("6. The time, and where the files are")
	p.say("7. Back")
	if l.HasCluster() {
		p.say("8. End its cluster, and go back; the work stays")
	}
}

// labSay says what begins, where it takes some time.
func (p *labPlain) labSay(step string, done bool) {
	if !done {
		p.say("Cluster: %s ...", text(step))
	}
}

// count takes down the time since it was last counted, until the lab has passed.
func (p *labPlain) count(ctx context.Context, o *labPlainOpen) error {
	now := p.Now()
	spent := now.Sub(o.since)
	o.since = now
	if o.passed || spent <= 0 {
		return nil
	}
	return p.keep(ctx, o, func(kept *lab.Progress) { kept.Spent += spent })
}

// keep changes what is kept; that it cannot is said, and no reason to end.
func (p *labPlain) keep(ctx context.Context, o *labPlainOpen, change func(*lab.Progress)) error {
	progress, err := labSave(ctx, p.world, o.lab, change)
	if err != nil {
		p.sayError(err)
		return ctx.Err()
	}
	o.progress = progress
	return nil
}

func (p *labPlain) labDo(ctx context.Context, o *labPlainOpen, answer string) error {
	switch answer {
	case "m":
		p.labMenu(o.lab)
	case "1":
		return p.check(ctx, o)
	case "2":
		p.sayTasks(o.lab)
	case "3":
		return p.hint(ctx, o)
	case "4":
		return p.solution(ctx, o)
	case "5":
		return p.reset(ctx, o)
	case "6":
		p.say("%s of %s. Best result: %d of %s.", labClock(o.progress.Spent), plural(o.lab.Minutes, "minute"), o.progress.Points, plural(o.lab.Points(), "point"))
		p.say("Directory: %s", text(o.space.Dir))
	default:
		p.say("Answer with a number from 1 to 7, or m.")
	}
	return nil
}

func (p *labPlain) sayTasks(l *lab.Lab) {
	p.sayLines(l.Scenario)
	for i, task := range l.Tasks {
		p.say("Task %d of %d:", i+1, len(l.Tasks))
		p.sayLines(task)
	}
}

func (p *labPlain) check(ctx context.Context, o *labPlainOpen) error {
	p.say("Checking ...")
	result, progress, err := labCheck(ctx, p.world, o.space)
	if errors.Is(err, lab.ErrClusterDown) { // somebody else has ended it
		if err = o.space.Up(ctx, p.Now(), p.labSay); err == nil {
			result, progress, err = labCheck(ctx, p.world, o.space)
		}
	}
	if err != nil {
		p.sayError(err)
		return ctx.Err()
	}
	o.progress, o.passed = progress, result.Passed()
	p.sayResult(result)
	p.say("%d of %s.", result.Points, plural(result.Total, "point"))
	if o.passed {
		p.say("Done: %s, in %s.", labAll(len(result.Checks)), labClock(o.progress.Spent))
		if next, err := labNext(p.world, o.lab); err == nil && next != nil {
			p.say("The next lab: %s", text(next.Title))
		}
	}
	return nil
}

// sayResult says the checks, of those that fail what was wanted and found.
func (p *labPlain) sayResult(result *lab.Result) {
	for _, c := range result.Checks {
		if c.Passed {
			p.say("passed, %s: %s", plural(c.Points, "point"), text(c.Name))
			continue
		}
		p.say("failed, 0 of %s: %s", plural(c.Points, "point"), text(c.Name))
		p.say("   wanted: %s", text(c.Wanted))
		p.say("   found: %s", text(c.Found))
	}
}

func (p *labPlain) hint(ctx context.Context, o *labPlainOpen) error {
	shown := min(o.progress.Hints, len(o.lab.Hints))
	if shown < len(o.lab.Hints) {
		shown++
		if err := p.keep(ctx, o, func(kept *lab.Progress) { kept.ShowedHints(shown) }); err != nil {
			return err
		}
	}
	for i, hint := range o.lab.Hints[:shown] {
		p.say("Hint %d of %d:", i+1, len(o.lab.Hints))
		p.sayLines(hint)
	}
	return nil
}

func (p *labPlain) solution(ctx context.Context, o *labPlainOpen) error {
	if !o.progress.GaveUp && o.progress.PassedAt.IsZero() {
		yes, err := p.consent(ctx, "Give up and show the solution? The lab then counts as given up until it passes.")
		if err != nil || !yes {
			return err
		}
		if err := p.keep(ctx, o, (*lab.Progress).ShowedSolution); err != nil {
			return err
		}
	}
	p.say("With the usual tools:")
	p.sayLines(o.lab.Solution.Tools)
	if o.lab.Solution.Pkictl != "" {
		p.say("With %s:", text(p.Program))
		p.sayLines(o.lab.Solution.Pkictl)
	}
	return nil
}

func (p *labPlain) reset(ctx context.Context, o *labPlainOpen) error {
	yes, err := p.consent(ctx, text(labResetText(o.lab, o.space))+" Start the lab anew?")
	if err != nil || !yes {
		return err
	}
	if o.space, _, err = labReset(ctx, p.world, o.lab, o.space, p.labSay); err != nil {
		p.sayError(err)
		return ctx.Err()
	}
	o.passed = false
	p.say("The lab begins anew.")
	return nil
}
