package tui

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// hostile is what an attacker would have in a name.
var hostile = "\x1b[2J\x1b]0;gone\a\u202egnp\u2066\u200b\x9b31m\r\n\t" + strings.Repeat("界", 3000) + strings.Repeat("e\u0301\u0302", 1000) + strings.Repeat("x", 7000) + "❤\ufe0f👨\u200d👩\u200d👧"

// hostileFlow has it everywhere.
type hostileFlow struct {
	line, choice string
	list, many   []string
	yes          bool
	fails        bool
}

func (f *hostileFlow) title() string { return hostile }

func (f *hostileFlow) steps() []step {
	str := func() string { return hostile }
	f.line, f.list, f.many, f.choice = hostile, []string{hostile, hostile}, []string{hostile}, hostile
	wrong := func(string) error { return failure.New(failure.Usage, hostile, "%s", hostile) }
	options := func() []option {
		all := []option{{hostile, hostile, hostile}, {hostile, "", ""}}
		for range 40 {
			all = append(all, option{value: "x" + hostile, help: hostile})
		}
		return all
	}
	empty, none := "", []string{}
	return []step{{
		title: hostile, intro: hostile,
		load:  func(context.Context) error { return errors.New(hostile) },
		check: func() error { return failure.New(failure.Usage, hostile, "%s", hostile) },
		fields: []field{
			{title: hostile, help: hostile, text: &f.line, check: wrong, suggestions: func() []string { return []string{hostile + "x", hostile} }},
			{title: hostile, help: hostile, list: &f.list, check: wrong, suggestions: func() []string { return []string{hostile} }},
			{title: hostile, help: hostile, text: &empty, fallback: str},
			{title: hostile, help: hostile, list: &none, required: true, suggestions: func() []string { return []string{hostile} }},
			{title: hostile, help: hostile, choice: &f.choice, options: options, check: wrong},
			{title: hostile, help: hostile, many: &f.many, options: options, check: wrong},
			{title: hostile, help: hostile, yes: &f.yes},
		},
	}}
}

func (f *hostileFlow) command() []string { return []string{hostile, hostile} }

func (f *hostileFlow) explain(context.Context) (string, error) {
	return strings.Repeat(hostile, 3), nil
}

func (f *hostileFlow) review(_ context.Context, j *job) (*review, error) {
	j.begin(hostile)
	j.done(hostile)
	j.warn(hostile)
	j.waiting(hostile)
	if f.fails {
		return nil, failure.New(failure.Refused, hostile, "%s", hostile)
	}
	return &review{
		rows: []row{{hostile, hostile}}, writes: []fileToBe{{hostile, 0o600, hostile, true}, {hostile, 0, "", false}},
		sends: []string{hostile}, warnings: []string{hostile}, preview: strings.Repeat(hostile, 3), question: hostile,
	}, nil
}

func (f *hostileFlow) run(_ context.Context, j *job) (*outcome, error) {
	j.begin(hostile)
	j.done(hostile)
	j.warn(hostile)
	if _, err := j.newPassphrase(hostile); err != nil {
		return nil, err
	}
	j.waiting(hostile)
	var err error
	if f.fails {
		err = failure.New(failure.Refused, hostile, "%s", hostile)
	}
	return &outcome{
		headline: hostile, rows: []row{{hostile, hostile}}, warnings: []string{hostile}, text: hostile + "\n" + hostile,
		next: []nextStep{{why: hostile, args: []string{hostile}}, {why: hostile, open: func(w *world) screen { return newHome(w) }}},
	}, err
}

// TestFormHostile goes through all screens with hostile strings wherever a flow can
// have one.
func TestFormHostile(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		f := &hostileFlow{fails: fails}
		d := newFormDriver(t, func(w *world) screen { return newForm(w, f) })
		if !fails {
			hostileForm(d)
		}
		hostileReview(d, f)
		hostileWork(d, f)
	}
}

func hostileForm(d *formDriver) {
	d.t.Helper()
	d.checkFits()
	d.shows("not loaded")
	for range 8 {
		d.checkFits()
		d.press("tab")
	}
	d.press("up", "up", "x") // the filter of the options
	d.checkFits()
	d.root.top().(*formScreen).err = failure.New(failure.Usage, hostile, "%s", hostile)
	d.checkFits()
}

func hostileReview(d *formDriver, f flow) {
	d.t.Helper()
	review := newReview(d.w, f, func() {})
	d.update(pushMsg{review})
	d.checkFits()
	d.until("the review", func() bool { return !review.isBusy() })
	for _, k := range []string{"pgdown", "end", "c"} {
		d.checkFits()
		d.press(k)
	}
	d.press("e")
	d.until("the recipe", func() bool { return !review.isBusy() })
	for _, k := range []string{"end", "e"} {
		d.checkFits()
		d.press(k)
	}
}

func hostileWork(d *formDriver, f flow) {
	d.t.Helper()
	work := newWorking(d.w, f, f.command())
	d.update(replaceMsg{work})
	d.until("a prompt", work.isTyping)
	for _, k := range []string{"short", "enter", "longenough", "enter", "other words", "enter"} {
		d.press(k)
	}
	d.checkFits()
	d.press("longenough", "enter", "longenough", "enter")
	d.until("the result", func() bool { return d.root.top() != screen(work) })
	for _, k := range []string{"down", "end", "c"} {
		d.checkFits()
		d.press(k)
	}
	d.checkFits()
}
