package tui

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// answer takes a line as the answer to a question. The error says what kind of
// answer would do.
func (f *formField) answer(line string) error {
	if line == "" {
		return nil
	}
	switch {
	case f.yes != nil:
		return f.answerYes(line)
	case f.choice != nil:
		return f.answerChoice(line)
	case f.many != nil:
		return f.answerMany(line)
	}
	if line == "-" {
		line = ""
	}
	f.input.SetValue(line)
	f.store()
	return nil
}

func (f *formField) answerYes(line string) error {
	switch strings.ToLower(line) {
	case "y", "yes":
		*f.yes = true
	case "n", "no":
		*f.yes = false
	default:
		return failure.New(failure.Usage, "", "the answer is y or n")
	}
	return nil
}

func (f *formField) answerChoice(line string) error {
	o, err := f.optionOf(line)
	if err == nil {
		*f.choice = o.value
	}
	return err
}

func (f *formField) answerMany(line string) error {
	var chosen []string
	if line != "-" {
		for _, word := range splitList(line) {
			o, err := f.optionOf(word)
			if err != nil {
				return err
			}
			chosen = append(chosen, o.value)
		}
	}
	*f.many = chosen
	return nil
}

// optionOf finds an option by its number, its name, or a part of that which no
// other has.
func (f *formField) optionOf(word string) (*option, error) {
	for i := range f.all {
		if f.all[i].value == word || f.all[i].name() == word {
			return &f.all[i], nil
		}
	}
	if n, err := strconv.Atoi(word); err == nil {
		if n >= 1 && n <= len(f.all) {
			return &f.all[n-1], nil
		}
		return nil, failure.New(failure.Usage, "", "there is no number %d: they go from 1 to %d", n, len(f.all))
	}
	var found *option
	for i := range f.all {
		if !strings.Contains(strings.ToLower(f.all[i].name()), strings.ToLower(word)) {
			continue
		}
		if found != nil {
			return nil, failure.New(failure.Usage, "type more of the name, or the number", "%q is a part of several", word)
		}
		found = &f.all[i]
	}
	if found == nil {
		return nil, failure.New(failure.Usage, "answer with a number", "%q is none of them", word)
	}
	return found, nil
}

// chosenNumbers says in brackets what is chosen.
func (f *formField) chosenNumbers() string {
	var numbers []string
	for i := range f.all {
		if f.isChosen(f.all[i].value) {
			numbers = append(numbers, strconv.Itoa(i+1))
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	return " [" + strings.Join(numbers, ", ") + "]"
}

func (p *plainForm) sayReview(r *review) {
	for _, warning := range r.warnings {
		p.say("warning: %s", text(warning))
	}
	if r.nothing != "" {
		p.say("%s", text(r.nothing))
	}
	p.sayRows(r.rows)
	for _, f := range r.writes {
		p.say("%s", f.words())
	}
	for _, request := range r.sends {
		p.say("sent to the cluster: %s", text(request))
	}
	p.sayLines(r.preview)
}

// words say what happens to a file.
func (f fileToBe) words() string {
	what := "new file "
	if f.replaces {
		what = "replaced file "
	}
	what += text(f.path)
	if f.mode != 0 {
		what += fmt.Sprintf(", mode %04o", f.mode)
	}
	if f.what != "" {
		what += ", " + text(f.what)
	}
	return what
}

func (p *plainForm) sayOutcome(o *outcome) {
	p.say("")
	if o.headline != "" {
		p.say("%s", text(o.headline))
	}
	for _, warning := range o.warnings {
		p.say("warning: %s", text(warning))
	}
	p.sayRows(o.rows)
	p.sayLines(o.text)
	for i, n := range o.next {
		p.say("Next, %d. %s", i+1, text(n.why))
		if len(n.args) > 0 {
			p.say("   %s", text(shellLine(n.args)))
		}
	}
}
