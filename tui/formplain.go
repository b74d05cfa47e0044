package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// formPlain goes through a flow in plain prompts, line by line, for screen readers:
// no colour, no boxes, and the cursor is never moved. What went wrong has been said
// when it returns, but for the end of input and of ctx.
func formPlain(ctx context.Context, w *world, f flow, in io.Reader, out io.Writer) error {
	p := &plainForm{world: w, plainTalk: w.talk(in, out), flow: f}
	for _, each := range f.steps() {
		made := formStep{step: each}
		for i := range each.fields {
			made.fields = append(made.fields, newFormField(&each.fields[i]))
		}
		p.steps = append(p.steps, made)
	}
	p.say(text(f.title()))
	p.say("Enter alone keeps the answer in brackets. ? explains, < goes back a question, - empties an answer.")
	for at, back := 0, false; ; {
		if err := p.askFrom(ctx, at, back); err != nil {
			return err
		}
		if i, err := p.firstWrong(); err != nil {
			p.sayError(err)
			at, back = i, false
			continue
		}
		err := p.finish(ctx)
		if !errors.Is(err, errGoBack) {
			return err
		}
		at, back = p.before(len(p.steps)), true
	}
}

// firstWrong returns the first step with an answer that is wrong: a later answer
// may have made it so.
func (p *plainForm) firstWrong() (int, error) {
	for i := range p.steps {
		if p.steps[i].isHidden() {
			continue
		}
		if _, err := p.steps[i].wrong(); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// errGoBack is the wish to go back.
var errGoBack = errors.New("back")

// plainForm is a flow in plain prompts.
type plainForm struct {
	*world
	*plainTalk
	flow  flow
	steps []formStep
}

// read is ask for what nothing is done without.
func (p *plainForm) read(ctx context.Context, question string) (string, error) {
	line, err := p.ask(ctx, question)
	if err != nil {
		return "", noAnswer(err, question)
	}
	return line, nil
}

// askFrom asks all questions from a step on: from its last one, where the user comes
// back to it.
func (p *plainForm) askFrom(ctx context.Context, i int, back bool) error {
	for i >= 0 && i < len(p.steps) {
		err := p.askStep(ctx, i, back)
		switch {
		case errors.Is(err, errGoBack):
			if to := p.before(i); to >= 0 {
				i, back = to, true
			} else {
				p.say("This is the first question.")
				back = false
			}
		case err != nil:
			return err
		default:
			for i++; i < len(p.steps) && p.steps[i].isHidden(); i++ {
			}
			back = false
		}
	}
	return nil
}

// before returns the last step before i that is not hidden, -1 for none.
func (p *plainForm) before(i int) int {
	for i--; i >= 0 && p.steps[i].isHidden(); i-- {
	}
	return i
}

// askStep asks the questions of a step, from the last one where the user comes
// back to it.
func (p *plainForm) askStep(ctx context.Context, i int, back bool) error {
	st := &p.steps[i]
	if st.isHidden() {
		return nil
	}
	p.begin(ctx, i, !back)
	at := -1
	by := 1
	if back {
		at, by = len(st.fields), -1
	}
	for {
		at = st.next(at, by)
		switch {
		case at < 0:
			return errGoBack
		case at < len(st.fields):
			err := p.askField(ctx, st.fields[at])
			by = 1
			if errors.Is(err, errGoBack) {
				by = -1
			} else if err != nil {
				return err
			}
			continue
		}
		if st.check == nil {
			return nil
		}
		err := st.check()
		if err == nil {
			return nil
		}
		p.sayError(err)
		if st.next(-1, 1) == len(st.fields) {
			if p.before(i) < 0 {
				return err
			}
			return errGoBack // nothing here could be answered otherwise
		}
		at, by = -1, 1
	}
}

// begin says which step it is; of a new one also what it is about, and loads what it
// offers.
func (p *plainForm) begin(ctx context.Context, i int, isNew bool) {
	st := &p.steps[i]
	number, all := 0, 0
	for j := range p.steps {
		if !p.steps[j].isHidden() {
			all++
			if j <= i {
				number++
			}
		}
	}
	p.say("")
	p.say("Step %d of %d: %s", number, all, text(st.title))
	if !isNew {
		return
	}
	if st.intro != "" {
		p.say("%s", text(st.intro))
	}
	if st.load != nil {
		p.say("Loading what there is to choose from ...")
		if err := st.load(ctx); err != nil {
			p.say("Not loaded: %s", text(err.Error()))
		}
	}
}

// askField asks until the answer is right.
func (p *plainForm) askField(ctx context.Context, f *formField) error {
	f.refresh(true)
	p.help(f)
	for {
		line, err := p.read(ctx, p.question(f))
		if err != nil {
			return err
		}
		switch line {
		case "?":
			if f.help == "" {
				p.say("There is no help for this question.")
			}
			p.help(f)
			continue
		case "<":
			return errGoBack
		}
		if wrong := f.answer(line); wrong != nil {
			p.sayError(wrong)
			continue
		}
		f.refresh(true)
		if f.err == nil {
			return nil
		}
		p.sayError(f.err)
	}
}

func (p *plainForm) help(f *formField) {
	if f.help != "" {
		p.say("%s", text(f.help))
	}
	if len(f.words) > 0 {
		p.say("Known: %s", plainList(f.words))
	}
	p.list(f)
}

// mostListed is how many options are listed; a name is an answer too.
const mostListed = 50

// plainList joins words, not too many.
func plainList(words []string) string {
	more := ""
	if len(words) > mostListed {
		more = fmt.Sprintf(" and %d more", len(words)-mostListed)
		words = words[:mostListed]
	}
	return text(strings.Join(words, ", ")) + more
}

// list says the options with their numbers.
func (p *plainForm) list(f *formField) {
	for i := range f.all {
		if i == mostListed {
			p.say("and %d more: type the name, or a part that no other has", len(f.all)-mostListed)
			return
		}
		line := fmt.Sprintf("%d. %s", i+1, text(f.all[i].name()))
		if f.all[i].help != "" {
			line += ": " + text(f.all[i].help)
		}
		p.say("%s", line)
	}
}

// question is the title with the answer that Enter alone gives.
func (p *plainForm) question(f *formField) string {
	title := text(f.title)
	switch {
	case f.yes != nil && *f.yes:
		return title + " [Y/n]"
	case f.yes != nil:
		return title + " [y/N]"
	case f.isLine() && !f.isEmpty():
		return title + " [" + text(f.held()) + "]"
	case f.isLine() && f.fallbackText() != "":
		return title + " [" + text(f.fallbackText()) + "]"
	case f.list != nil:
		return title + ", commas between several"
	case f.choice != nil:
		return title + ", a number" + f.chosenNumbers()
	case f.many != nil:
		return title + ", numbers with commas between" + f.chosenNumbers()
	case f.required:
		return title + ", required"
	}
	return title
}

// finish reviews, asks, and does it.
func (p *plainForm) finish(ctx context.Context) error {
	p.say("")
	p.say("Looking at what would be done ...")
	j := p.job(ctx)
	r, err := p.flow.review(ctx, j)
	if err != nil {
		return p.failed(ctx, err)
	}
	p.sayReview(r)
	command := p.commandLine(p.flow.command())
	p.say("The command: %s", text(command))
	if r.nothing != "" {
		return nil
	}
	if err := p.consent(ctx, r.question); err != nil {
		return err
	}
	o, err := p.flow.run(ctx, j)
	if o != nil {
		p.sayOutcome(o)
	}
	if err != nil {
		return p.failed(ctx, err)
	}
	return nil
}

// consent asks the last question. Only yes is a yes.
func (p *plainForm) consent(ctx context.Context, question string) error {
	if question == "" {
		question = "Do it?"
	}
	for {
		line, err := p.read(ctx, text(question)+" e shows how it is done without "+text(p.Program)+", < goes back [y/N]")
		if err != nil {
			return err
		}
		switch strings.ToLower(line) {
		case "y", "yes":
			return nil
		case "<":
			return errGoBack
		case "e":
			recipe, err := p.flow.explain(ctx)
			if err != nil {
				p.sayError(err)
			}
			p.sayLines(recipe)
		default:
			p.say("The answer was not yes, so nothing was changed.")
			return failure.New(failure.Refused, "run it again and answer y", "the answer was not yes, so nothing was changed: %s", question)
		}
	}
}

// failed says what went wrong, and offers to go back with all answers kept.
func (p *plainForm) failed(ctx context.Context, err error) error {
	p.say("%s.", failedHow(err))
	p.sayError(err)
	if ctx.Err() != nil {
		return err
	}
	line, readErr := p.read(ctx, "Back to the questions? [y/N]")
	if readErr != nil {
		return err
	}
	if l := strings.ToLower(line); l == "y" || l == "yes" || l == "<" {
		return errGoBack
	}
	return err
}

// job reports in lines.
func (p *plainForm) job(ctx context.Context) *job {
	ask := func(isNew bool) ca.Passphrase {
		return func(name string) ([]byte, error) {
			if p.GivenPassphrase != nil {
				if passphrase, err := p.GivenPassphrase(name); passphrase != nil || err != nil {
					return passphrase, err
				}
			}
			if p.AskPassphrase == nil {
				return nil, ca.ErrNoPassphrase
			}
			return p.AskPassphrase(ctx, name, isNew)
		}
	}
	return &job{
		begin:      func(step string) { p.say("%s ...", text(step)) },
		done:       func(what string) { p.say("done: %s", text(what)) },
		warn:       func(warning string) { p.say("warning: %s", text(warning)) },
		waiting:    func(dir string) { p.say("waiting for another %s that is changing %s", text(p.Program), text(dir)) },
		passphrase: ask(false), newPassphrase: ask(true),
	}
}
