package tui

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// formDriver runs the program's model as Bubble Tea does, but for the terminal:
// one message after the other, commands in goroutines.
type formDriver struct {
	t    *testing.T
	root *root
	w    *world
	msgs chan tea.Msg
	seen []string // what was copied to the clipboard, as the type of the message
	quit bool
}

func newFormDriver(t *testing.T, open func(*world) screen) *formDriver {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &formDriver{t: t, msgs: make(chan tea.Msg, 1000)}
	d.w = &world{
		Options: Options{Program: "pkictl", Now: time.Now},
		ctx:     ctx, theme: newTheme(true),
		send: func(msg tea.Msg) { d.msgs <- msg },
	}
	t.Cleanup(cancel)
	d.root = newRoot(d.w, newHome(d.w))
	d.root.width, d.root.height = 80, 24
	d.update(pushMsg{open(d.w)})
	return d
}

func (d *formDriver) update(msg tea.Msg) {
	switch {
	case msg == nil:
		return
	case reflect.TypeOf(msg) == reflect.TypeOf(tea.Quit()):
		d.quit = true
		return
	case strings.Contains(reflect.TypeOf(msg).String(), "lipboard"):
		d.seen = append(d.seen, reflect.ValueOf(msg).String())
		return
	}
	_, cmd := d.root.Update(msg)
	d.run(cmd)
}

func (d *formDriver) run(cmd tea.Cmd) {
	if cmd != nil {
		go func() { d.deliver(cmd()) }()
	}
}

func (d *formDriver) deliver(msg tea.Msg) {
	if batch, ok := msg.(tea.BatchMsg); ok {
		for _, cmd := range batch {
			d.run(cmd)
		}
		return
	}
	if v := reflect.ValueOf(msg); msg != nil && v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
		for i := range v.Len() { // of tea.Sequence
			d.deliver(v.Index(i).Interface().(tea.Cmd)())
		}
		return
	}
	d.msgs <- msg
}

// until handles messages until something is so.
func (d *formDriver) until(what string, is func() bool) {
	d.t.Helper()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case msg := <-d.msgs:
			d.update(msg)
		case <-deadline:
			d.t.Fatalf("it never came to this: %s; the screen says:\n%s", what, d.view())
		}
	}
}

func (d *formDriver) view() string { return ansi.Strip(d.root.frame()) }

// shows waits for words on the screen, wherever lines are broken.
func (d *formDriver) shows(words string) {
	d.t.Helper()
	d.until(words, func() bool { return strings.Contains(strings.Join(strings.Fields(d.view()), " "), words) })
}

// on waits for a screen, which has been told that it is on top again.
func (d *formDriver) on(title string) {
	d.t.Helper()
	d.until("the screen "+title, func() bool {
		form, isForm := d.root.top().(*formScreen)
		return d.root.top().Title() == title && (!isForm || !form.gone)
	})
}

// press sends keys by their names, and letters one by one.
func (d *formDriver) press(keys ...string) {
	d.t.Helper()
	for _, k := range keys {
		for _, msg := range keyMessages(k) {
			d.update(msg)
		}
	}
}

func keyMessages(k string) []tea.KeyPressMsg {
	named := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
		"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
		"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"space": {Code: tea.KeySpace, Text: " "}, "backspace": {Code: tea.KeyBackspace},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+n": {Code: 'n', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	}
	if msg, ok := named[k]; ok {
		return []tea.KeyPressMsg{msg}
	}
	var out []tea.KeyPressMsg
	for _, r := range k {
		if r == ' ' {
			out = append(out, named["space"])
			continue
		}
		out = append(out, tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	return out
}

// checkFits looks at the screen on top.
func (d *formDriver) checkFits() {
	d.t.Helper()
	checkFits(d.t, d.root.top())
	shown := ansi.Strip(d.root.frame())
	if !utf8.ValidString(shown) || strings.ContainsAny(shown, "\x1b\a\r\t\u202e\u200b\u2066\u009b") {
		d.t.Errorf("something raw is on the screen: %q", d.root.frame())
	}
}

// reviewed is the screen of a review that has ended.
func reviewed(w *world, f flow, r *review, err error) *reviewScreen {
	s := newReview(w, f, func() {})
	s.work = &formWork{world: w}
	s.ended(formEndMsg{work: s.work, review: r, err: err})
	return s
}
