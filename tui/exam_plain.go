package tui

import (
	"context"
	"strconv"
	"strings"
)

// exams begins an exam or goes on with one.
func (p *labPlain) exams(ctx context.Context) error {
	found, err := examFind(p.world)
	if err == nil && !found.goesOn() {
		found, err = p.examBegin(ctx, found)
	}
	if err != nil {
		p.sayError(err)
		return ctx.Err()
	}
	if found == nil {
		return nil
	}
	return p.exam(ctx, found)
}

// examBegin says what an exam is, and asks for how long it may be: nil for not at all.
func (p *labPlain) examBegin(ctx context.Context, found *examFound) (*examFound, error) {
	p.say("")
	p.say("An exam as the CKS sets it")
	for _, rule := range examRules() {
		p.say("%s", rule)
	}
	if found.exam != nil {
		report := found.exam.Report()
		p.say("The last one: %d percent, %s.", report.Score, examVerdict(report))
	}
	for i, minutes := range examMinutes() {
		p.say("%d. At most %s. %s", i+1, plural(minutes, "minute"), found.sizes[i])
	}
	answer, err := p.ask(ctx, "Number to begin, the clock then runs; or Enter to go back")
	if err != nil || answer == "" {
		return nil, err
	}
	number, ok := examNumber(answer, len(examMinutes()))
	if !ok {
		p.say("There is no number %s.", text(answer))
		return nil, nil
	}
	p.say("Choosing tasks and writing their files ...")
	return examBegin(ctx, p.world, examMinutes()[number-1], p.labSay)
}

// examNumber reads a number from 1 to last.
func examNumber(answer string, last int) (number int, ok bool) {
	number, err := strconv.Atoi(strings.TrimSpace(answer))
	return number, err == nil && number >= 1 && number <= last
}

// exam goes through an exam under way.
func (p *labPlain) exam(ctx context.Context, found *examFound) error {
	stamps := map[string]string{}
	for {
		if !p.Now().Before(found.exam.EndsAt) {
			p.say("The time is over.")
			return p.examFinish(ctx)
		}
		seen, err := examLook(ctx, p.world, stamps)
		if err != nil {
			p.sayError(err)
			return ctx.Err()
		}
		stamps = seen.stamps
		p.examList(found, seen)
		answer, err := p.ask(ctx, "Number of a task, f and a number to flag it, x to finish, or Enter to go back")
		switch {
		case err != nil || answer == "":
			return err
		case !p.Now().Before(found.exam.EndsAt):
			continue
		case answer == "x":
			yes, err := p.consent(ctx, strings.Join(examOpen(found, seen, p.Now()), " "))
			if err != nil {
				return err
			}
			if yes {
				return p.examFinish(ctx)
			}
		default:
			if found, err = p.examDo(ctx, found, answer); err != nil {
				return err
			}
		}
	}
}

// examList lists the tasks.
func (p *labPlain) examList(found *examFound, seen examSeen) {
	p.say("")
	p.say("%s", examLeft(found.exam, p.Now()))
	for i, t := range found.exam.Tasks {
		line := ""
		if seen.touched[t.Lab] {
			line += ", worked on"
		}
		if t.Flagged {
			line += ", flagged"
		}
		p.say("%d. %s, %d percent%s", i+1, text(found.lab(t).Title), t.Weight, line)
	}
}

// examDo shows a task, or flags one.
func (p *labPlain) examDo(ctx context.Context, found *examFound, answer string) (*examFound, error) {
	word, flag := strings.CutPrefix(answer, "f")
	number, ok := examNumber(word, len(found.exam.Tasks))
	if !ok {
		p.say("There is no task %s.", text(answer))
		return found, nil
	}
	t := found.exam.Tasks[number-1]
	if !flag {
		p.say("")
		p.say("Task %d of %d: %s", number, len(found.exam.Tasks), text(found.lab(t).Title))
		p.sayTasks(found.lab(t))
		p.say("Directory: %s", text(t.Dir))
		_, err := p.ask(ctx, "Enter goes back to the list")
		return found, err
	}
	changed, err := examFlag(ctx, p.world, t.Lab, !t.Flagged)
	if err != nil {
		p.sayError(err)
		return found, ctx.Err()
	}
	return changed, nil
}

// examFinish ends the exam, and says its report.
func (p *labPlain) examFinish(ctx context.Context) error {
	p.say("Grading ...")
	reported, err := examFinish(ctx, p.world)
	if err != nil {
		p.sayError(err)
		return ctx.Err()
	}
	r := reported.report
	p.say("")
	p.say("%s: %d percent of the points, where %d percent pass.", examVerdict(r), r.Score, r.PassMark)
	for _, d := range r.Domains {
		p.say("%s, weight %d percent: %d percent", text(d.Title), d.Weight, d.Score)
	}
	for i, t := range r.Tasks {
		p.say("Task %d, %s: %d of %s", i+1, text(reported.lab(t).Title), t.Points, plural(t.Total, "point"))
		if why := examUngraded(t); why != "" {
			p.say("%s", why)
		}
		if result := reported.results[t.Lab]; result != nil && !result.Passed() {
			p.sayResult(result)
		}
	}
	return nil
}
